"""`sealwright keyring`: look at a keyring folder, add keys by full fingerprint only, list it for signing, rotate it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from sealwright_console.sanitise import clean
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import load_policy
from sealwright_keyring.policy_sums import sums_text
from sealwright_keyring.store import Entry, KeyringFolder
from sealwright_stages.errors import Exit, MachineError, ManifestError
from sealwright_stages.verify.verifier import verifier


def run_keyring(action: str, words: Sequence[str], folder: Path) -> int:
    """Do one action on a keyring folder; gives the exit code.

    Raises:
        ManifestError: what is asked makes no sense, or the folder is refused.
    """
    keyring = KeyringFolder(folder, verifier())
    try:
        if action == "add":
            _add(words, keyring)
        elif action == "show" and len(words) == 1:
            _print(keyring.show(words[0].replace(" ", "")))
        elif action == "list" and not words:
            _print(keyring.list())
        elif action in ("rotate", "history") and not words:
            from sealwright_console.rotating import run_history, run_rotate  # noqa: PLC0415 - hardly ever asked for

            return run_rotate(folder) if action == "rotate" else run_history(folder)
        elif action == "digest" and not words:
            sys.stdout.write(sums_text(folder, load_policy(folder).files).decode())
        else:
            raise ManifestError(
                f"keyring {action}", "these words do not fit it", "see `sealwright keyring --help`"
            )
    except KeyringError as error:
        raise ManifestError(error.what, error.because, error.next_step) from error
    except OSError as error:
        raise MachineError(str(error.filename), error.strerror or str(error), "look at the folder") from error
    return int(Exit.DONE)


def _add(words: Sequence[str], keyring: KeyringFolder) -> None:
    if len(words) != 3:
        raise ManifestError("keyring add", "it wants FILE PERSON FINGERPRINT", "give the full fingerprint")
    place = keyring.add(Path(words[0]), words[2].replace(" ", ""), words[1])
    print(f"added {clean(words[1])}: {clean(str(place))}")


def _print(entries: Sequence[Entry]) -> None:
    for entry in entries:
        revoked = "  REVOKED" if entry.revoked else ""
        print(f"{clean(entry.person)}  {grouped(entry.fingerprint)}{revoked}")
        times = f", made {entry.created}, expires {entry.expires}" if entry.created else ""
        print(f"    {entry.algorithm}{times}, {clean(', '.join(entry.user_ids)) or 'no comment'}")


def grouped(fingerprint: str) -> str:
    """An OpenPGP fingerprint in groups of four, as people compare it; another as it is."""
    if ":" in fingerprint:
        return fingerprint
    return " ".join(fingerprint[i : i + 4] for i in range(0, len(fingerprint), 4))
