"""Write verified git trees into a folder, byte for byte.

- No attribute, filter, hook or config takes part: a blob's bytes are the file's bytes.
- Every name is made relative to an open folder, and nothing that exists is opened or followed: where something
  stands already, it is another source's, and refused.
- Files have mode 644 or 755, folders 755, whatever the umask; links are made as links, after all are checked.
- A submodule's tree is written at its path by the same rules, after the tree that names it.
- The number of files, their bytes and the depth are limited.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.errors import MachineError
from sealwright_stages.verify.codes import RefusedError, path_taken
from sealwright_stages.verify.git_store import ObjectStore
from sealwright_stages.verify.git_tree import TreeListing, list_tree
from sealwright_stages.verify.tree_rules import FOLDER, PROGRAM, SUBMODULE, Entry

_MAX_BYTES = 64 << 30
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_INNER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Part:
    """An acceptable tree, the store that has its objects, and the path where it stands ("": the top)."""

    where: str
    store: ObjectStore
    listing: TreeListing


def write_tree(store: ObjectStore, tree: str, destination: Path) -> TreeListing:
    """Write one tree below `destination`, as `write_parts` does.

    Raises:
        RefusedError: the tree is not acceptable, or an object in it is not what its name says.
        MachineError: the disk is full or the folder refuses.
    """
    listing = list_tree(store, tree)
    write_parts([Part("", store, listing)], destination)
    return listing


def write_parts(parts: Sequence[Part], destination: Path) -> None:
    """Write the trees below `destination`, which must not exist yet; the caller makes it durable.

    Raises:
        RefusedError: something stands there already, or an object is not what its name says.
        MachineError: the disk is full or the folder refuses.
    """
    here = destination.name
    written = 0
    try:
        destination.mkdir(mode=0o755)
        destination.chmod(0o755)
        with _Folders(destination) as folders:
            for part in sorted(parts, key=lambda part: (part.where != "", part.where.count("/"))):
                for path, entry in part.listing.entries.items():
                    here = f"{part.where}/{path}".lstrip("/")
                    parent = folders.parent(here)
                    written += _write_entry(part.store, entry, parent, part.listing.links.get(path))
                    if written > _MAX_BYTES:
                        raise RefusedError("object-too-large", "the tree holds too many bytes", "look at it")
    except FileExistsError as error:
        raise path_taken(here) from error
    except OSError as error:
        raise MachineError(
            f"{destination} can't be written", error.strerror or str(error), "make room, then run again"
        ) from error


def _write_entry(store: ObjectStore, entry: Entry, parent: int, target: str | None) -> int:
    if entry.mode in (FOLDER, SUBMODULE):
        os.mkdir(entry.name, 0o755, dir_fd=parent)
        os.chmod(entry.name, 0o755, dir_fd=parent)  # noqa: S103 - sources are for everybody to read
        return 0
    if target is not None:
        os.symlink(target, entry.name, dir_fd=parent)
        return len(target)
    data = store.read(entry.id, "blob")
    descriptor = os.open(entry.name, _NEW_FILE, 0o644, dir_fd=parent)
    with os.fdopen(descriptor, "wb", buffering=0) as stream:
        _write_all(stream.fileno(), data)
        os.fchmod(stream.fileno(), 0o755 if entry.mode == PROGRAM else 0o644)
    return len(data)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


class _Folders:
    """Open folders below a top, found name by name without following links; those on the way stay open."""

    def __init__(self, top: Path) -> None:
        self._open = [os.open(top, _INNER)]
        self._names: list[str] = []

    def __enter__(self) -> _Folders:
        return self

    def __exit__(self, *_: object) -> None:
        while self._open:
            os.close(self._open.pop())

    def parent(self, path: str) -> int:
        """The open folder in which the last name of `path` stands, until the next call."""
        names = path.split("/")[:-1]
        while self._names != names[: len(self._names)]:
            os.close(self._open.pop())
            self._names.pop()
        for name in names[len(self._names) :]:
            self._open.append(os.open(name, _INNER, dir_fd=self._open[-1]))
            self._names.append(name)
        return self._open[-1]
