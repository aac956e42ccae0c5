"""A component's evidence: every item with its verdict, reason, next step and facts, in full.

- Fingerprints and hashes are shown whole, in fours; nothing here is abbreviated.
- Evidence is JSON text from a verifier: what can't be read as JSON is shown as the text that it is.
- A text of several lines in it, such as a report of differences, is shown line by line.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from sealwright_console.figures import clock, duration, grouped, size, spaced
from sealwright_console.lines import Line, Part, Row, Tone, blank, heading, labelled, word
from sealwright_console.views.header import shown_status, worst
from sealwright_console.views.overview import doing, items_of
from sealwright_console.words import took_words
from sealwright_stages.events import STAGES
from sealwright_stages.state import Item, Product, State
from sealwright_stages.verdict import Status

_DEEPEST = 6
_MOST_LINES = 400
_COMPARED = {"identical": Status.PASSED, "differs": Status.WARNED}


def detail_rows(state: State, name: str, spilled: Callable[[Item], str] = lambda item: "") -> list[Row]:
    """The whole page of a component: items by stage, its sources, its products.

    `spilled` gives the evidence that an item has on a stream of its own.
    """
    rows: list[Row] = []
    for stage in STAGES:
        items = items_of(state, name, stage)
        if items:
            rows += [heading(stage.value), *(item_row(item, spilled=spilled(item)) for item in items), blank()]
    return rows + _source_rows(state, name) + _product_rows(state, name)


def title_line(state: State, name: str, left: str = "") -> Line:
    """`COMPONENT xen  ✗ failed  3 of 5 green`, and how long its build may still take."""
    items = items_of(state, name)
    green = sum(item.green for item in items)
    status = worst(items)
    return (
        Part("COMPONENT ", Tone.DIM),
        Part(name, Tone.HEAD),
        Part("   "),
        word(status),
        Part(f"   {green} of {len(items)} green", Tone.DIM),
        Part(f"   build: {left}" if left else "", Tone.RUNNING),
    )


def item_row(item: Item, bare: bool = False, spilled: str = "") -> Row:
    """One item with all that is known about it; `bare` leaves the evidence out, `spilled` is what a stream has of it."""
    lines: list[Line] = [
        (Part("  "), word(item.status, 10), Part(f" {item.title}", Tone.HEAD), Part(f"  {item.kind}", Tone.DIM))
    ]
    lines.append(labelled("why", doing(item)))
    if item.next_step and not item.green:
        lines.append(labelled("do", item.next_step))
    lines += waiver_lines(item)
    lines += deleted_lines(item)
    if not bare:
        lines += _proof_lines(item, spilled)
    return Row(item.id, tuple(lines))


def deleted_lines(item: Item) -> list[Line]:
    """The files of an item that are gone: those that are named, and how many more."""
    lines = [labelled("deleted", name, Tone.FAILED) for name in item.deleted]
    more = item.gone - len(item.deleted)
    return [*lines, labelled("deleted", f"and {more} more", Tone.FAILED)] if more > 0 else lines


def waiver_lines(item: Item) -> list[Line]:
    """Who accepted the warning, and why."""
    if item.waiver is None:
        return []
    waiver = item.waiver
    tone = tone_of_waiver(item)
    return [labelled("waived", f"by {waiver.person}: {waiver.reason}", tone)]


def tone_of_waiver(item: Item) -> Tone:
    """A waiver that makes the item green, or one that no longer counts."""
    return Tone.PASSED if shown_status(item) is Status.PASSED else Tone.DIM


def evidence_lines(text: str, indent: int = 6) -> list[Line]:
    """Evidence as `key: value` lines; digests in fours; deep or long evidence is cut and says so."""
    if not text:
        return []
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return [labelled("evidence", text, indent=indent)]
    lines: list[Line] = []
    _walk(value, "", indent, 0, lines)
    if len(lines) > _MOST_LINES:
        more = len(lines) - _MOST_LINES
        return [*lines[:_MOST_LINES], (Part(f"{'':{indent}}… {more} more lines in the log", Tone.DIM),)]
    return lines


def _walk(value: object, key: str, indent: int, depth: int, lines: list[Line]) -> None:
    pairs: list[tuple[str, object]] = []
    if isinstance(value, dict):
        pairs = [(str(name), inner) for name, inner in value.items()]
    elif isinstance(value, list):
        pairs = [("-", inner) for inner in value]
    if isinstance(value, str) and "\n" in value.rstrip("\n"):
        lines.append((Part(f"{'':{indent}}{key}:", Tone.DIM),))
        shown = value.rstrip("\n").split("\n")
        lines += [(Part(f"{'':{indent + 2}}{line}"),) for line in shown[:_MOST_LINES]]
        lines += [()] * (len(shown) - _MOST_LINES)  # counted, and never made
        return
    if not pairs or depth >= _DEEPEST:
        lines.append((Part(f"{'':{indent}}{key}{': ' if key else ''}", Tone.DIM), Part(_scalar(value))))
        return
    if key:
        lines.append((Part(f"{'':{indent}}{key}:", Tone.DIM),))
        indent += 2
    for name, inner in pairs:
        _walk(inner, name, indent, depth + 1, lines)


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return spaced(value)
    return json.dumps(value, ensure_ascii=True)


def _proof_lines(item: Item, spilled: str) -> list[Line]:
    lines: list[Line] = []
    if item.subject_sha256:
        lines.append(labelled("sha256", grouped(item.subject_sha256)))
    if item.code and item.code != "ok":
        lines.append(labelled("code", item.code, Tone.DIM))
    lines += evidence_lines(item.evidence or spilled)
    if item.evidence_stream:
        lines.append(labelled("evidence", f"in the log as stream {item.evidence_stream}", Tone.DIM))
        lines.append(labelled("", grouped(item.evidence_sha256), Tone.DIM))
    if item.n:
        tries = f", try {item.tries}" if item.tries > 1 else ""
        lines.append(labelled("record", f"{item.n:,} at {clock(item.t)}{tries}", Tone.DIM))
    return lines


def _source_rows(state: State, name: str) -> list[Row]:
    component = state.components.get(name)
    if component is None or not component.manifest_sha256:
        return []
    line = labelled("folder", f"{component.files} verified files, {size(component.bytes)}", indent=2)
    digest = labelled("manifest", grouped(component.manifest_sha256), indent=2)
    rows = [heading("sources"), Row("", (line, digest)), blank()]
    if component.build_exit is not None:
        ended = f"exit {component.build_exit} after {duration(component.wall_ms / 1000)}"
        tone = Tone.PASSED if component.build_exit == 0 else Tone.FAILED
        lines = [labelled("result", ended, tone, indent=2)]
        if component.end is not None and component.end.cpu_by:
            lines.append(labelled("took", took_words(component.end).removeprefix("took "), indent=2))
        rows += [heading("build ended"), Row("", tuple(lines)), blank()]
    return rows


def _product_rows(state: State, name: str) -> list[Row]:
    products = [product for product in state.products.values() if product.component == name]
    return [heading("products"), *(product_row(product) for product in products)] if products else []


def product_row(product: Product) -> Row:
    """A product, its hash, and how it compares with what the archive published."""
    status = _COMPARED.get(product.compared)
    beside = product.beside or "compared with nothing"
    tone = Tone(status.value) if status is not None else Tone.DIM
    lines = (
        (Part("  "), Part(product.name, Tone.HEAD), Part(f"  {size(product.size)}", Tone.DIM)),
        labelled("sha256", grouped(product.sha256)),
        labelled("archive", beside, tone),
    )
    return Row(f"{product.component}/{product.name}", lines)
