"""Ed25519 private keys in files: PEM, PKCS #8, for their owner alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import BinaryIO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from sealwright_appendlog.folder import sync_folder


def read_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key.

    Raises:
        OSError: it can't be read.
        ValueError: it is no Ed25519 key.
    """
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} is no Ed25519 key")
    return key


def read_or_make_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key, or make it if it is missing; on disk, whole, before it is used.

    Two that start at once have the same key: a host must not serve under one and its owner be told of another.

    Raises:
        OSError: it can't be read or made.
        ValueError: it is no Ed25519 key.
    """
    with contextlib.suppress(FileNotFoundError):
        return read_key(path)
    temporary = path.with_name(f".{path.name}.new")
    # Whoever has its lock makes the key; as long as there is none, that name is one and the same file.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if path.exists():
            temporary.unlink(missing_ok=True)
            return read_key(path)
        return _made(path, temporary, stream)


def _made(path: Path, temporary: Path, stream: BinaryIO) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    os.fchmod(stream.fileno(), 0o600)  # somebody who was killed may have left it
    stream.truncate()
    stream.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    stream.flush()
    os.fsync(stream.fileno())
    temporary.rename(path)
    sync_folder(path.parent)
    return key
