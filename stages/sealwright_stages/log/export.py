"""Takes the sealed log from the authority, and believes it only after an audit.

- Names are those of a log's files and no others; nothing is written outside of the fresh folder.
- The folder appears under its name only when it is whole, checks out, has the checkpoint that was proved, and holds
  every record and every stream as they were acknowledged.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from pathlib import Path
from typing import BinaryIO

from sealwright_appendlog import layout
from sealwright_appendlog.audit import LogBroken, check_log
from sealwright_stages.errors import MachineError
from sealwright_stages.files import remove_tree, sync_folder
from sealwright_stages.log import exhibits
from sealwright_stages.log.connection import Connection, LogLost
from sealwright_stages.log.memory import Memory
from sealwright_stages.log.promises import BrokenPromise, Promises

_NAME = re.compile(
    r"index\.jsonl|checkpoint|checkpoint\.sealed|log\.vkey|SHA256SUMS"
    r"|data(/[A-Za-z0-9][A-Za-z0-9._+~#@-]*){1,5}|tile(/[A-Za-z0-9][A-Za-z0-9.]*){1,8}",
    re.ASCII,
)


class Export:
    """One export on its way: `take` is called with its frames, `finish` by whoever waits for it."""

    def __init__(self, destination: Path) -> None:
        self._destination = destination
        self._fresh = destination.with_name(f"{destination.name}.new")
        remove_tree(self._fresh)
        self._fresh.mkdir(parents=True)
        self._file: BinaryIO | None = None
        self._done = threading.Event()
        self._error = ""
        self._disk = ""

    def take(self, kind: str, payload: bytes) -> None:
        """Take the next frame; after an error the rest is passed over."""
        try:
            if kind == "N" and not self._error:
                self._next(payload)
            elif kind == "B" and not self._error and self._file is not None:
                self._file.write(payload)
            elif kind == "Z":
                self._close()
        except OSError as error:
            self._error = self._disk = error.strerror or str(error)
        except ValueError as error:
            self._error = str(error)
        if kind == "Z":
            self._done.set()

    def finish(self, connection: Connection, memory: Memory, promises: Promises) -> None:
        """Wait for the end, check the whole, and give it its name.

        Raises:
            LogLost: it did not come whole.
            LogRollback: it is not the log that was sealed, or lacks what was acknowledged.
            MachineError: there is no room for it.
        """
        with connection.owed():
            while not self._done.wait(0.25) and not connection.lost:
                pass
        try:
            self._close()
        except OSError as error:
            self._disk = error.strerror or str(error)
        if self._disk:
            remove_tree(self._fresh)
            raise MachineError(f"{self._destination} can't be written", self._disk, "make room, then run again")
        try:
            if self._error or not self._done.is_set():
                raise LogLost(f"the sealed log did not come: {self._error or connection.lost}")
            self._check(memory, promises)
        except LogBroken as error:
            remove_tree(self._fresh)
            raise LogLost(f"the sealed log is not whole: {error}") from error
        except LogLost:
            remove_tree(self._fresh)
            raise
        remove_tree(self._destination)
        self._fresh.rename(self._destination)
        sync_folder(self._destination.parent)

    def _check(self, memory: Memory, promises: Promises) -> None:
        """Hold the log that came against what was proved and acknowledged."""
        note = (
            layout.whole(self._fresh / layout.SEALED, 1 << 20) if (self._fresh / layout.SEALED).exists() else b""
        )
        try:
            if check_log(self._fresh, sums=True).checkpoint != memory.checkpoint:
                raise BrokenPromise("the log that came is not the one whose checkpoint was proved")
            promises.check_records(layout.lines(self._fresh / layout.INDEX))
            promises.check_streams(self._fresh)
        except BrokenPromise as error:
            raise exhibits.broken(memory.saved, memory.note, note, error) from error

    def _next(self, payload: bytes) -> None:
        name = payload.decode("ascii")
        self._close()
        if not _NAME.fullmatch(name):
            raise ValueError(f"the authority sends a file called {name!r}")
        path = self._fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("xb")

    def _close(self) -> None:
        if self._file is None:
            return
        stream, self._file = self._file, None
        try:
            stream.flush()
            os.fsync(stream.fileno())
        finally:
            with contextlib.suppress(OSError):
                stream.close()
