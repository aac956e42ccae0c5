"""The engine's door: consoles come and go, one thread serves them all, and the run never waits for any of them.

- Who comes must have the engine's own uid, as the kernel says; anybody else is let go without a word.
- A console that is slow gets the newest of each message later; what waits for it has a bounded size.
- A console that says what is none of the protocol, or nothing at all, is told why and let go.
- Whatever goes wrong with one console ends that connection and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from sealwright_stages.attended.picture import parts
from sealwright_stages.attended.place import peer
from sealwright_stages.attended.protocol import (
    MOST_ASKED,
    PROTOCOL,
    Asked,
    Greet,
    Hello,
    Lines,
    No,
    Over,
    Position,
    ProtocolError,
    Said,
    Whole,
    asked,
    line,
    protocol_of,
)
from sealwright_stages.state import State

_TICK = 0.05  # seconds between two looks at what is new
_MOST_CONSOLES = 16
_AHEAD = 256 << 10  # bytes that may wait for a console before more is made
_PART = 1 << 16
_GREETING = 10.0  # seconds
_FAREWELL = 2.0
_BEAT = 2.0


class Desk(Protocol):
    """What is behind the door. The server's thread calls, while the engine works in its own."""

    def picture(self) -> State:
        """The state as it is now, for the caller alone."""

    def position(self) -> tuple[int, bool, str]:
        """The last acknowledged record, whether the log is lost, and why."""

    def news(self) -> Sequence[Said]:
        """What else there is to say, each of another kind; what says the same as before is not said again."""

    def do(self, wish: Asked) -> None:
        """Do what a console asks for."""


class Server:
    """Serves `desk` to those who come to `door`, from `start` until `close`."""

    def __init__(self, door: socket.socket, hello: Hello, desk: Desk, clock: Callable[[], float] = time.monotonic):
        self._door, self._hello, self._desk, self._clock = door, hello, desk, clock
        self._uid = os.geteuid()
        self._consoles: list[_Console] = []
        self._over: Over | None = None
        self._closing = threading.Event()
        self._visited = threading.Event()
        self._wake, self._woken = socket.socketpair()
        door.setblocking(False)
        self._thread = threading.Thread(target=self._serve, name="door", daemon=True)

    def start(self) -> None:
        """Let consoles in."""
        self._thread.start()

    def visited(self, seconds: float) -> None:
        """Wait until somebody has come, but no longer than that: a run that ends at once is seen then."""
        self._visited.wait(seconds)

    def close(self, over: Over) -> None:
        """Tell everybody how the run ended, and close; who does not listen is not waited for long."""
        self._over = over
        self._closing.set()
        with contextlib.suppress(OSError):
            self._wake.send(b"x")
        if self._thread.ident is not None:  # it may not have been started yet
            self._thread.join(_FAREWELL + 1)
        for sock in (self._door, self._wake, self._woken):
            sock.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as watch:
            for sock in (self._door, self._woken):
                watch.register(sock, selectors.EVENT_READ)
            deadline = None
            while deadline is None or (self._clock() < deadline and any(c.behind for c in self._consoles)):
                if self._closing.is_set() and deadline is None:
                    deadline = self._clock() + _FAREWELL
                    watch.unregister(self._woken)
                ready = watch.select(_TICK if self._consoles else 1.0)
                if any(key.fileobj is self._door for key, _ in ready):
                    self._let_in(watch)
                self._turn(watch)
        for console in self._consoles:
            console.sock.close()

    def _let_in(self, watch: selectors.BaseSelector) -> None:
        try:
            sock, _ = self._door.accept()
        except OSError:  # it went again, or no descriptor is left: then the door would stay ready, and this busy
            time.sleep(_TICK)
            return
        with contextlib.suppress(OSError):
            sock.setblocking(False)
            if peer(sock) != self._uid:
                sock.close()
                return
            if len(self._consoles) >= _MOST_CONSOLES:
                with sock:
                    sock.send(line(No(f"{_MOST_CONSOLES} consoles watch it already")))
                return
            watch.register(sock, selectors.EVENT_READ)
            self._consoles.append(_Console(sock, self._hello, self._clock()))

    def _turn(self, watch: selectors.BaseSelector) -> None:
        """Hear and tell each console."""
        if not self._consoles:
            return
        news = self._news()
        for console in list(self._consoles):
            try:
                for wish in console.hear():
                    if isinstance(wish, Greet):
                        console.show(parts(self._desk.picture()))
                        self._visited.set()
                    else:
                        self._desk.do(wish)
                console.tell(news, self._clock())
            except ProtocolError as error:
                console.refuse(str(error))
                self._let_go(console, watch)
            except Exception:  # noqa: BLE001 - one console is not worth a run
                self._let_go(console, watch)

    def _let_go(self, console: _Console, watch: selectors.BaseSelector) -> None:
        self._consoles.remove(console)
        with contextlib.suppress(KeyError, ValueError):
            watch.unregister(console.sock)
        console.sock.close()

    def _news(self) -> dict[type[Said], Said]:
        said: list[Said] = []
        with contextlib.suppress(Exception):  # an engine that can't be looked at is still a running one
            n, lost, why = self._desk.position()
            watching = sum(console.greeted for console in self._consoles)
            said.append(Position(n, lost, why, watching, int(self._clock() / _BEAT)))
            said.extend(self._desk.news())
        if self._over is not None:  # the last word needs no look
            said.append(self._over)
        return {type(each): each for each in said}


class _Console:
    """One console: what it said in pieces, and what waits for it."""

    def __init__(self, sock: socket.socket, hello: Hello, came: float) -> None:
        self.sock = sock
        self.greeted = False
        self._came = came
        self._lines = Lines(MOST_ASKED)
        self._out = bytearray(line(hello))
        self._parts: Iterator[Said] | None = None
        self._said: dict[type[Said], Said] = {}
        self._news: Mapping[type[Said], Said] = {}

    @property
    def behind(self) -> bool:
        """Whether something waits for it."""
        return bool(self._out) or self._parts is not None or (self.greeted and bool(self._unsaid()))

    def hear(self) -> Iterator[Asked]:
        """What it asks for. Raises ProtocolError, and OSError when it is gone."""
        try:
            data = self.sock.recv(_PART)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError
        for each in self._lines.take(data):
            if not self.greeted and (number := protocol_of(each)) != PROTOCOL:
                raise ProtocolError(f"the engine speaks protocol {PROTOCOL}, and the console {number}")
            wish = asked(each)
            if isinstance(wish, Greet) == self.greeted:
                raise ProtocolError("a greeting comes first, and once")
            self.greeted = True
            yield wish

    def show(self, picture: Iterator[Said]) -> None:
        """Send it the picture, part by part."""
        self._parts = picture

    def tell(self, news: Mapping[type[Said], Said], now: float) -> None:
        """Send it what is new, as far as it takes it. Raises ProtocolError if it never greeted."""
        if not self.greeted and now - self._came > _GREETING:
            raise ProtocolError("it said nothing")
        self._news = news
        while True:
            self._fill()
            if not self._out:
                return
            try:
                sent = self.sock.send(bytes(self._out[:_PART]))
            except BlockingIOError:
                return
            del self._out[:sent]

    def refuse(self, because: str) -> None:
        """Say why it is let go, if it listens."""
        with contextlib.suppress(OSError):
            self.sock.send(line(No(because)))

    def _fill(self) -> None:
        while self._parts is not None and len(self._out) < _AHEAD:
            part = next(self._parts, None)
            self._out += line(Whole() if part is None else part)
            self._parts = None if part is None else self._parts
        if self._parts is None and self.greeted and len(self._out) < _AHEAD:
            for kind in self._unsaid():
                self._said[kind] = self._news[kind]
                self._out += line(self._news[kind])

    def _unsaid(self) -> list[type[Said]]:
        return [kind for kind, said in self._news.items() if self._said.get(kind) != said]
