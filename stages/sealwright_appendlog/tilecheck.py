"""Compares the tiles of a log's folder with its index, to find the record where the two part."""

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

    def take(self, line: bytes) -> None:
        """Take the next line."""
        if len(self._leaves) == WIDTH:
            self._leaves.clear()
        self._leaves.append(leaf_hash(line))
        self._seen += 1
        self._writer.append(line)

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
            place = self._place(found) if name.startswith("tile/0/") else self._seen - 1
            told = place, f"the index and {name} do not agree on it"
            self._bad = told if self._bad is None else min(self._bad, told)

    def _compare_begun(self) -> None:
        """Compare the tile that the index broke off in, whatever of it lies there."""
        name = tile_path(0, (self._seen - 1) // WIDTH)
        tiles = [self._log / name, *sorted((self._log / f"{name}.p").glob("*"))]
        for tile in (tile for tile in tiles if tile.is_file()):
            found = layout.whole(tile, _LARGEST)
            if not found.startswith(b"".join(self._leaves)[: len(found)]):
                self._bad = self._place(found), f"the index and {name} do not agree on it"
                return

    def _place(self, found: bytes) -> int:
        """The record of the first leaf that is not as found."""
        first = self._seen - len(self._leaves)
        theirs = [found[at : at + HASH_SIZE] for at in range(0, len(found), HASH_SIZE)]
        differing = (at for at, pair in enumerate(zip(self._leaves, theirs, strict=False)) if pair[0] != pair[1])
        return first + next(differing, len(self._leaves) - 1)
