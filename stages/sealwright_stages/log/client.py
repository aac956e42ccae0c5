"""A session with the log authority: events with their durable records, streams of output, seal and export.

- An event's call returns when its record is durable, with the record as it stands in the log: what was sent, and
  nothing else. The same holds for the end of a stream.
- The newest checkpoint is remembered; every later one must be proved to continue it, or the log is lost.
- What was acknowledged is kept, and must be in the log that is taken up again and in the one that is exported.
- A log that contradicts any of this is lost for good: both words are kept, as `exhibits`.
- A sealed log is open for reading and export; what would add to it is refused here already.
- Where the log's files are elsewhere, the authority's records are followed into a local copy, for display and
  resume. Each checkpoint must be of just these records; the evidence is made from the exported log.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from sealwright_appendlog import layout, record
from sealwright_appendlog.note import Checkpoint
from sealwright_stages.errors import EventError, Exhibit, MachineError
from sealwright_stages.log import exhibits
from sealwright_stages.log.connection import LogLost, LogRollback
from sealwright_stages.log.copied import Copy
from sealwright_stages.log.entries import Entry
from sealwright_stages.log.export import Export
from sealwright_stages.log.memory import Memory
from sealwright_stages.log.mirror import Mirror
from sealwright_stages.log.output import Connect, OutputStream
from sealwright_stages.log.promises import BrokenPromise, Held, Promises

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
        self.all_said = True  # False: who closes it now was stopped in the middle of a run
        self._connect = connect
        self._end = end
        self._hello: dict[str, object] = {"format": 1, **({"origin": origin} if origin else {})}
        self._mirror = Mirror(log_dir) if mirror else None
        self._append_lock = threading.Lock()
        self._news = threading.Condition()
        self._contradiction: LogRollback | None = None
        self._saved = saved
        self._export: Export | None = None
        self._streams: set[OutputStream] = set()
        self._greeted = False
        self._stop: Callable[[], None] = lambda: None
        try:
            self._memory = Memory(saved)
            self._promises = _promises(saved, remembers=self._memory.checkpoint is not None)
            self._connection = connect(self._frame, self._gone)
        except BaseException:
            end()
            raise
        try:
            self._greet()
            self._check_promises(log_dir)
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
    def exhibits(self) -> tuple[Exhibit, ...]:
        """What was kept of the log's contradicting words; empty while it does not contradict itself."""
        return self._contradiction.exhibits if self._contradiction is not None else ()

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
            LogLost: it may not be in the log; treat it as not. LogRollback: something else is in its place.
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
            entry = self._connection.wait_entry()
            self._acknowledged(entry, true=entry.kind == "ev" and record.encode(entry.body) == payload)
            return entry

    def open_stream(self, name: str) -> OutputStream:
        """Open a stream of raw bytes on a connection of its own."""
        self._refuse_if_sealed()
        copy = Copy(self._mirror.data_file(name)) if self._mirror is not None else None
        hello = {**self._hello, "stream": name}
        stream = OutputStream(self._connect, hello, self.lost, self._stream_gone, self._stream_ended, copy)
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
            entry = self._connection.wait_entry(at_leisure=True)
            self._acknowledged(entry, true=entry.kind == "seal")
            self._await_checkpoint(entry.n + 1)
            return entry

    def export(self, destination: Path) -> None:
        """Fetch the sealed log's files into `destination`, whole, checked, or not at all.

        Raises:
            LogLost: the authority does not hand it over, or it does not check out.
            LogRollback: it is another log than the one that was sealed, or lacks what was acknowledged.
        """
        with self._append_lock:
            if not self.sealed:
                raise LogLost("the log is not sealed yet")
            self._export = Export(destination)
            self._connection.send("X")
            with self._contradicting():
                self._export.finish(self._connection, self._memory, self._promises)
            self._export = None

    def close(self) -> None:
        """End the stream, cleanly if all was said and the log is still open, and let go; an embedded authority ends."""
        if self._connection.closed:
            return
        if self.all_said and not self.lost.is_set() and not self.sealed:
            with contextlib.suppress(LogLost), self._append_lock:
                self._connection.send("F", b"0")
                self._await_checkpoint(self._connection.wait_entry().n + 1)
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
                    raise self._contradiction or LogLost(self.why_lost)
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
                with self._contradicting():
                    agrees = self._mirror.agrees if self._mirror is not None else lambda checkpoint: None
                    self._memory.take(payload.decode("utf-8"), agrees)
            except LogRollback:
                return
            except MachineError as error:
                self._connection.fail(str(error))
                return
            with self._news:
                self._greeted = True
                self._news.notify_all()
        elif kind == "L" and self._mirror is not None:
            self._mirror.take(payload)
        elif self._export is not None:
            self._export.take(kind, payload)

    # -- what was said against what was done ------------------------------------------------------------

    def _acknowledged(self, entry: Entry, *, true: bool) -> None:
        """Keep what was acknowledged, if it is what was sent."""
        if not true:
            with self._contradicting():
                why = f"record {entry.n} was acknowledged and does not say what was sent"
                raise exhibits.keep(
                    self._saved, why, {exhibits.SEEN: self._memory.note, exhibits.PROMISED: entry.line}
                )
        if self._mirror is not None and self._mirror.doubt:
            self._await_checkpoint(1 << 62)  # the next one ends this
        with self._contradicting():
            self._promises.record(entry.line)

    def _stream_ended(self, entry: Entry, true: bool, held: Held) -> None:
        self._acknowledged(entry, true=true)
        self._promises.stream(entry.stream, held)

    def _check_promises(self, log_dir: Path) -> None:
        """Look whether the log that is taken up again has all that was acknowledged before."""
        with self._contradicting():
            self._promises.check_records(layout.lines(log_dir / layout.INDEX))

    @contextlib.contextmanager
    def _contradicting(self) -> Iterator[None]:
        """The log is lost by a contradiction inside the block."""
        try:
            try:
                yield
            except BrokenPromise as error:
                raise exhibits.broken(self._saved, self._memory.first_note, self._memory.note, error) from error
        except LogRollback as error:
            self._contradiction = self._contradiction or error
            self._connection.fail(str(error))
            raise


def _promises(saved: Path, *, remembers: bool) -> Promises:
    """What was acknowledged before.

    Raises:
        LogLost: it is damaged, or the checkpoint that goes with it is gone.
    """
    file = saved.with_name(f"{saved.name}.acknowledged")
    try:
        promises = Promises(file)
    except (OSError, ValueError) as error:
        raise LogLost(f"what is remembered of the log is damaged: {file}: {error}") from error
    if len(promises) and not remembers:
        raise LogLost(f"what is remembered of the log is damaged: {saved} is missing, and {file} is there")
    return promises


def _unsaid(because: str) -> EventError:
    return EventError("an event can't be said in the log", because, "report this with the log, then run again")
