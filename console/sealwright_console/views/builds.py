"""All builds of a release together: a list of them, and a pane for each of those that matter now.

- The list has every build, begun or not: what is red stands first, then what runs, what waits, and what is done.
- A pane has what decides about a build, and below it the newest of its output; what is red says why before that.
- With little room there are no panes, and each build that runs has the newest line of its output below it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from sealwright_console.figures import curve, duration, size
from sealwright_console.lines import Line, Part, Row, Tone, apart, cut, fit, plain, tone_of, word
from sealwright_console.sanitise import one_line
from sealwright_console.views.build import (
    Figures,
    bar_parts,
    build_items,
    build_of,
    build_status,
    component_of,
    elapsed_of,
    part_of,
)
from sealwright_console.views.curves import last_look
from sealwright_console.views.header import SEVERITY, shown_status
from sealwright_console.views.log import log_line
from sealwright_stages.live import build_name
from sealwright_stages.state import Component, Item, State
from sealwright_stages.verdict import Status

_GAP = "  "
_STATUS, _BAR, _ELAPSED, _CPU, _MEMORY = 9, 10, 7, 5, 7
_NAME = (9, 24)
_LEAST = 110
"""Cells from which on there are panes."""
_PANES = 4
_PANE = 10
"""Lines below which a pane would show too little."""
_LISTED = 7
"""Lines of the list above the panes, at most."""

Told = Callable[[str], Figures]


@dataclass(frozen=True)
class OneBuild:
    """A build: its name, the item that it must turn green, what is known of it once it has begun."""

    name: str
    item: Item
    known: Component | None
    status: Status


@dataclass(frozen=True)
class Arrangement:
    """How the room is shared: lines of the list, columns and rows of panes; no panes are 0 columns."""

    listed: int
    columns: int = 0
    rows: int = 0

    @property
    def panes(self) -> int:
        """How many panes there are room for."""
        return self.columns * self.rows


def all_builds(state: State) -> list[OneBuild]:
    """Every build, the worst first, else as declared."""
    found = []
    for item in build_items(state):
        name = build_name(item.component, second=item.kind == "reproduce")
        known = build_of(state, name)
        known = known if known is not None and known.build_stream else None
        status = build_status(known, item) if known is not None and known.building else shown_status(item)
        found.append(OneBuild(name, item, known, status))
    return sorted(found, key=lambda each: SEVERITY.index(each.status))


def panes_fit(width: int, height: int) -> bool:
    """Whether there is room for panes at all."""
    return width >= _LEAST and height >= _LISTED + _PANE


def arrangement(width: int, height: int, lines: int) -> Arrangement:
    """How `height` lines of `width` cells are shared among the list, which has so many `lines`, and the panes."""
    if not panes_fit(width, height):
        return Arrangement(height)
    listed = min(lines, _LISTED)
    return Arrangement(listed, 2, min((height - listed) // _PANE, _PANES // 2))


def chosen(found: Sequence[OneBuild], selected: str, most: int) -> list[OneBuild]:
    """The builds that have a pane: the first that are red or run, and always the selected one, if it has begun."""
    begun = [each for each in found if each.known is not None]
    panes = begun[:most]
    mine = next((each for each in begun if each.name == selected), None)
    if mine is not None and mine not in panes and panes:
        panes[-1] = mine
    return panes


def list_head(width: int, found: Sequence[OneBuild]) -> Line:
    """What the columns are called; the list has two cells before it."""
    cells = _cells("  STATUS", "BUILD", " " * _BAR, ("ELAPSED", "LEFT", "CPU", "MEMORY"), _widths(width, found))
    return (Part(_GAP.join(cells), Tone.DIM),)


def list_rows(
    found: Sequence[OneBuild],
    width: int,
    told: Told,
    last_t: str,
    tails: Callable[[OneBuild], Sequence[bytes]] | None,
) -> list[Row]:
    """A row for each build; `tails` gives the newest lines of its output, which are shown below it."""
    widths = _widths(width, found)
    return [Row(each.name, tuple(_build_lines(each, widths, told(each.name), last_t, tails))) for each in found]


def _build_lines(
    build: OneBuild,
    widths: tuple[int, int],
    figures: Figures,
    last_t: str,
    tails: Callable[[OneBuild], Sequence[bytes]] | None,
) -> list[Line]:
    known, status = build.known, build.status
    runs = status is Status.RUNNING and known is not None
    part = part_of(known, figures) if runs and known else 1.0 if status in (Status.PASSED, Status.WARNED) else None
    label = f"{component_of(build.name)} (2nd)" if component_of(build.name) != build.name else build.name
    values = _values(build, figures, last_t)
    shown, name, *rest = _cells(word(status).text, label, "", values, widths)
    line = (
        Part(shown, tone_of(status)),
        Part(f"{_GAP}{name}{_GAP}"),
        *bar_parts(part, _BAR, tone_of(status)),
        Part(f"{_GAP}{_GAP.join(rest[1:])}"),
    )
    lines: list[Line] = [line]
    indent = " " * (_STATUS + len(_GAP))
    if status in (Status.FAILED, Status.WARNED):
        lines.append(cut((Part(f"{indent}{build.item.reason}", tone_of(status)),), widths[1]))
    elif runs and tails is not None:
        newest = [log_line(data, widths[1]).before for data in tails(build)[-1:]]
        lines.append(cut((Part(f"{indent}{newest[0] if newest else 'no output yet'}", Tone.DIM),), widths[1]))
    return lines


def _values(build: OneBuild, figures: Figures, last_t: str) -> tuple[str, str, str, str]:
    """Elapsed, left, processor and memory, in words."""
    known = build.known
    if known is None:
        return "-", build.item.note or ("waits" if build.status is Status.PENDING else "-"), "-", "-"
    elapsed = duration(elapsed_of(known, figures.now, last_t))
    if build.status is not Status.RUNNING:
        end = known.end
        return (
            elapsed,
            f"exit {known.build_exit}",
            "-",
            size(end.memory) if end is not None and end.cpu_by else "-",
        )
    look = last_look(known, figures.now)
    left = figures.left.removeprefix("about ") or "no estimate"
    return elapsed, left, f"{look.cpu}%" if look else "-", size(look.memory) if look else "-"


def _widths(width: int, found: Sequence[OneBuild]) -> tuple[int, int]:
    longest = max(
        (cell_len(component_of(each.name)) + 6 * (each.name != component_of(each.name)) for each in found),
        default=0,
    )
    room = width - _STATUS - _BAR - _ELAPSED - _CPU - _MEMORY - 6 * len(_GAP)
    return max(_NAME[0], min(longest, _NAME[1], room - 10)), width


def _cells(
    status: str, name: str, bar: str, values: tuple[str, str, str, str], widths: tuple[int, int]
) -> list[str]:
    named, width = widths
    elapsed, left, cpu, memory = values
    room = width - _STATUS - named - _BAR - _ELAPSED - _CPU - _MEMORY - 6 * len(_GAP)
    return [
        fit(status, _STATUS),
        fit(name, named),
        fit(bar, _BAR),
        fit(f"{elapsed:>{_ELAPSED}}", _ELAPSED),
        fit(left, max(1, room)),
        fit(f"{cpu:>{_CPU}}", _CPU),
        fit(f"{memory:>{_MEMORY}}", _MEMORY),
    ]


def pane_lines(
    build: OneBuild, figures: Figures, last_t: str, tail: Sequence[bytes], room: tuple[int, int], *, selected: bool
) -> tuple[Line, ...]:
    """A pane of as many cells and lines as `room` says: which build, how it stands, its figures or why it is red, output."""
    known, (width, height) = build.known, room
    assert known is not None  # noqa: S101 - only builds that have begun have a pane
    second = " second build" if component_of(build.name) != build.name else ""
    edge = Part("> " if selected else "  ", Tone.KEY)
    name = Part(component_of(build.name), Tone.HEAD, here=selected)
    title = (edge, name, Part(f"{second}{_GAP}", Tone.DIM), word(build.status))
    elapsed, left, *_ = _values(build, figures, last_t)
    lines = [apart(title, (Part(f"{elapsed}{_GAP}{left}", Tone.DIM),), width)]
    if build.status in (Status.FAILED, Status.WARNED):
        tone = tone_of(build.status)
        lines.append(cut((Part("  why   ", Tone.DIM), Part(build.item.reason, tone)), width))
        lines.append(cut((Part("  next  ", Tone.DIM), Part(build.item.next_step or "enter opens it")), width))
    else:
        lines.append(_pane_curves(known, figures, width))
    rest = max(0, height - len(lines))
    shown = [log_line(data, width - 2) for data in tail[-rest:]] if rest else []
    tones = {"e": Tone.FAILED, "w": Tone.WARNED}
    lines += [
        cut((Part(f"{each.mark} ", tones.get(each.mark, Tone.DIM)), Part(each.before)), width) for each in shown
    ]
    return tuple(lines[:height])


def _pane_curves(known: Component, figures: Figures, width: int) -> Line:
    look, end = last_look(known, figures.now), known.end
    if end is not None:
        took = (
            f"{duration(end.cpu_ms / 1000)} of processor time, at most {size(end.memory)}"
            if end.cpu_by
            else "ended"
        )
        return cut((Part(f"  {took}", Tone.DIM),), width)
    if look is None:
        return (Part("  no figures yet", Tone.DIM),)
    room = max(4, (width - 36) // 2)
    cpu = curve([(each.at, each.cpu) for each in known.samples], room, top=100)
    memory = curve([(each.at, each.memory) for each in known.samples], room)
    line = (
        Part("  CPU  ", Tone.DIM),
        Part(cpu.ljust(room), Tone.RUNNING),
        Part(f"  {f'{look.cpu}%':<6}"),
        Part("MEMORY  ", Tone.DIM),
        Part(memory.ljust(room), Tone.RUNNING),
        Part(f"  {size(look.memory)}"),
    )
    return cut(line, width)


def copied_text(build: OneBuild) -> str:
    """A build in full, as plain text."""
    if not build.item.reason:
        return plain((word(build.status),))
    told = [f"{build.name}: {build.status.value}: {build.item.reason}", build.item.next_step]
    return "\n".join(one_line(text) for text in told if text)
