"""What a client is told of the log: its lines from a record on, in frames made as they are taken, and checkpoints; and
one record alone.

- Where a record lies is found by halving, so that a long index costs no walk through it.
- Only what is durable is given, up to the moment at which the last block is taken.
- What is held is one block, whatever the log's size.
- A checkpoint comes with the proof that it continues the one that the client saw before.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from sealwright_appendlog import layout, record
from sealwright_appendlog.clients import Client
from sealwright_appendlog.frames import MAX_PAYLOAD, frame
from sealwright_appendlog.store import Store
from sealwright_appendlog.tree import ProofError

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


def checkpoint_payload(store: Store, client: Client, note: str) -> bytes:
    """The payload of a `C` frame with the note of the checkpoint published last, as this client needs it."""
    old, proof = client.seen, []
    try:
        proof = store.consistency(old) if old else []
    except ProofError:
        old = 0  # it saw more than there is; the note itself is the proof of that
    hashes = "".join(base64.b64encode(value).decode() + "\n" for value in proof)
    client.seen = int(note.split("\n", 2)[1])
    return f"old {old}\n{hashes}\n{note}".encode()
