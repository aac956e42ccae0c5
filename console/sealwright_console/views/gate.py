"""The gate's reasons: each red, warned and waiting item with what, why and what to do.

- Each blocker that `gate.decide` names is shown, in its words; nothing is added and nothing left out.
- A warning offers `a`; a red item offers nothing but other bytes or another policy.
"""

from __future__ import annotations

from sealwright_console.lines import Line, Part, Row, Tone, blank, heading, labelled, mark
from sealwright_console.views.detail import deleted_lines, waiver_lines
from sealwright_stages.gate import Blocker, Decision
from sealwright_stages.state import State
from sealwright_stages.verdict import Status

_GROUPS = (
    (Status.FAILED, "FAILED (never waived: only other bytes or another policy can change them)"),
    (Status.WARNED, "WARNED (block until a person waives them by name)"),
    (Status.RUNNING, "RUNNING (the gate stays closed until these end)"),
    (Status.PENDING, "WAITING (not checked yet; pending is not green)"),
)


def gate_rows(state: State, decision: Decision) -> list[Row]:
    """Every blocker by its group, then the waivers that stand."""
    rows: list[Row] = []
    for status, title in _GROUPS:
        found = [blocker for blocker in decision.blockers if _status(state, blocker) is status]
        if found:
            rows += [heading(title), *(_row(state, blocker, status) for blocker in found), blank()]
    if decision.open:
        rows += [Row("", ((mark(Status.PASSED), Part(" nothing blocks this gate", Tone.PASSED)),)), blank()]
    return rows + _waived(state)


def summary(state: State, decision: Decision) -> Line:
    """`CLOSED before build: 2 failed, 1 warned, 2 waiting, 41 green`."""
    word = Part("OPEN", Tone.PASSED) if decision.open else Part("CLOSED", Tone.FAILED)
    counts = (
        f"{decision.failed} failed, {decision.warned} warned, {decision.pending} waiting, {decision.green} green"
    )
    return (Part(f"GATE before {decision.stage}: ", Tone.HEAD), word, Part(f"   {counts}", Tone.DIM))


def waivable(state: State, key: str) -> bool:
    """Whether a person may waive this: a warning that stands and is not waived yet."""
    item = state.items.get(key)
    return item is not None and item.status is Status.WARNED and item.waiver is None


def _status(state: State, blocker: Blocker) -> Status:
    item = state.items.get(blocker.item)
    return item.status if item is not None else Status.PENDING


def _row(state: State, blocker: Blocker, status: Status) -> Row:
    lines: list[Line] = [
        (Part("  "), mark(status), Part(f" {blocker.what}", Tone.HEAD)),
        labelled("why", blocker.why),
        labelled("do", blocker.next_step or "look at its evidence"),
    ]
    item = state.items.get(blocker.item)
    if item is not None:
        lines += deleted_lines(item)
        if item.tries > 1:
            lines.append(labelled("tries", str(item.tries), Tone.DIM))
    if status is Status.WARNED:
        lines.append(labelled("", "a  waive it, with your name and a reason (goes into the log)", Tone.KEY))
    return Row(blocker.item or blocker.what, tuple(lines))


def _waived(state: State) -> list[Row]:
    items = [item for item in state.items.values() if item.waiver is not None]
    if not items:
        return []
    rows = [
        Row(
            item.id,
            ((Part("  "), mark(item.status), Part(f" {item.component}: {item.title}")), *waiver_lines(item)),
        )
        for item in items
    ]
    return [heading("WAIVED (shown at signing)"), *rows]
