"""Two releases side by side as rows: what can't be believed, what to look at first, then each component, then all of it.

- `=` is the same, `~` changed, `+` only in B, `-` only in A. What must be looked at first says `CHECK`.
- A row knows the component that it is about, so that one can go into it, on either side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from sealwright_console.diff_text import side_lines, things, title, verdict
from sealwright_console.lines import Line, Part, Row, Tone, blank, heading
from sealwright_stages.compare.both import Compared
from sealwright_stages.compare.difference import MEANING, Alarm, Change, Difference, Section

_MARKS = {"added": "+", "removed": "-", "changed": "~"}
_APART = "\x1f"


def component_at(key: str) -> str:
    """The component that the row with this key is about; empty if it is about none."""
    return key.partition(_APART)[0]


def diff_title(compared: Compared) -> Line:
    """`DIFF example-1.0 -> example-1.1   = 42  ~ 3  + 1  - 0 components   verdict`."""
    parts = [Part("DIFF ", Tone.HEAD), Part(title(compared), Tone.HEAD)]
    if compared.difference is not None:
        counts = _components(compared, compared.difference)
        for mark in "=~+-":
            number = sum(found == mark for found in counts.values())
            parts += [Part(f"   {mark} ", Tone.KEY), Part(f"{number:,}")]
        parts.append(Part(" components", Tone.DIM))
    return tuple(parts)


def diff_rows(compared: Compared) -> list[Row]:
    """All that there is to say."""
    rows = [_verdict(compared), blank()]
    for name, side in (("A", compared.a), ("B", compared.b)):
        shown = tuple(side_lines(name, side))
        rows.append(Row(f"{_APART}{name}", tuple(_loud(line) for line in shown if line)))
    difference = compared.difference
    if difference is None:
        return rows
    rows += _alarms(difference.alarms)
    rows += _by_component(compared, difference)
    alarming = {alarm.change for alarm in difference.alarms}
    quiet = [change for change in difference.changes if change not in alarming]
    for section, changes in groupby(quiet, key=lambda change: change.section):
        same = difference.same.get(section)
        told = f"   {same.same} of {same.of} the same" if same is not None and same.of else ""
        rows += [blank(), heading(f"{section.value}{told}"), *_things(section.value, list(changes))]
    for each in compared.files:
        count = f"{each.changed} changed, {each.only_a} only in A, {each.only_b} only in B"
        first = (Part("  ~ ", Tone.KEY), Part(f"{each.component}: files of its sources: {count}"))
        files = tuple(
            (Part(f"      {_MARKS[change.kind]} ", Tone.KEY), Part(change.names[1] or change.names[0]))
            for change in each.changes
        )
        rows.append(Row(f"{each.component}{_APART}files", (first, *files)))
    return rows


def _loud(line: Line) -> Line:
    """A line that begins with a cross is that of a side that is not whole."""
    return (Part(f" {line[0].text} ", Tone.ALARM), *line[1:]) if line[0].text.startswith("✗ ") else line


def _verdict(compared: Compared) -> Row:
    told = verdict(compared).removeprefix("verdict: ")
    if not compared.whole:
        return Row(f"{_APART}verdict", ((Part(f" ✗ {told} ", Tone.ALARM),),))
    alarms = compared.difference is not None and bool(compared.difference.alarms)
    mark = ("! ", Tone.WARNED) if alarms or compared.a.provided or compared.b.provided else ("✓ ", Tone.PASSED)
    return Row(f"{_APART}verdict", ((Part(mark[0], mark[1]), Part(told)),))


def _alarms(alarms: Sequence[Alarm]) -> Iterator[Row]:
    if not alarms:
        return
    yield blank()
    yield heading(f"look at this first ({len(alarms)})")
    for number, alarm in enumerate(alarms):
        what = f"{alarm.danger.value.replace('-', ' ')}: {MEANING[alarm.danger]}"
        first = (Part("  ✗ CHECK  ", Tone.FAILED), Part(what, Tone.FAILED))
        lines = tuple((Part("  "), *line) for line in things([alarm.change]))
        yield Row(f"{alarm.change.component}{_APART}alarm {number}", (first, *lines))


def _components(compared: Compared, difference: Difference) -> Mapping[str, str]:
    """A mark for each component of either side."""
    a, b = set(compared.a.release.components), set(compared.b.release.components)
    moved = {change.component for change in difference.changes if change.section is not Section.DURATIONS}
    marks = {name: "~" if name in moved else "=" for name in a & b}
    return marks | dict.fromkeys(b - a, "+") | dict.fromkeys(a - b, "-")


def _by_component(compared: Compared, difference: Difference) -> Iterator[Row]:
    marks = _components(compared, difference)
    check = {alarm.change.component for alarm in difference.alarms}
    yield blank()
    yield heading("components")
    same = sum(mark == "=" for mark in marks.values())
    for name in sorted(marks, key=lambda name: (name not in check, name)):
        if marks[name] != "=":
            counted = _counted([change for change in difference.changes if change.component == name])
            loud = (Part("  ✗ CHECK", Tone.FAILED),) if name in check else ()
            yield Row(
                f"{name}{_APART}component",
                ((Part(f"  {marks[name]} ", Tone.KEY), Part(f"{name:<24}  "), Part(counted, Tone.DIM), *loud),),
            )
    yield Row(f"{_APART}same", ((Part("  = ", Tone.KEY), Part(f"{same:,} components the same", Tone.DIM)),))


def _counted(changes: Sequence[Change]) -> str:
    """`inputs 3, products 41`: how many things of each section are not the same."""
    told = []
    for section, found in groupby(
        sorted(changes, key=lambda c: list(Section).index(c.section)), lambda c: c.section
    ):
        told.append(f"{section.value} {len({change.names for change in found})}")
    return ", ".join(told)


def _things(section: str, changes: Sequence[Change]) -> Iterator[Row]:
    for number, (key, found) in enumerate(groupby(changes, key=lambda change: (change.component, change.names))):
        group = list(found)
        first, *rest = things(group)
        mark = _MARKS[group[0].kind]
        yield Row(
            f"{key[0]}{_APART}{section} {number}",
            ((Part(f"  {mark} ", Tone.KEY), *first[1:]), *((Part("  "), *line) for line in rest)),
        )
