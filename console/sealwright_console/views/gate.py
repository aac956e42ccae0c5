"""The gate's reasons: each red, warned, running and waiting item with what, why, what was done and what to do.

- Each blocker that `gate.decide` names is shown, in its words; nothing is added and nothing left out.
- A warning offers `a`; a red item offers nothing but other bytes or another policy.
- What only has to be waited for takes two lines, and what has passed one for all; `p` unfolds those.
"""

from __future__ import annotations

from sealwright_console.lines import MARKS, Line, Part, Row, Tone, blank, labelled, mark
from sealwright_console.views.detail import tone_of_waiver
from sealwright_stages.events import STAGES
from sealwright_stages.gate import Blocker, Decision
from sealwright_stages.state import Item, State
from sealwright_stages.verdict import Status

_GROUPS = (
    (Status.FAILED, "FAILED", "never waived: only other bytes or another policy change them"),
    (Status.WARNED, "WARNED", "the gate stays closed until a person waives them by name"),
    (Status.RUNNING, "RUNNING", "the gate stays closed until these end"),
    (Status.PENDING, "WAITING", "not checked yet, which is not green"),
)
_WAIT = "wait for it"
_INDENT = 4


def gate_rows(state: State, decision: Decision, passed: bool = False) -> list[Row]:
    """Every blocker by its group, then the waivers that stand, then what has passed: in one line, or each if `passed`."""
    rows: list[Row] = []
    for status, title, meaning in _GROUPS:
        found = [blocker for blocker in decision.blockers if _status(state, blocker) is status]
        if found:
            rows += [_group(f"{title} {len(found)}", meaning)]
            rows += [row for blocker in found for row in (_row(state, blocker, status), blank())]
    if decision.open:
        rows += [Row("", ((mark(Status.PASSED), Part(" nothing blocks this gate", Tone.PASSED)),)), blank()]
    return rows + _waived(state) + _passed(state, decision, passed)


def _group(title: str, meaning: str) -> Row:
    return Row("", ((Part(title, Tone.HEAD), Part(f"  {meaning}", Tone.DIM)),))


def summary(decision: Decision) -> Line:
    """`GATE before build  CLOSED  2 failed, 1 warned, 2 unfinished, 41 green`."""
    word = Part("OPEN", Tone.PASSED)
    if not decision.open:
        word = Part("CLOSED", Tone.FAILED if decision.failed else Tone.WARNED if decision.warned else Tone.RUNNING)
    counts = [(decision.failed, "failed"), (decision.warned, "warned"), (decision.pending, "unfinished")]
    told = ", ".join(f"{count} {what}" for count, what in (*counts, (decision.green, "green")) if count)
    return (Part(f"GATE before {decision.stage}  ", Tone.HEAD), word, Part(f"  {told}", Tone.DIM))


def waivable(state: State, key: str) -> bool:
    """Whether a person may waive this: a warning that stands and is not waived yet."""
    item = state.items.get(key)
    return item is not None and item.status is Status.WARNED and item.waiver is None


def _status(state: State, blocker: Blocker) -> Status:
    item = state.items.get(blocker.item)
    return item.status if item is not None else Status.PENDING


def _row(state: State, blocker: Blocker, status: Status) -> Row:
    item, step = state.items.get(blocker.item), blocker.next_step or "look at its evidence"
    lines: list[Line] = [
        (Part("  "), mark(status), Part(f" {blocker.what}", Tone.HEAD)),
        labelled("why", blocker.why, indent=_INDENT),
    ]
    if item is not None and (done := _done(item)):
        lines.append(labelled("done", done, indent=_INDENT))
    if status in (Status.FAILED, Status.WARNED) or step != _WAIT:
        lines.append(labelled("do", step, indent=_INDENT))
    else:
        lines[-1] = (*lines[-1], Part(f"; {step}", Tone.DIM))
    if status is Status.FAILED and item is not None:
        lines.append(labelled("", "r  try it again", Tone.KEY, indent=_INDENT))
    if status is Status.WARNED:
        lines.append(
            labelled("", "a  waive it, with your name and a reason (goes into the log)", Tone.KEY, indent=_INDENT)
        )
    return Row(blocker.item or blocker.what, tuple(lines))


def _done(item: Item) -> str:
    """What was done about an item: what was deleted, how often it was tried, where the log has it."""
    more = item.gone - len(item.deleted)
    names = [*item.deleted, *([f"{more} more"] if more > 0 else [])]
    told = [f"deleted {', '.join(names)}"] if names else []
    if item.tries > 1:
        told.append(f"tried {item.tries} times")
    if item.status in (Status.FAILED, Status.WARNED):
        told.append(f"logged as record {item.n:,}")
    return "; ".join(told)


def _waived(state: State) -> list[Row]:
    items = [(item, item.waiver) for item in state.items.values() if item.waiver is not None]
    if not items:
        return []
    rows = [
        Row(
            item.id,
            (
                (Part("  "), mark(item.status), Part(f" {item.component}: {item.title}")),
                labelled("waived", f"by {waiver.person}: {waiver.reason}", tone_of_waiver(item), indent=_INDENT),
            ),
        )
        for item, waiver in items
    ]
    return [_group(f"WAIVED {len(items)}", "shown at signing"), *rows, blank()]


def _passed(state: State, decision: Decision, unfolded: bool) -> list[Row]:
    """What has passed of the stages before the gate."""
    before = STAGES[: STAGES.index(decision.stage)]
    items = [item for item in state.items.values() if item.stage in before and item.status is Status.PASSED]
    if not items:
        return []
    hint = "p folds them" if unfolded else "p shows them"
    title = Part(f"{MARKS[Status.PASSED]} PASSED {len(items)}", Tone.PASSED)
    rows = [Row("", ((title, Part(f"  {hint}", Tone.DIM)),))]
    if unfolded:
        rows += [
            Row(item.id, ((Part("  "), mark(item.status), Part(f" {item.component}: {item.title}")),))
            for item in items
        ]
    return rows
