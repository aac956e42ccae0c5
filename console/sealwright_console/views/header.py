"""The stepper, the gate word and the counts: what stands at the top of every screen.

- A stage is as bad as its worst item; it is green only once it has ended.
- The gate word is that of `gate.decide` for the first stage that has not begun; no second opinion is kept here.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from sealwright_console.figures import clock, duration, seconds_between
from sealwright_console.lines import MARKS, Line, Part, Tone, mark, plain, tone_of
from sealwright_stages.events import STAGES, Stage
from sealwright_stages.gate import Decision, decide
from sealwright_stages.state import Item, State
from sealwright_stages.verdict import Status

GATED = (Stage.BUILD, Stage.SEAL, Stage.SIGN)
SEVERITY = (Status.FAILED, Status.WARNED, Status.RUNNING, Status.PENDING, Status.PASSED)


def worst(items: list[Item]) -> Status:
    """The status that a group of items has together; pending if there are none."""
    return min((shown_status(item) for item in items), key=SEVERITY.index, default=Status.PENDING)


def shown_status(item: Item) -> Status:
    """The item's status; a waived warning counts as passed, since the gate counts it so."""
    return Status.PASSED if item.green else item.status


def stage_status(state: State, stage: Stage) -> Status:
    """How a stage stands as a whole."""
    count = {status: state.counts.get((stage, status), 0) for status in Status}
    if count[Status.FAILED]:
        return Status.FAILED
    if stage is Stage.SEAL and state.sealed:  # a sealed log can't say that its own stage has ended
        return Status.PASSED
    if stage in state.stages_ended:
        return Status.PASSED if state.stages_ended[stage] else Status.WARNED
    return Status.RUNNING if stage in state.stages_started else Status.PENDING


def stepper(state: State, narrow: bool = False) -> Line:
    """`(1)✓ get-sources > (2)✗ verify > …`; narrow leaves the ornaments out."""
    parts: list[Part] = []
    for number, stage in enumerate(STAGES, 1):
        status = stage_status(state, stage)
        if number > 1:
            parts.append(Part(" " if narrow else " > ", Tone.DIM))
        parts.append(Part(f"{number}" if narrow else f"({number})", Tone.KEY))
        parts.append(mark(status))
        parts.append(Part(stage.value if narrow else f" {stage.value}", tone_of(status)))
    return tuple(parts)


def next_gate(state: State) -> Decision:
    """The decision before the first gated stage that has not begun; the last one if all have."""
    waiting = [stage for stage in GATED if stage not in state.stages_started]
    return decide(waiting[0] if waiting else Stage.SIGN, state)


def gate_word(decision: Decision) -> Line:
    """`GATE build: CLOSED, 2 failed`, in the tone of the worst that closes it."""
    if decision.open:
        return (Part(f"GATE {decision.stage}: OPEN", Tone.PASSED),)
    if decision.failed:
        return (Part(f"GATE {decision.stage}: CLOSED, {decision.failed} failed", Tone.FAILED),)
    if decision.warned:
        return (Part(f"GATE {decision.stage}: CLOSED, {decision.warned} warned", Tone.WARNED),)
    return (Part(f"GATE {decision.stage}: CLOSED, {len(decision.blockers)} to go", Tone.RUNNING),)


def totals(state: State, stage: Stage | None = None) -> Line:
    """`✓ 41  … 2  ! 1  ✗ 2  · 0`: items by status, of one stage or of all."""
    parts: list[Part] = []
    for status in (Status.PASSED, Status.RUNNING, Status.WARNED, Status.FAILED, Status.PENDING):
        count = sum(
            number for (of, which), number in state.counts.items() if which is status and stage in (None, of)
        )
        tone = tone_of(status) if count else Tone.DIM
        parts.append(Part(f"{mark(status).text} {count}  ", tone))
    waived = sum(item.waiver is not None for item in state.items.values() if stage in (None, item.stage))
    if waived:
        parts.append(Part(f"({waived} waived)  ", Tone.DIM))
    return tuple(parts)


def heading_line(state: State, title: str) -> Line:
    """The release, and the time of the last log record (never the clock of the screen)."""
    elapsed = duration(seconds_between(state.first_t, state.last_t))
    parts = [Part("RELEASE ", Tone.DIM), Part(title, Tone.HEAD)]
    if state.last_t:
        parts.append(Part(f"   {clock(state.last_t)} UTC, {elapsed} in the log", Tone.DIM))
    if state.ended is not None:
        tone = Tone.PASSED if state.ended.exit == 0 else Tone.FAILED
        parts.append(Part(f"   ended with exit {state.ended.exit}", tone))
    return tuple(parts)


def status_line(state: State, decision: Decision, width: int) -> Line:
    """The stepper on the left, the gate word on the right."""
    gate = gate_word(decision)
    steps = stepper(state)
    if cell_len(plain(steps)) + cell_len(plain(gate)) + 2 > width:
        steps = stepper(state, narrow=True)
    gap = max(1, width - cell_len(plain(steps)) - cell_len(plain(gate)))
    return (*steps, Part(" " * gap), *gate)


def notice_line(notices: Sequence[str]) -> Line:
    """The notices in one line; the first takes the tone of the mark that it begins with."""
    if not notices:
        return ()
    tones = {shape: tone_of(status) for status, shape in MARKS.items()}
    first = Part(notices[0], tones.get(notices[0][:1], Tone.PLAIN))
    return (first, *(Part(f" · {text}", Tone.DIM) for text in notices[1:]))
