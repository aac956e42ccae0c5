"""The local copy of one stream that we sent to a log elsewhere, for display and resume.

- It holds what the authority acknowledged as durable, and nothing else; the rest waits in memory, at most a window.
- The evidence is never made from it, but from the exported log, which is checked.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path


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
