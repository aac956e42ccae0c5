"""The products of two builds of one component beside each other. Pure: what a verdict and an audit of it go by.

- They are the same if both builds made files of the same names, each with the same SHA-256 and size.
- What only one of them made is told with an empty SHA-256 and no size for the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sealwright_stages.ports import Collected

_NAMED = 3


@dataclass(frozen=True)
class Twice:
    """What the first build made, and what the second did."""

    first: tuple[Collected, ...]
    second: tuple[Collected, ...]

    @property
    def same(self) -> bool:
        """Whether the second made the same."""
        return bool(self.first) and sorted(_lines(self.first)) == sorted(_lines(self.second))

    @property
    def differing(self) -> tuple[str, ...]:
        """The names of what both made, with other bytes."""
        pairs = self._pairs().items()
        return tuple(name for name, (one, two) in pairs if one and two and one.sha256 != two.sha256)

    @property
    def sentence(self) -> str:
        """What is not the same, in words."""
        pairs = self._pairs().items()
        found = {
            "other bytes for": self.differing,
            "no": tuple(name for name, (_, two) in pairs if two is None),
            "besides": tuple(name for name, (one, _) in pairs if one is None),
        }
        return " and ".join(f"{how} {_some(names)}" for how, names in found.items() if names)

    def told(self) -> dict[str, dict[str, object]]:
        """As evidence has it: by name, both digests and sizes."""
        return {name: _told(one, two) for name, (one, two) in self._pairs().items()}

    def _pairs(self) -> Mapping[str, tuple[Collected | None, Collected | None]]:
        one, two = ({product.name: product for product in products} for products in (self.first, self.second))
        return {name: (one.get(name), two.get(name)) for name in sorted(one.keys() | two.keys())}


def _told(one: Collected | None, two: Collected | None) -> dict[str, object]:
    return {
        "sha256": one.sha256 if one else "",
        "size": one.size if one else -1,
        "second_sha256": two.sha256 if two else "",
        "second_size": two.size if two else -1,
    }


def _lines(products: tuple[Collected, ...]) -> list[tuple[str, str, int]]:
    return [(product.name, product.sha256, product.size) for product in products]


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def is_told(told: object, first: tuple[Collected, ...], *, same: bool) -> bool:
    """Whether evidence tells of just these first products, and of a second build that was the same, or was not."""
    if not isinstance(told, dict):
        return False
    seconds: list[Collected] = []
    for name, row in told.items():
        if not isinstance(row, dict):
            return False
        sha256, size = row.get("second_sha256"), row.get("second_size")
        if not isinstance(sha256, str) or type(size) is not int or (sha256 and size < 0):
            return False
        if sha256 == row.get("sha256") and size != row.get("size"):
            return False
        if sha256:
            seconds.append(Collected(name, sha256, size))
    twice = Twice(first, tuple(seconds))
    return told == twice.told() and twice.same is same
