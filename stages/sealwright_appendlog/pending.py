"""What waits for the next batch, and when that begins.

- An event is committed at once, output within 100 ms or as soon as a client's window is nearly full.
- What counts is what it takes in memory: a record has its own weight beside its bytes.
- More than a megabyte of output is not waited for: it stays with its sender until the batch in flight is on disk, so
  that an event waits for two batches of that size at most.
"""

from __future__ import annotations

CHUNK = 1 << 16
BATCH_BYTES = (1 << 20) - CHUNK  # a client's window less a frame: no client waits for the clock
BATCH_SECONDS = 0.1
RECORD = 1 << 10  # what a record takes beside its bytes
MOST_OUTPUT = 1 << 20
MOST = 4 << 20
"""What waits at most, whatever it is and whoever sends it."""


class Pending:
    """Counts what was added since the last batch began. Times are of the monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._bytes = 0
        self._since = 0.0
        self._urgent = False

    def add(self, now: float, size: int = 0, *, urgent: bool = False) -> None:
        """So many bytes were added; `urgent`: somebody waits for their acknowledgement."""
        self._bytes += size
        self._since = self._since or now
        self._urgent = self._urgent or urgent

    def clear(self) -> None:
        """A batch began, with all of it."""
        self._bytes, self._since, self._urgent = 0, 0.0, False

    def due(self, now: float) -> bool:
        """Whether a batch should begin, if none is in flight."""
        return self._urgent or self.plenty or bool(self._since and now - self._since >= BATCH_SECONDS)

    @property
    def plenty(self) -> bool:
        """Whether there is enough for a batch."""
        return self._bytes >= BATCH_BYTES

    @property
    def full(self) -> bool:
        """Whether no more output should be taken."""
        return self._bytes >= MOST_OUTPUT

    @property
    def too_much(self) -> bool:
        """Whether nothing should be taken."""
        return self._bytes >= MOST
