"""Where the log's files lie, and walking through `index.jsonl` in a stream."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

INDEX = "index.jsonl"
SEALED = "checkpoint.sealed"
CHECKPOINT = "checkpoint"
VKEY = "log.vkey"
SUMS = "SHA256SUMS"
STREAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*(/[A-Za-z0-9][A-Za-z0-9._+~-]*){0,3}\Z")
_BLOCK = 1 << 20


def lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a file, without their LF; what follows the last LF is not given."""
    rest = b""
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            parts = (rest + block).split(b"\n")
            rest = parts.pop()
            yield from parts


def segments(log: Path) -> list[str]:
    """The segments' paths relative to the log, sorted."""
    found = [p for p in (log / "data").rglob("*.log") if p.is_file() and not p.is_symlink()]
    return sorted(p.relative_to(log).as_posix() for p in found)


def sha256(path: Path) -> str:
    """SHA-256 of a file in hex, streamed."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sums(log: Path) -> bytes:
    """The log's `SHA256SUMS`: index, sealed checkpoint, verifier key and every segment, sorted by path."""
    paths = sorted([INDEX, SEALED, VKEY, *segments(log)])
    return "".join(f"{sha256(log / path)}  {path}\n" for path in paths).encode()


def segments_sha256(log: Path) -> str:
    """One SHA-256 over the segments' sha256sum lines, as the `seal` record names it."""
    listing = "".join(f"{sha256(log / path)}  {path}\n" for path in segments(log))
    return hashlib.sha256(listing.encode()).hexdigest()
