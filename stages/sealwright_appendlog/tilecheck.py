"""Compares the tiles of a log's folder with its index, to find the record where the two part.

- A changed tile names the first record that it tells of otherwise than the index; on a level above 0 a hash stands
  for 256 records or more, of which the first is named, unless a tile below tells of one among them.
"""

from __future__ import annotations

from pathlib import Path

from sealwright_appendlog import layout
from sealwright_appendlog.record import MAX_LINE
from sealwright_appendlog.tiles import WIDTH, TileWriter, tile_path
from sealwright_appendlog.tree import HASH_SIZE, leaf_hash

_LARGEST = WIDTH * (MAX_LINE + 2)


class TileCheck:
    """Takes the lines of an index in their order. Missing tiles are counted: they prove nothing either way."""

    def __init__(self, log: Path) -> None:
        self.missing = 0
        self._log = log
        self._bad: tuple[int, str] | None = None
        self._seen = 0
        self._leaves: list[bytes] = []
        self._writer = TileWriter(self._compare)

    def take(self, line: bytes) -> bytes:
        """Take the next line, and give its leaf's hash."""
        if len(self._leaves) == WIDTH:
            self._leaves.clear()
        self._seen += 1
        self._leaves.append(leaf := leaf_hash(line))
        self._writer.append(line, leaf)
        return leaf

    def first_bad(self, *, complete: bool) -> tuple[int, str] | None:
        """The first record on which index and tiles do not agree; `complete`: the whole index was taken."""
        if complete:
            for name, data in self._writer.partial().items():
                self._compare(name, data)
        elif self._bad is None and self._leaves:
            self._compare_begun()
        return self._bad

    def _compare(self, name: str, data: bytes) -> None:
        try:
            found = layout.whole(self._log / name, _LARGEST)
        except FileNotFoundError:
            self.missing += 1
            return
        except OSError:
            found = b""
        if found != data:
            place, unit = self._place(name, found, data)
            if self._bad is None or place + unit <= self._bad[0]:
                self._bad = place, f"the index and {name} do not agree on it"

    def _compare_begun(self) -> None:
        """Compare the tile that the index broke off in, whatever of it lies there."""
        name = tile_path(0, (self._seen - 1) // WIDTH)
        tiles = [self._log / name, *sorted((self._log / f"{name}.p").glob("*"))]
        leaves = b"".join(self._leaves)
        for tile in (tile for tile in tiles if tile.is_file()):
            found = layout.whole(tile, _LARGEST)
            if not found.startswith(leaves[: len(found)]):
                self._bad = self._place(name, found, leaves)[0], f"the index and {name} do not agree on it"
                return

    def _place(self, name: str, found: bytes, data: bytes) -> tuple[int, int]:
        """The first record that a tile, read as `found`, does not tell of as `data` does; of how many it may be."""
        same = (at for at, pair in enumerate(zip(found, data, strict=False)) if pair[0] != pair[1])
        at = next(same, min(len(found), len(data) - 1))
        level = name.split("/")[1]
        if level == "entries":
            return self._seen - len(self._leaves) + _entry_at(data, at), 1
        unit = WIDTH ** int(level)
        return (self._seen // unit - len(data) // HASH_SIZE) * unit + at // HASH_SIZE * unit, unit


def _entry_at(bundle: bytes, place: int) -> int:
    """Which entry of a bundle has the byte at `place`."""
    entry, end = 0, 0
    while (end := end + 2 + int.from_bytes(bundle[end : end + 2], "big")) <= place:
        entry += 1
    return entry
