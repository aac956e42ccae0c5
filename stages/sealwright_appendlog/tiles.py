"""Tiles of the Merkle tree as in C2SP tlog-tiles: where they lie, written as the tree grows, and read for proofs.

- A full tile holds 256 hashes of one level and is never written again; a partial one carries its width.
- Entry bundles hold 256 leaves, each with its length in two bytes, big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from sealwright_appendlog import layout
from sealwright_appendlog.tree import HASH_SIZE, ProofError, leaf_hash, node_hash, split

WIDTH = 256
Write = Callable[[str, bytes], None]
"""Takes a full tile, by its relative path."""


def tile_path(level: int | str, number: int, width: int = WIDTH) -> str:
    """`tile/<L>/<N>[.p/<W>]`, N in groups of three digits, all but the last marked with an x."""
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.append(f"x{number % 1000:03d}")
    path = f"tile/{level}/{'/'.join(reversed(groups))}"
    return path if width == WIDTH else f"{path}.p/{width}"


class TileWriter:
    """Keeps the right edge of every level in memory (at most 255 hashes each) and makes tiles."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._levels: list[list[bytes]] = []
        self._full: list[int] = []
        self._bundle: list[bytes] = []
        self._bundles = 0

    def append(self, line: bytes, leaf: bytes = b"") -> bytes:
        """Take the next leaf, and give its hash, unless that is known; full tiles are given away at once."""
        leaf = leaf or leaf_hash(line)
        self._bundle.append(line)
        if len(self._bundle) == WIDTH:
            self._write(tile_path("entries", self._bundles), _bundle(self._bundle))
            self._bundles += 1
            self._bundle.clear()
        self._add(0, leaf)
        return leaf

    def _add(self, level: int, value: bytes) -> None:
        if level == len(self._levels):
            self._levels.append([])
            self._full.append(0)
        hashes = self._levels[level]
        hashes.append(value)
        if len(hashes) == WIDTH:
            self._write(tile_path(level, self._full[level]), b"".join(hashes))
            self._full[level] += 1
            root = _perfect(hashes)
            hashes.clear()
            self._add(level + 1, root)

    def partial(self) -> dict[str, bytes]:
        """The partial tiles of the tree as it stands, by path."""
        files = {}
        if self._bundle:
            files[tile_path("entries", self._bundles, len(self._bundle))] = _bundle(self._bundle)
        for level, hashes in enumerate(self._levels):
            if hashes:
                files[tile_path(level, self._full[level], len(hashes))] = b"".join(hashes)
        return files


class TileMissingError(ProofError):
    """A tile is not there; it can be made from the index, so that nothing is contradicted."""


class TileReader:
    """Hashes of ranges of a tree of `size` leaves, read from its tiles."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._size = folder, size

    def range_hash(self, start: int, end: int) -> bytes:
        """The root of leaves [start, end), a range as proofs ask for.

        Raises:
            ProofError: a tile is missing or short.
        """
        width = end - start
        if width & (width - 1) == 0 and start % width == 0:
            return self._node(width.bit_length() - 1, start // width)
        middle = start + split(width)
        return node_hash(self.range_hash(start, middle), self.range_hash(middle, end))

    def _node(self, level: int, index: int) -> bytes:
        tile_level, inner = divmod(level, 8)
        first = index << inner
        number, at = divmod(first, WIDTH)
        hashes = self._tile(tile_level, number)[at : at + (1 << inner)]
        if len(hashes) != 1 << inner:
            raise ProofError(f"tile {tile_level}/{number} is short")
        return _perfect(hashes)

    def _tile(self, level: int, number: int) -> list[bytes]:
        in_level = self._size >> (8 * level)
        width = min(WIDTH, in_level - number * WIDTH)
        try:
            data = layout.whole(self._folder / tile_path(level, number, width), WIDTH * HASH_SIZE)
        except OSError:
            raise TileMissingError(f"tile {level}/{number} is missing; it can be made from the index") from None
        if len(data) != width * HASH_SIZE:
            raise ProofError(f"tile {level}/{number} has a wrong size")
        return [data[i : i + HASH_SIZE] for i in range(0, len(data), HASH_SIZE)]


def _perfect(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


def _bundle(lines: list[bytes]) -> bytes:
    return b"".join(struct.pack(">H", len(line)) + line for line in lines)
