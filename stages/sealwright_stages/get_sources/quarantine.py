"""The quarantine: the one home of bytes that nothing has vouched for yet.

- What a run leaves there is deleted when it ends, what a crash left before anything begins; each deletion can be
  told.
- What fails a check is deleted with its SHA-256 on record.
- Only plain files with one name and plain folders may lie there; anything else is refused, never followed.
- Nothing outside is ever deleted: a link in the quarantine is removed, not followed.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from sealwright_stages.errors import MachineError
from sealwright_stages.files import remove_tree, sha256_file
from sealwright_stages.ports import Deleted
from sealwright_stages.verify.codes import RefusedError, shown

_EACH = 50  # a leftover folder of more files than this is told as one deletion


def purge(quarantine: Path, because: str = "left over from an earlier run that did not end") -> list[Deleted]:
    """Empty the quarantine, for a reason that each deletion names.

    Names are `<component>/<what>/...`, relative to it, and `item` is left empty.

    A folder with many files (a half written tree) is told as one deletion, whose SHA-256 is over the list
    of its files' digests.

    Raises:
        MachineError: something can't be removed.
    """
    gone: list[Deleted] = []
    if not quarantine.is_dir():
        return gone
    for component in sorted(quarantine.iterdir()):
        tops = sorted(component.iterdir()) if _is_folder(component) else [component]
        for top in tops:
            gone += _told(top, quarantine, because)
        remove_tree(component)
    return gone


def discard(path: Path, item: str, because: str) -> list[Deleted]:
    """Delete a file or a folder that failed, and say what it was.

    Raises:
        MachineError: it can't be removed.
    """
    if not path.exists() and not path.is_symlink():
        return []
    digest, size = _identity(path)
    remove_tree(path)
    return [Deleted(item, shown(path.name), digest, size, because)]


def refuse_odd_files(folder: Path) -> None:
    """Check that below `folder` there are only folders and files with a single name.

    Raises:
        RefusedError: a link, a hard link, a device, a pipe.
    """
    for path in _below(folder):
        info = path.lstat()
        if stat.S_ISDIR(info.st_mode):
            continue
        if not stat.S_ISREG(info.st_mode) or info.st_nlink != 1:
            raise RefusedError(
                "quarantine-odd-file",
                f"{shown(path.name)} in the quarantine is no plain file",
                "don't retry from this server: what it sent tried to plant a file",
            )


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, followlinks=False):
        for name in sorted(folders + files):
            yield Path(parent) / name


def _told(top: Path, quarantine: Path, because: str) -> list[Deleted]:
    files = [p for p in _below(top) if not _is_folder(p)] if _is_folder(top) else [top]
    if len(files) > _EACH:
        digest, size = _identity(top)
        return [Deleted("", shown(str(top.relative_to(quarantine))), digest, size, because)]
    return [
        Deleted("", shown(str(path.relative_to(quarantine)), 1000), *_identity(path), because) for path in files
    ]


def _identity(path: Path) -> tuple[str, int]:
    """SHA-256 and bytes of a file; of a folder, over the sorted list of its files' digests."""
    info = path.lstat()
    if stat.S_ISREG(info.st_mode):
        return _digest(path), info.st_size
    if not stat.S_ISDIR(info.st_mode):
        return hashlib.sha256(b"").hexdigest(), 0
    lines: list[str] = []
    size = 0
    for each in _below(path):
        if stat.S_ISREG(each.lstat().st_mode):
            lines.append(f"{_digest(each)}  {each.relative_to(path)}\n")
            size += each.lstat().st_size
    text = "".join(sorted(lines)).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest(), size


def _digest(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise MachineError(
            f"{path} can't be read", error.strerror or str(error), "fix its rights, then run again"
        ) from error
