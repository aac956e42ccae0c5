"""The time of a past release as lines: its stages as bars, what was red or warned, and where the cursor stands.

- It is linear in the time of the log. What lies before the cursor is thick, what lies behind it is thin.
- A bar begins with its stage's number. Stages that ran at the same time have bars above each other.
- A cross says that something was red in that cell, an exclamation mark that something was warned; red goes first.
- A place on it means the first that was marked there, or else all that had happened by then.
- The short form is one line, for every screen; the long one has hours, bars with names, and marks of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from sealwright_console.figures import clock
from sealwright_console.lines import Line, Part, Tone
from sealwright_stages.events import STAGES, Stage
from sealwright_stages.review.index import microseconds
from sealwright_stages.review.past import Past
from sealwright_stages.state import State

_EDGE = 9  # cells of a clock and a blank, at either end of the short form
_LANES = 3
_TICK = 20  # cells that a time of the long form takes at least
_DAY = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MARKS = {"✗": Tone.FAILED, "!": Tone.WARNED}


@dataclass(frozen=True)
class Scale:
    """Cells and moments (microseconds since 1970): `room` cells, the first at column `left`."""

    first: int
    last: int
    left: int
    room: int

    def cell(self, moment: int) -> int:
        """The cell of a moment."""
        span = max(1, self.last - self.first + 1)
        return min(max(0, (moment - self.first) * self.room // span), self.room - 1)

    def end(self, cell: int) -> int:
        """The last moment of a cell."""
        span = max(1, self.last - self.first + 1)
        return self.first + -(-(cell + 1) * span // self.room) - 1


def scale(past: Past, width: int, *, long: bool) -> Scale | None:
    """How a past fits into a line; None if it has no time yet."""
    if not past.end.first_t:
        return None
    first, last = microseconds(past.end.first_t), microseconds(past.end.last_t)
    left = 0 if long else _EDGE
    return Scale(first, max(first, last), left, max(4, width - 2 * left))


def timeline(past: Past, state: State, width: int, *, long: bool = False) -> tuple[Line, ...]:
    """`12:39:00 1━━2━━━━━━✗━━3━━━━┃──────4─ 16:11:02`; the long form has a line of times, bars, and marks below them."""
    across = scale(past, width, long=long)
    if across is None or not state.last_t:
        return ((),)
    here = across.cell(microseconds(state.last_t))
    marks = _marks(past, across, len(past.red), len(past.warned))
    lanes = _lanes(past, across, len(past.spans), long=long)
    if long:
        bars = [_line(lane, here) for lane in lanes]
        below = [Part(" ")] * across.room
        below[here] = Part("▲", Tone.HEAD)
        for cell, mark in marks.items():
            below[cell] = Part(mark, _MARKS[mark])
        return (_times(across), *bars, tuple(below))
    bar = list(_line(lanes[0], here, floor=True))
    for cell, mark in marks.items():
        if cell != here:
            bar[cell] = Part(mark, _MARKS[mark])
    start, end = clock(past.end.first_t), clock(past.end.last_t)
    return ((Part(f"{start} ", Tone.DIM), *bar, Part(f" {end}", Tone.DIM)),)


def record_at(past: Past, column: int, width: int, *, long: bool) -> int | None:
    """The record that a place on the timeline means; None beside it.

    Raises:
        LogError: the log is another one than was audited.
    """
    across = scale(past, width, long=long)
    if across is None or not 0 <= column - across.left < across.room:
        return None
    cell = column - across.left
    for told in (past.red, past.warned):
        found = next((n for n in told if across.cell(_moment(past, n)) == cell), None)
        if found is not None:
            return found
    return past.at_moment(across.end(cell))


def _line(lane: str, here: int, *, floor: bool = False) -> Line:
    """A lane of bars: digits and names, `━` where a bar is, and the cursor; over a name only where nothing else shows it."""
    parts: list[Part] = []
    for cell, character in enumerate(lane):
        gone = cell < here
        if cell == here:
            parts.append(Part("┃" if floor or character in "━ " else character, Tone.HEAD))
        elif character in "━ ":
            bar = character == "━" or floor
            shape = ("━" if gone else "─") if bar else " "
            parts.append(Part(shape, Tone.RUNNING if gone else Tone.DIM))
        else:
            parts.append(Part(character, Tone.KEY))
    return tuple(parts)


@lru_cache(maxsize=16)
def _lanes(past: Past, across: Scale, count: int, *, long: bool) -> Sequence[str]:
    """The bars as text; those that would overlap stand in lanes of their own, in the short form in one."""
    lanes: list[list[str]] = []
    ends: list[int] = []
    spans = past.spans[:count]
    for number, (stage, begun, ended) in enumerate(spans):
        over = across.last if ended is None else ended
        lane = next((at for at, end in enumerate(ends) if end <= begun), len(ends)) if long else 0
        if lane == len(lanes) and lane < _LANES:
            lanes.append([" "] * across.room)
            ends.append(across.first)
        if lane < len(lanes):
            ends[lane] = max(ends[lane], over)
            following = spans[number + 1][1] if number + 1 < len(spans) and not long else over
            _draw(lanes[lane], stage, across.cell(begun), across.cell(max(over, following)), long=long)
    return ["".join(lane) for lane in lanes] or [" " * across.room]


def _draw(lane: list[str], stage: Stage, first: int, last: int, *, long: bool) -> None:
    """One bar; where its beginning is taken by the beginning of another, it begins a cell later."""
    while first + 1 < len(lane) and lane[first].isdigit():
        first += 1
    last = max(first, last)
    name = f"{STAGES.index(stage) + 1} {stage.value} " if long else f"{STAGES.index(stage) + 1}"
    name = name if last - first + 1 >= len(name) else name[:1]
    for cell in range(first, last + 1):
        at = cell - first
        lane[cell] = name[at] if at < len(name) else "━" if not lane[cell].isdigit() else lane[cell]


@lru_cache(maxsize=16)
def _marks(past: Past, across: Scale, reds: int, warned: int) -> dict[int, str]:
    """What stands in which cell; a red one goes over a warned one."""
    marks = {across.cell(_moment(past, n)): "!" for n in past.warned[:warned]}
    return marks | {across.cell(_moment(past, n)): "✗" for n in past.red[:reds]}


def _moment(past: Past, n: int) -> int:
    return past.index.times[past.index.told_until(n) - 1]


@lru_cache(maxsize=16)
def _times(across: Scale) -> Line:
    """Times at even distances; with the day where it takes longer than one."""
    shape = "%m-%d %H:%M" if across.last - across.first > _DAY else "%H:%M:%S"
    count = max(2, min(9, across.room // _TICK))
    line = ""
    for tick in range(count):
        at = across.first + (across.last - across.first) * tick // (count - 1)
        told = (_EPOCH + timedelta(microseconds=at)).strftime(shape)
        place = (across.room - len(told)) * tick // (count - 1)
        line = line.ljust(place) + told
    return (Part(line, Tone.DIM),)
