"""A running engine as the screens see it, from another process: what the log says, and what the engine says beside it.

- The state begins with the engine's picture of it, and goes on with the records of the work folder's own log, as far
  as the engine says that they are acknowledged.
- An engine that is gone without a word has ended the run, and so has a log that can't be read on.
- What is asked goes to the engine at once; what it makes of it shows through the log.
- The signer's question is answered by its number: an answer to another one, or a second one, changes nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sealwright_console.feed import SigningRequest, segments
from sealwright_console.repeat import Places, places_of
from sealwright_stages.attended.client import EngineGoneError, Link, refused
from sealwright_stages.attended.protocol import (
    Asked,
    AskRetry,
    Asks,
    AskStop,
    AskWaive,
    Looks,
    No,
    Over,
    Position,
    Refuse,
    Said,
    Sign,
)
from sealwright_stages.errors import Exit, SealwrightError
from sealwright_stages.events import BadEventError
from sealwright_stages.finish import Finish
from sealwright_stages.fold import apply
from sealwright_stages.live import Ahead, Now
from sealwright_stages.log.entries import LogBroken
from sealwright_stages.log.tail import Tail
from sealwright_stages.state import State

_AT_ONCE = 20_000
_SILENT = 10.0  # seconds without a sign of life


class AttachedFeed:
    """Implements `feed.Feed` over a connection to an engine."""

    def __init__(self, link: Link, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the engine's picture.

        Raises:
            SealwrightError: it can't be had.
        """
        self._link, self._clock = link, clock
        self._log = link.place.work.log
        self._state = link.picture()
        self._tail = Tail(self._log, self._state.last_n)
        self._broken = False
        self._moved = clock()
        self._position = Position(self._state.last_n, False, "", 1, 0)
        self._heard = clock()
        self._asks = Asks()
        self._looks = Looks()
        self._finish = Finish()
        self.over: Over | None = None

    def close(self) -> None:
        """Go; the engine runs on."""
        self._link.close()
        self._tail.close()

    @property
    def title(self) -> str:
        """The release."""
        return self._link.hello.release

    @property
    def places(self) -> Places:
        """The work folder's, and the keyring's, which the engine names."""
        return places_of(self._link.place.work.root, Path(self._link.hello.keys))

    @property
    def read_only(self) -> bool:
        """A running release can be asked for things."""
        return False

    @property
    def state(self) -> State:
        """The fold over what was acknowledged."""
        return self._state

    @property
    def cursor(self) -> None:
        """There is none: it shows what is now."""
        return None

    @property
    def finished(self) -> int | None:
        """The exit code once the run has ended and all that it said is shown."""
        return None if self.over is None or (self._behind and not self._stuck) else self.over.exit

    @property
    def _behind(self) -> bool:
        return not self._broken and self._state.last_n < self._position.n

    @property
    def _stuck(self) -> bool:
        return self._clock() - self._moved > _SILENT

    def poll(self) -> bool:
        """Take in what came since the last look."""
        changed = False
        if self.over is None:
            with self._ending():
                for message in self._link.hear():
                    changed = self._take(message) or changed
        if not self._behind:
            self._moved = self._clock()
        else:
            with self._ending():
                changed = self._read() or changed
        return changed

    def _take(self, message: Said) -> bool:
        self._heard = self._clock()
        if isinstance(message, Position):
            before, self._position = self._position, message
            return (before.n, before.lost, before.consoles) != (message.n, message.lost, message.consoles)
        if isinstance(message, Asks):
            self._asks = message
        elif isinstance(message, Looks):
            self._looks = message
        elif isinstance(message, Finish):
            self._finish = message
        elif isinstance(message, Over):
            self.over = message
        elif isinstance(message, No):
            raise refused(message)
        return True

    def _read(self) -> bool:
        """Fold what is acknowledged, at most a slice of it."""
        before = self._state.last_n
        for record in self._tail.read(self._position.n, _AT_ONCE):
            apply(self._state, record)
            self._moved = self._clock()
        return self._state.last_n != before

    @contextlib.contextmanager
    def _ending(self) -> Iterator[None]:
        """What is wrong inside the block ends the run, as far as this console can see it."""
        try:
            yield
        except EngineGoneError as error:
            self.over = self._link.place.ended() or _over(error)
        except SealwrightError as error:
            self.over = _over(error)
        except (LogBroken, BadEventError) as error:
            self._broken = True
            next_step = "quit and run `sealwright audit` on a copy; do not go on with it"
            self.over = Over(int(Exit.LOG), f"the log {self._log} can't be read", str(error), next_step)
        if self.over is not None:
            self._asks, self._looks = Asks(), Looks()

    def log_files(self, stream: str) -> list[Path]:
        """The segments of a stream's output."""
        return segments(self._log / "data", stream)

    def now(self, component: str) -> Now | None:
        """The newest look at a build that runs."""
        return self._looks.now.get(component)

    def left(self, component: str = "") -> str:
        """How long a build, or the whole stage, may still take."""
        return self._looks.left.get(component, "") if component else self._looks.whole

    def ahead(self, component: str) -> Ahead | None:
        """How far a running build is."""
        return self._looks.ahead.get(component)

    def notices(self) -> Sequence[str]:
        """How the log stands, how the run ended, whether the engine lives, and who else watches."""
        position, told = self._position, []
        if self.over is not None:
            mark = "✓" if self.over.exit == Exit.DONE else "✗"
            why = f": {self.over.because}" if self.over.because else ""
            told.append(f"{mark} {self.over.what}{why} · next: {self.over.next}")
        elif (silent := self._clock() - self._heard) > _SILENT:
            told.append(f"! the engine, pid {self._link.hello.pid}, has been silent for {silent:.0f} s")
        if self._behind and self._stuck:
            told.append(f"! the log here has {self.state.last_n + 1} of {position.n + 1} acknowledged records")
        line = f"✗ the log is lost: {position.why}" if position.lost else "✓ log authority connected"
        if position.lost and self._state.sealed:  # it takes nothing any more, and is proved by its own seal
            line = "✓ the log is sealed; its authority is gone"
        told.append(f"{line} · {self.state.last_n + 1} records acknowledged")
        if position.consoles > 1:
            told.append(f"{position.consoles} consoles watch")
        return told

    @property
    def finish(self) -> Finish:
        """How far seal and sign are; a run that ended badly has not done its last step, whatever was said of that."""
        over = self.over
        if over is None or over.exit == Exit.DONE:
            return self._finish
        return self._finish.stopped(f"{over.what}: {over.because}" if over.because else over.what, over.next)

    def signing(self) -> SigningRequest | None:
        """What waits for the person's yes or no."""
        asks = self._asks
        if not asks.number:
            return None
        counts = (("products", asks.products),)
        told = asks.release, asks.digest, asks.summary, asks.keys, counts, asks.warnings
        return SigningRequest(*told, asks.things, asks.number)

    def retry(self, item: str) -> None:
        """Fetch or check an item again."""
        self._say(AskRetry(item))

    def waive(self, item: str, person: str, reason: str, code: str, sha256: str) -> None:
        """Accept a warning, by name; the engine takes it for the one that was seen, and for no other."""
        self._say(AskWaive(item, person, reason, code, sha256))

    def stop(self) -> None:
        """Stop the run; the next one resumes."""
        self._say(AskStop())

    def confirm_signing(self, typed_digest: str, typed_release: str) -> None:
        """Say yes, with what the person typed."""
        self._say(Sign(self._asks.number, typed_digest, typed_release))

    def refuse_signing(self) -> None:
        """Say no."""
        self._say(Refuse(self._asks.number))

    def _say(self, wish: Asked) -> None:
        if self.over is None:
            with self._ending():
                self._link.say(wish)


def _over(error: SealwrightError) -> Over:
    return Over(int(error.exit_code), error.what, error.because, error.next_step)
