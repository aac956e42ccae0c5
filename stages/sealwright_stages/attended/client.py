"""A console's way to the engine of a work folder: come to the one that runs, or start one.

- An engine that is started leads a session of its own, and none of our terminal's descriptors goes to it.
- GPG_TTY is not handed on: the terminal is the console's to draw on, and may be closed before a passphrase is asked for.
- An engine that dies before it listens is an error with its own last words.
- A lock that is held by what does not listen is waited for a moment: an engine may just be coming or going.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sealwright_stages.attended.picture import Picture
from sealwright_stages.attended.place import Place
from sealwright_stages.attended.protocol import (
    MOST_SAID,
    PROTOCOL,
    Asked,
    Greet,
    Hello,
    Lines,
    No,
    Over,
    Part,
    ProtocolError,
    Said,
    Waits,
    Whole,
    line,
    protocol_of,
    said,
)
from sealwright_stages.errors import (
    Exhibit,
    Exit,
    InterruptedRunError,
    LogError,
    MachineError,
    ManifestError,
    NotFinalError,
    SealwrightError,
    SigningError,
)
from sealwright_stages.events import Stage
from sealwright_stages.files import read_small
from sealwright_stages.process import last_words
from sealwright_stages.state import State

if TYPE_CHECKING:
    from sealwright_stages.wish import Wish

_PATIENCE = 10.0  # seconds until an engine that listens has said the next thing
_COMING = 3.0  # seconds that a held lock is waited for
_GOING = 15.0  # and one of an engine that has listened: it ends, perhaps in the middle of a slow disk's work
_BLOCK = 1 << 18
_AT_ONCE = 1 << 22  # bytes that are taken in at one look
_EXHIBIT = 1 << 20
_NOT_HANDED_ON = ("GPG_TTY",)
_RUN = "run again to resume"
_OTHER = "look at the version that started it, `sealwright status` says its process, and use that one"
_FAMILIES: dict[int, type[SealwrightError]] = {
    Exit.USAGE: ManifestError,
    Exit.ENVIRONMENT: MachineError,
    Exit.LOG: LogError,
    Exit.SIGNING: SigningError,
    Exit.NOT_FINAL: NotFinalError,
    Exit.INTERRUPTED: InterruptedRunError,
}


class EngineGoneError(MachineError):
    """The engine is gone without a word."""


@dataclass
class Link:
    """A connection to an engine; for one thread. `child` is the engine's process if we started it."""

    sock: socket.socket
    hello: Hello
    place: Place
    child: subprocess.Popen[bytes] | None = None
    _lines: Lines = field(default_factory=lambda: Lines(MOST_SAID))
    _waiting: list[bytes] = field(default_factory=list)

    def picture(self) -> State:
        """The state as it is now; asked for once, before anything else.

        Raises:
            MachineError: the engine is gone or does not say it in time.
        """
        picture = Picture()
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                for message in self._take(max(0.0, deadline - time.monotonic()), 1):
                    deadline = time.monotonic() + _PATIENCE
                    if isinstance(message, Whole):
                        return picture.whole()
                    if isinstance(message, No):
                        raise refused(message)
                    if not isinstance(message, Part):
                        raise ProtocolError("the picture is not whole")
                    picture.take(message)
            except (ProtocolError, TypeError) as error:
                raise _not_understood(self.place, str(error)) from error
            if time.monotonic() >= deadline:
                raise _silent(self.place)

    def hear(self) -> list[Said]:
        """What came since the last look; never waits.

        Raises:
            MachineError: the engine is gone, or what it says is not understood.
        """
        try:
            return self._take(0.0, _AT_ONCE // _BLOCK)
        except ProtocolError as error:
            raise _not_understood(self.place, str(error)) from error

    def say(self, wish: Asked) -> None:
        """Ask for something.

        Raises:
            MachineError: the engine is gone or takes nothing any more.
        """
        try:
            self.sock.settimeout(2.0)
            self.sock.sendall(line(wish))
        except OSError as error:
            raise self._gone() from error

    def close(self) -> None:
        """Go; the engine runs on."""
        self.sock.close()

    def _take(self, wait: float, blocks: int) -> list[Said]:
        """Messages that are whole after reading so many blocks; a line that waits is read first."""
        lines, self._waiting = self._waiting, []
        while blocks and not (lines and wait) and select.select([self.sock], [], [], wait)[0]:
            blocks -= 1
            try:
                data = self.sock.recv(_BLOCK)
            except ConnectionError:
                data = b""
            if not data:
                if not lines:
                    raise self._gone()
                break
            lines += self._lines.take(data)
            wait = 0.0
        messages: list[Said] = []
        for number, each in enumerate(lines):
            messages.append(said(each))
            if isinstance(messages[-1], Whole):  # the picture ends here
                self._waiting = lines[number + 1 :]
                break
        return messages

    def _gone(self) -> EngineGoneError:
        code = None
        if self.child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self.child.wait(1)
        return gone(self.place, self.hello.pid, code)


def gone(place: Place, pid: int, code: int | None = None) -> EngineGoneError:
    """What to say of an engine that is gone without a word; `code` is its exit status, if that is known."""
    words = last_words(told) if (told := place.last_words()) else ""
    killed = f"it was killed by signal {-code}" if code is not None and code < 0 else "it ended without a word"
    why = words or f"{killed}; the kernel kills so where memory runs out"
    next_step = "look at the machine's memory and at `dmesg`, then run again to resume"
    return EngineGoneError(f"the engine, pid {pid}, is gone", why, _RUN if words else next_step)


def refusal(over: Over) -> SealwrightError:
    """An end as the error that it was."""
    error = _FAMILIES.get(over.exit, MachineError)(over.what, over.because, over.next)
    error.exhibits = exhibits(over)
    return error


def exhibits(over: Over) -> tuple[Exhibit, ...]:
    """What was kept, read from its files; without a file its bytes are left out."""
    found = []
    for what, name in over.exhibits:
        data = b""
        with contextlib.suppress(OSError):
            data = read_small(Path(name), _EXHIBIT)
        found.append(Exhibit(what, Path(name), data))
    return tuple(found)


def refused(no: No) -> MachineError:
    """An engine's no."""
    return MachineError("the engine does not let this console in", no.because, _OTHER)


def attached(place: Place, tool: str) -> Link | None:
    """Come to the engine that runs; None if none does.

    Raises:
        MachineError: what holds the work folder does not listen, or is not to be spoken with.
    """
    begun = time.monotonic()
    while True:
        sock = place.connect(_PATIENCE)
        if sock is not None:
            link = _greeted(sock, place, tool)
            if link is not None:
                return link
        try:
            holder = place.work.holder()
        except OSError as error:
            raise MachineError(f"{place.work.root} can't be used", error.strerror or str(error), _RUN) from error
        if holder is None:
            return None
        engine = place.engine()
        patience = _GOING if engine is not None and engine.pid == holder else _COMING
        if time.monotonic() - begun > patience:
            raise MachineError(
                f"{place.work.root} is in use",
                f"the run with pid {holder or 'unknown'} holds it, and no engine listens",
                "it may be starting or ending, or run with --batch: `sealwright status` says how it stands",
            )
        time.sleep(0.1)


def start(wish: Wish, until: Stage, place: Place, waiting: Callable[[str], None]) -> Link | Over:
    """Start an engine and come to it, or hear how its run ended if that was sooner.

    `waiting` is told of what takes longer than a moment.

    Raises:
        SealwrightError: what it refused, or how it died.
    """
    ready, said_to = os.pipe()
    argv = [sys.executable, "-I", "-m", "sealwright_stages.attended.process", str(wish.manifest)]
    argv += ["--jobs", str(wish.jobs), "--until", str(until), "--tool", wish.tool, "--ready", str(said_to)]
    argv += ["--work", str(place.work.root)]
    env = {name: value for name, value in os.environ.items() if name not in _NOT_HANDED_ON}
    with tempfile.TemporaryFile() as stderr, os.fdopen(ready, "rb", buffering=0) as pipe:
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env=env,
                pass_fds=(said_to,),
                start_new_session=True,
            )
        finally:
            os.close(said_to)
        try:
            message = _first_word(pipe.fileno(), waiting)
        except ProtocolError as error:
            child.terminate()
            raise _not_understood(place, str(error)) from error
        except BaseException:  # nobody waits for it any more, and it has not begun
            child.terminate()
            raise
        if message is None:
            code = child.wait()
            stderr.seek(0)
            why = last_words(stderr.read()[-_EXHIBIT:])
            raise EngineGoneError(
                "the engine did not start", f"{why} (exit {code})", "report this, then run again"
            )
    if isinstance(message, Over):
        child.wait()
        raise refusal(message)
    link = attached(place, wish.tool)
    if link is None:
        over = place.ended()
        if over is not None:
            return over
        raise gone(place, child.pid, child.poll())
    link.child = child if link.hello.pid == child.pid else None
    return link


def _first_word(pipe: int, waiting: Callable[[str], None]) -> Said | None:
    """What an engine says when it listens, or why it does not; None if it dies first.

    Raises:
        ProtocolError: it says something else.
    """
    lines = Lines(MOST_SAID)
    if not select.select([pipe], [], [], 1.0)[0]:
        waiting("opening the release; this can take a while")
    while data := os.read(pipe, _BLOCK):
        for message in map(said, lines.take(data)):
            if not isinstance(message, Waits):
                return message
            waiting(message.what)
    return None


def _greeted(sock: socket.socket, place: Place, tool: str) -> Link | None:
    """The connection once each knows the other; None if the engine went meanwhile."""
    told = b""
    try:
        sock.sendall(line(Greet(PROTOCOL, tool)))
        while b"\n" not in told and len(told) < MOST_SAID:
            data = sock.recv(1 << 16)
            if not data:
                sock.close()
                return None
            told += data
    except TimeoutError as error:
        sock.close()
        raise _silent(place) from error
    except ConnectionError:
        sock.close()
        return None
    first, rest = told.split(b"\n", 1)
    try:
        with contextlib.suppress(ProtocolError):
            if isinstance(no := said(first), No):
                raise refused(no)
        if (number := protocol_of(first)) != PROTOCOL:
            because = f"it speaks protocol {number}, and this console {PROTOCOL}"
            raise MachineError(f"the engine of {place.work.root}", because, _OTHER)
        hello = said(first)
        if not isinstance(hello, Hello):
            raise ProtocolError("it does not say who it is")
    except ProtocolError as error:
        sock.close()
        raise _not_understood(place, str(error)) from error
    except MachineError:
        sock.close()
        raise
    link = Link(sock, hello, place)
    link._waiting = link._lines.take(rest)
    return link


def _silent(place: Place) -> MachineError:
    because = f"it said nothing for {_PATIENCE:.0f} s"
    holder = place.work.holder()
    return MachineError(f"the engine of {place.work.root}", because, f"look at process {holder or 'unknown'}")


def _not_understood(place: Place, why: str) -> MachineError:
    return MachineError(f"the engine of {place.work.root}", why, _OTHER)
