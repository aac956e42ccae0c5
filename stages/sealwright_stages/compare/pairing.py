"""Which name of one release stands for which of the other: a pure function, the same in both directions.

- The same name is the same thing.
- Of what is left, two names that differ in their digits only (`words-1.0.txt`, `words-1.1.txt`) are the same thing,
  if each is the only one of its shape on its side.
- Of what is left then, a single name on each side is the same thing: the ref moved from a branch to a tag.
- Whatever else there is was added or removed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

from sealwright_stages.compare.difference import Names

_RUN = re.compile(r"[0-9]+(?:[.][0-9]+)*")
Thing = TypeVar("Thing")


def paired(
    a: Mapping[str, Thing], b: Mapping[str, Thing], *, by_shape: bool = True, last: bool = False
) -> Iterator[tuple[Names, Thing | None, Thing | None]]:
    """The things of both sides, each with its counterpart, or None.

    Args:
        a: things by name, of the one release.
        b: the same of the other.
        by_shape: whether names that differ in their digits may stand for the same thing.
        last: whether a single one that is left on each side does.
    """
    both = a.keys() & b.keys()
    left, right = a.keys() - both, b.keys() - both
    pairs = [(name, name) for name in both]
    if by_shape and left and right:
        pairs += _by_shape(left, right)
    left, right = left - {one for one, _ in pairs}, right - {other for _, other in pairs}
    if last and len(left) == len(right) == 1:
        pairs += zip(left, right, strict=True)
        left = right = set()
    pairs += [*((name, "") for name in left), *(("", name) for name in right)]
    for one, other in sorted(pairs):
        yield (one, other), a[one] if one else None, b[other] if other else None


def _by_shape(left: Collection[str], right: Collection[str]) -> Iterator[tuple[str, str]]:
    ours, theirs = _single(left), _single(right)
    return ((ours[shape], theirs[shape]) for shape in ours.keys() & theirs.keys())


def _single(names: Collection[str]) -> dict[str, str]:
    """The names whose shape no other has, by their shape."""
    shapes: dict[str, list[str]] = {}
    for name in names:
        shapes.setdefault(_RUN.sub("0", name), []).append(name)
    return {shape: found[0] for shape, found in shapes.items() if len(found) == 1}
