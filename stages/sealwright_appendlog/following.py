"""A follower's lines: the index from a record on, in frames made as they are taken.

- Only what is durable is given, up to the moment at which the last block is taken.
- What is held is one block, whatever the log's size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from sealwright_appendlog.frames import MAX_PAYLOAD, frame
from sealwright_appendlog.seeking import find_record


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
