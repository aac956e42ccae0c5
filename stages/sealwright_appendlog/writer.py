"""Brings batches to disk in their order: data, fdatasync, index, fdatasync. May run in a thread of its own.

- Output is hashed in another thread from when it comes, and the segments of a batch are synced several at a time;
  the index waits for all of it.
- A segment's name is on disk before a record names it.
- On a full disk the reserve gives way to the index, and never to output.
- One batch at a time; whoever begins the next one has seen the end of the one before.
- An error, of whatever kind, is raised to whoever ends the batch, who writes nothing after it.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sealwright_appendlog import layout, record
from sealwright_appendlog.folder import Folder, sync_folder, write_all, write_pieces
from sealwright_appendlog.worker import Worker

Bytes = bytes | bytearray | memoryview
_SYNCS = 4
_SMALL = 2048
"""Output below this is hashed at once: hashlib would not let go of the interpreter for it."""


@dataclass(slots=True)
class Output:
    """A chunk of output, placed and stamped, whose line can be made once it is hashed."""

    stamp: record.Stamp
    n: int
    src: str
    stream: str
    channel: str
    data: Bytes
    segment: str
    offset: int
    sha256: str = ""

    def hash(self) -> None:
        """Hash its bytes."""
        self.sha256 = hashlib.sha256(self.data).hexdigest()

    def line(self) -> bytes:
        """The line of its `data` record.

        Raises:
            RuntimeError: it is not hashed.
        """
        if not self.sha256:
            raise RuntimeError("output that was not hashed")
        chunk = record.Chunk(self.channel, len(self.data), self.sha256, self.segment, self.offset)
        return record.data_line(self.stamp, self.n, self.src, self.stream, chunk)


@dataclass
class Batch:
    """What is to be made durable together: lines in their order, and segments that are done with."""

    lines: list[bytes | Output] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    hashing: int = 0
    """How much of the output is hashed in the thread."""
    written: list[bytes] = field(default_factory=list)
    """All lines as they were written."""


class Writer:
    """The only one that appends to the log's files."""

    def __init__(self, folder: Folder) -> None:
        """Open the index for appending; it is made if it is not there.

        Raises:
            OSError: the disk refuses.
        """
        self._folder = folder
        self._descriptors: dict[str, int] = {}
        self._index = self._open(layout.INDEX)
        self._writing, self._hashing = Worker("log writer"), Worker("log hashes")
        self._syncing = [Worker(f"log sync {number}") for number in range(_SYNCS)]

    def add(self, batch: Batch, output: Output) -> None:
        """Add output to a batch, and see to its hash."""
        batch.lines.append(output)
        if len(output.data) < _SMALL:
            output.hash()
        else:
            self._hashing.begin(output.hash)
            batch.hashing += 1

    def write(self, batch: Batch) -> None:
        """Make the batch durable.

        Raises:
            OSError: the disk is full or refuses.
        """
        outputs = [line for line in batch.lines if isinstance(line, Output)]
        self._write_output(outputs)
        for _ in range(batch.hashing):
            self._hashing.end()
        batch.written = [line if isinstance(line, bytes) else line.line() for line in batch.lines]
        if batch.written:
            write_all(self._index, b"\n".join(batch.written) + b"\n", self._folder.reserve.gives_way)
            os.fdatasync(self._index)
        for segment in batch.closed:
            if segment in self._descriptors:
                os.close(self._descriptors.pop(segment))

    def begin(self, batch: Batch, done: Callable[[], None]) -> None:
        """Write the batch in the writer's thread; `done` is called there at its end, whatever came of it."""
        self._writing.begin(lambda: self.write(batch), done)

    def end(self) -> None:
        """Wait for the batch that was begun; raises what went wrong with it, which need not be an OSError."""
        self._writing.end()

    @property
    def ready(self) -> bool:
        """Whether the batch that was begun is written, so that ending it takes no time."""
        return self._writing.ready

    def close(self) -> None:
        """End the threads and close the files."""
        for worker in (self._writing, self._hashing, *self._syncing):
            worker.close()
        for descriptor in (self._index, *self._descriptors.values()):
            os.close(descriptor)
        self._descriptors.clear()

    def _write_output(self, outputs: list[Output]) -> None:
        data: dict[str, list[Bytes]] = {}
        for output in outputs:
            data.setdefault(output.segment, []).append(output.data)
        for segment, pieces in data.items():
            if segment not in self._descriptors:
                self._descriptors[segment] = self._open(segment)
            write_pieces(self._descriptors[segment], pieces)
        self._sync([self._descriptors[segment] for segment in data])

    def _sync(self, descriptors: list[int]) -> None:
        """Sync all of these. Several at a time share what the file system does for each."""
        if len(descriptors) == 1:
            os.fdatasync(descriptors[0])
            return
        turns = list(zip(itertools.cycle(self._syncing), descriptors, strict=False))
        for worker, descriptor in turns:
            worker.begin(functools.partial(os.fdatasync, descriptor))
        for worker, _ in turns:
            worker.end()

    def _open(self, name: str) -> int:
        path: Path = self._folder.path / name
        fresh = self._folder.make_parents(path) | {path.parent}
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o644)
        for folder in fresh:
            sync_folder(folder)
        return descriptor
