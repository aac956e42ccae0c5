"""A second fold over a live log, in the thread of whoever looks.

- The engine's state changes in the engine's thread, under the eyes of whoever iterates over it; this one stands still.
"""

from __future__ import annotations

import queue

from sealwright_stages.fold import apply
from sealwright_stages.state import Record, State

_AT_ONCE = 20_000


class Mirror:
    """A second fold over a live log, in the looking thread.

    It takes each acknowledged record through a queue, and folds it when it is asked to.
    """

    def __init__(self, before: State | None = None) -> None:
        """Begin with what stood in the log `before`."""
        self.state = before or State()
        self._arrived: queue.SimpleQueue[Record] = queue.SimpleQueue()

    def take(self, record: Record) -> None:
        """Take a record that was acknowledged; any thread, in the order of the log."""
        self._arrived.put(record)

    def poll(self) -> bool:
        """Fold what has arrived, at most a slice of it; True if there was anything. The console's thread only."""
        for taken in range(_AT_ONCE):
            try:
                record = self._arrived.get_nowait()
            except queue.Empty:
                return taken > 0
            if record.n > self.state.last_n:
                apply(self.state, record)
        return True
