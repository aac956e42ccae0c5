"""Compares the tiles of a log's folder with its index, to find the record where the two part."""

from __future__ import annotations

from pathlib import Path

from sealwright_appendlog.tiles import WIDTH, TileWriter
from sealwright_appendlog.tree import HASH_SIZE


class TileCheck:
    """Takes the lines of an index in their order. Missing tiles are counted: they prove nothing either way."""

    def __init__(self, log: Path) -> None:
        self.missing = 0
        self._log = log
        self._bad: tuple[int, str] | None = None
        self._seen = 0
        self._writer = TileWriter(self._compare)

    def take(self, line: bytes) -> None:
        """Take the next line."""
        self._seen += 1
        self._writer.append(line)

    def first_bad(self, *, complete: bool) -> tuple[int, str] | None:
        """The first record on which index and tiles do not agree; partial tiles are looked at if `complete`."""
        if complete:
            for name, data in self._writer.partial().items():
                self._compare(name, data)
        return self._bad

    def _compare(self, name: str, data: bytes) -> None:
        try:
            found = (self._log / name).read_bytes()
        except OSError:
            self.missing += 1
            return
        if found == data or self._bad is not None:
            return
        self._bad = self._place(name, found, data), f"the index and {name} do not agree on it"

    def _place(self, name: str, found: bytes, data: bytes) -> int:
        """The record of the first difference, as near as the tile tells it."""
        width = len(data) // HASH_SIZE
        if name.startswith("tile/0/"):
            first = self._seen - width if width == WIDTH else self._seen // WIDTH * WIDTH
            same = (at for at in range(width) if found[at * 32 : at * 32 + 32] != data[at * 32 : at * 32 + 32])
            return first + next(same, width - 1)
        return self._seen - 1
