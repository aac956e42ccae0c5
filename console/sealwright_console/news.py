"""What is worth calling a person for, once it happens: red, a question that waits, a long stage's end, the end.

- What stood so when the console began to look is no news.
- One call in ten seconds at most; what came meanwhile is told with the next one, the gravest first.
- A review has no news.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sealwright_console.figures import seconds_between
from sealwright_stages.events import STAGES, Stage
from sealwright_stages.state import State
from sealwright_stages.verdict import Status

LONG = 60.0
"""Seconds of the log from which on a stage is a long one."""
APART = 10.0
"""Seconds between two calls."""


@dataclass
class News:
    """Watches a release, and says what to call for."""

    clock: Callable[[], float]
    _red: int = -1
    _asks: bool = False
    _over: bool = False
    _ended: set[Stage] = field(default_factory=set)
    _waiting: list[tuple[int, str]] = field(default_factory=list)
    _called: float = float("-inf")

    def hear(self, state: State, *, asks: bool, over: int | None) -> str:
        """What to call for now; empty if nothing."""
        first = self._red < 0
        red = sum(state.counts.get((stage, Status.FAILED), 0) for stage in STAGES)
        if red > self._red and not first:
            self._waiting.append((0, _red_words(state, red)))
        if asks and not self._asks and not first:
            self._waiting.append((1, "the signer waits for you"))
        for stage in state.stages_ended.keys() - self._ended:
            if not first and _took(state, stage) >= LONG:
                how = "all green" if state.stages_ended[stage] else "not all green"
                self._waiting.append((2, f"{stage} has ended, {how}"))
        if over is not None and not self._over and not first:
            self._waiting.append((1, f"the run has ended with exit {over}"))
        self._red, self._asks, self._over = red, asks, over is not None
        self._ended |= state.stages_ended.keys()
        return self._due()

    def _due(self) -> str:
        if not self._waiting or (now := self.clock()) - self._called < APART:
            return ""
        told, self._called = [text for _, text in sorted(self._waiting, key=lambda each: each[0])], now
        self._waiting = []
        return told[0] if len(told) == 1 else f"{told[0]}; and {len(told) - 1} more"


def _took(state: State, stage: Stage) -> float:
    begun, ended = state.stages_started.get(stage, ""), state.stages_ended_at.get(stage, "")
    return seconds_between(begun, ended) if begun and ended else 0.0


def _red_words(state: State, red: int) -> str:
    failed = [item for item in state.items.values() if item.status is Status.FAILED]
    newest = max(failed, key=lambda item: item.n, default=None)
    more = f" ({red} red)" if red > 1 else ""
    return f"red: {newest.component}: {newest.title}{more}" if newest is not None else f"{red} red"
