"""A git tree that was walked and found acceptable, before a byte of it is written.

- Every rule of `tree_rules` holds for every entry, and its depth, its entries and the size of a tree are limited.
- A submodule is an entry without content here; one that was not declared is refused.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from sealwright_stages.verify.codes import RefusedError, shown
from sealwright_stages.verify.git_store import ObjectStore
from sealwright_stages.verify.tree_rules import (
    FOLDER,
    LINK,
    SUBMODULE,
    Entry,
    check_link,
    check_links_stay,
    check_stands_alone,
    parse_tree,
)

_MAX_FILES = 1_000_000
_MAX_DEPTH = 64
_MAX_TREE = 32 << 20


@dataclass
class TreeListing:
    """A tree's entries by path, parents first; the targets of its links, and the commits of its submodules."""

    entries: dict[str, Entry] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    submodules: dict[str, str] = field(default_factory=dict)

    def blobs(self) -> list[Entry]:
        """The plain files."""
        return [entry for entry in self.entries.values() if entry.mode not in (FOLDER, LINK, SUBMODULE)]


def list_tree(store: ObjectStore, tree: str, declared: Collection[str] = ()) -> TreeListing:
    """Walk a tree, check every rule of `tree_rules`, and read its links; `declared` are paths of submodules.

    Raises:
        RefusedError: something in it is not acceptable.
    """
    listing = TreeListing()
    _list_into(store, tree, "", listing, declared)
    check_links_stay(listing.links)
    if listing.submodules:
        check_stands_alone(listing.entries, listing.submodules)
    return listing


def _list_into(store: ObjectStore, tree: str, where: str, listing: TreeListing, declared: Collection[str]) -> None:
    if where.count("/") > _MAX_DEPTH:
        raise RefusedError("tree-refused", "folders stand too deep in each other", "look at the tree")
    for entry in parse_tree(store.read(tree, "tree", _MAX_TREE), where):
        path = where + entry.name
        listing.entries[path] = entry
        if len(listing.entries) > _MAX_FILES:
            raise RefusedError("tree-refused", "the tree has too many files", "look at the tree")
        if entry.mode == FOLDER:
            _list_into(store, entry.id, path + "/", listing, declared)
        elif entry.mode == LINK:
            listing.links[path] = check_link(path, store.read(entry.id, "blob", 4096))
        elif entry.mode == SUBMODULE:
            if path not in declared:
                raise RefusedError(
                    "tree-submodule",
                    f"{shown(path)} is a submodule that the manifest does not declare",
                    "declare it as [[component.submodule]] with a signed ref of its own, or ask for a tree without it",
                )
            listing.submodules[path] = entry.id
