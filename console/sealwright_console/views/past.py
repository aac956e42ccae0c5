"""What a review shows above each screen, and its list of records: where in the log we are, and what stands there.

- The heading keeps room for the record's number and time, whatever the release is called.
- The timeline is linear in the time of the log: what lies before the cursor is thick, what lies behind it is thin.
  A digit says where a stage began, a cross where something was red.
"""

from __future__ import annotations

from functools import lru_cache

from sealwright_console.figures import clock
from sealwright_console.lines import Line, Part, Tone, fit
from sealwright_console.words import record_line
from sealwright_stages.events import STAGES
from sealwright_stages.review.index import microseconds
from sealwright_stages.review.meaning import Meaning, Severity
from sealwright_stages.review.past import Past
from sealwright_stages.review.search import Wanted
from sealwright_stages.state import State

_SEVERITY = {Severity.RED: ("✗", Tone.FAILED), Severity.WARNED: ("!", Tone.WARNED), Severity.INFO: ("·", Tone.DIM)}
_STAGE_WIDTH = 11
_WIDE = 100


def past_heading(past: Past, n: int, state: State, title: str, width: int) -> Line:
    """`REVIEW example-1.0   record 1,234 of 5,678 · 2026-03-02 12:53:10 UTC · reviewing`."""
    where = f"record {n:,} of {past.size:,} · {state.last_t[:10]} {clock(state.last_t)} UTC · reviewing"
    room = max(8, width - len(where) - 10)
    name = fit(title, room) if len(title) > room else title
    return (Part("REVIEW ", Tone.DIM), Part(name, Tone.HEAD), Part(f"   {where}", Tone.DIM))


def past_timeline(past: Past, state: State, width: int) -> Line:
    """`12:39:00 1━━2━━━━━━✗━━3━━━━┃──────4─ 16:11:02`."""
    first, last = microseconds(past.end.first_t), microseconds(past.end.last_t)
    room = max(4, width - 18)
    span = max(1, last - first + 1)

    def cell(moment: int) -> int:
        return min(max(0, (moment - first) * room // span), room - 1)

    here = cell(microseconds(state.last_t))
    parts = [Part("━", Tone.RUNNING)] * here + [Part("─", Tone.DIM)] * (room - here)
    for stage, moment in past.begun.items():
        parts[cell(moment)] = Part(f"{STAGES.index(stage) + 1}", Tone.KEY)
    for at in _red_cells(past, room):
        parts[at] = Part("✗", Tone.FAILED)
    parts[here] = Part("┃", Tone.HEAD)
    return (Part(f"{clock(past.end.first_t)} ", Tone.DIM), *parts, Part(f" {clock(past.end.last_t)}", Tone.DIM))


@lru_cache(maxsize=8)
def _red_cells(past: Past, room: int) -> tuple[int, ...]:
    first, last = microseconds(past.end.first_t), microseconds(past.end.last_t)
    span = max(1, last - first + 1)
    times = (past.index.times[past.index.told_until(n) - 1] for n in past.red)
    return tuple({min(max(0, (t - first) * room // span), room - 1) for t in times})


def wanted_line(wanted: Wanted, count: int) -> Line:
    """Which records are listed, and how many these are."""
    parts = [Part(f"{count:,} records  ")]
    for key, name, value in (
        ("c", "component", wanted.component or "all"),
        ("s", "stage", str(wanted.stage or "all")),
        ("v", "severity", {0: "all", 1: "warned and red", 2: "red"}[wanted.least]),
    ):
        parts += [Part(key, Tone.KEY), Part(f" {name}: ", Tone.DIM), Part(f"{value}  ")]
    return tuple(parts)


def record_row(past: Past, number: int, width: int) -> Line:
    """Told record `number` in a line. Raises LogError if the log is another one by now."""
    entry, what = past.told(number), past.meaning(number)
    shape, tone = _SEVERITY[what.severity]
    head = f"{entry.n:>{len(f'{past.size:,}')},} {clock(entry.t)} "
    stage = f"{what.stage or '-'!s:{_STAGE_WIDTH}} " if width >= _WIDE else ""
    name = fit(what.component or "-", 18 if width >= _WIDE else 12)
    return (
        Part(head, Tone.DIM),
        Part(f"{shape} ", tone),
        Part(f"{name} "),
        Part(stage, Tone.DIM),
        Part(record_line(entry), Tone.PLAIN if what.severity is Severity.INFO else tone),
    )


def record_lines(past: Past, n: int) -> tuple[Line, ...]:
    """Record `n` in full: whose it is, and what it says. Raises LogError as `record_row`."""
    entry = past.entry(n)
    number = past.index.told_until(n) - 1
    told = past.index.is_told(n)
    what = past.meaning(number) if told else Meaning(*past.streams.get(entry.stream, ("", None)))
    whose = " · ".join(filter(None, (what.component, str(what.stage or ""), f"stream {entry.stream}", entry.src)))
    return (
        (Part(f"record {n:,} ", Tone.HEAD), Part(f"{entry.t} · {whose}", Tone.DIM)),
        (Part(record_line(entry), _SEVERITY[what.severity][1] if what.severity else Tone.PLAIN),),
    )
