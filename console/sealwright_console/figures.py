"""Figures as people read them: grouped digits, sizes, times, small curves. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

_HEX_INSIDE = re.compile(r"(?<![0-9a-zA-Z])[0-9a-fA-F]{32,128}(?![0-9a-zA-Z])")
_BARS = "▁▂▃▄▅▆▇"  # a full block would touch the line above
_UNITS = ("B", "KB", "MB", "GB", "TB")


def grouped(digits: str) -> str:
    """Digits in fours, a wider gap in the middle, for reading aloud; in full, never abbreviated."""
    fours = [digits[start : start + 4] for start in range(0, len(digits), 4)]
    if len(fours) < 8:
        return " ".join(fours)
    half = (len(fours) + 1) // 2
    return "  ".join(" ".join(part) for part in (fours[:half], fours[half:]) if part)


def spaced(text: str) -> str:
    """The text with each fingerprint or hash in it in fours."""
    return _HEX_INSIDE.sub(lambda found: grouped(found.group()), text)


def head(digits: str) -> str:
    """The first twelve digits, for places where the full value stands elsewhere."""
    return f"{grouped(digits[:12])} …" if len(digits) > 12 else digits


def clock(stamp: str) -> str:
    """`12:53:10` of a log time stamp; the stamp itself if it is none."""
    return stamp[11:19] if _moment(stamp) is not None else stamp


def seconds_between(earlier: str, later: str) -> float:
    """Seconds between two stamps of the log; 0 if either is none."""
    start, end = _moment(earlier), _moment(later)
    if start is None or end is None:
        return 0.0
    return max(0.0, (end - start).total_seconds())


def duration(seconds: float) -> str:
    """`1:12:40` or `0:09`."""
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def size(count: int) -> str:
    """Bytes with a decimal unit, such as `2.1 GB`."""
    value = float(count)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("unreachable")


def progress(done: int, total: int) -> str:
    """`61%`, or how much there is while the whole is unknown; empty before anything is known."""
    if total > 0:
        return f"{min(100, 100 * done // total)}%"
    return size(done) if done > 0 else ""


def sparkline(values: Sequence[int], width: int, top: int = 0) -> str:
    """The last `width` values as a curve of block characters, from 0 to `top` (left out: the largest)."""
    shown = list(values)[-width:] if width > 0 else []
    highest = max(top, max(shown, default=0), 1)
    return "".join(_BARS[max(0, value) * len(_BARS) // (highest + 1)] for value in shown)


def bar(part: float, width: int) -> tuple[str, str]:
    """A bar of `width` cells, and what is left of it; full only at the end, and empty only at the beginning."""
    done = round(min(1.0, max(0.0, part)) * width)
    done = min(done, width - 1) if part < 1 else done
    done = max(done, 1) if part > 0 else done
    return "━" * done, "─" * (width - done)


def curve(points: Sequence[tuple[str, int]], width: int, top: int = 0) -> str:
    """Values at their times (stamps of the log, in their order) as a curve of `width` cells.

    Each cell is a part of the time, and as high as the highest value in it; where there is none, as the cell before.
    """
    if len(points) < 2 or width < 2:
        return sparkline([value for _, value in points], width, top)
    begin, span = points[0][0], seconds_between(points[0][0], points[-1][0])
    if not span:
        return sparkline([value for _, value in points], width, top)
    highest: dict[int, int] = {}
    for at, value in points:
        cell = min(width - 1, int(seconds_between(begin, at) * width / span))
        highest[cell] = max(value, highest.get(cell, 0))
    values: list[int] = []
    for cell in range(width):
        values.append(highest.get(cell, values[-1] if values else 0))
    return sparkline(values, width, top)


def _moment(stamp: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return moment if len(stamp) >= 19 else None
