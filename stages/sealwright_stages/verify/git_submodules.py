"""A source that several repositories make: each stands where it was declared, and is what the tree above names.

A pure module.

- A repository's parent is the declared one with the longest path above its own; else the main one, whose path is "".
- The parent's tree has a submodule at that very path, and names the very commit that was judged.
- A tree without such an entry, or with another commit there, turns the submodule red; so does a parent that is red.
- Links stay inside the whole also where they lead through links of another repository of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sealwright_stages.verify.codes import RefusedError, shown
from sealwright_stages.verify.git_tree import TreeListing
from sealwright_stages.verify.tree_rules import check_links_stay


@dataclass(frozen=True)
class Share:
    """What one repository gives to a source: the path where it stands, its commit, and its tree."""

    where: str
    commit: str
    listing: TreeListing


def parent_of(where: str, places: Collection[str]) -> str:
    """The path of the repository in which `where` (not "") stands; `places` are the paths of all."""
    return max((place for place in places if where.startswith(place + "/")), key=len, default="")


def inner(where: str, places: Collection[str]) -> frozenset[str]:
    """The submodules that the repository at `where` must have, by their paths in it."""
    below = (place for place in places if place and place != where and parent_of(place, places) == where)
    return frozenset(_within(place, where) for place in below)


def joined(shares: Sequence[Share], places: Collection[str]) -> dict[str, RefusedError]:
    """What is wrong with the shares that were found acceptable one by one, by where they stand.

    `places` are the paths of all repositories, also of those that are red and have no share.
    """
    by_place = {share.where: share for share in shares}
    refused: dict[str, RefusedError] = {}
    for share in shares:
        if share.where:
            above = parent_of(share.where, places)
            refusal = _misplaced(share, by_place.get(above), _within(share.where, above))
            if refusal is not None:
                refused[share.where] = refusal
    links = {
        f"{share.where}/{path}".lstrip("/"): target
        for share in shares
        for path, target in share.listing.links.items()
    }
    try:
        check_links_stay(links)
    except RefusedError as error:
        refused.setdefault("", error)
    return refused


def _misplaced(share: Share, above: Share | None, path: str) -> RefusedError | None:
    """Why `share` is not what the tree `above` has at `path`, or None."""
    if above is None:
        return RefusedError(
            "check-missing", "the tree above it is red, so nothing says its commit", "mend that first"
        )
    named = above.listing.submodules.get(path)
    if named is None:
        return RefusedError(
            "submodule-absent",
            f"the tree above has no submodule at {shown(path)}",
            "remove it from the manifest, or mend its path",
        )
    if named != share.commit:
        return RefusedError(
            "submodule-mismatch",
            f"the tree above wants commit {named} at {shown(path)}, and the signed ref leads to {share.commit}",
            "name the ref that this release was made with; where none is signed, ask upstream for one",
        )
    return None


def _within(where: str, above: str) -> str:
    return where[len(above) :].lstrip("/")
