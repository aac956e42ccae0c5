"""Manage a keyring folder: add a person's key, list, show; for `sealwright keyring`.

- A key is named by its full fingerprint, which must be in the file that is added: nobody is trusted by name.
- What is stored is the minimal export out of a clean home, under `keys/<fingerprint>.asc`.
- `signers.toml` keeps its text; a key is appended to its person's list, or a table to the end.
- Files are replaced whole; the folder is read strictly before and after, and put back if it no longer reads.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from sealwright_keyring.certificates import certificates
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.gpg import Gpg
from sealwright_keyring.home import PrivateHome, normalised
from sealwright_keyring.openpgp import Keyring
from sealwright_keyring.policy import Person, Policy, load_policy
from sealwright_keyring.text import printable
from sealwright_keyring.toml_lines import line_of

_PERSON = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
_MAX_KEY_FILE = 64 << 20


@dataclass(frozen=True)
class Entry:
    """One key of one person, for a list: what gpg says of it, strings printable."""

    person: str
    fingerprint: str
    algorithm: str
    created: str
    expires: str
    revoked: bool
    user_ids: tuple[str, ...]


class KeyringFolder:
    """A folder with `signers.toml` and `keys/`."""

    def __init__(self, folder: Path, gpg: Gpg | None = None) -> None:
        self.folder = folder
        self.gpg = gpg or Gpg()

    def add(self, file: Path, fingerprint: str, person: str) -> Path:
        """Take the certificate with this full fingerprint out of `file`, for `person`; gives its new place.

        Raises:
            KeyringError: it is not in the file, belongs to somebody already, or the folder is refused.
        """
        if not _PERSON.match(person):
            raise KeyringError(f"the name {printable(person, 80)}", "it is not plain", "use letters, digits, _ -")
        (name,) = normalised([fingerprint])
        text_path = self.folder / "signers.toml"
        old = text_path.read_text("utf-8") if text_path.exists() else None
        if old is not None and "[person." in _code(old) and (owner := load_policy(self.folder).person_of(name)):
            raise KeyringError(f"key {name}", f"it belongs to {owner.name} already", "nothing needs to be done")
        armored = self._minimal(file, name)
        target = self.folder / "keys" / f"{name}.asc"
        had = target.read_bytes() if target.exists() else None
        (self.folder / "keys").mkdir(parents=True, exist_ok=True)
        try:
            write_whole(target, armored)
            write_whole(text_path, added(old or "", person, name).encode())
            load_policy(self.folder)
        except BaseException:
            _put_back(text_path, old.encode() if old is not None else None)
            _put_back(target, had)
            raise
        return target

    def list(self) -> tuple[Entry, ...]:
        """Every OpenPGP key of every person.

        Raises:
            KeyringError: the folder, or a key in it, is refused.
        """
        policy = load_policy(self.folder)
        return tuple(entry for person in policy.persons.values() for entry in self._entries(policy, person))

    def show(self, wanted: str) -> tuple[Entry, ...]:
        """The keys of a person, or the key with a full fingerprint.

        Raises:
            KeyringError: there is no such person or key.
        """
        found = tuple(e for e in self.list() if wanted == e.person or wanted.upper() == e.fingerprint)
        if not found:
            raise KeyringError(
                printable(wanted, 80),
                "it is neither a person nor a full fingerprint of this keyring",
                "see `sealwright keyring list`",
            )
        return found

    def _minimal(self, file: Path, name: str) -> bytes:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise KeyringError(f"{file}", error.strerror or "can't be read", "name a key file") from error
        if len(data) > _MAX_KEY_FILE:
            raise KeyringError(f"{file}", "it is too large for a key file", "export the one key")
        home = PrivateHome(self.gpg)
        with contextlib.closing(home):
            home.load(certificates(data), [name])
            return home.export([name], armor=True)

    def _entries(self, policy: Policy, person: Person) -> tuple[Entry, ...]:
        if not person.openpgp:
            return ()
        with Keyring.of(policy.certificates, person.openpgp, gpg=self.gpg) as ring:
            return tuple(
                Entry(
                    person.name,
                    key.fingerprint,
                    ring.algorithm_of(key.fingerprint),
                    key.created.date().isoformat(),
                    key.expires.date().isoformat() if key.expires else "never",
                    key.revoked,
                    tuple(printable(each, 200) for each in key.user_ids),
                )
                for key in ring.primary_keys
            )


def added(text: str, person: str, fingerprint: str) -> str:
    """`text` of signers.toml with one more key for `person`; everything else stays as it is."""
    lines = text.splitlines()
    head = line_of(text, ("person", person))
    if not lines or not re.match(rf"\s*\[\s*person\s*\.\s*[\"']?{re.escape(person)}[\"']?\s*\]", lines[head - 1]):
        gap = "\n" if text.strip() else ""
        return f'{text.rstrip()}\n{gap}[person.{person}]\nopenpgp = ["{fingerprint}"]\n'.lstrip("\n")
    place = line_of(text, ("person", person, "openpgp"))
    if place == head:
        lines.insert(head, f'openpgp = ["{fingerprint}"]')
    else:
        lines[place - 1] = re.sub(r"=\s*\[\s*", f'= ["{fingerprint}", ', lines[place - 1], count=1)
    return "\n".join(lines) + "\n"


def write_whole(path: Path, data: bytes) -> None:
    """Replace `path` so that a crash leaves the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _code(text: str) -> str:
    """The lines of TOML text that are no comments."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def _put_back(path: Path, data: bytes | None) -> None:
    if data is None:
        path.unlink(missing_ok=True)
    else:
        write_whole(path, data)
