"""The heading, the stepper, the gate word and the notices: what stands at the edges of every screen.

- A stage is as bad as its worst item; it is green only once it has ended.
- The gate word is that of `gate.word` for the first stage that has not begun; no second opinion is kept here.
- A gate that is closed by something red is the loudest thing on the screen; an open one is calm.
- The first notice is shown whole where two lines are enough for it; the others take what room is left.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from sealwright_console.figures import clock, duration, seconds_between
from sealwright_console.lines import MARKS, Line, Part, Tone, apart, cut, few, mark, plain, tone_of, wrap
from sealwright_stages.events import STAGES, Stage
from sealwright_stages.finish import Act, Finish
from sealwright_stages.gate import Decision, Word, decide, word
from sealwright_stages.state import Item, State
from sealwright_stages.verdict import Status

GATED = (Stage.BUILD, Stage.SEAL, Stage.SIGN)
SEVERITY = (Status.FAILED, Status.WARNED, Status.RUNNING, Status.PENDING, Status.PASSED)
SIGNING = (Act.SIGNER, Act.ANSWER, Act.KEY, Act.VERIFY, Act.COUNT)
_NOTICE_LINES = 2


def worst(items: list[Item]) -> Status:
    """The status that a group of items has together; pending if there are none."""
    return min((shown_status(item) for item in items), key=SEVERITY.index, default=Status.PENDING)


def shown_status(item: Item) -> Status:
    """The item's status; a waived warning counts as passed, since the gate counts it so."""
    return Status.PASSED if item.green else item.status


def stage_status(state: State, stage: Stage, signed: Status | None = None) -> Status:
    """How a stage stands as a whole; how a release is `signed` can't stand in its log, which was sealed before."""
    count = {status: state.counts.get((stage, status), 0) for status in Status}
    if count[Status.FAILED]:
        return Status.FAILED
    if state.sealed and stage is Stage.SIGN and signed:
        return signed
    if state.sealed and stage is Stage.SEAL:
        return Status.PASSED  # a sealed log can't say that its own stage has ended
    if stage in state.stages_ended:
        return Status.PASSED if state.stages_ended[stage] else Status.WARNED
    return Status.RUNNING if stage in state.stages_started else Status.PENDING


def current_stage(state: State, signed: Status | None = None) -> Stage | None:
    """The stage that the release is at: the one that began last and is not green, or else the next one; None at the end.

    A stage with a warning was waived, if a later one has begun.
    """
    standing = {stage: stage_status(state, stage, signed) for stage in STAGES}
    begun = [stage for stage in STAGES if standing[stage] is not Status.PENDING]
    open_ = [
        stage
        for stage in begun
        if standing[stage] in (Status.FAILED, Status.RUNNING)
        or (standing[stage], stage) == (Status.WARNED, begun[-1])
    ]
    return open_[-1] if open_ else next((stage for stage in STAGES if standing[stage] is Status.PENDING), None)


def stepper(state: State, between: str = "  ", signed: Status | None = None) -> Line:
    """`1 ✓ get-sources  2 ✗ verify  3 · build  …`; the stage that the release is at is underlined."""
    parts: list[Part] = []
    here = current_stage(state, signed)
    for number, stage in enumerate(STAGES, 1):
        status = stage_status(state, stage, signed)
        if number > 1:
            parts.append(Part(between, Tone.DIM))
        parts += [Part(f"{number} ", Tone.DIM), mark(status), Part(" ")]
        parts.append(Part(stage.value, tone_of(status), here=stage is here))
    return tuple(parts)


def next_gate(state: State) -> Decision:
    """The decision before the first gated stage that has not begun; the last one if all have."""
    return decide(_next_gated(state), state)


def next_word(state: State) -> Word:
    """The same decision in short, at the cost of a look."""
    return word(_next_gated(state), state)


def _next_gated(state: State) -> Stage:
    return next((stage for stage in GATED if stage not in state.stages_started), Stage.SIGN)


def gate_word(decision: Word, short: bool = False) -> Line:
    """`✗ GATE build: CLOSED, 2 red`, as loud as what closes it; short is `✗ CLOSED, 2 red`."""
    name = "" if short else f"GATE {decision.stage}: "
    if decision.open:
        return (Part(f"{MARKS[Status.PASSED]} {name or 'gate '}OPEN", Tone.PASSED),)
    if decision.failed:
        return (Part(f" {MARKS[Status.FAILED]} {name}CLOSED, {decision.failed} red ", Tone.ALARM),)
    if decision.warned:
        return (Part(f"{MARKS[Status.WARNED]} {name}CLOSED, {decision.warned} warned", Tone.WARNED),)
    return (Part(f"{MARKS[Status.RUNNING]} {name}CLOSED, {decision.left} left", Tone.RUNNING),)


_SIGNED = {
    Status.RUNNING: "AUDIT RUNNING",
    Status.PASSED: "SIGNED",
    Status.WARNED: "SIGNED, own keys",
    Status.FAILED: "AUDIT: NO",
}


def signed_live(finish: Finish) -> Status | None:
    """How the sign stage of a running release stands, as its engine says: None before it has begun."""
    if finish.final:
        return Status.PASSED
    last = finish.steps[-1] if finish.steps else None
    if last is None or (last.act not in SIGNING and last.status is not Status.FAILED):
        return None
    if last.status is not Status.FAILED:
        return Status.RUNNING
    return Status.WARNED if last.act is Act.COUNT and finish.persons else Status.FAILED


def live_word(signed: Status, finish: Finish) -> Line:
    """What stands where the gate word was, once a running release is sealed and is being signed."""
    count = f"{len(finish.persons)} of {finish.threshold}"
    words = {
        Status.PASSED: "SIGNED",
        Status.WARNED: f"SIGNED BY {count}",
        Status.FAILED: "NOT SIGNED",
        Status.RUNNING: "SIGNING",
    }
    return (Part(f"{MARKS[signed]} {words[signed]}", tone_of(signed)),)


def signed_word(signed: Status, short: bool = True) -> Line:
    """What stands there in a review: what the audit came to, or that it has not ended; no gate is left."""
    if signed is Status.RUNNING and not short:
        return (Part(f"{MARKS[signed]} {_SIGNED[signed]}: not yet a yes", Tone.WARNED),)
    if signed is Status.RUNNING:
        return (Part(f"{MARKS[signed]} {_SIGNED[signed]}", Tone.WARNED),)
    if signed is Status.FAILED:
        return (Part(f" {MARKS[signed]} {_SIGNED[signed]} ", Tone.ALARM),)
    return (Part(f"{MARKS[signed]} {_SIGNED[signed]}", tone_of(signed)),)


def heading_line(state: State, title: str, width: int = 0) -> Line:
    """The release, and the time of the last log record (never the clock of the screen)."""
    left = (Part("RELEASE  ", Tone.DIM), Part(title, Tone.HEAD))
    parts: list[Part] = []
    if state.ended is not None:
        status = Status.PASSED if state.ended.exit == 0 else Status.FAILED
        parts.append(Part(f"{MARKS[status]} ended with exit {state.ended.exit}  ", tone_of(status)))
    if state.last_t:
        elapsed = duration(seconds_between(state.first_t, state.last_t))
        parts.append(Part(f"{clock(state.last_t)} UTC  {elapsed} elapsed", Tone.DIM))
    return apart(left, tuple(parts), width) if width else (*left, Part("  "), *parts)


def status_line(
    state: State, decision: Word, width: int, signed: Status | None = None, finish: Finish | None = None
) -> Line:
    """The stepper on the left, the gate word on the right; both get shorter where there is little room.

    `signed` is what an audit of a past release came to, `finish` what the engine of a running one says. An audit that
    runs or says no is told at every moment of the past, and not at its end alone.
    """
    live = signed_live(finish) if finish is not None and state.sealed else None
    audit = signed if state.sealed or signed in (Status.RUNNING, Status.FAILED) else None
    stands = live or (signed if signed is not Status.RUNNING else None)
    for between, short in (("  >  ", False), ("  ", False), ("  ", True), (" ", True)):
        steps = stepper(state, between, stands)
        if live and finish:
            gate = live_word(live, finish)
        else:
            gate = signed_word(audit, short) if audit else gate_word(decision, short)
        if cell_len(plain(steps)) + cell_len(plain(gate)) + 2 <= width:
            break
    return apart(steps, gate, width)


def notice_lines(notices: Sequence[str], width: int) -> tuple[Line, ...]:
    """The notices in two lines at most; the first takes the tone of the mark that it begins with."""
    if not notices:
        return ()
    tones = {shape: tone_of(status) for status, shape in MARKS.items()}
    first = few(wrap((Part(notices[0], tones.get(notices[0][:1], Tone.PLAIN)),), width), _NOTICE_LINES, width)
    more: Line = tuple(Part(f"  ·  {text}", Tone.DIM) for text in notices[1:])
    room = width - cell_len(plain(first[-1]))
    if not more or room < cell_len(more[0].text[:16]):
        return first
    return (*first[:-1], (*first[-1], *cut(more, room)))
