"""Where the log's files lie, and walking through `index.jsonl` in a stream.

- A file of the log is a regular file: a symbolic link, a pipe or a device is refused before anything is read.
- No line, and no file that is read whole, takes more memory than its limit.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from io import BufferedReader
from pathlib import Path

from sealwright_appendlog.record import MAX_LINE

INDEX = "index.jsonl"
SEALED = "checkpoint.sealed"
CHECKPOINT = "checkpoint"
VKEY = "log.vkey"
SUMS = "SHA256SUMS"
MAX_FILE = 64 << 20
_BLOCK = 1 << 20


def opened(path: Path) -> BufferedReader:
    """Open a regular file to be read.

    Raises:
        OSError: it can't be, or is something else.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    stream = open(path, "rb", opener=lambda name, _: os.open(name, flags))  # noqa: SIM115 - whoever asked closes it; a folder is refused by name
    if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        return stream
    stream.close()
    raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def whole(path: Path, limit: int = MAX_FILE) -> bytes:
    """All bytes of a file that has at most `limit`.

    Raises:
        OSError: it can't be read, or has more.
    """
    with opened(path) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit} bytes", str(path))
    return data


def lines(path: Path, *, strict: bool = False) -> Iterator[bytes]:
    """The whole lines of a file, without their LF; what follows the last LF is not given.

    A line that is too long for a record is given cut, but still too long to be one; if `strict`, it is the last
    that is given, also without an LF.
    """
    rest = b""
    with opened(path) as stream:
        while block := stream.read(_BLOCK):
            parts = (rest + block).split(b"\n")
            rest = parts.pop()[: MAX_LINE + 1]
            yield from parts
            if strict and len(rest) > MAX_LINE:
                yield rest
                return


def segments(log: Path) -> list[str]:
    """The paths of all that lies below data/ and is no folder, relative to the log, sorted.

    Raises:
        OSError: a folder can't be read, or lies too deep.
    """
    found: list[str] = []
    waiting = ["data"] if (log / "data").is_dir() else []
    while waiting:
        parent = waiting.pop()
        with os.scandir(log / parent) as entries:
            for entry in entries:
                (waiting if entry.is_dir(follow_symlinks=False) else found).append(f"{parent}/{entry.name}")
    return sorted(found)


def sha256(path: Path) -> str:
    """SHA-256 of a file in hex, streamed."""
    with opened(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sums(log: Path, hashes: Mapping[str, str]) -> bytes:
    """The log's `SHA256SUMS`: index, sealed checkpoint, verifier key and every segment, sorted by path.

    `hashes` are the segments', by path.
    """
    files = {**hashes, **{name: sha256(log / name) for name in (INDEX, SEALED, VKEY)}}
    return _listing(files)


def listed(log: Path) -> dict[str, str]:
    """The segments' hashes as the log's `SHA256SUMS` lists them, by path."""
    lines = whole(log / SUMS).decode("ascii", "replace").splitlines()
    pairs = (line.partition("  ") for line in lines)
    return {path: digest for digest, _, path in pairs if path.startswith("data/")}


def segments_sha256(hashes: Mapping[str, str]) -> str:
    """One SHA-256 over the segments' sha256sum lines, as the `seal` record names it."""
    return hashlib.sha256(_listing(hashes)).hexdigest()


def _listing(hashes: Mapping[str, str]) -> bytes:
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(hashes.items())).encode()
