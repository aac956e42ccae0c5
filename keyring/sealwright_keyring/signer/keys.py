"""The key that signs: one, by its full primary fingerprint; what it made is verified before it is handed out.

- Each signature is checked in a clean home, strictly, as the engine and an audit would: one that does not verify, or
  is another key's, leaves nobody's hands.
- A raw Ed25519 key may sign the provenance too, for tools that read no OpenPGP.
- A key file is taken into a home in memory, which is gone with the signer, also if that is killed: another process
  waits for that, and for nothing else. If both were killed, the next signer of this user removes it: a home whose signer
  lives is locked.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import subprocess
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sealwright_keyring.errors import SignerError
from sealwright_keyring.openpgp import Good, Keyring
from sealwright_keyring.signer.documents import Document
from sealwright_keyring.signer.gpg_sign import SigningGpg
from sealwright_keyring.text import printable

_MAX_KEY = 1 << 20
_PLACES = ("/dev/shm", "/run")  # noqa: S108 - a folder in memory is wanted; it is made for us alone
_PREFIX, _YOUNG = "sealwright-key-", 60.0  # seconds
_IN_MEMORY = ("tmpfs", "ramfs")
_GUARD = 'trap "" HUP INT TERM QUIT; read -r _; gpgconf --homedir "$1" --kill all; rm -rf -- "$1"'


class SigningKey:
    """One secret key behind a gpg, and maybe a raw one beside it. Close it after use."""

    def __init__(
        self, gpg: SigningGpg, wanted: str | None = None, ed25519: Ed25519PrivateKey | None = None
    ) -> None:
        """Find the key that is `wanted` by its full fingerprint, or the only one.

        Raises:
            KeyringError: there is none that fits, or several; or gpg fails.
        """
        keys = [
            pair for pair in gpg.secret_keys() if wanted is None or pair[0] == wanted.upper().removeprefix("0X")
        ]
        if len(keys) != 1:
            where = f"the key home {gpg.home}" if gpg.home else gpg.program
            raise SignerError(where, f"it has {len(keys)} keys that fit", "name one: --key <full fingerprint>")
        self._gpg, self._ed25519 = gpg, ed25519
        self.fingerprint, uid = keys[0]
        self.uid = printable(uid, 200)
        self._keyring = Keyring.of([gpg.certificate(self.fingerprint)], [self.fingerprint])

    def close(self) -> None:
        """Remove the clean home."""
        self._keyring.close()

    def sign(self, document: Document) -> dict[str, str]:
        """A signature as an answer holds it: armored, or for a provenance in base64; verified.

        Raises:
            KeyringError: gpg fails, or what it made does not verify.
        """
        data, armored = document.to_sign, document.kind != "dsse-payload"
        signature = self._gpg.sign(self.fingerprint, data, armor=armored)
        verdict = self._keyring.verify_detached(signature, data)
        if not isinstance(verdict, Good) or verdict.fingerprint != self.fingerprint:
            because = "it is by another key" if isinstance(verdict, Good) else verdict.sentence
            raise SignerError(f"the signature over {document.name}", printable(because, 300), "look at the key")
        if armored:
            return {"name": document.name, "armor": signature.decode("ascii")}
        told = {"name": document.name, "base64": b64encode(signature).decode()}
        if self._ed25519 is not None:
            raw = self._ed25519.sign(data)
            with contextlib.suppress(InvalidSignature):
                self._ed25519.public_key().verify(raw, data)
                return {**told, "ed25519": b64encode(raw).decode()}
            raise SignerError("the Ed25519 key", "what it signed does not verify", "look at the key file")
        return told


def read_ed25519(path: Path, owner: int | None = None) -> Ed25519PrivateKey:
    """A raw Ed25519 key from a PKCS8 PEM file without a passphrase.

    Raises:
        SignerError: it is none, or others can read it.
        OSError: it can't be read.
    """
    try:
        key = load_pem_private_key(read_secret(path, owner), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SignerError(f"the key {path}", "it is no Ed25519 key in PKCS8 PEM without a passphrase", "name one")
    return key


def read_secret(path: Path, owner: int | None = None) -> bytes:
    """The bytes of a file that nobody but root, this user and `owner` can read.

    Raises:
        SignerError: others can read it, or it is no plain file.
        OSError: it can't be read.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as stream:
        held = os.fstat(fd)
        ours = held.st_uid in {0, os.geteuid(), *([] if owner is None else [owner])}
        if not stat.S_ISREG(held.st_mode) or not ours or held.st_mode & 0o077:
            raise SignerError(
                f"the key {path}", "others can read it, or it is no plain file", "chmod 600, and own it"
            )
        return stream.read(_MAX_KEY)


@contextlib.contextmanager
def home_in_memory(secret: bytes) -> Iterator[Path]:
    """A GnuPG home in memory that holds this secret key, while the block runs or this process lives.

    Raises:
        SignerError: no storage in memory is to be had, or gpg does not take the key.
    """
    place = _place()
    _remove_left(place)
    home = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place))
    with _locked(home):
        yield from _filled(home, secret)


def _filled(home: Path, secret: bytes) -> Iterator[Path]:
    waits, lives = os.pipe()
    try:
        words = ["/bin/sh", "-c", _GUARD, "sh", str(home)]
        guard = subprocess.Popen(
            words,
            stdin=waits,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin"},
            start_new_session=True,
        )
    except OSError:
        home.rmdir()
        raise
    finally:
        os.close(waits)
    try:
        SigningGpg(home).run(["--import"], secret)
        yield home
    finally:
        os.close(lives)
        guard.wait()


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[bool]:
    """Whether we have the lock of a home; nobody else gets it then, while the block runs or this process lives."""
    fd = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(fd)


def _remove_left(place: str) -> None:
    """Remove the homes of this user's signers that are no more; a very young one may not be locked yet."""
    for home in Path(place).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            held = home.lstat()
            if held.st_uid == os.geteuid() and time.time() - held.st_mtime > _YOUNG:
                with _locked(home) as dead:
                    if dead:
                        shutil.rmtree(home)


def _place() -> str:
    """A folder in memory that we can write to."""
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text("ascii", "replace").splitlines()]
    for place in (*_PLACES, f"/run/user/{os.geteuid()}"):
        under = [mount for mount in mounts if f"{place}/".startswith(mount[0].rstrip("/") + "/")]
        kind = max(under, key=lambda mount: len(mount[0]), default=["", ""])[1]
        if kind in _IN_MEMORY and os.access(place, os.W_OK | os.X_OK):
            return place
    raise SignerError(
        "--key-file", "no storage in memory is to be had", "mount a tmpfs at /dev/shm, or give a --home"
    )
