"""A record of a past release in full: what it says, its bytes and hashes, and the proof that it is in the sealed log.

- The proof is checked as the page is made; the command that does it again by hand stands below it.
- Output is shown only as its record names it; other bytes are said to be others, and not shown.
"""

from __future__ import annotations

from pathlib import Path

from sealwright_console.figures import grouped, size
from sealwright_console.lines import Line, Part, Row, Tone, blank, heading, labelled
from sealwright_console.repeat import quoted
from sealwright_console.words import record_line
from sealwright_stages.errors import LogError
from sealwright_stages.log.entries import Entry
from sealwright_stages.review.meaning import Meaning
from sealwright_stages.review.output import Output
from sealwright_stages.review.past import Past
from sealwright_stages.review.proved import Proved, prove

_INDENT = 2
_LINES = 12


def record_title(past: Past, n: int, whose: str) -> Line:
    """`RECORD 1,234   xen`."""
    return (Part(f"RECORD {n:,}", Tone.HEAD), Part(f" of {past.size:,}   {whose}", Tone.DIM))


def record_page(past: Past, n: int) -> list[Row]:
    """All that there is to say of record `n`; what is wrong with it if it can't be read again."""
    try:
        entry, proved = past.entry(n), prove(past, n)
    except LogError as error:
        alarm = Part(f" ✗ {error.what}: {error.because} ", Tone.ALARM)
        return [Row("trouble", ((alarm,),)), _next(error)]
    return [
        *_says(past, entry),
        *_output(past, entry),
        blank(),
        heading("bytes"),
        _row("line", entry.line.decode("ascii", "replace")),
        _row("length", f"{len(entry.line)} bytes, line {n + 1:,} of index.jsonl without its end"),
        _row("sha256", grouped(proved.sha256)),
        _row("leaf", grouped(proved.leaf)),
        _row("before", grouped(proved.previous) if proved.previous else "nothing: it is the first"),
        blank(),
        heading("proof, checked here and now"),
        *_proof(proved, n),
        blank(),
        heading("by hand"),
        *_by_hand(past.log, n),
    ]


def _row(label: str, text: str, tone: Tone = Tone.PLAIN) -> Row:
    return Row(label, (labelled(label, text, tone, _INDENT),))


def _next(error: LogError) -> Row:
    return _row("next", error.next_step)


def _says(past: Past, entry: Entry) -> list[Row]:
    index = past.index
    told = index.is_told(entry.n)
    what = past.meaning(index.told_until(entry.n) - 1) if told else _of_output(past, entry)
    of = " · ".join(filter(None, (what.component, str(what.stage or ""), what.kind.word, what.severity.word)))
    return [
        heading("what it says"),
        _row("says", record_line(entry)),
        _row("of", of),
        _row("time", f"{entry.t}, as the log's authority stamped it"),
        _row("stream", f"{entry.stream}, from {entry.src}"),
    ]


def _of_output(past: Past, entry: Entry) -> Meaning:
    return Meaning(*past.streams.get(entry.stream, ("", None)))


def _output(past: Past, entry: Entry) -> list[Row]:
    if entry.kind != "data":
        return []
    with Output(past) as output:
        try:
            data = output.of(entry)
        except LogError as error:
            alarm = Part(f" ✗ NOT WHAT WAS RECORDED: {error.because} ", Tone.ALARM)
            return [blank(), heading("its output"), Row("output", ((Part("  "), alarm),)), _next(error)]
    lines = data.split(b"\n")
    shown = [(Part(f"  {line.decode('utf-8', 'surrogateescape').expandtabs(8)}"),) for line in lines[:_LINES]]
    more = len(lines) - _LINES
    if more > 0:
        shown.append((Part(f"  … {more:,} more lines: l shows the log of the build", Tone.DIM),))
    hashed = (Part("  ✓ ", Tone.PASSED), Part(f"{size(len(data))}, hashed now: as the record says", Tone.DIM))
    return [blank(), heading("its output"), Row("output", (hashed, *shown))]


def _proof(proved: Proved, n: int) -> list[Row]:
    checkpoint = proved.checkpoint
    if checkpoint is None:
        shape, tone, word = ("✗", Tone.FAILED, "CONTRADICTED") if proved.wrong else ("!", Tone.WARNED, "no proof")
        return [Row("proof", (_sentence(shape, tone, word, proved.why_not),))]
    told = f"record {n:,} is in the tree of {checkpoint.size:,} records; {proved.steps} hashes lead to its root"
    name, _, rest = proved.key.partition("+")
    return [
        Row("proof", (_sentence("✓", Tone.PASSED, "included", told),)),
        _row("root", grouped(checkpoint.root.hex())),
        _row("of", f"{checkpoint.origin}, sealed at {checkpoint.size:,} records"),
        _row("signed", f"by the log's own key {name}+{rest.partition('+')[0]}; whose that is, the audit says"),
    ]


def _sentence(shape: str, tone: Tone, word: str, text: str) -> Line:
    return (Part(f"  {shape} {word} ", tone), Part(text))


def _by_hand(log: Path, n: int) -> list[Row]:
    folder = quoted(str(log.absolute()))
    digest = f"sed -n {n + 1}p {folder}/index.jsonl | tr -d '\\n' | sha256sum"
    key = f'"$(cat {folder}/log.vkey)"'
    prove_it = f"sealwright-appendlog prove {folder} {n} > record.tlog-proof"
    check_it = f"sealwright-appendlog verify-proof record.tlog-proof --log {key}"
    return [
        Row("command digest", ((Part(f"  {digest}", Tone.KEY),),)),
        Row("command proof", ((Part(f"  {prove_it} &&", Tone.KEY),), (Part(f"    {check_it}", Tone.KEY),))),
        Row("note", ((Part("  a key from elsewhere, such as the release's page, makes more of it", Tone.DIM),),)),
    ]
