"""The manifest of a component's verified sources: which file, of which bytes, and nothing else.

- One JSON object a line, sorted by path: `{"mode","path","sha256","size"}` for a file, `{"path","target"}`
  for a symbolic link, `{"empty","path"}` for a folder with nothing in it. The SHA-256 of the manifest itself is in
  the log.
- A later check hashes every byte again; a file that is changed, missing, surplus, of another mode, or no
  plain file is refused, and so is an empty folder that was not there.
- A file with a second name (a hard link) is refused: it could be changed from elsewhere.
- Links are never followed.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.verdict import Verdict
from sealwright_stages.verify.codes import RefusedError, failed, passed, shown

_AGAIN = "run again: its sources are fetched and verified anew; find out who changed them"
_MODES = {0o644: "644", 0o755: "755"}


@dataclass(frozen=True)
class Listing:
    """A folder as a manifest: its text, its SHA-256, files and bytes."""

    text: bytes
    sha256: str
    files: int
    size: int


def list_folder(folder: Path) -> Listing:
    """Hash everything below `folder`.

    Raises:
        RefusedError: something in it is no plain file, folder or link, or has an odd mode.
        OSError: it can't be read.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        entries = sorted(_walk(descriptor, ""), key=lambda entry: str(entry["path"]))
    finally:
        os.close(descriptor)
    lines = [json.dumps(entry, sort_keys=True, separators=(",", ":")) + "\n" for entry in entries]
    text = "".join(lines).encode("ascii")
    size = sum(entry["size"] for entry in entries if isinstance(entry.get("size"), int))  # type: ignore[misc]
    return Listing(text, hashlib.sha256(text).hexdigest(), len(entries), size)


def check_manifest(folder: Path, manifest_file: Path, manifest_sha256: str) -> Verdict:
    """Hash everything below `folder` again and compare it with its logged manifest."""
    try:
        recorded = manifest_file.read_bytes()
        listing = list_folder(folder)
    except RefusedError as error:
        return failed("sources-changed", error.reason, _AGAIN)
    except OSError as error:
        return failed("sources-missing", f"verified sources can't be read: {error.strerror}", _AGAIN)
    if hashlib.sha256(recorded).hexdigest() != manifest_sha256:
        return failed("sources-changed", "the manifest is not the one in the log", _AGAIN)
    if listing.text != recorded:
        return failed("sources-changed", _first_difference(recorded, listing.text), _AGAIN)
    return passed(
        f"{listing.files} files are as they were verified",
        manifest_sha256,
        {"files": listing.files, "bytes": listing.size},
    )


def _walk(folder: int, prefix: str) -> Iterator[dict[str, object]]:
    names = os.listdir(folder)
    if not names and prefix:
        yield {"empty": True, "path": prefix.removesuffix("/")}
    for name in names:
        path = prefix + name
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(info.st_mode):
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            try:
                yield from _walk(inner, path + "/")
            finally:
                os.close(inner)
        elif stat.S_ISLNK(info.st_mode):
            yield {"path": path, "target": os.readlink(name, dir_fd=folder)}
        elif stat.S_ISREG(info.st_mode):
            yield _file(folder, name, path)
        else:
            raise RefusedError("sources-changed", f"{shown(path)} is no plain file", _AGAIN)


def _file(folder: int, name: str, path: str) -> dict[str, object]:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as stream:
        info = os.fstat(stream.fileno())
        mode = _MODES.get(stat.S_IMODE(info.st_mode))
        if not stat.S_ISREG(info.st_mode) or info.st_nlink != 1 or mode is None:
            raise RefusedError("sources-changed", f"{shown(path)} is no plain file of mode 644 or 755", _AGAIN)
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"mode": mode, "path": path, "sha256": digest, "size": info.st_size}


def _first_difference(recorded: bytes, found: bytes) -> str:
    """A sentence about one path in which two manifests differ."""
    before, now = set(recorded.splitlines()), set(found.splitlines())
    changed = sorted(_path(line) for line in before ^ now)
    first = changed[0] if changed else "the order"
    was, is_now = (any(_path(line) == first for line in lines) for lines in (before, now))
    what = "was changed" if was and is_now else ("is missing" if was else "was added")
    return f"{shown(first)} {what} since it was verified"


def _path(line: bytes) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return "a line of the manifest"
    return str(entry.get("path")) if isinstance(entry, dict) else "a line of the manifest"
