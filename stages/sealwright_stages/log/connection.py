"""One connection to the log authority: frames out, acknowledgements in, and the news when it is lost.

- It pings each second; five seconds without a word from the authority is a lost log, also of a silent build.
- What is owed an acknowledgement gets one: five seconds in which none comes is a lost log too, even if pings are
  answered. Only a seal may take longer, since all that was logged is hashed for it.
- At most 1 MiB stays unacknowledged; then the sender waits.
- Before its first word it may take longer, where whoever made the connection says so.
- A refusal, an end of stream, an unknown frame: lost, with the reason. Nothing is ever tried again behind
  the caller's back.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import threading
import time
from collections.abc import Callable, Iterator

from sealwright_appendlog.frames import AUTHORITY_TYPES, Decoder, FrameError, header
from sealwright_appendlog.record import RecordError
from sealwright_stages.errors import Exhibit
from sealwright_stages.log.entries import Entry, entry_of

PATIENCE = 5.0
WINDOW = 1 << 20
PING_EVERY = 1.0


class LogLost(Exception):  # noqa: N818 - it is what the log is
    """The log authority is dead, frozen, refuses, or was never there; the sentence says which."""


class LogRollback(LogLost):
    """The log contradicts what this console saw before: a rollback, a split view, a record that was replaced."""

    def __init__(self, why: str, exhibits: tuple[Exhibit, ...] = ()) -> None:
        super().__init__(why)
        self.exhibits = exhibits


class Connection:
    """A connection over two file descriptors (the same one twice for a socket)."""

    def __init__(
        self,
        read_fd: int,
        write_fd: int,
        on_frame: Callable[[str, bytes], None],
        on_lost: Callable[[str], None],
        close: Callable[[], None],
        *,
        explain: Callable[[str, bytes], str] = lambda why, early: why,
        greeting: float = PATIENCE,
    ) -> None:
        """Begin to listen.

        `explain` is given why the other end went away, and what it said before its first frame; it may know more.
        `greeting` are the seconds until the first word.
        """
        self._explain, self._greeting = explain, greeting
        self._early: bytearray | None = bytearray()
        self._answers = 0
        self._read_fd, self._write_fd = read_fd, write_fd
        self._on_frame, self._on_lost, self._close = on_frame, on_lost, close
        self._send_lock = threading.Lock()
        self.change = threading.Condition()
        self.lost = ""
        self.acknowledged = 0
        self.sent = 0
        self.lines: list[bytes] = []
        self._closing = False
        self._awaited = 0
        self._progress = time.monotonic()
        self._wake_r, self._wake_w = os.pipe()
        os.set_blocking(read_fd, False)
        os.set_blocking(write_fd, False)
        self._poll = select.poll()
        self._poll.register(write_fd, select.POLLOUT)
        self._thread = threading.Thread(target=self._listen, name="log connection", daemon=True)
        self._thread.start()

    def send(self, kind: str, payload: bytes = b"", *, counted: bool = False) -> None:
        """Send one frame; `counted` bytes wait for room in the window.

        Raises:
            LogLost: there is nobody to send to.
        """
        if counted:
            with self.change:
                self._wait(lambda: self.sent - self.acknowledged + len(payload) <= WINDOW)
                self._owe()
                self.sent += len(payload)
        with self._send_lock:
            self._write(header(kind, payload), payload)

    def wait_line(self, *, at_leisure: bool = False) -> bytes:
        """The next record line that the authority sends back; `at_leisure`: as long as it answers pings.

        Raises:
            LogLost: it never will.
        """
        with contextlib.nullcontext() if at_leisure else self.owed(), self.change:
            self._wait(lambda: bool(self.lines))
            return self.lines.pop(0)

    def ping(self) -> None:
        """Ask for a word, and wait for it.

        Raises:
            LogLost: none comes.
        """
        with self.change:
            before = self._answers
        self.send("P")
        with self.owed(), self.change:
            self._wait(lambda: self._answers > before)

    @property
    def _patience(self) -> float:
        return PATIENCE if self._early is None else self._greeting

    def wait_entry(self, *, at_leisure: bool = False) -> Entry:
        """The next record that the authority sends back (see `wait_line`).

        Raises:
            LogLost: it never will, or sends none.
        """
        line = self.wait_line(at_leisure=at_leisure)
        try:
            return entry_of(line)
        except RecordError as error:
            raise self._lose(f"the log authority talks nonsense: {error}") from error

    @contextlib.contextmanager
    def owed(self) -> Iterator[None]:
        """Inside the block something other than answers to pings must come from the authority."""
        with self.change:
            self._owe()
            self._awaited += 1
        try:
            yield
        finally:
            with self.change:
                self._awaited -= 1

    def _is_owed(self) -> bool:
        return self._awaited > 0 or self.sent > self.acknowledged

    def _owe(self) -> None:
        """From now on something is owed, if nothing was before."""
        if not self._is_owed():
            self._progress = time.monotonic()

    @property
    def closed(self) -> bool:
        """Whether it was let go."""
        return self._closing

    def close(self) -> None:
        """Let go of the connection."""
        with self.change:
            if self._closing:
                return
            self._closing = True
            self.change.notify_all()
        os.write(self._wake_w, b"x")
        if threading.current_thread() is not self._thread:
            self._thread.join(2)
        with self._send_lock:
            self._close()
        os.close(self._wake_w)
        os.close(self._wake_r)

    def fail(self, why: str) -> None:
        """Declare the log lost."""
        with self.change:
            if self.lost or self._closing:
                return
            self.lost = why
            self.change.notify_all()
        self._on_lost(why)

    def _wait(self, ready: Callable[[], bool]) -> None:
        while not ready():
            if self.lost or self._closing:
                raise LogLost(self.lost or "the connection to the log was closed")
            self.change.wait(0.5)

    def _write(self, head: bytes, payload: bytes = b"") -> None:
        rest = [memoryview(head), memoryview(payload)]
        deadline = time.monotonic() + self._patience
        while any(rest):
            if self.lost or self._closing:
                raise LogLost(self.lost or "the connection to the log was closed")
            try:
                written = os.writev(self._write_fd, rest)
                rest = [rest[0][written:], rest[1][max(0, written - len(rest[0])) :]]
                deadline = time.monotonic() + self._patience
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise self._lose(f"the log authority took nothing for {self._patience:.0f} s") from None
                self._poll.poll(200)
            except OSError as error:
                self._hear_why()
                raise self._lose(self._why(f"the log authority is gone: {error.strerror}")) from error

    def _hear_why(self) -> None:
        """Let the listener read what the authority said before it went."""
        if threading.current_thread() is not self._thread:
            with self.change:
                self.change.wait_for(lambda: bool(self.lost), 1.0)

    def _lose(self, why: str) -> LogLost:
        """Declare the log lost; gives the error to raise, with the first reason that there was."""
        self.fail(why)
        return LogLost(self.lost or why)

    def _listen(self) -> None:
        decoder = Decoder(AUTHORITY_TYPES)
        heard = pinged = time.monotonic()
        with selectors.DefaultSelector() as watch:
            watch.register(self._read_fd, selectors.EVENT_READ)
            watch.register(self._wake_r, selectors.EVENT_READ)
            while not self.lost and not self._closing:
                readable = {key.fd for key, _ in watch.select(0.25)}
                now = time.monotonic()
                if self._read_fd in readable:
                    heard = now
                    self._take(decoder)
                elif now - heard > self._patience:
                    self.fail(self._why(f"the log authority has not answered for {self._patience:.0f} s"))
                if self._is_owed() and now - self._progress > self._patience:
                    self.fail(f"the log authority has acknowledged nothing for {self._patience:.0f} s")
                if now - pinged >= PING_EVERY and not self._closing:
                    pinged = now
                    self._ping()

    def _ping(self) -> None:
        if not self._send_lock.acquire(blocking=False):
            return  # a sender at work is as good as a ping
        try:
            if self._poll.poll(0):  # else the authority has enough to answer
                with contextlib.suppress(LogLost):
                    self._write(header("P"))
        finally:
            self._send_lock.release()

    def _take(self, decoder: Decoder) -> None:
        try:
            data = os.read(self._read_fd, 1 << 18)
        except BlockingIOError:
            return
        except OSError as error:
            self.fail(self._why(f"the log authority is gone: {error.strerror}"))
            return
        if not data:
            self.fail(self._why("the log authority closed the connection"))
            return
        if self._early is not None:
            self._early += data
        try:
            for kind, payload in decoder.feed(data):
                self._early = None
                self._frame(kind, payload)
        except (FrameError, ValueError) as error:
            nonsense = f"the log authority talks nonsense: {error}"
            self.fail(self._why(nonsense) if self._early else nonsense)
        except Exception as error:  # noqa: BLE001 - a listener that is gone would leave everybody waiting
            why = (isinstance(error, OSError) and error.strerror) or f"{type(error).__name__}: {error}"
            self.fail(f"what the log authority said can't be kept here: {why}")

    def _why(self, why: str) -> str:
        return self._explain(why, bytes(self._early or b""))

    def _frame(self, kind: str, payload: bytes) -> None:
        if kind == "R":
            self.fail("the log authority refuses: " + payload.decode("utf-8", "replace")[:300])
        elif kind == "A":
            head, newline, line = payload.partition(b"\n")
            _, durable = head.split(b" ")
            with self.change:
                if newline or int(durable) > self.acknowledged:
                    self._progress = time.monotonic()
                self.acknowledged = max(self.acknowledged, int(durable))
                self._answers += 1
            self._on_frame("A", b"%d" % self.acknowledged)  # before anybody who waits goes on
            with self.change:
                if newline:
                    self.lines.append(line)
                self.change.notify_all()
        else:
            self._progress = time.monotonic()
            self._on_frame(kind, payload)
