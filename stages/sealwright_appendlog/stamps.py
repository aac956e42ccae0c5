"""The time on a record: wall clock and uptime together, so that a step of the one shows beside the other.

- Wall time is UTC in microseconds; uptime is CLOCK_BOOTTIME, which counts suspended time and never steps.
- Where the wall clock has moved by more than a second against the uptime, all at once or bit by bit, since a record
  last said so, that is a step, and has a `clock` record of its own.
- So has an uptime that went back within one boot, as a machine's does that was put back to an earlier state, and the
  first record of another boot; a wall clock that lies before the last record of the boot before has stepped, too.
- No step is an error: times are told, and the order is the sequence's alone.
"""

from __future__ import annotations

import calendar
import time
from collections.abc import Callable
from pathlib import Path

from sealwright_appendlog.record import Stamp, check_time

STEP = 1_000_000
"""The smallest step, in microseconds."""
_WORDS = ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16))


class Clock:
    """Gives stamps. `wall` and `up` give nanoseconds; tests put their own here."""

    def __init__(
        self,
        wall: Callable[[], int] = time.time_ns,
        up: Callable[[], int] = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        boot: str = "",
    ) -> None:
        self._wall, self._up = wall, up
        self._boot = boot or boot_id()
        self._second = -1
        self._text = ""

    def now(self) -> Stamp:
        """The stamp of this moment."""
        up = self._up() // 1000
        second, micro = divmod(self._wall() // 1000, 1_000_000)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return Stamp(f"{self._text}.{micro:06d}Z", up, self._boot)


class Course:
    """Follows stamps and says how far the clocks left their course."""

    def __init__(self) -> None:
        self._boot = ""
        self._up = 0
        self._wall = 0
        self._difference = 0
        self._minute = ""
        self._minute_at = 0

    def step(self, stamp: Stamp) -> dict[str, object]:
        """Take the next stamp: what a `clock` record there says, nothing if there is none to be.

        `step` is by how many microseconds the wall clock left the course that the uptime gives, `back` by how many
        the uptime went back, `rebooted` whether the machine was started anew.

        Raises:
            RecordError: no time as a record has it.
        """
        return self.advance(stamp.t, stamp.up, stamp.boot)

    def advance(self, t: str, up: int, boot: str) -> dict[str, object]:
        """`step` for a stamp of that time, uptime and boot."""
        wall = self._microseconds(t)
        before = self._boot, self._up, self._wall
        self._boot, self._up, self._wall = boot, up, wall
        difference = wall - up
        if before[0] != boot:
            self._difference = difference
            return {"step": min(0, wall - before[2]), "rebooted": True} if before[0] else {}
        moved = difference - self._difference
        back = max(0, before[1] - up)
        if abs(moved) <= STEP and not back:
            return {}
        self._difference = difference
        return {"step": moved, "back": back} if back else {"step": moved}

    def _microseconds(self, t: str) -> int:
        check_time(t)
        if t[:17] != self._minute:
            self._minute = t[:17]
            year, month, day, hour, minute = (int(t[at:end]) for at, end in _WORDS)
            self._minute_at = calendar.timegm((year, month, day, hour, minute, 0)) * 1_000_000
        return self._minute_at + int(t[17:19]) * 1_000_000 + int(t[20:26])


def boot_id() -> str:
    """The first 8 hex digits of this boot's id; zeros where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii")[:8]
    except OSError:
        return "0" * 8
