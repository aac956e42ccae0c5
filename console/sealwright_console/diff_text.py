"""A comparison of two releases as lines for people, 80 columns wide, safe to show.

- What can't be believed is said first, then what is dangerous, then the rest in the order of a release, then in one
  line how much is the same, and last the verdict.
- Each change is told once: what is an alarm isn't told again below.
- Every line is made of `Part`s, so that nothing from outside comes out uncleaned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rich.cells import cell_len

from sealwright_console.figures import duration, size
from sealwright_console.lines import Line, Part, plain, wrap
from sealwright_stages.compare.difference import MEANING, Alarm, Change, Danger, Difference, Section

if TYPE_CHECKING:
    from sealwright_stages.compare.both import Compared, Side
    from sealwright_stages.compare.source_files import FileChanges

WIDTH = 80
_FILES = 20
_BAD = 5
_LABEL = 12


def lines(compared: Compared) -> Iterator[str]:
    """All that is told, line by line."""
    for line in _told(compared):
        for piece in wrap(line, WIDTH):
            yield plain(piece).rstrip()


def _told(compared: Compared) -> Iterator[Line]:
    difference = compared.difference
    yield _line(title(compared))
    for name, side in (("A", compared.a), ("B", compared.b)):
        yield from side_lines(name, side)
    if difference is not None:
        if difference.same_release:
            same = difference.same[Section.PRODUCTS]
            yield _line(f"one release, two evidence folders: {same.same} of {same.of} products are identical")
        yield from _alarms(compared, difference)
        yield from _sections(compared, difference)
        yield ()
        yield _line("  the same  ", _counts(difference))
    yield ()
    yield _line(verdict(compared))


def _line(*parts: str) -> Line:
    return tuple(Part(part) for part in parts)


def title(compared: Compared) -> str:
    """`example-1.0 -> example-1.1`; once if both are one release."""
    one, other = (
        f"{side.release.name}-{side.release.version}" if side.readable else "nothing that can be read"
        for side in (compared.a, compared.b)
    )
    return one if one == other else f"{one} -> {other}"


def side_lines(name: str, side: Side) -> Iterator[Line]:
    """Where a side lies, when it was sealed, and whether it can be believed."""
    yield _line(f"  {name}  ", str(side.evidence))
    if side.sealed:
        told = (
            f"sealed {side.sealed[:10]} {side.sealed[11:19]}, {side.records} records, log root {side.root[:16]}…"
        )
        yield _line("     ", told)
    if not side.passed:
        yield ()
        yield _line(f"✗ {name} IS NOT WHOLE. Nothing that is said of it here can be believed.")
        bad = [finding for finding in side.findings if finding.ok == "bad"]
        for finding in bad[:_BAD]:
            yield _line("  ✗  ", f"{finding.what}: {finding.detail}")
        if len(bad) > _BAD:
            yield _line("     ", f"and {len(bad) - _BAD} more")
        yield _line("     ", f"next: sealwright audit {side.evidence}")
        yield ()
    for problem in side.left_out:
        yield _line("  !  ", problem)


def _alarms(compared: Compared, difference: Difference) -> Iterator[Line]:
    if not difference.alarms:
        return
    yield ()
    yield _line(f"LOOK AT THIS FIRST ({len(difference.alarms)})")
    for danger, group in groupby(difference.alarms, key=lambda alarm: alarm.danger):
        yield from _alarm(compared, danger, list(group))


def _alarm(compared: Compared, danger: Danger, alarms: Sequence[Alarm]) -> Iterator[Line]:
    yield _line("✗ ", f"{danger.value.replace('-', ' ').upper()}: {MEANING[danger]}")
    tools = compared.a.release.tool, compared.b.release.tool
    if danger is Danger.PRODUCT_DIFFERS and tools[0] != tools[1]:
        yield _line("  ", f"(built by sealwright {tools[0]} and {tools[1]})")
    yield from things([alarm.change for alarm in alarms])


def _sections(compared: Compared, difference: Difference) -> Iterator[Line]:
    alarming = {alarm.change for alarm in difference.alarms}
    quiet = [change for change in difference.changes if change not in alarming]
    by_section = {section: list(group) for section, group in groupby(quiet, key=lambda change: change.section)}
    for section in Section:
        told = list(_section(section, by_section.get(section, []), compared, difference))
        if told:
            yield ()
            yield _line(section.value.upper())
            yield from told


def _section(
    section: Section, changes: Sequence[Change], compared: Compared, difference: Difference
) -> Iterator[Line]:
    yield from things(changes)
    if section is Section.INPUTS:
        for each in compared.files:
            yield from _files(each)
        for problem in compared.left_out:
            yield _line("  !  ", problem)
    if section is Section.PRODUCTS:
        for component, name in difference.unmoved:
            yield _line("  ", f"{component}: {name}: the same bytes, although something that went into it changed")


def things(changes: Iterable[Change]) -> Iterator[Line]:
    """The changes, those of one thing together."""
    for _, group in groupby(changes, key=lambda change: (change.component, change.names)):
        fields = list(group)
        yield _line("  ", _heading(fields[0]))
        for change in fields:
            if change.field != "name":
                yield from _field(change)


def _heading(change: Change) -> str:
    before, after = change.names
    names = {"added": f"added {after}", "removed": f"removed {before}"}.get(change.kind)
    names = names or (before if before == after else f"{before} -> {after}")
    inside = any(name == change.component or name.startswith(f"{change.component}/") for name in change.names)
    return names if inside or not change.component else f"{change.component}: {names}"


def _field(change: Change) -> Iterator[Line]:
    if change.section is Section.DURATIONS:
        yield _line(f"    {change.field.split()[-1]:<{_LABEL}}", _amount(change))
        return
    label = f"    {change.field:<{_LABEL}} "
    if change.kind != "changed" or not (change.before and change.after):
        word = "" if change.kind != "changed" else "now " if change.after else "no more "
        yield _line(label, f"{word}{change.after or change.before}")
        return
    together = f"{change.before} -> {change.after}"
    if cell_len(label) + cell_len(together) <= WIDTH:
        yield _line(label, together)
        return
    yield _line(f"    {change.field}")
    yield _line("      A  ", change.before)
    yield _line("      B  ", change.after)


def _amount(change: Change) -> str:
    before, after = int(change.before), int(change.after)
    times = f"{after / before:.1f} times" if before else "from nothing"
    if change.field.endswith("bytes"):
        return f"{size(before)} -> {size(after)}  ({times})"
    return f"{duration(before / 1000)} -> {duration(after / 1000)}  ({times})"


def _files(files: FileChanges) -> Iterator[Line]:
    counted = f"{files.changed} changed, {files.only_a} only in A, {files.only_b} only in B"
    yield _line("  ", f"{files.component}: files of its sources: {counted}")
    marks = {"added": "+", "removed": "-", "changed": "~"}
    for change in files.changes[:_FILES]:
        yield _line(f"    {marks[change.kind]} ", change.names[1] or change.names[0])
    if (more := files.changed + files.only_a + files.only_b - _FILES) > 0:
        yield _line("      ", f"and {more} more; --json tells the first ones")


def _counts(difference: Difference) -> str:
    return ", ".join(f"{name.value} {each.same} of {each.of}" for name, each in difference.same.items() if each.of)


def verdict(compared: Compared) -> str:
    """The last line: whether both sides are whole, what that hangs on, and how much differs."""
    broken = [name for name, side in (("A", compared.a), ("B", compared.b)) if not side.passed]
    if broken:
        return f"verdict: NO, {' and '.join(broken)} {'is' if len(broken) == 1 else 'are'} not whole"
    difference = compared.difference
    if difference is None:
        return "verdict: NO, there is nothing to compare"
    provided = dict.fromkeys(side.provided for side in (compared.a, compared.b) if side.provided)
    whole = ", ".join(["both are whole", *provided])
    if not difference.changes:
        return f"verdict: {whole}; nothing differs"
    first = f", {len(difference.alarms)} to look at first" if difference.alarms else ""
    return f"verdict: {whole}; {len(difference.changes)} changes{first}"
