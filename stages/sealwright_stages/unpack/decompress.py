"""Decompress a file that was fetched, before anything vouches for it: the real tools, boxed in.

- The tool goes by the file's name, and the file must begin as that format does.
- The bytes are all that the tool writes: every member, one after the other, as `xz -t` and `gzip -t` count them.
- A tool that ends with anything but 0, or says anything at all (of bytes after the end, for instance), is a refusal.
- More bytes, memory or time than the limits, and it was a bomb; what came out by then is removed.
- Both digests are told, that of the file as it came and that of what came out.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages import process
from sealwright_stages.errors import MachineError
from sealwright_stages.files import remove_tree, sha256_file
from sealwright_stages.ports import Workshop
from sealwright_stages.unpack import limits
from sealwright_stages.unpack.boxed import OUT, Boxed, run_boxed
from sealwright_stages.unpack.names import decompressor, uncompressed_name
from sealwright_stages.verify.codes import RefusedError, shown

FOLDER = "uncompressed"
_SCRIPT = Path(__file__).with_name("decompress.sh")
_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "gzip": ("gzip", "--decompress", "--stdout"),
    "bzip2": ("bzip2", "--decompress", "--stdout"),
    "xz": (
        "xz",
        "--decompress",
        "--stdout",
        "--format=xz",
        "--no-sparse",
        f"--memlimit-decompress={limits.MEMORY}",
    ),
    "zstd": ("zstd", "--decompress", "--stdout", "--no-sparse", "--quiet", "--no-progress"),
}
_BEGINS = {"gzip": b"\x1f\x8b\x08", "bzip2": b"BZh", "xz": b"\xfd7zXZ\x00", "zstd": b"\x28\xb5\x2f\xfd"}
_PACKAGES = {"gzip": "gzip", "bzip2": "bzip2", "xz": "xz-utils", "zstd": "zstd"}
_VERSION = re.compile(rb"\d+\.\d+(\.\d+)?")
_NEXT = "get the file from elsewhere; if it is the same there, ask upstream how it was made"
_BOMB = "don't retry: ask upstream why so little becomes so much"


@dataclass(frozen=True)
class Uncompressed:
    """What came out: where it lies (in the quarantine), its SHA-256 and bytes, and how it was made."""

    path: Path
    sha256: str
    size: int
    evidence: Mapping[str, object]


def decompress(workshop: Workshop, path: Path) -> Uncompressed:
    """Decompress `path`, which lies in the workshop's quarantine.

    Raises:
        RefusedError: `decompress-failed` or `archive-bomb`.
        MachineError: the tool or the sandbox is missing, or the disk is full.
    """
    tool = decompressor(path.name)
    version = _version(tool)
    size, digest = path.stat().st_size, sha256_file(path)
    _check_beginning(path, tool)
    out = workshop.quarantine / FOLDER / uncompressed_name(path.name)
    most = limits.room(size)
    script = ("sh", "-c", _SCRIPT.read_text(encoding="ascii"), "decompress", str(path), f"{OUT}/{out.name}")
    boxed = run_boxed(workshop, (*script, *_ARGUMENTS[tool]), out.parent, (path,), most, size)
    try:
        _judge(boxed, path.name, out, most)
        found = Uncompressed(out, sha256_file(out), out.lstat().st_size, {})
    except (RefusedError, OSError):
        remove_tree(out.parent)
        raise
    evidence = {
        "argv": list(_ARGUMENTS[tool]),
        "tool": f"{tool} {version}",
        "exit": boxed.run.returncode,
        "compressed_sha256": digest,
        "compressed_size": size,
        "uncompressed_sha256": found.sha256,
        "uncompressed_size": found.size,
        "duration_ms": boxed.duration_ms,
    }
    return Uncompressed(out, found.sha256, found.size, evidence)


def _judge(boxed: Boxed, name: str, out: Path, most: int) -> None:
    run = boxed.run
    if boxed.slow:
        raise RefusedError("archive-bomb", f"{name} was not decompressed in time", _BOMB)
    if run.returncode == 0 and not run.stderr.strip() and out.is_file() and not out.is_symlink():
        return
    if b"File too large" in run.stderr or (out.is_file() and out.lstat().st_size >= most):
        raise RefusedError("archive-bomb", f"more than {most} bytes come out of {name}", _BOMB)
    if b"emory" in run.stderr:
        raise RefusedError("archive-bomb", f"{name} wants more memory than it gets: {boxed.last_words()}", _BOMB)
    raise RefusedError("decompress-failed", f"{name} can't be decompressed: {boxed.last_words()}", _NEXT)


def _check_beginning(path: Path, tool: str) -> None:
    begins = _BEGINS[tool]
    with path.open("rb") as stream:
        found = stream.read(len(begins))
    if found != begins:
        raise RefusedError(
            "decompress-failed", f"{path.name} does not begin as a file of {tool} does: {shown(found)}", _NEXT
        )


@functools.cache
def _version(tool: str) -> str:
    try:
        done = process.run([tool, "--version"], timeout=20)
    except MachineError as error:
        raise MachineError(f"{tool} is missing", error.because, f"install {_PACKAGES[tool]}, run again") from error
    found = _VERSION.search(done.stdout + done.stderr)  # bzip2 says it on the other channel
    return found[0].decode() if found else "of unknown version"
