"""A local copy of a log that lies elsewhere, for display and resume.

- It holds what the authority says is durable and nothing else: its records, and of our own output what it
  acknowledged.
- The evidence is never made from it, but from the exported log, which is checked.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from sealwright_appendlog import layout, record


class Mirror:
    """The records of a log elsewhere, as they became durable."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index = folder / layout.INDEX
        folder.mkdir(parents=True, exist_ok=True)
        self.count = 0
        self.sealed = False
        if self._index.exists():
            whole = 0
            for line in layout.lines(self._index):
                whole += len(line) + 1
                self._count(line)
            with self._index.open("r+b") as stream:
                stream.truncate(whole)

    def take(self, lines: bytes) -> None:
        """Take whole lines, in their order.

        Raises:
            ValueError: they are no records, or not the next ones.
        """
        for line in lines.splitlines():
            if record.decode(line)["n"] != self.count:
                raise ValueError("the authority's records are out of sequence")
            self._count(line)
        with self._index.open("ab") as stream:
            stream.write(lines)

    def copy(self, stream: str) -> Copy:
        """A copy of a new stream's bytes."""
        return Copy(self._folder / "data" / stream / "00000000.log")

    def _count(self, line: bytes) -> None:
        self.count += 1
        self.sealed = b'"k":"seal"' in line and record.decode(line)["k"] == "seal"


class Copy:
    """The bytes of one stream: those that were sent wait in memory until they are acknowledged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting = bytearray()
        self._written = 0
        self._lock = threading.Lock()

    def sent(self, data: bytes) -> None:
        """Remember what is about to be sent."""
        with self._lock:
            self._waiting += data

    def acknowledged(self, total: int) -> None:
        """Write what is durable of the stream, whose first `total` bytes are."""
        with self._lock:
            data = bytes(self._waiting[: max(0, total - self._written)])
            if data:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("ab") as stream:
                    stream.write(data)
                del self._waiting[: len(data)]
                self._written += len(data)

    def finish(self, total: int) -> None:
        """Write the rest of all `total` bytes and make it durable: it is read back after a crash of this machine."""
        self.acknowledged(total)
        if self._written:
            with self._path.open("rb") as stream:
                os.fsync(stream.fileno())
