"""What consoles see of an opened release, and what they may ask of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

from sealwright_stages.attended.protocol import (
    Asked,
    AskRetry,
    AskStop,
    AskWaive,
    Looks,
    Refuse,
    Said,
    Sign,
)
from sealwright_stages.attended.question import Question
from sealwright_stages.engine import Retry, Waive
from sealwright_stages.journal import clip
from sealwright_stages.release import Opened
from sealwright_stages.sign.signing import Typed
from sealwright_stages.state import Record, State

_EVERY = 1.0  # seconds that an estimate holds


class OpenedDesk:
    """Implements `server.Desk`; records are taken in from before it begins."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._release: Opened | None = None
        self._n = -1
        self._ended: tuple[int, bool, str] | None = None
        self._last, self._changes, self._looked = Looks(), -1, 0.0

    def take(self, record: Record) -> None:
        """Take a record that was acknowledged. The engine's threads, in the order of the log."""
        self._n = record.n

    def begin(self, release: Opened) -> None:
        """Look at `release` from now on."""
        self._release = release
        self._n = max(self._n, release.engine.journal.state.last_n)

    def end(self) -> None:
        """How it stands now is how it stays: it will be closed."""
        if self._release is not None:
            self._ended = self.position()

    def picture(self) -> State:
        """The state as it is now."""
        return self._opened.engine.journal.picture()

    def position(self) -> tuple[int, bool, str]:
        """The last acknowledged record, whether the log is lost, and why."""
        log = self._opened.log
        return self._ended or (self._n, log.lost.is_set(), log.why_lost)

    def news(self) -> Sequence[Said]:
        """The signer's question, how far seal and sign are, and the looks at running builds, as far as there are any."""
        with contextlib.suppress(Exception):  # the question is not to be lost with an estimate
            self._last = self._looks()
        return (self._question.open, self._last, self._opened.engine.context.finishing.now)

    def _looks(self) -> Looks:
        """The newest looks; made anew only when there are any."""
        outlook, state = self._opened.outlook, self._opened.engine.journal.state
        changes, now = outlook.live.changes, time.monotonic()
        if changes != self._changes or now - self._looked >= _EVERY:
            self._changes, self._looked = changes, now
            looks = {name: look for name in outlook.live.names() if (look := outlook.now(name)) is not None}
            left = {name: outlook.left(state, name) for name in looks}
            ahead = {name: far for name in looks if (far := outlook.ahead(state, name)) is not None}
            return Looks(looks, left, outlook.whole(state), ahead)
        return self._last

    def do(self, wish: Asked) -> None:
        """Do what a console asks for; what is too late, not allowed or of no known item changes nothing."""
        if isinstance(wish, AskRetry | AskWaive):
            self._post(wish)
        elif isinstance(wish, Sign):
            self._question.give(wish.number, Typed(wish.digest, wish.release))
        elif isinstance(wish, Refuse):
            self._question.give(wish.number, None)
        elif isinstance(wish, AskStop):
            self.stop()

    def _post(self, wish: AskRetry | AskWaive) -> None:
        engine = self._opened.engine
        item = engine.journal.state.items.get(wish.item)
        if item is None:
            return
        if isinstance(wish, AskRetry):
            engine.post(Retry(item.id))
        else:  # in words that a record takes: what waits has a bounded size
            engine.post(Waive(item.id, clip(wish.person), clip(wish.reason), clip(wish.code), clip(wish.sha256)))

    def stop(self) -> None:
        """Stop the run; who is asked then hears that it is stopped, and takes that for no answer."""
        self._opened.cancel.set()
        self._question.stop()

    @property
    def _opened(self) -> Opened:
        assert self._release is not None  # noqa: S101 - nobody is let in before it begins
        return self._release
