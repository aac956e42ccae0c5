"""A follower's lines: the index from a record on, in frames made as they are taken; and one record alone.

- Where a record lies is found by halving, so that a long index costs no walk through it.
- Only what is durable is given, up to the moment at which the last block is taken.
- What is held is one block, whatever the log's size.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from sealwright_appendlog import layout, record
from sealwright_appendlog.frames import MAX_PAYLOAD, frame

_LINE = record.MAX_LINE + 1
_NEAR = 1 << 16


def line_frames(index: Path, since: int, durable: Callable[[], int]) -> Iterator[bytes]:
    """Frames `L` of the records from `since` on, until there is no durable one that was not given.

    Raises:
        OSError: the index can't be read, or lacks what is durable.
    """
    with index.open("rb") as stream:
        at = since
        place = find_record(stream, at, index.stat().st_size) if at < durable() else 0
        while at < durable():
            stream.seek(place)
            lines = stream.read(MAX_PAYLOAD).split(b"\n")[:-1][: durable() - at]
            if not lines:
                raise OSError("the index lacks what is durable")
            block = b"\n".join(lines) + b"\n"
            yield frame("L", block)
            at, place = at + len(lines), place + len(block)


def read_record(index: Path, n: int) -> bytes:
    """The line of record `n`, without its LF.

    Raises:
        RecordError: what lies on the way there is no record.
        OSError: the index can't be read.
    """
    with layout.opened(index) as stream:
        stream.seek(find_record(stream, n, os.fstat(stream.fileno()).st_size))
        return stream.readline(_LINE).removesuffix(b"\n")


def find_record(index: BinaryIO, n: int, size: int) -> int:
    """Where the line of record `n` begins in an index of `size` bytes, which has it."""
    low, low_n, high = 0, 0, size
    while high - low > _NEAR:
        middle = (low + high) // 2
        index.seek(middle)
        index.readline(_LINE)
        place, line = index.tell(), index.readline(_LINE)
        found = record.decode(line[:-1])["n"] if line.endswith(b"\n") else n + 1  # else it is being written
        if found <= n:
            low, low_n = place, found
        else:
            high = middle
    index.seek(low)
    for _ in range(n - low_n):
        index.readline(_LINE)
    return index.tell()
