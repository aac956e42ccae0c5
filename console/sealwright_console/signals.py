"""Ctrl-C and SIGTERM: before a run has begun they end the program, afterwards they stop the run.

- A program that is stopped says so in the form of every error, and its exit code is 130.
- While a run is walked a signal only asks it to stop; the engine ends its builds and says so in the log.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sealwright_stages.errors import InterruptedRunError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def interrupted(number: int, frame: object) -> None:
    """Raise what a signal is.

    Raises:
        InterruptedRunError: always.
    """
    raise InterruptedRunError(
        "the program was stopped", signal.strsignal(number) or f"signal {number}", "run again to resume"
    )


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at a signal for as long as the block runs."""
    before = {number: signal.signal(number, lambda *_: stop()) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_by_signals() -> None:
    """Let a signal end the program, from now on."""
    for number in _SIGNALS:
        signal.signal(number, interrupted)


def leave_signals() -> None:
    """Put signals back as Python has them: a screen library has its own way with them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
