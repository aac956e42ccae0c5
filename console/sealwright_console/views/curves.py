"""What a build uses: two lines with two curves each, and the figures beside them.

- A curve is drawn from the looks that the log has, by their times; the figure beside it is the newest.
- The figures of a column are aligned; the curves take what these leave.
- A figure near its limit is a warning, by a mark and not by colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rich.cells import cell_len

from sealwright_console.figures import curve, duration, seconds_between, size
from sealwright_console.lines import Line, Part, Tone, fit
from sealwright_stages.live import Now
from sealwright_stages.state import Component, Sample

LABEL = 9
"""Cells of what stands before each line about a build."""
WIDE = 100
GAP = "  "
_NEAR = 90
"""Percent of a limit from which on a figure warns."""


def last_look(component: Component, now: Now | None) -> Sample | None:
    """The newest look at a build: one that is newer than the log, or the last of the log."""
    if now is not None:
        look = now.look
        return Sample(look.cpu, look.memory, look.processes, look.read, look.written, look.disk, look.files)
    return component.samples[-1] if component.samples else None


def curve_lines(component: Component, width: int, now: Now | None = None) -> tuple[Line, ...]:
    """Two lines with two curves each: processor and memory, what is moved and what the disk holds."""
    if not component.samples and now is None and component.end is None:
        return ((Part("no figures yet", Tone.DIM),), ())
    half = (width - len(GAP)) // 2
    left, right = (
        _left_figures(component, now, wide=width >= WIDE),
        _right_figures(component, now, wide=width >= WIDE),
    )
    halves = [
        [_curve_cells(cell, half, max(cell_len(each[2]) for each in side)) for cell in side]
        for side in (left, right)
    ]
    return tuple((*one, Part(GAP), *two) for one, two in zip(*halves, strict=True))


_Cell = tuple[str, list[tuple[str, int]], str, Tone]
"""A label, the points of its curve, its figure, and the tone of that."""


def _curve_cells(cell: _Cell, room: int, widest: int) -> Line:
    """A label, a curve and a figure in `room` cells, where the widest figure of the column has so many."""
    label, points, value, tone = cell
    drawn = max(4, room - LABEL - len(GAP) - widest)
    line = curve(points, drawn, top=100 if label == "CPU" else 0)
    return (
        Part(label.ljust(LABEL), Tone.DIM),
        Part(line.ljust(drawn), Tone.RUNNING),
        Part(GAP),
        Part(fit(value, max(1, room - LABEL - drawn - len(GAP))), tone),
    )


def _left_figures(component: Component, now: Now | None, *, wide: bool) -> list[_Cell]:
    samples, last, end = component.samples, last_look(component, now), component.end
    cpu, moved = "-", "-"
    if end is not None:
        exact = "" if end.cpu_by == "cgroup" else "at least "
        cpu = f"{exact}{duration(end.cpu_ms / 1000)} in all" if end.cpu_by else "-"
        moved = (
            f"read {size(end.read)}, wrote {size(end.written)}"
            if wide
            else f"{size(end.read + end.written)} in all"
        )
        moved = moved if end.cpu_by else "-"
    elif last is not None:
        reading, writing = (now.reading, now.writing) if now is not None else _rates(samples)
        cpu = f"{last.cpu}%"
        moved = f"read {size(reading)}/s, wrote {size(writing)}/s" if wide else f"{size(reading + writing)}/s"
    return [
        ("CPU", [(each.at, each.cpu) for each in samples], cpu, Tone.PLAIN),
        ("I/O", _moved(samples), moved, Tone.PLAIN),
    ]


def _right_figures(component: Component, now: Now | None, *, wide: bool) -> list[_Cell]:
    samples, last, end = component.samples, last_look(component, now), component.end
    memory = disk = 0
    most_memory, most_disk = component.limits[1:3] or (0, 0)
    after = ""
    if end is not None and end.cpu_by:
        memory, disk, after = end.memory, end.disk, " at most"
    elif last is not None:
        memory, disk = last.memory, last.disk
    said, tone = _against(memory, most_memory, after, wide=wide)
    kept, kept_tone = _against(disk, most_disk, after, wide=wide)
    return [
        ("MEMORY", [(each.at, each.memory) for each in samples], said, tone),
        ("DISK", [(each.at, each.disk) for each in samples], kept, kept_tone),
    ]


def _against(used: int, most: int, after: str, *, wide: bool) -> tuple[str, Tone]:
    """What is used of how much; a warning if it is nearly all. Where a build has ended, the limit needs room."""
    limit = f" of {size(most)}" if most and (wide or not after) else ""
    if most and used * 100 >= most * _NEAR:
        return f"! {size(used)}{limit}{after}", Tone.WARNED
    return f"{size(used)}{limit}{after}", Tone.PLAIN


def _moved(samples: Sequence[Sample]) -> list[tuple[str, int]]:
    """Bytes a second between two looks that the log has, at the time of the later one."""
    return [(after.at, sum(_rates((before, after)))) for before, after in pairwise(samples)]


def _rates(samples: Sequence[Sample]) -> tuple[int, int]:
    """Bytes a second read and written between the last two looks that the log has."""
    before, last = samples[-2:] if len(samples) > 1 else (None, None)
    seconds = seconds_between(before.at, last.at) if before and last else 0.0
    if before is None or last is None or not seconds:
        return 0, 0
    reading, writing = last.read - before.read, last.written - before.written
    return max(0, int(reading / seconds)), max(0, int(writing / seconds))
