"""The seal: what is missing before it, what it does, and all that it speaks of. Pure functions.

- What an engine says of its steps is shown as it says it; what the log says itself needs no engine.
- A product's digest is shown whole once it is selected, and is never abbreviated where there is room.
- Warnings stand before products: there are few of them, and somebody answers for each.
"""

from __future__ import annotations

from sealwright_console.figures import clock, duration, grouped, size
from sealwright_console.lines import Line, Part, Row, Tone, fit, labelled, mark, tone_of, wrap
from sealwright_console.sanitise import one_line
from sealwright_console.views.detail import COMPARED
from sealwright_console.views.header import signed_live
from sealwright_stages.events import Stage
from sealwright_stages.finish import Act, Finish, Step
from sealwright_stages.gate import Blocker, decide
from sealwright_stages.state import Product, State, reproduced
from sealwright_stages.verdict import Status

_LABEL, _TIME = 11, 10
_TEXT = 2 + _LABEL + _TIME
"""Cells before the text of a step."""
_SEALING = (Act.POLICY, Act.PRODUCTS, Act.SEAL, Act.ROOT, Act.ATTESTATION, Act.EVIDENCE)
_MISSING = 3
_WITH_DIGEST = 96
_NAMES = (10, 18)


def step_lines(step: Step, width: int, seconds: int = 0) -> list[Line]:
    """`✓ log root   12:41:03  computed here from …`, folded under its own column; what is wrong, and what to do."""
    running = step.status is Status.RUNNING
    tone = tone_of(step.status) if step.status in (Status.FAILED, Status.RUNNING) else Tone.PLAIN
    said = f"{step.said or 'at work'}  {duration(seconds)}" if running else step.said
    lines = _said(step.status, str(step.act), step.ended or step.began, said, tone, width)
    if step.status is Status.FAILED and step.next_step:
        next_line = (Part(f"{'':{_TEXT}}next  ", Tone.DIM), Part(step.next_step))
        lines += wrap(next_line, width, _TEXT + 6)
    return lines


def _said(status: Status, label: str, at: str, said: str, tone: Tone, width: int) -> list[Line]:
    head = Part(f" {label:<{_LABEL}}", Tone.DIM if status is Status.PENDING else Tone.PLAIN)
    line = (mark(status), head, Part(f"{clock(at):<{_TIME}}", Tone.DIM), Part(said, tone))
    return wrap(line, width, _TEXT)


def sealing_lines(state: State, finish: Finish, width: int) -> tuple[Line, ...]:
    """What the sealing does, step by step; before that, what is missing."""
    steps = [step for act in _SEALING if (step := finish.step(act)) is not None]
    if not state.sealed and not steps:
        return missing_lines(state, width)
    lines: list[Line] = []
    for step in steps:
        if step.act is Act.SEAL:
            lines += _gate(state, width)
        lines += step_lines(step, width, finish.seconds if step is finish.steps[-1] else 0)
    if state.sealed and finish.step(Act.SEAL) is None:
        told = f"{state.last_n + 1:,} records; the log takes nothing any more"
        before = [*_gate(state, width), *_said(Status.PASSED, "seal", state.last_t, told, Tone.PLAIN, width)]
        lines = before + lines
    return (*lines, *_afterwards(state, finish, width))


def _gate(state: State, width: int) -> list[Line]:
    """The gate before the seal, as the log has it."""
    gate = state.gates.get(Stage.SEAL)
    if gate is None:
        return []
    status = Status.PASSED if gate.open else Status.FAILED
    said = f"{'open' if gate.open else 'CLOSED'}: {gate.green:,} green, {gate.failed:,} red"
    at = state.stages_started.get(Stage.SEAL, "")
    return _said(status, "gate", at, said, Tone.PLAIN if gate.open else Tone.FAILED, width)


def _afterwards(state: State, finish: Finish, width: int) -> list[Line]:
    """What comes after the seal."""
    signed = signed_live(finish)
    if not state.sealed or signed is None:
        return []
    by = ", ".join(sorted(finish.persons))
    words = {
        Status.PASSED: f"by {by}; publish it: 5 has the command",
        Status.WARNED: f"by {by}, {len(finish.persons)} of {finish.threshold}: 5 says what is missing",
        Status.FAILED: "not signed: 5 says why",
        Status.RUNNING: "under way: 5",
    }
    tone = Tone.PLAIN if signed is Status.PASSED else tone_of(signed)
    return _said(signed, "sign", finish.steps[-1].ended, words[signed], tone, width)


def missing_lines(state: State, width: int) -> tuple[Line, ...]:
    """Why the log is not sealed yet, and the next step."""
    decision = decide(Stage.SEAL, state)
    if decision.open:
        return ((mark(Status.RUNNING), Part(" nothing is missing: it is being sealed", Tone.RUNNING)),)
    count = len(decision.blockers)
    told = f"Not sealed yet: {count:,} {'thing is' if count == 1 else 'things are'} missing."
    lines: list[Line] = [(Part(told, Tone.HEAD), Part("  When none is, it is sealed by itself.", Tone.DIM))]
    for blocker in decision.blockers[:_MISSING]:
        lines += _blocker(state, blocker, width)
    if count > _MISSING:
        lines.append((Part(f"  and {count - _MISSING:,} more: g shows all", Tone.DIM),))
    return tuple(lines)


def _blocker(state: State, blocker: Blocker, width: int) -> list[Line]:
    item = state.items.get(blocker.item)
    status = item.status if item is not None else Status.PENDING
    lines = wrap((mark(status), Part(f" {blocker.what}: {blocker.why}")), width, 2)
    if status is Status.PENDING or status is Status.RUNNING or not blocker.next_step:
        return lines
    return [*lines, *wrap((Part("  next  ", Tone.DIM), Part(blocker.next_step)), width, 8)]


def seal_rows(state: State, finish: Finish, width: int, needle: str = "") -> list[Row]:
    """What the seal speaks of, each a row that can be selected: streams without an end, warnings, products, the log."""
    rows = [
        Row(f"stream {name}", ((mark(Status.FAILED), Part(f" stream {name} did not end cleanly", Tone.FAILED)),))
        for name in state.unclean
        if _has(needle, name)
    ]
    waived = [
        Row(f"waiver {w.item}", ((mark(Status.WARNED), Part(f" {w.item}: {w.reason} ({w.person})")),))
        for w in state.waivers
        if _has(needle, w.item, w.reason, w.person, w.code)
    ]
    if waived:
        rows += [Row("", ((Part(f"warnings, waived by name ({len(waived)})", Tone.HEAD),),)), *waived]
    widths = _widths(state, width)
    products = [
        Row(_key(product), (_product_line(state, product, widths),))
        for product in state.products.values()
        if _has(needle, product.component, product.name, product.sha256, *reproduction(state, product)[1:])
    ]
    if products:
        rows += [Row("", (_head(widths, len(products)),)), *products]
    if finish.root and _has(needle, "log root", finish.root):
        rows += [Row("", ((Part("log", Tone.HEAD),),)), Row("root", ((Part("  root of the sealed log"),),))]
    return rows


def _has(needle: str, *texts: str) -> bool:
    return needle.casefold() in "\n".join(texts).casefold()


def _key(product: Product) -> str:
    return f"product {product.component}/{product.name}"


def reproduction(state: State, product: Product) -> tuple[Status, str, str]:
    """How a product came out elsewhere, or a second time: status, a word, a sentence."""
    twice = reproduced(state, product.component)
    item = state.items.get(f"{product.component}/reproduce")
    told = [text for text in (product.beside, f"second build: {twice}" if twice else "") if text]
    sentence = "; ".join(told) or "compared with nothing"
    again = item.status if item is not None else None
    if again is Status.FAILED or product.compared == "differs" or again is Status.WARNED:
        return (Status.FAILED if again is Status.FAILED else Status.WARNED), "differs", sentence
    if COMPARED.get(product.compared) is Status.PASSED:
        return Status.PASSED, "identical", sentence
    if again is Status.PASSED:
        return Status.PASSED, "twice same", sentence
    return Status.PENDING, "not there" if product.compared else "not tried", sentence


def _widths(state: State, width: int) -> tuple[int, int, int]:
    """Cells of component, file and digest."""
    name = max((len(product.component) for product in state.products.values()), default=0)
    name = min(max(_NAMES[0], name), _NAMES[1])
    digest = 14 if width >= _WITH_DIGEST else 0
    room = width - name - 2 - 10 - 14 - (digest + 2 if digest else 0)
    return name, max(12, room), digest


def _head(widths: tuple[int, int, int], count: int) -> Line:
    name, file, digest = widths
    middle = f"{'SHA-256':<{digest}}  " if digest else ""
    said = f"{'COMPONENT':<{name}}  {f'PRODUCT ({count})':<{file}}{'SIZE':>8}  {middle}REPRODUCED"
    return (Part(said, Tone.DIM),)


def _product_line(state: State, product: Product, widths: tuple[int, int, int]) -> Line:
    name, file, digest = widths
    status, told, _ = reproduction(state, product)
    return (
        Part(f"{fit(product.component, name)}  "),
        Part(fit(product.name, file), Tone.HEAD),
        Part(f"{size(product.size):>8}  ", Tone.DIM),
        Part(f"{grouped(product.sha256[:12])}  " if digest else "", Tone.DIM),
        mark(status),
        Part(f" {told}", tone_of(status)),
    )


def selected_lines(state: State, finish: Finish, key: str, width: int) -> tuple[Line, ...]:
    """The selected row in full: at most so many lines as a digest and two sentences take."""
    kind, _, name = key.partition(" ")
    product = next((each for each in state.products.values() if _key(each) == key), None)
    if product is not None:
        status, _, sentence = reproduction(state, product)
        tone = tone_of(status) if status is not Status.PENDING else Tone.DIM
        told = labelled("beside", sentence, tone, indent=0)
        return (*wrap(_whole_name(product), width), *digest_rows("sha256", product.sha256, width), told)
    if kind == "waiver" and (item := state.items.get(name)) is not None and item.waiver is not None:
        said = labelled("warning", f"{item.id}: {item.reason} [{item.waiver.code}]", Tone.WARNED, indent=0)
        by = labelled("waived", f"by {item.waiver.person}: {item.waiver.reason}", indent=0)
        return (*wrap(said, width, 9), *wrap(by, width, 9))
    if key == "root":
        records = labelled("records", f"{finish.records:,}, and no witness was asked to cosign them", indent=0)
        return (*digest_rows("root", finish.root, width), records)
    if kind == "stream":
        return (labelled("next", "look at what ended it; the release is not complete without", indent=0),)
    return ()


def _whole_name(product: Product) -> Line:
    return labelled("product", f"{product.component}/{product.name}, {product.size:,} bytes", indent=0)


def digest_rows(label: str, digits: str, width: int) -> list[Line]:
    """A digest in fours, in one line if it fits there, else in two."""
    whole = grouped(digits)
    halves = [whole] if len(whole) + 9 <= width else [grouped(digits[:32]), grouped(digits[32:])]
    return [labelled(label if number == 0 else "", each, indent=0) for number, each in enumerate(halves)]


def copied(state: State, finish: Finish, key: str) -> str:
    """The selected row for the clipboard: a product as a line of `sha256sum`, the rest in words."""
    product = next((each for each in state.products.values() if _key(each) == key), None)
    if product is not None:
        return one_line(f"{product.sha256}  products/{product.component}/{product.name}")
    return finish.root if key == "root" else ""
