"""One record of an index, found without a walk through it.

- Where a record lies is found by halving, so that a long index costs no more than a short one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from sealwright_appendlog import layout, record

_LINE = record.MAX_LINE + 1
_NEAR = 1 << 16


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
