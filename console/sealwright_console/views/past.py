"""What a review shows above each screen, and its list of records: where in the log we are, and what stands there.

- The heading says that it is the past, and which moment of it; it keeps room for that, whatever the release is called.
"""

from __future__ import annotations

from sealwright_console.cursor import Cursor
from sealwright_console.figures import clock
from sealwright_console.lines import Line, Part, Tone, apart, fit
from sealwright_console.review_hits import Hits
from sealwright_console.words import record_line
from sealwright_stages.errors import LogError
from sealwright_stages.review.meaning import Meaning, Severity
from sealwright_stages.review.past import Past
from sealwright_stages.review.search import Wanted

_SEVERITY = {Severity.RED: ("✗", Tone.FAILED), Severity.WARNED: ("!", Tone.WARNED), Severity.INFO: ("·", Tone.DIM)}
_STAGE_WIDTH = 11
_WIDE = 100


def past_heading(cursor: Cursor, title: str, width: int) -> Line:
    """`REVIEW example-1.0   PAST  record 1,234 of 5,678 · 2026-03-02 12:53:10 UTC`; `END` at the last record."""
    past, state = cursor.past, cursor.state
    word = "END" if cursor.n >= cursor.last else "PAST"
    more = "+" if cursor.reading else ""
    where = f"  record {cursor.n:,} of {past.size:,}{more} · {state.last_t[:10]} {clock(state.last_t)} UTC"
    room = max(8, width - len(word) - len(where) - 9)
    name = fit(title, room) if len(title) > room else title
    left = (Part("REVIEW ", Tone.DIM), Part(name, Tone.HEAD))
    return apart(left, (Part(word, Tone.KEY), Part(where, Tone.DIM)), width)


def wanted_line(wanted: Wanted, count: int) -> Line:
    """Which records are listed, and how many these are."""
    parts = [Part(f"{count:,} records  ")]
    for key, name, value in (
        ("c", "component", wanted.component or "all"),
        ("s", "stage", str(wanted.stage or "all")),
        ("v", "severity", {0: "all", 1: "warned and red", 2: "red"}[wanted.least]),
        ("w", "what", wanted.kind.word if wanted.kind is not None else "all"),
    ):
        parts += [Part(key, Tone.KEY), Part(f" {name}: ", Tone.DIM), Part(f"{value}  ")]
    return tuple(parts)


def hits_line(hits: Hits, n: int, *, looking: bool) -> Line:
    """`hit 3 of 12  <the line that has it>`, or how far the search is."""
    text = hits.wanted.text
    if hits.trouble is not None:
        return (Part(f"✗ {hits.trouble.what}: {hits.trouble.because}", Tone.FAILED),)
    if hits.done and not hits.count:
        return (Part(f"not found: {text}", Tone.WARNED),)
    if not hits.done and (looking or not hits.count):
        told = f"searching for “{text}”, {hits.share:.0%}, {hits.count:,} hits so far; esc stops"
        return (Part(told, Tone.RUNNING),)
    rank = hits.rank(n)
    if hits.done:
        count = f"hit {rank:,} of {hits.count:,}" if rank else f"{hits.count:,} hits; n goes to the next"
    else:
        count = f"{hits.count:,} hits so far, {hits.share:.0%}; esc stops"
    return (Part(count, Tone.HEAD), Part(f"  {_hit_text(hits, n)}"))


def _hit_text(hits: Hits, n: int) -> str:
    """The line of output that has the hit; nothing of a record that is none, or says it in its own line."""
    if hits.next(n, forward=True, here=True).n != n:
        return ""
    try:
        line = next(iter(hits.hit(n).lines), b"")
    except LogError as error:
        return f"✗ {error.what}: {error.because}"
    return line.decode("utf-8", "surrogateescape").expandtabs(8).strip()


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
