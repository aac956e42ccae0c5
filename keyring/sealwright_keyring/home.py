"""A private gpg home that holds the chosen keys, and no others.

- The home is a new folder that only we may enter, and is gone afterwards.
- A home is held by a lock that dies with its process: what a killed one left is told from what is in use, and removed.
- Only certificates whose primary fingerprint was chosen reach gpg, without trust packets and minimal.
- After the import gpg must hold exactly the chosen keys; one that is missing is an error.
- Once filled it is only read: the files are not gpg's own to write, so no check can change the next one's keys.
- The SHA-256 of the minimal export names the keyring that was used.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sealwright_keyring.certificates import Certificate
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.gpg import Gpg, GpgRun
from sealwright_keyring.second import Pinned
from sealwright_keyring.text import printable

_FULL = re.compile(r"[0-9A-F]{40}\Z|[0-9A-F]{64}\Z")
_PREFIX = "sealwright-home-"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_VERSION = re.compile(rb"gpg \(GnuPG[^)]*\) (2\.\d+\.\d+)[^\n]*\n")


@dataclass(frozen=True)
class Key:
    """A primary key or subkey as gpg lists it. `bits` counts for RSA only; `expires` None: never."""

    fingerprint: str
    primary: str
    algorithm: int
    bits: int
    created: datetime
    expires: datetime | None
    revoked: bool
    user_ids: tuple[str, ...] = ()


class PrivateHome:
    """Makes the home, and answers for what is in it. Close it after use."""

    def __init__(self, gpg: Gpg) -> None:
        self.gpg = gpg
        self.folder, held = _new_folder(gpg.temporary)
        self._remove = weakref.finalize(self, _remove, self.folder, held)
        gpg.own(self.folder)
        self.keys: Mapping[str, Key] = {}
        self.pinned = Pinned(())
        self.certificates: tuple[bytes, ...] = ()
        self.sha256 = ""
        self.version = ""

    def close(self) -> None:
        """Remove the home."""
        self._remove()

    def load(self, found: Iterable[Certificate], chosen: Collection[str]) -> None:
        """Import the chosen ones among `found`.

        Raises:
            KeyringError: a chosen key is missing or unusable, or gpg is.
        """
        wanted = normalised(chosen)
        self.version = self._version()
        parts: dict[str, list[bytes]] = {name: [] for name in wanted}
        ours = [certificate for certificate in found if certificate.fingerprint in wanted]
        for certificate in ours:
            parts[certificate.fingerprint].append(certificate.raw)
        if missing := sorted(name for name, raw in parts.items() if not raw):
            raise KeyringError(
                "the keyring", f"it holds no key {missing[0]}", "add the key file, or correct the fingerprint"
            )
        blob = b"".join(raw for name in sorted(parts) for raw in parts[name])
        # Minimal, or a certificate with a million third-party signatures would stall every check.
        self._import(blob)
        listing = self._run(["--with-colons", "--fixed-list-mode", "--with-subkey-fingerprint", "--list-keys"])
        self.keys = {key.fingerprint: key for key in _listed(listing.stdout.decode("utf-8", "replace"))}
        held = {key.primary for key in self.keys.values()}
        if held != wanted:
            odd = sorted(held ^ wanted)[0]
            raise KeyringError(f"key {odd}", "gpg does not accept it as it is", "ask its owner for a fresh export")
        self.pinned = Pinned(ours)
        self.certificates = tuple(each.raw for each in ours)
        self.gpg.take_back(self.folder)
        self.sha256 = hashlib.sha256(self.export(wanted)).hexdigest()

    def export(self, wanted: Iterable[str], *, armor: bool = False) -> bytes:
        """The minimal export of held keys.

        Raises:
            KeyringError: gpg refuses.
        """
        form = ["--armor"] if armor else []
        return self._run([*form, "--export-options", "export-minimal", "--export", *sorted(wanted)]).stdout

    def _import(self, blob: bytes) -> None:
        options = "import-minimal,no-repair-keys,no-import-local-sigs"
        run = self.gpg.run(self.folder, ["--import-options", options, "--import"], stdin=blob)
        if run.returncode < 0 or b"[GNUPG:] IMPORT_OK " not in run.status:
            raise KeyringError(
                "gpg does not import the keys",
                complaint(run),
                "ask the keys' owners for a fresh export",
            )

    def _run(self, arguments: Sequence[str]) -> GpgRun:
        run = self.gpg.run(self.folder, arguments)
        if run.returncode != 0:
            raise KeyringError("gpg refuses the private keyring", complaint(run), "run `sealwright doctor`")
        return run

    def _version(self) -> str:
        run = self.gpg.run(self.folder, ["--version"])
        match = _VERSION.match(run.stdout)
        if run.returncode != 0 or not match:
            raise KeyringError("gpg", "it is missing, or not version 2", "install gnupg 2.2 or later")
        return f"gpg (GnuPG) {match[1].decode()}"


def remove_abandoned(gpg: Gpg) -> None:
    """Remove the homes that killed processes left where those of `gpg` lie; one that a living process holds stays."""
    for folder in Path(gpg.temporary or tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # it is somebody else's, or in use, or no folder
            held = os.open(folder, _FOLDER)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(held)
                raise
            _remove(folder, held)


def _new_folder(where: str | None) -> tuple[Path, int]:
    """A new folder, and a descriptor that holds its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=where))
        with contextlib.suppress(FileNotFoundError):  # taken for an abandoned one before the lock was ours
            held = os.open(folder, _FOLDER)
            try:
                fcntl.flock(held, fcntl.LOCK_EX)
                if os.path.samestat(os.fstat(held), folder.lstat()):
                    return folder, held
            except BaseException:
                os.close(held)
                raise
            os.close(held)


def _remove(folder: Path, held: int) -> None:
    with contextlib.suppress(OSError):
        os.fchmod(held, 0o700)  # a filled one is read-only; by descriptor, for its name may be another's by now
    shutil.rmtree(folder, ignore_errors=True)
    os.close(held)


def complaint(run: GpgRun) -> str:
    """How a run ended, and the end of what gpg said on stderr, printable."""
    said = printable(b" / ".join(run.stderr.strip().splitlines())[-300:])
    return f"exit status {run.returncode}" + (f": {said}" if said else "")


def normalised(chosen: Collection[str]) -> set[str]:
    """Full fingerprints in upper case.

    Raises:
        KeyringError: none was chosen, or one is not a full fingerprint.
    """
    names = {name.upper() for name in chosen}
    if not names:
        raise KeyringError("the keyring", "no key was chosen", "name the keys by full fingerprint")
    for name in names:
        if not _FULL.match(name):
            raise KeyringError(
                f"key {printable(name, 80)}", "it is not a full fingerprint", "give all 40 hex digits"
            )
    return names


def _listed(listing: str) -> list[Key]:
    """Keys of a `--with-colons` listing (doc/DETAILS of GnuPG)."""
    keys: list[Key] = []
    pending: list[str] = []
    primary = ""
    primary_revoked = False
    for line in listing.splitlines():
        fields = line.split(":")
        if fields[0] in ("pub", "sub"):
            pending = fields
        elif fields[0] == "uid" and keys:
            keys[-1] = replace(keys[-1], user_ids=(*keys[-1].user_ids, fields[9]))
        elif fields[0] == "fpr" and pending:
            if pending[0] == "pub":
                primary, primary_revoked = fields[9], pending[1] == "r"
            keys.append(
                Key(
                    fields[9],
                    primary,
                    int(pending[3]),
                    int(pending[2] or 0),
                    datetime.fromtimestamp(int(pending[5]), UTC),
                    datetime.fromtimestamp(int(pending[6]), UTC) if pending[6] else None,
                    primary_revoked or pending[1] == "r",
                )
            )
            pending = []
    return keys
