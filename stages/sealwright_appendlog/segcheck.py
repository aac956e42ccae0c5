"""Reads the segments of a log in step with its index, each byte once, hashed in threads of their own.

- A chunk lies right behind the one before it, and hashes as its record says.
- Where it is asked for, each segment is hashed as a whole too, from the same bytes.
- What is held is bounded: a few thousand chunks wait at most, whatever the log's size.
"""

from __future__ import annotations

import hashlib
import os
import queue
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_BATCH = 64
_WAITING = 16
_WORKERS = 2
_SMALL = 1 << 16

Chunk = tuple[int, str, int, int, str]
"""Record, segment, offset, length, SHA-256."""


class _Worker:
    """Hashes the chunks of some segments, in their order."""

    def __init__(self, log: Path, *, sums: bool) -> None:
        self._sums = sums
        self.hashes: dict[str, hashlib._Hash] = {}
        self.bad: tuple[int, str] | None = None
        self._log = log
        self._name, self._descriptor = "", -1
        self._queue: queue.Queue[list[Chunk] | None] = queue.Queue(_WAITING)
        self._batch: list[Chunk] = []
        self._thread = threading.Thread(target=self._run, name="segment hash", daemon=True)
        self._thread.start()

    def add(self, chunk: Chunk) -> None:
        """Take a chunk; waits while too many do."""
        self._batch.append(chunk)
        if len(self._batch) >= _BATCH:
            self._queue.put(self._batch)
            self._batch = []

    def finish(self) -> None:
        """Work off what waits, and end."""
        self._queue.put(self._batch)
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        buffer = bytearray(_SMALL)
        while (batch := self._queue.get()) is not None:
            for run in _runs(batch):
                if self.bad is None and not self._whole(run, buffer):
                    buffer = self._each(run, buffer)
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def _whole(self, run: list[Chunk], buffer: bytearray) -> bool:
        """Check small chunks that follow each other, read at once; says whether all is well, and no more."""
        _, name, offset, _, _ = run[0]
        if name != self._name or len(run) == 1:
            return False
        length = run[-1][2] + run[-1][3] - offset
        view = memoryview(buffer)[:length]
        try:
            if os.preadv(self._descriptor, [view], offset) != length:
                return False
        except OSError:
            return False
        for _, _, begin, size, digest in run:
            if hashlib.sha256(view[begin - offset : begin - offset + size]).hexdigest() != digest:
                return False
        if self._sums:
            self.hashes.setdefault(name, hashlib.sha256()).update(view)
        return True

    def _each(self, run: list[Chunk], buffer: bytearray) -> bytearray:
        """Check them one by one, and take note of the first that is bad."""
        for chunk in run:
            if self.bad is None:
                try:
                    buffer = self._check(chunk, buffer)
                except OSError as error:
                    self.bad = chunk[0], f"{chunk[1]}: {error.strerror}"
        return buffer

    def _check(self, chunk: Chunk, buffer: bytearray) -> bytearray:
        n, name, offset, length, digest = chunk
        if name != self._name:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
            self._name, self._descriptor = (
                name,
                os.open(self._log / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK),
            )
        if length > len(buffer):
            buffer = bytearray(length)
        view = memoryview(buffer)[:length]
        if os.preadv(self._descriptor, [view], offset) != length:
            self.bad = n, f"its data is missing from {name}"
        elif hashlib.sha256(view).hexdigest() != digest:
            self.bad = n, f"its data in {name} was changed"
        if self._sums:
            self.hashes.setdefault(name, hashlib.sha256()).update(view)
        return buffer


def _runs(batch: list[Chunk]) -> Iterator[list[Chunk]]:
    """The chunks in runs that lie behind each other in one segment, each of at most 64 KiB; a larger chunk is alone."""
    run: list[Chunk] = []
    for chunk in batch:
        if run and (chunk[1] != run[0][1] or chunk[2] + chunk[3] - run[0][2] > _SMALL):
            yield run
            run = []
        run.append(chunk)
    if run:
        yield run


class SegmentCheck:
    """Takes the `data` records of an index in their order."""

    def __init__(self, log: Path, *, sums: bool) -> None:
        self._log = log
        self._workers = [_Worker(log, sums=sums) for _ in range(_WORKERS)]
        self._ends: dict[str, int] = {}
        self._of: dict[str, _Worker] = {}

    def add(self, entry: Mapping[str, Any]) -> str:
        """Take a record; says at once what is wrong with its place, or nothing."""
        name, offset, length = entry["seg"], entry["off"], entry["len"]
        stream, _, file = name.removeprefix("data/").rpartition("/")
        if stream != entry["s"] or not 0 < length <= 1 << 20:
            return "its data is not where its stream's data lies"
        if name not in self._ends:
            if file != f"{entry['n']:08d}.log":
                return "its segment is not named by its first record"
            self._of[name] = self._workers[len(self._of) % _WORKERS]
        if offset != self._ends.get(name, 0):
            return "its data does not follow the data before it"
        self._ends[name] = offset + length
        self._of[name].add((entry["n"], name, offset, length, entry["sha256"]))
        return ""

    def finish(self) -> tuple[int, str] | None:
        """End the threads; gives the first bad record and what is wrong with it."""
        for worker in self._workers:
            worker.finish()
        return min((worker.bad for worker in self._workers if worker.bad is not None), default=None)

    def sizes(self) -> Mapping[str, int]:
        """Bytes of each segment, as the records name them."""
        return self._ends

    def hashes(self) -> dict[str, str]:
        """SHA-256 of each segment, if that was asked for; after `finish`."""
        return {
            name: worker.hashes[name].hexdigest() for name, worker in self._of.items() if name in worker.hashes
        }
