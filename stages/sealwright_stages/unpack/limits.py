"""How much may come out of a file: bytes, members, time and memory; a pure module.

- What comes out is at most `RATIO` times what went in, or `FLOOR` bytes where that is more, and never over `CEILING`.
- Time grows with the bytes: a minute, and a second for each 4 MiB that went in.
"""

from __future__ import annotations

RATIO = 200  # text rarely packs better than 30 to 1; a bomb of gzip reaches 1000, one of bzip2 far more
FLOOR = 64 << 20
CEILING = 64 << 30
MEMBERS = 500_000
DEPTH = 64
PATH = 2000  # bytes
MEMORY = 1 << 30
_RATE = 4 << 20


def room(size: int) -> int:
    """The bytes that may come out of `size` bytes."""
    return min(CEILING, max(FLOOR, RATIO * size))


def seconds(size: int) -> int:
    """How long a tool may work on `size` bytes."""
    return 60 + size // _RATE
