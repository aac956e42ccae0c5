"""A session with the log authority: events with their durable records, streams of output, seal and export.

- An event's call returns when its record is durable, with the record as it stands in the log.
- The newest checkpoint is remembered; every later one must be proved to continue it, or the log is lost.
- A sealed log is open for reading and export; what would add to it is refused here already.
- Where the log's files are elsewhere, the authority's records are followed into a local copy, for display and
  resume. It is what the authority says: the evidence is made from the exported log, which is checked.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from sealwright_appendlog import layout, record
from sealwright_appendlog.note import Checkpoint
from sealwright_stages.errors import EventError
from sealwright_stages.log.connection import Connection, LogLost, LogRollback
from sealwright_stages.log.copied import Copy
from sealwright_stages.log.entries import Entry, entry_of
from sealwright_stages.log.export import Export
from sealwright_stages.log.memory import Memory

Connect = Callable[[Callable[[str, bytes], None], Callable[[str], None]], Connection]
_EVENT_LIMIT = 3600


class LogSession:
    """The stream `engine` of a log, and the door to its other streams."""

    def __init__(
        self,
        connect: Connect,
        log_dir: Path,
        saved: Path,
        *,
        mirror: bool,
        end: Callable[[], None],
        origin: str = "",
    ) -> None:
        """Open it; `origin` names the log to an authority that has many.

        Raises:
            LogLost: the authority is not there, refuses, or does not continue what was seen before.
        """
        self.log_dir: Path | None = log_dir
        self.lost = threading.Event()
        self.why_lost = ""
        self.process_id = 0
        self._connect = connect
        self._end = end
        self._hello: dict[str, object] = {"format": 1, **({"origin": origin} if origin else {})}
        self._mirror = Mirror(log_dir) if mirror else None
        self._append_lock = threading.Lock()
        self._news = threading.Condition()
        self._rolled_back = False
        self._export: Export | None = None
        self._streams: set[OutputStream] = set()
        self._greeted = False
        self._stop: Callable[[], None] = lambda: None
        try:
            self._memory = Memory(saved)
            self._connection = connect(self._frame, self._gone)
        except BaseException:
            end()
            raise
        try:
            self._greet()
        except BaseException:
            self._connection.close()
            end()
            raise

    def whenever_lost(self, stop: Callable[[], None]) -> None:
        """Call `stop` once the log is lost, so that what says nothing stops too; at once, if it is lost already.

        A sealed log is needed no more than for its export, which finds out by itself.
        """
        with self._news:
            self._stop = stop
            if self.lost.is_set():
                stop()

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest checkpoint, proved to continue all that were seen before."""
        return self._memory.checkpoint

    @property
    def sealed(self) -> bool:
        """Whether the log is sealed."""
        if self._mirror is not None:
            return self._mirror.sealed
        return self.log_dir is not None and (self.log_dir / layout.SEALED).exists()

    def append(self, event: Mapping[str, object]) -> Entry:
        """Append an event; returns its record when that is durable.

        Raises:
            EventError: it is nothing that a log can hold; the log lives on.
            LogLost: it may not be in the log; treat it as not.
        """
        try:
            payload = record.encode(event)
        except record.RecordError as error:
            raise _unsaid(str(error)) from error
        if len(payload) > _EVENT_LIMIT:
            raise _unsaid(f"it has {len(payload)} bytes, {_EVENT_LIMIT} is the most")
        with self._append_lock:
            self._refuse_if_sealed()
            self._connection.send("J", payload)
            return entry_of(self._connection.wait_line())

    def open_stream(self, name: str) -> OutputStream:
        """Open a stream of raw bytes on a connection of its own."""
        self._refuse_if_sealed()
        copy = Copy(self._mirror.data_file(name)) if self._mirror is not None else None
        hello = {**self._hello, "stream": name}
        stream = OutputStream(self._connect, hello, self.lost, self._stream_gone, copy)
        self._streams = {held for held in self._streams if not held.closed} | {stream}
        return stream

    def seal(self) -> Entry:
        """Seal the log; the authority must prove that it continues the checkpoint seen last.

        Raises:
            LogLost: it is not sealed, or not provably the same log.
        """
        with self._append_lock:
            self._refuse_if_sealed()
            self._connection.send("S")
            entry = entry_of(self._connection.wait_line(at_leisure=True))
            self._await_checkpoint(entry.n + 1)
            return entry

    def export(self, destination: Path) -> None:
        """Fetch the sealed log's files into `destination`, whole, checked, or not at all.

        Raises:
            LogLost: the authority does not hand it over, or it does not check out.
        """
        with self._append_lock:
            if not self.sealed:
                raise LogLost("the log is not sealed yet")
            self._export = Export(destination)
            self._connection.send("X")
            self._export.finish(self._connection, self.checkpoint)
            self._export = None

    def close(self) -> None:
        """End the stream cleanly, if the log is still open, and let go; an embedded authority ends."""
        if self._connection.closed:
            return
        if not self.lost.is_set() and not self.sealed:
            with contextlib.suppress(LogLost), self._append_lock:
                self._connection.send("F", b"0")
                self._connection.wait_line()
        for stream in self._streams:
            stream.abort()
        self._connection.close()
        self._end()

    # -- inside -----------------------------------------------------------------------------------------

    def _greet(self) -> None:
        hello = {**self._hello, "stream": "engine"}
        if self.checkpoint is not None:
            hello["seen"] = self.checkpoint.size
        if self._mirror is not None:
            hello["since"] = self._mirror.count
        self._connection.send("H", json.dumps(hello).encode())
        self._await_checkpoint(1)

    def _refuse_if_sealed(self) -> None:
        if self.sealed:
            raise LogLost("the log is sealed; nothing can be added to it")

    def _await_checkpoint(self, size: int) -> None:
        with self._connection.owed(), self._news:
            while not (self._greeted and self.checkpoint is not None and self.checkpoint.size >= size):
                if self.lost.is_set():
                    raise (LogRollback if self._rolled_back else LogLost)(self.why_lost)
                self._news.wait(0.5)

    def _stream_gone(self, why: str) -> None:
        """A stream's connection was lost: refused alone, or with the authority."""
        if not why.startswith("the log authority refuses"):
            self._gone(why)

    def _gone(self, why: str) -> None:
        with self._news:
            self.why_lost = self.why_lost or why
            self.lost.set()
            if not self.sealed:
                self._stop()
            self._news.notify_all()
        for stream in list(self._streams):
            stream.lose(why)

    def _frame(self, kind: str, payload: bytes) -> None:
        """Take a frame, in the connection's thread."""
        if kind == "C":
            try:
                self._memory.take(payload.decode("utf-8"))
            except LogRollback as error:
                self._rolled_back = True
                self._connection.fail(str(error))
                return
            with self._news:
                self._greeted = True
                self._news.notify_all()
        elif kind == "L" and self._mirror is not None:
            self._mirror.take(payload)
        elif self._export is not None:
            self._export.take(kind, payload)


def _unsaid(because: str) -> EventError:
    return EventError("an event can't be said in the log", because, "report this with the log, then run again")


class OutputStream:
    """One stream of raw bytes, acknowledged as it becomes durable."""

    def __init__(
        self,
        connect: Connect,
        hello: Mapping[str, object],
        lost: threading.Event,
        gone: Callable[[str], None],
        copy: Copy | None,
    ) -> None:
        self.name = hello["stream"]
        self._lost = lost
        self._copy = copy
        self._connection = connect(self._frame, gone)
        try:
            self._connection.send("H", json.dumps(hello).encode())
        except LogLost:
            self._connection.close()
            raise

    @property
    def closed(self) -> bool:
        """Whether its connection was let go."""
        return self._connection.closed

    def write(self, channel: Literal["D", "E"], data: bytes) -> None:
        """Send output; blocks while 1 MiB is unacknowledged.

        Raises:
            LogLost: the log is gone, here or on the session's own connection.
        """
        for at in range(0, len(data), 1 << 16):
            if self._lost.is_set():
                raise LogLost(self._connection.lost or "the log authority is lost")
            part = data[at : at + (1 << 16)]
            if self._copy is not None:
                self._copy.sent(part)
            self._connection.send(channel, part, counted=True)

    def finish(self, exit_status: int) -> Entry:
        """End the stream; returns its durable `eof` record. Raises LogLost."""
        try:
            self._connection.send("F", str(exit_status).encode())
            entry = entry_of(self._connection.wait_line())
            if self._copy is not None:
                self._copy.finish(entry.body["bytes"])
            return entry
        finally:
            self._connection.close()

    def abort(self) -> None:
        """Drop the connection, so that the log records an unclean end."""
        self._connection.close()

    def lose(self, why: str) -> None:
        """Let go of whoever waits here: the log is lost."""
        self._connection.fail(why)

    def _frame(self, kind: str, payload: bytes) -> None:
        """Take an acknowledgement, in the connection's thread."""
        if kind == "A" and self._copy is not None:
            self._copy.acknowledged(int(payload))


class Mirror:
    """A local copy of a log that lies elsewhere: its records as they became durable, and our own output."""

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

    def data_file(self, stream: str) -> Path:
        """Where a stream's own copy lies."""
        return self._folder / "data" / stream / "00000000.log"

    def _count(self, line: bytes) -> None:
        self.count += 1
        self.sealed = b'"k":"seal"' in line and record.decode(line)["k"] == "seal"
