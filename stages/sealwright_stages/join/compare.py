"""Which products of several `SHA256SUMS` have other bytes, or are missing: one walk over sorted lines, in flat memory.

- Each text is sorted by path and names each product once, as the audit found it; what isn't is refused.
- A product that all have with the same bytes takes no room: it is counted.
- Differences are kept up to a limit, and counted beyond it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MOST = 1000
"""Differences that are told; more are counted."""


@dataclass(frozen=True)
class Difference:
    """A product that not all have alike: its path, and its SHA-256 by the key of each text (empty: it lacks it)."""

    path: str
    sha256: Mapping[str, str]


@dataclass(frozen=True)
class Compared:
    """How many products all have alike, those that they don't, and how many more of these there are."""

    same: int
    differences: tuple[Difference, ...]
    more: int = 0

    @property
    def unlike(self) -> int:
        """How many products not all have alike."""
        return len(self.differences) + self.more

    @property
    def products(self) -> int:
        """How many products there are, whoever has them."""
        return self.same + self.unlike


def compare(sums: Mapping[str, bytes], most: int = MOST) -> Compared:
    """Compare texts of `SHA256SUMS`, by whatever keys.

    Raises:
        ValueError: one is not sorted, names something twice, or has a malformed line.
    """
    walks = {key: _lines(text) for key, text in sums.items()}
    heads = {key: next(walk, None) for key, walk in walks.items()}
    same, more, found = 0, 0, list[Difference]()
    while paths := [head[0] for head in heads.values() if head is not None]:
        path = min(paths)
        here = {key: head[1] if head is not None and head[0] == path else "" for key, head in heads.items()}
        if len(set(here.values())) == 1:
            same += 1
        elif len(found) < most:
            found.append(Difference(path.decode("ascii", "backslashreplace"), here))
        else:
            more += 1
        for key, digest in here.items():
            if digest:
                heads[key] = next(walks[key], None)
    return Compared(same, tuple(found), more)


def _lines(text: bytes) -> Iterator[tuple[bytes, str]]:
    """Path and SHA-256 of each line."""
    before, start = b"", 0
    while start < len(text):
        end = text.find(b"\n", start)
        line = text[start:end]
        start = end + 1
        path = line[66:]
        if end < 0 or line[64:66] != b"  " or path <= before:
            raise ValueError(f"SHA256SUMS has a line that is not sorted or not one: {line[:100]!r}")
        before = path
        yield path, line[:64].decode("ascii")
