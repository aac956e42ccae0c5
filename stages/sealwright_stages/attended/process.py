"""The process of an attended run: it opens the release, walks it, and lets consoles come and go.

- It leads a session of its own and has no terminal, so that nothing that happens to one happens to it. A hang-up is
  nothing to it; an interrupt or SIGTERM stops the run, as a person would.
- It holds the work folder's lock, and all that belongs to the run are its children: they end with it.
- Whoever started it hears on a pipe that it listens, or why not; afterwards nobody has to be there.
- What it says to its error output goes to a file in the work folder as soon as there is one.
- It brings in no screen library.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sealwright_stages.attended.desk import OpenedDesk
from sealwright_stages.attended.place import Place
from sealwright_stages.attended.protocol import PROTOCOL, Hello, Over, Waits, line
from sealwright_stages.attended.question import Question
from sealwright_stages.attended.server import Server
from sealwright_stages.engine import Ended, failed_itself
from sealwright_stages.errors import Exit, InterruptedRunError, SealwrightError
from sealwright_stages.events import STAGES, Stage
from sealwright_stages.release import Opened, opened
from sealwright_stages.wish import Wish

_STOPPING = (signal.SIGINT, signal.SIGTERM)
_VISIT = 3.0  # seconds that the one who started it has to come in


class _Told:
    """Tells whoever started this process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def waits(self, what: str) -> None:
        """Say what takes a while."""
        self._say(line(Waits(what)))

    def tell(self, message: Hello | Over) -> None:
        """Say that it listens, or why not."""
        self._say(line(message))
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _say(self, data: bytes) -> None:
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):  # whoever listened may be gone
                os.write(self._descriptor, data)


def run_engine(wish: Wish, until: Stage, told: _Told) -> int:
    """Walk a release to its end; gives the exit code."""
    question = Question()
    desk = OpenedDesk(question)
    doors: list[Server] = []
    over: Over | None = None
    try:
        with opened(wish, question.ask, desk.take, told.waits) as release:
            place = Place(release.work)
            try:
                place.take()
                hello = _hello(wish, release, until)
                _say_into(place.stderr)
                desk.begin(release)
                doors.append(Server(place.listen(hello), hello, desk))
                _stopped_by_signals(desk.stop)
                doors[0].start()
                told.tell(hello)
                doors[0].visited(_VISIT)
                over = _over(_walked(release, until))
            except BaseException as error:  # noqa: BLE001 - as below, while the lock is held
                over = _over(_refusal(error))
            desk.end()
            _leave(place, release, over)
    except BaseException as error:  # noqa: BLE001 - whatever it is, whoever waits must hear of it
        over = over or _over(_refusal(error))  # what comes after the end changes it no more
    told.tell(over)
    for server in doors:
        server.close(over)
    return over.exit


def _leave(place: Place, release: Opened, over: Over) -> None:
    """Leave word of the end, unless another folder lies there by now; where that can't be done, the end is the same."""
    with contextlib.suppress(SealwrightError, OSError):
        if release.engine.context.stands():
            place.leave(over)


def _walked(release: Opened, until: Stage) -> Ended:
    try:
        return release.engine.run(until)
    except BaseException as error:  # noqa: BLE001 - the engine's end is the run's, whatever ended it
        return failed_itself(error)


def _refusal(error: BaseException) -> Ended:
    if isinstance(error, SealwrightError):
        return Ended(error.exit_code, error.what, error.because, error.next_step, None, error.exhibits)
    if isinstance(error, OSError):
        because = error.strerror or str(error)
        what = f"{error.filename or 'a file'} can't be used"
        return Ended(Exit.ENVIRONMENT, what, because, "mend that, then run again")
    return failed_itself(error)


def _over(ended: Ended) -> Over:
    kept = tuple((exhibit.what, str(exhibit.file)) for exhibit in ended.exhibits)
    return Over(int(ended.exit), ended.what, ended.because, ended.next_step, kept)


def _hello(wish: Wish, release: Opened, until: Stage) -> Hello:
    manifest = release.manifest
    since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    words = manifest.release, manifest.sha256, str(until)
    keys = str((manifest.keyring / "keys").absolute())
    return Hello(PROTOCOL, wish.tool, *words, wish.jobs, os.getpid(), since, keys)


def _say_into(path: Path) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _stopped_by_signals(stop: Callable[[], None]) -> None:
    """From now on a signal stops the run: in a thread of its own, since a handler may meet a lock that is held."""
    heard, said = os.pipe()
    os.set_blocking(said, False)

    def listen() -> None:
        while number := os.read(heard, 1):
            if number[0] in _STOPPING:
                stop()

    threading.Thread(target=listen, name="signals", daemon=True).start()
    signal.set_wakeup_fd(said, warn_on_full_buffer=False)
    for number in _STOPPING:
        signal.signal(number, lambda *_: None)


def _interrupted(number: int, frame: object) -> None:
    because = signal.strsignal(number) or f"signal {number}"
    raise InterruptedRunError("the program was stopped", because, "run again to resume")


def main(argv: Sequence[str] | None = None) -> int:
    """Run as a program of its own."""
    parser = argparse.ArgumentParser(description="The engine of an attended run; `sealwright run` starts it.")
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--until", type=Stage, choices=STAGES, required=True)
    parser.add_argument("--tool", required=True)
    parser.add_argument("--ready", type=int, required=True, help="a descriptor to say on that it listens")
    asked = parser.parse_args(argv)
    os.set_inheritable(asked.ready, False)
    faulthandler.enable()
    signal.signal(signal.SIGHUP, lambda *_: None)  # no SIG_IGN: that would be inherited by what it starts
    for number in _STOPPING:
        signal.signal(number, _interrupted)
    threading.current_thread().name = "engine"
    wish = Wish(asked.manifest, asked.work, asked.jobs, True, asked.tool)
    return run_engine(wish, asked.until, _Told(asked.ready))


if __name__ == "__main__":
    sys.exit(main())
