"""Where the log's files lie, and walking through `index.jsonl` in a stream."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

INDEX = "index.jsonl"
SEALED = "checkpoint.sealed"
CHECKPOINT = "checkpoint"
VKEY = "log.vkey"
SUMS = "SHA256SUMS"
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
    """The paths of all that lies below data/ and is no folder, relative to the log, sorted."""
    found = [p for p in (log / "data").rglob("*") if p.is_symlink() or not p.is_dir()]
    return sorted(p.relative_to(log).as_posix() for p in found)


def sha256(path: Path) -> str:
    """SHA-256 of a file in hex, streamed."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sums(log: Path, hashes: Mapping[str, str]) -> bytes:
    """The log's `SHA256SUMS`: index, sealed checkpoint, verifier key and every segment, sorted by path.

    `hashes` are the segments', by path.
    """
    files = {**hashes, **{name: sha256(log / name) for name in (INDEX, SEALED, VKEY)}}
    return _listing(files)


def listed(log: Path) -> dict[str, str]:
    """The segments' hashes as the log's `SHA256SUMS` lists them, by path."""
    lines = (log / SUMS).read_text("ascii", "replace").splitlines()
    pairs = (line.partition("  ") for line in lines)
    return {path: digest for digest, _, path in pairs if path.startswith("data/")}


def segments_sha256(hashes: Mapping[str, str]) -> str:
    """One SHA-256 over the segments' sha256sum lines, as the `seal` record names it."""
    return hashlib.sha256(_listing(hashes)).hexdigest()


def _listing(hashes: Mapping[str, str]) -> bytes:
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(hashes.items())).encode()
