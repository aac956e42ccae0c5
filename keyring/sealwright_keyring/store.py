"""Manage a keyring folder: add a person's key, list, show; for `sealwright keyring`.

- A key is named by its full fingerprint, which must be in the file that is added: nobody is trusted by name. A
  minisign key may also be named by itself, as its owners publish it.
- What is stored of an OpenPGP key is the minimal export out of a clean home, under `keys/<fingerprint>.asc`; of an SSH
  or minisign key the key itself with its comment, under `keys/<kind>-<SHA-256 in hex>.pub`; of a raw Ed25519 key the
  key, under `keys/ed25519-<SHA-256 in hex>.pem`.
- `signers.toml` keeps its text; a key is appended to its person's list, or a table to the end.
- Files are replaced whole; the folder is read strictly before and after, and put back if it no longer reads.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sealwright_keyring import ed25519_keys, minisign_keys, ssh_keys
from sealwright_keyring.certificates import certificates
from sealwright_keyring.errors import KeyringError, MalformedError, RefusedError
from sealwright_keyring.gpg import Gpg
from sealwright_keyring.home import PrivateHome, normalised
from sealwright_keyring.openpgp import Keyring
from sealwright_keyring.policy import Person, Policy, load_policy
from sealwright_keyring.text import printable
from sealwright_keyring.toml_lines import line_of

_PERSON = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
_MAX_KEY_FILE = 64 << 20
_MINISIGN_KEY = re.compile(r"RW[A-Za-z0-9+/]{54}\Z")


@dataclass(frozen=True)
class Entry:
    """One key of one person, for a list: what gpg or its file says of it, strings printable.

    A key of another kind than OpenPGP says nothing of its times; `created` and `expires` are empty then.
    """

    person: str
    fingerprint: str
    algorithm: str
    created: str
    expires: str
    revoked: bool
    user_ids: tuple[str, ...]


@dataclass(frozen=True)
class _Found:
    """A key to be stored: kind, fingerprint, what signers.toml calls it, its file's name and bytes.

    `key` is a minisign key as its owner publishes it.
    """

    kind: str
    fingerprint: str
    named: str
    file: str
    data: bytes
    key: str = ""


class KeyringFolder:
    """A folder with `signers.toml` and `keys/`."""

    def __init__(self, folder: Path, gpg: Gpg | None = None) -> None:
        self.folder = folder
        self.gpg = gpg or Gpg()

    def add(self, file: Path, fingerprint: str, person: str) -> Path:
        """Take the key with this full fingerprint out of `file`, for `person`; gives its new place.

        Raises:
            KeyringError: it is not in the file, belongs to somebody already, or the folder is refused.
        """
        if not _PERSON.match(person):
            raise KeyringError(f"the name {printable(person, 80)}", "it is not plain", "use letters, digits, _ -")
        found = self._found(file, fingerprint)
        text_path = self.folder / "signers.toml"
        old = text_path.read_text("utf-8") if text_path.exists() else None
        if (
            old is not None
            and "[person." in _code(old)
            and (owner := load_policy(self.folder).person_of(found.fingerprint))
        ):
            raise KeyringError(
                f"key {found.fingerprint}", f"it belongs to {owner.name} already", "nothing needs to be done"
            )
        target = self.folder / "keys" / found.file
        had = target.read_bytes() if target.exists() else None
        (self.folder / "keys").mkdir(parents=True, exist_ok=True)
        try:
            write_whole(target, found.data)
            write_whole(text_path, added(old or "", person, found.named, found.kind).encode())
            load_policy(self.folder)
        except BaseException:
            _put_back(text_path, old.encode() if old is not None else None)
            _put_back(target, had)
            raise
        return target

    def list(self) -> tuple[Entry, ...]:
        """Every key of every person.

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
        found = tuple(
            e for e in self.list() if wanted in (e.person, e.fingerprint) or wanted.upper() == e.fingerprint
        )
        if not found:
            raise KeyringError(
                printable(wanted, 80),
                "it is neither a person nor a full fingerprint of this keyring",
                "see `sealwright keyring list`",
            )
        return found

    def _found(self, file: Path, fingerprint: str) -> _Found:
        """The one key in `file` that has this fingerprint, as it is to be stored."""
        is_minisign = fingerprint.startswith(minisign_keys.PREFIX) or _MINISIGN_KEY.match(fingerprint)
        is_raw = fingerprint.startswith(ed25519_keys.PREFIX)
        other = is_minisign or is_raw or fingerprint.startswith("SHA256:")
        names = set() if other else normalised([fingerprint])
        try:
            data = file.read_bytes()
        except OSError as error:
            raise KeyringError(f"{file}", error.strerror or "can't be read", "name a key file") from error
        if len(data) > _MAX_KEY_FILE:
            raise KeyringError(f"{file}", "it is too large for a key file", "export the one key")
        if not other:
            (name,) = names
            home = PrivateHome(self.gpg)
            with contextlib.closing(home):
                home.load(certificates(data), names)
                return _Found("openpgp", name, name, f"{name}.asc", home.export(names, armor=True))
        try:
            found = _minisign(data) if is_minisign else _raw(data) if is_raw else _ssh(data)
        except (MalformedError, RefusedError) as error:
            raise KeyringError(f"{file}", error.because, "name the public key file, one key in it") from error
        if fingerprint not in (found.fingerprint, found.key):
            raise KeyringError(
                f"{file}", f"it holds no key {printable(fingerprint, 80)}", "compare them once more"
            )
        return found

    def _entries(self, policy: Policy, person: Person) -> Iterator[Entry]:
        if person.openpgp:
            with Keyring.of(policy.certificates, person.openpgp, gpg=self.gpg) as ring:
                for key in ring.primary_keys:
                    yield Entry(
                        person.name,
                        key.fingerprint,
                        ring.algorithm_of(key.fingerprint),
                        key.created.date().isoformat(),
                        key.expires.date().isoformat() if key.expires else "never",
                        key.revoked,
                        tuple(printable(each, 200) for each in key.user_ids),
                    )
        for ssh in person.ssh:
            yield _timeless(person.name, ssh.fingerprint, ssh.algorithm, ssh.comment)
        for mini in person.minisign:
            yield _timeless(person.name, mini.fingerprint, "minisign Ed25519", mini.comment)
        for raw in person.ed25519:
            yield _timeless(person.name, raw.fingerprint, "raw Ed25519, of provenance", "")


def _timeless(person: str, fingerprint: str, algorithm: str, comment: str) -> Entry:
    return Entry(person, fingerprint, algorithm, "", "", False, (printable(comment, 200),) if comment else ())


def _ssh(data: bytes) -> _Found:
    key = ssh_keys.parse_key_file(data)
    place = f"ssh-{hashlib.sha256(key.blob).hexdigest()}.pub"
    stored = f"{key.line} {printable(key.comment, 200)}".rstrip() + "\n"
    return _Found("ssh", key.fingerprint, place, place, stored.encode())


def _minisign(data: bytes) -> _Found:
    key = minisign_keys.parse_key_file(data)
    place = f"minisign-{key.fingerprint.removeprefix(minisign_keys.PREFIX)}.pub"
    stored = f"untrusted comment: {printable(key.comment, 200)}\n{key.text}\n"
    return _Found("minisign", key.fingerprint, place, place, stored.encode(), key.text)


def _raw(data: bytes) -> _Found:
    key = ed25519_keys.parse_key_file(data)
    place = f"ed25519-{key.keyid}.pem"
    return _Found("ed25519", key.fingerprint, place, place, key.pem)


def added(text: str, person: str, key: str, kind: str = "openpgp") -> str:
    """`text` of signers.toml with one more key of a kind for `person`; everything else stays as it is."""
    lines = text.splitlines()
    head = line_of(text, ("person", person))
    if not lines or not re.match(rf"\s*\[\s*person\s*\.\s*[\"']?{re.escape(person)}[\"']?\s*\]", lines[head - 1]):
        gap = "\n" if text.strip() else ""
        return f'{text.rstrip()}\n{gap}[person.{person}]\n{kind} = ["{key}"]\n'.lstrip("\n")
    place = line_of(text, ("person", person, kind))
    if place == head:
        lines.insert(head, f'{kind} = ["{key}"]')
    else:
        lines[place - 1] = re.sub(r"=\s*\[\s*", f'= ["{key}", ', lines[place - 1], count=1)
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
