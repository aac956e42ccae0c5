"""Write a verified git tree into a folder, byte for byte.

- No attribute, filter, hook or config takes part: a blob's bytes are the file's bytes.
- Every name is made relative to an open folder, and nothing that exists is opened or followed.
- Files have mode 644 or 755, folders 755, whatever the umask; links are made as links, after all are checked.
- The number of files, their bytes and the depth are limited.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sealwright_stages.errors import MachineError
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.git_store import ObjectStore
from sealwright_stages.verify.tree_rules import (
    FOLDER,
    LINK,
    PROGRAM,
    Entry,
    check_link,
    check_links_stay,
    parse_tree,
)

_MAX_FILES = 1_000_000
_MAX_BYTES = 64 << 30
_MAX_DEPTH = 64
_MAX_TREE = 32 << 20
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass
class TreeListing:
    """A tree that was walked and found acceptable: entries by path, parents first."""

    entries: dict[str, Entry] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)


def list_tree(store: ObjectStore, tree: str) -> TreeListing:
    """Walk a tree, check every rule of `tree_rules`, and read its links.

    Raises:
        RefusedError: something in it is not acceptable.
    """
    listing = TreeListing()
    _list_into(store, tree, "", listing)
    check_links_stay(listing.links)
    return listing


def write_tree(store: ObjectStore, tree: str, destination: Path) -> TreeListing:
    """Write the tree below `destination`, which must not exist yet; the caller makes it durable.

    Raises:
        RefusedError: the tree is not acceptable, or an object in it is not what its name says.
        MachineError: the disk is full or the folder refuses.
    """
    listing = list_tree(store, tree)
    written = 0
    try:
        destination.mkdir(mode=0o755)
        destination.chmod(0o755)
        with _Folders(destination) as folders:
            for path, entry in listing.entries.items():
                with folders.parent(path) as parent:
                    written += _write_entry(store, entry, parent, listing.links.get(path))
                if written > _MAX_BYTES:
                    raise RefusedError("object-too-large", "the tree holds too many bytes", "look at it")
    except OSError as error:
        raise MachineError(
            f"{destination} can't be written", error.strerror or str(error), "make room, then run again"
        ) from error
    return listing


def _list_into(store: ObjectStore, tree: str, where: str, listing: TreeListing) -> None:
    if where.count("/") > _MAX_DEPTH:
        raise RefusedError("tree-refused", "folders stand too deep in each other", "look at the tree")
    for entry in parse_tree(store.read(tree, "tree", _MAX_TREE), where):
        path = where + entry.name
        listing.entries[path] = entry
        if len(listing.entries) > _MAX_FILES:
            raise RefusedError("tree-refused", "the tree has too many files", "look at the tree")
        if entry.mode == FOLDER:
            _list_into(store, entry.id, path + "/", listing)
        elif entry.mode == LINK:
            listing.links[path] = check_link(path, store.read(entry.id, "blob", 4096))


def _write_entry(store: ObjectStore, entry: Entry, parent: int, target: str | None) -> int:
    if entry.mode == FOLDER:
        os.mkdir(entry.name, 0o755, dir_fd=parent)
        os.chmod(entry.name, 0o755, dir_fd=parent)  # noqa: S103 - sources are for everybody to read
        return 0
    if target is not None:
        os.symlink(target, entry.name, dir_fd=parent)
        return len(target)
    data = store.read(entry.id, "blob")
    descriptor = os.open(entry.name, _NEW_FILE, 0o644, dir_fd=parent)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        os.fchmod(stream.fileno(), 0o755 if entry.mode == PROGRAM else 0o644)
    return len(data)


class _Folders:
    """Open folders below a top, found name by name without following links."""

    def __init__(self, top: Path) -> None:
        self.top = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def __enter__(self) -> _Folders:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.top)

    @contextmanager
    def parent(self, path: str) -> Iterator[int]:
        """The open folder in which the last name of `path` stands."""
        here = os.dup(self.top)
        try:
            for name in path.split("/")[:-1]:
                inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
                os.close(here)
                here = inner
            yield here
        finally:
            os.close(here)
