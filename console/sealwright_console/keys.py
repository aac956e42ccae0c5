"""`sealwright keyring`: look at a keyring folder and add keys to it, by full fingerprint only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sealwright_console.sanitise import clean
from sealwright_keyring.armor import enarmor
from sealwright_keyring.certificates import certificates
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import load_policy
from sealwright_stages.errors import Exit, MachineError, ManifestError
from sealwright_stages.files import write_whole


def run_keyring(action: str, words: Sequence[str], folder: Path) -> int:
    """Do one action on a keyring folder; gives the exit code.

    Raises:
        ManifestError: what is asked makes no sense, or the folder is refused.
    """
    try:
        if action == "add":
            return _add(words, folder)
        return _list(words, folder)
    except KeyringError as error:
        raise ManifestError(error.what, error.because, error.next_step) from error
    except OSError as error:
        raise MachineError(str(error.filename), error.strerror or str(error), "look at the folder") from error


def _list(words: Sequence[str], folder: Path) -> int:
    policy = load_policy(folder)
    held = {c.fingerprint for data in policy.certificates for c in certificates(data)}
    wanted = {word.replace(" ", "").upper() for word in words}
    for person in policy.persons.values():
        for fingerprint in person.openpgp:
            if not wanted or fingerprint in wanted:
                state = "certificate present" if fingerprint in held else "CERTIFICATE MISSING"
                print(f"{clean(person.name)}  {grouped(fingerprint)}  {state}")
    return int(Exit.DONE)


def _add(words: Sequence[str], folder: Path) -> int:
    if len(words) != 3:
        raise ManifestError("keyring add", "it wants FILE PERSON FINGERPRINT", "give the full fingerprint")
    file, person, fingerprint = words[0], words[1], words[2].replace(" ", "").upper()
    found = [c for c in certificates(Path(file).read_bytes()) if c.fingerprint == fingerprint]
    if len(found) != 1:
        raise ManifestError(file, f"it has no certificate {fingerprint}", "compare the whole fingerprint")
    policy = load_policy(folder)
    if person in policy.persons and fingerprint not in policy.persons[person].openpgp:
        raise ManifestError(
            f"{folder / 'signers.toml'}", f"{person} is there already", f"add {fingerprint} to that person by hand"
        )
    (folder / "keys").mkdir(exist_ok=True)
    write_whole(folder / "keys" / f"{fingerprint}.asc", enarmor(found[0].raw, "PUBLIC KEY BLOCK"))
    if person not in policy.persons:
        text = (folder / "signers.toml").read_text("utf-8")
        added = f'{text.rstrip()}\n\n[person.{person}]\nopenpgp = ["{fingerprint}"]\n'
        write_whole(folder / "signers.toml", added.encode())
    print(f"added {clean(person)}  {grouped(fingerprint)}")
    return int(Exit.DONE)


def grouped(fingerprint: str) -> str:
    """A fingerprint in groups of four, as people compare it."""
    return " ".join(fingerprint[i : i + 4] for i in range(0, len(fingerprint), 4))
