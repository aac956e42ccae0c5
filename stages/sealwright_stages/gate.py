"""The gate before a stage: open, or closed with every reason why. A pure function of the state.

- Every item of every stage before must be passed, or warned and waived; one failed item closes the gate.
- A failed item can't be waived: a waiver on it changes nothing.
- Pending and running are not green.
- Nothing declared is nothing proved: a gate without items before it stays closed.
- Before the build, each component's verified sources stand in its folder under a logged manifest.
- Before the seal, each component that is to be built has ended with exit 0, and was built from the sources
  that stand in its folder now.
- A second build that is green is so for the products that stand now.
- Before signing, the log is sealed.
"""

from __future__ import annotations

from dataclasses import dataclass

from sealwright_stages.events import STAGES, GateDecided, Stage
from sealwright_stages.state import Component, Item, State
from sealwright_stages.verdict import Status

_SOURCES = (Stage.GET_SOURCES, Stage.VERIFY)


@dataclass(frozen=True)
class Blocker:
    """One reason why the gate is closed."""

    what: str
    why: str
    next_step: str
    item: str = ""


@dataclass(frozen=True)
class Decision:
    """What the gate says: `open` iff `blockers` is empty. Counts are items of the stages before."""

    stage: Stage
    blockers: tuple[Blocker, ...]
    green: int
    failed: int
    warned: int
    pending: int

    @property
    def open(self) -> bool:
        """Nothing blocks."""
        return not self.blockers

    def event(self) -> GateDecided:
        """The decision as it goes into the log."""
        return GateDecided(self.stage, self.open, self.green, self.failed, self.warned, self.pending)


@dataclass(frozen=True)
class Word:
    """What the gate says in short: how much is red, how much is warned and not waived, and whether that is all.

    `left` is how many reasons there are where nothing is red or warned; `open` is the decision's.
    """

    stage: Stage
    failed: int
    warned: int
    left: int

    @property
    def open(self) -> bool:
        """Nothing blocks."""
        return not (self.failed or self.warned or self.left)


def word(stage: Stage, state: State) -> Word:
    """The decision in short, from the counts that the fold keeps; it costs less than `decide` while most is to be done.

    It is told ten times a second, and lets nothing through: only `decide` does.
    """
    before = _before(stage)
    count = {status: sum(state.counts.get((each, status), 0) for each in before) for status in Status}
    failed, warned = count[Status.FAILED], count[Status.WARNED]
    if warned:
        warned -= sum(item.waiver is not None for item in state.items.values() if item.stage in before)
    if failed or warned:
        return Word(stage, failed, warned, 0)
    left = count[Status.PENDING] + count[Status.RUNNING]
    return Word(stage, 0, 0, left + len(_others(stage, state, any(count.values()))))


def _before(stage: Stage) -> tuple[Stage, ...]:
    return STAGES[: STAGES.index(stage)] if stage not in _SOURCES else ()


def decide(stage: Stage, state: State) -> Decision:
    """Decide whether `stage` may begin.

    get-sources and verify have no gate of their own: they make the verdicts that the later gates judge.
    """
    before = _before(stage)
    items = [item for item in state.items.values() if item.stage in before]
    blockers = [_blocker(item) for item in sorted(items, key=_severity) if not item.green]
    blockers += _others(stage, state, bool(items))
    return Decision(
        stage=stage,
        blockers=tuple(blockers),
        green=sum(item.green for item in items),
        failed=sum(item.status is Status.FAILED for item in items),
        warned=sum(item.status is Status.WARNED and not item.green for item in items),
        pending=sum(item.status in (Status.PENDING, Status.RUNNING) for item in items),
    )


def _others(stage: Stage, state: State, checked: bool) -> list[Blocker]:
    """What closes the gate beside an item; `checked` says whether there is any item of the stages before."""
    blockers: list[Blocker] = []
    if _before(stage) and not checked:
        blockers.append(Blocker("nothing was checked", "no item was declared", "look at the manifest"))
    if stage in (Stage.BUILD, Stage.SEAL, Stage.SIGN):
        blockers += _unpromoted(state)
    if stage in (Stage.SEAL, Stage.SIGN):
        blockers += _unbuilt(state)
    if stage is Stage.SIGN and not state.sealed:
        blockers.append(Blocker("the log is not sealed", "entries could still be added", "seal it first"))
    return blockers


def _severity(item: Item) -> int:
    """What failed stands before what warns, and that before what waits."""
    return {Status.FAILED: 0, Status.WARNED: 1}.get(item.status, 2)


def _blocker(item: Item) -> Blocker:
    if item.status is Status.FAILED:
        return Blocker(f"{item.component}: {item.title}", item.reason, item.next_step, item.id)
    if item.status is Status.WARNED:
        return Blocker(
            f"{item.component}: {item.title}", f"warning not waived: {item.reason}", item.next_step, item.id
        )
    why = f"it is {item.status}"
    if item.status is Status.PENDING and item.note:
        why = f"{why}: {item.note}"
    return Blocker(f"{item.component}: {item.title}", why, "wait for it", item.id)


def _unpromoted(state: State) -> list[Blocker]:
    return [
        Blocker(f"{name}: sources", "its verified sources are not in its folder", "run verify again")
        for name, component in state.components.items()
        if not component.manifest_sha256 and _verified(component, state) and not name.startswith("environment ")
    ]


def _verified(component: Component, state: State) -> bool:
    """Whether it has sources, and all that is checked of them is green; else those items close the gate already."""
    before = [state.items[item] for item in component.items if state.items[item].stage in _SOURCES]
    return all(item.green for item in before) and any(item.stage is Stage.VERIFY for item in before)


def _unbuilt(state: State) -> list[Blocker]:
    blockers = []
    for name, component in state.components.items():
        if not any(state.items[item].stage is Stage.BUILD for item in component.items):
            continue
        first, second = state.items.get(f"{name}/build"), state.items.get(f"{name}/reproduce")
        if component.build_exit != 0:
            why, next_step = "its build did not end with exit 0", "read its log, then build again"
        elif first and second and second.green and second.subject_sha256 != first.subject_sha256:
            why, next_step = "its second build was held against other products", "build it again"
        elif component.built_from != component.manifest_sha256:
            why, next_step = "its sources are others since it was built", "build it again"
        else:
            continue
        blockers.append(Blocker(f"{name}: build", why, next_step))
    return blockers
