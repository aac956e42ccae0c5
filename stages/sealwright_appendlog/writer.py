"""Brings batches to disk in their order: data, fdatasync, index, fdatasync. May run in a thread of its own.

- A segment's name is on disk before a record names it.
- On a full disk the reserve gives way to the index, and never to output.
- One batch at a time; whoever begins the next one has seen the end of the one before.
- An error, of whatever kind, is raised to whoever ends the batch, who writes nothing after it.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sealwright_appendlog import layout
from sealwright_appendlog.folder import Folder, sync_folder, write_all


@dataclass
class Batch:
    """What is to be made durable together: bytes by segment, segments that are done with, lines of the index."""

    data: dict[str, list[bytes]] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)


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
        self._thread: threading.Thread | None = None
        self._begun: queue.SimpleQueue[tuple[Batch, Callable[[], None]] | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def write(self, batch: Batch) -> None:
        """Make the batch durable.

        Raises:
            OSError: the disk is full or refuses.
        """
        for segment, pieces in batch.data.items():
            descriptor = self._descriptors.get(segment)
            if descriptor is None:
                descriptor = self._descriptors[segment] = self._open(segment)
            for piece in pieces:
                write_all(descriptor, piece)
            os.fdatasync(descriptor)
        if batch.lines:
            write_all(self._index, b"\n".join(batch.lines) + b"\n", self._folder.reserve.gives_way)
            os.fdatasync(self._index)
        for segment in batch.closed:
            if segment in self._descriptors:
                os.close(self._descriptors.pop(segment))

    def begin(self, batch: Batch, done: Callable[[], None]) -> None:
        """Write the batch in the writer's thread; `done` is called there at its end, whatever came of it."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)
            self._thread.start()
        self._begun.put((batch, done))

    def end(self) -> None:
        """Wait for the batch that was begun; raises what went wrong with it, which need not be an OSError."""
        error = self._ended.get()
        if error is not None:
            raise error

    def _run(self) -> None:
        while (begun := self._begun.get()) is not None:
            batch, done = begun
            failed: BaseException | None = None
            try:
                self.write(batch)
            except BaseException as error:  # noqa: BLE001 - nobody waits for a thread that is gone
                failed = error
            self._ended.put(failed)
            done()

    def close(self) -> None:
        """End the thread and close the files."""
        if self._thread is not None:
            self._begun.put(None)
            self._thread.join()
        for descriptor in (self._index, *self._descriptors.values()):
            os.close(descriptor)
        self._descriptors.clear()

    def _open(self, name: str) -> int:
        path: Path = self._folder.path / name
        fresh = self._folder.make_parents(path) | {path.parent}
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o644)
        for folder in fresh:
            sync_folder(folder)
        return descriptor
