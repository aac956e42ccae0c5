"""The rules of runs, stages, gates and the seal: in which order a console may say what it says.

- A run begins when the one before it has ended, by its own word or with its stream; it says truly whether it resumes.
- First comes what it goes by (policy, memory, items), then what an earlier run left half done, then the stages.
- Each run goes through get-sources and verify again and ends them, before any gate; a resume skips nothing.
- A gate says what the items say; it is said when it changes.
- After a run began to seal, nothing more is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sealwright_stages import events as ev
from sealwright_stages.errors import Exit
from sealwright_stages.events import Stage
from sealwright_stages.gate import decide
from sealwright_stages.log.entries import Entry
from sealwright_stages.ports import ItemSpec
from sealwright_stages.rules.roots import one_for_all, own_roots
from sealwright_stages.rules.story import Run, Story, is_root, is_time, sha256_of
from sealwright_stages.verdict import Status

_PHASES: Mapping[type[Any], tuple[int, int]] = {  # up to which phase it may come, and the one that it begins
    ev.SandboxHeld: (0, 0),
    ev.PolicyRotated: (0, 1),
    ev.PolicySigned: (1, 2),
    ev.MemoryRead: (2, 2),
    ev.ItemDeclared: (3, 3),
}
_WORK = 4
_FIRST = (Stage.GET_SOURCES, Stage.VERIFY)
_WAITS_FOR: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.GET_SOURCES: (),
    Stage.VERIFY: (),
    Stage.BUILD: _FIRST,
    Stage.SEAL: (*_FIRST, Stage.BUILD),
}


def in_run(story: Story, event: ev.Event, entry: Entry) -> None:
    """Each event belongs to a run, and comes in its place there."""
    if isinstance(event, ev.RunStarted):
        return
    run = story.run
    story.demand(not run.over, "run-order", entry, "it was said while no run was on")
    latest, phase = _PHASES.get(type(event), (_WORK, _WORK))
    story.demand(run.phase <= latest, "run-order", entry, f"{entry.body.get('e')} comes too late in its run")
    begun = isinstance(run.last, ev.StageStarted) and run.last.stage == Stage.SEAL
    story.demand(
        not begun or isinstance(event, (ev.RunEnded, ev.FileDeleted)),
        "sealed",
        entry,
        "it was said after the seal had begun",
    )
    run.phase = max(run.phase, phase)
    ends = isinstance(event, (ev.RunEnded, ev.FileDeleted))
    story.demand(not run.said_end, "run-order", entry, "it was said after the run had said its end")
    if run.owes is not None and event != run.owes and not ends:
        story.breaks("gate-agrees", entry, f"what the gate before {run.owes.stage} said then is not told")
    run.owes = run.owes if isinstance(event, ev.FileDeleted) else None


def run_started(story: Story, event: ev.RunStarted, entry: Entry) -> None:
    """A run begins in order, and under the manifest."""
    state, declared = story.state, story.declared
    story.demand(story.run.over, "run-order", entry, "a run began before the one before it had ended")
    story.demand(
        event.resumed is (state.runs > 0), "run-order", entry, "it says untruly whether it goes on with a release"
    )
    story.demand(event.official, "run-declared", entry, "the run says of itself that it is not official")
    story.demand(bool(event.tool), "run-declared", entry, "the run does not say by which tool it is")
    story.run = Run(over=False, said_end=False)
    if declared is None:
        return
    manifest = declared.manifest
    for what, said, wanted in (
        ("release", event.release, manifest.name),
        ("version", event.version, manifest.version),
        ("manifest", event.manifest_sha256, manifest.sha256),
        ("keyring", event.policy_sha256, declared.policy_sha256),
    ):
        story.demand(
            said == wanted, "run-declared", entry, f"the {what} that it goes by is not the one in policy/"
        )


def run_ended(story: Story, event: ev.RunEnded, entry: Entry) -> None:
    """A run says its end, with a code that there is; a closed gate is on record then."""
    story.demand(event.exit in set(Exit), "run-order", entry, f"a run does not end with {event.exit}")
    if event.exit == Exit.CLOSED:
        shut = any(not gate.open for gate in story.state.gates.values())
        story.demand(shut, "gate-agrees", entry, "it ended at a closed gate, and no gate was recorded closed")
    story.run.said_end = True


def sandbox_held(story: Story, event: ev.SandboxHeld, entry: Entry) -> None:
    """That the sandbox held is said once, right when a run begins. Its time is of another clock than the log's."""
    story.demand(
        isinstance(story.run.last, ev.RunStarted), "sandbox-held", entry, "it is not said as a run begins"
    )
    whole = event.tried > 0 and sha256_of(event.inputs) and is_time(event.at)
    story.demand(whole, "sandbox-held", entry, "it is not said how many ways out were tried, when, and with what")
    story.run.held = True


def policy_rotated(story: Story, event: ev.PolicyRotated, entry: Entry) -> None:
    """The versions that lead to the keyring: one after the other, each with as many signatures as both ask for."""
    found = story.placed(event.evidence, event.evidence_stream, event.evidence_sha256, entry)
    versions = read_versions(found, event)
    if versions is None:
        what = f"its evidence does not say of versions 1 to {event.version} that each was signed by enough"
        story.breaks("policy-rotated", entry, what)
        return
    known = story.versions = story.versions or versions
    story.demand(known == versions, "policy-rotated", entry, "an earlier run went by other versions")
    if story.declared is not None and story.declared.policy_version != event.version:
        told = story.declared.policy_version or "none"
        story.breaks("policy-rotated", entry, f"the keyring in policy/ is version {told}, and not {event.version}")


def read_versions(found: Mapping[str, Any], event: ev.PolicyRotated) -> tuple[str, ...] | None:
    """The SHA-256 of each version's policy, of evidence that says enough of each; None if it does not."""
    told = found.get("versions")
    if event.version < 2 or not isinstance(told, list) or len(told) != event.version:
        return None
    for number, each in enumerate(told, 1):
        halves = {"old", "new"} if number > 1 else {"new"}
        if not isinstance(each, dict) or set(each) != {"version", "policy_sha256", *halves}:
            return None
        whole = each["version"] == number and sha256_of(str(each["policy_sha256"]))
        if not whole or not all(_enough(each[half]) for half in halves):
            return None
    names = tuple(str(each["policy_sha256"]) for each in told)
    return names if names[-1] == event.policy_sha256 else None


def _enough(half: Any) -> bool:
    if not isinstance(half, dict) or set(half) != {"persons", "threshold"}:
        return False
    persons, threshold = half["persons"], half["threshold"]
    if not isinstance(persons, list) or not all(isinstance(name, str) for name in persons):
        return False
    return type(threshold) is int and 1 <= threshold <= len(set(persons)) == len(persons)


def policy_signed(story: Story, event: ev.PolicySigned, entry: Entry) -> None:
    """The keyring's own signature, as the manifest wants it."""
    found = story.placed(event.evidence, event.evidence_stream, event.evidence_sha256, entry)
    persons = event.persons.split()
    story.demand(
        found.get("persons") == sorted(persons),
        "policy-signed",
        entry,
        "its evidence names other persons who signed",
    )
    if found.get("threshold", event.threshold) != event.threshold:
        story.breaks("policy-signed", entry, "its evidence goes by another threshold")
    known = story.signed_policy = story.signed_policy or event.sums_sha256
    story.demand(
        known == event.sums_sha256 and sha256_of(known),
        "policy-signed",
        entry,
        "an earlier run went by another signed list",
    )
    if story.declared is None:
        return
    manifest = story.declared.manifest
    wanted = set(manifest.policy_signers)
    if not wanted:
        story.breaks("policy-signed", entry, "the manifest does not want the keyring signed")
    elif event.threshold != manifest.policy_threshold or not wanted.issuperset(persons):
        story.breaks("policy-signed", entry, "the manifest names other persons, or another number of them")
    elif len(set(persons)) < event.threshold:
        story.breaks("policy-signed", entry, f"{len(set(persons))} signed, and {event.threshold} must")


def memory_read(story: Story, event: ev.MemoryRead, entry: Entry) -> None:
    """An earlier release that was read is one of this name, and is named whole."""
    whole = sha256_of(event.root) and event.records > 0 and event.facts >= 0 and is_time(event.sealed)
    story.demand(whole, "memory", entry, f"{event.release} is not named with its root, its time and its records")
    if story.declared is not None:
        manifest = story.declared.manifest
        story.demand(bool(manifest.memory.evidence), "memory", entry, "the manifest names no earlier evidence")
        mine = event.release.startswith(f"{manifest.name}-") and event.release != manifest.release
        story.demand(mine, "memory", entry, f"{event.release} is no earlier release of {manifest.name}")


def item_declared(story: Story, event: ev.ItemDeclared, entry: Entry) -> None:
    """An item is declared as the manifest says, before the first stage of all."""
    story.demand(
        not story.state.stages_started, "declared", entry, f"{event.item} was declared after a stage began"
    )
    if story.declared is None:
        return
    said = ItemSpec(event.item, event.component, Stage(event.stage), event.kind, event.title)
    if story.declared.items.get(event.item) != said:
        story.breaks("declared", entry, f"{event.item} is not an item that the manifest declares so")


def stage_started(story: Story, event: ev.StageStarted, entry: Entry) -> None:
    """A stage begins after those before it, with its gate open, with all that the manifest wants declared."""
    stage, run = Stage(event.stage), story.run
    missing = set(story.declared.items if story.declared else ()) - set(story.state.items)
    if story.declared is not None and one_for_all(story.state, story.declared):
        missing -= own_roots(story.declared)
    if missing:
        what = f"{stage} began although {min(missing)}, which the manifest wants, was never declared"
        story.breaks("declared", entry, what)
    if stage not in _WAITS_FOR:
        story.breaks("stage-order", entry, f"{stage} can't begin in a log: it is sealed by then")
        return
    wants = story.declared is not None and bool(story.declared.manifest.policy_signers)
    if wants and story.state.policy_signed is None:
        story.breaks(
            "policy-signed", entry, f"{stage} began although the policy's own signature was not on record"
        )
    rotated = story.declared is not None and story.declared.policy_version > 1
    if rotated and story.state.policy_rotated is None:
        what = f"{stage} began although the versions that lead to the keyring were not on record"
        story.breaks("policy-rotated", entry, what)
    again = stage is Stage.BUILD and run.stages.get(stage)
    ended = all(run.stages.get(before) for before in _WAITS_FOR[stage])
    in_order = stage is not Stage.VERIFY or run.last == ev.StageStarted(Stage.GET_SOURCES)
    if not ended or not in_order or (stage in run.stages and not again):
        story.breaks("stage-order", entry, f"{stage} began out of its order in this run")
    running = [item.id for item in story.state.items.values() if item.status is Status.RUNNING]
    if running and not run.stages:
        story.breaks("stage-order", entry, f"{stage} began while {running[0]} was left half done")
    if stage in (Stage.BUILD, Stage.SEAL):
        gate_open(story, stage, entry)
    run.stages[stage] = False


def gate_open(story: Story, stage: Stage, entry: Entry) -> None:
    """The gate before a stage is open, and was recorded so."""
    decided = story.state.gates.get(stage)
    is_open = story.may_build() if stage is Stage.BUILD else decide(stage, story.state).open
    if decided is None or not decided.open or not is_open:
        story.breaks("gate-open", entry, f"{stage} began although its gate was not open")


def stage_ended(story: Story, event: ev.StageEnded, entry: Entry) -> None:
    """A stage ends once, nothing of it runs any more, and it says truly whether all is green."""
    stage, run = Stage(event.stage), story.run
    if run.stages.get(stage) is not False or stage is Stage.SEAL:
        story.breaks("stage-order", entry, f"{stage} ended, and had not begun")
    if stage is Stage.GET_SOURCES and Stage.VERIFY not in run.stages:
        story.breaks("stage-order", entry, f"{stage} ended before verify had begun")
    if stage is Stage.VERIFY and not (isinstance(run.last, ev.StageEnded) and run.last.stage == Stage.GET_SOURCES):
        story.breaks("stage-order", entry, f"{stage} did not end together with get-sources")
    items = [item for item in story.state.items.values() if item.stage is stage]
    for item in items:
        waits = item.status is Status.PENDING and stage is not Stage.BUILD and not is_root(item)
        if waits or item.status is Status.RUNNING:
            story.breaks("stage-ended", entry, f"{stage} ended while {item.id} was {item.status}")
    if event.ok is not all(item.green for item in items):
        story.breaks("stage-ended", entry, f"{stage} says untruly whether all its items are green")
    if stage is Stage.BUILD and run.building:
        story.breaks("stage-ended", entry, f"{stage} ended while {min(run.building)} was being built")
    run.stages[stage] = True
    if stage in (Stage.VERIFY, Stage.BUILD):
        gate = decide(Stage.BUILD if stage is Stage.VERIFY else Stage.SEAL, story.state)
        run.owes = gate.event() if story.state.gates.get(gate.stage) != gate.event() else None


def gate_decided(story: Story, event: ev.GateDecided, entry: Entry) -> None:
    """A gate says what the items say, when the stages before it have ended, and not twice the same."""
    stage = Stage(event.stage)
    if stage not in (Stage.BUILD, Stage.SEAL):
        story.breaks("gate-agrees", entry, f"a log has no gate before {stage}")
    elif not all(story.run.stages.get(before) for before in _WAITS_FOR[stage]):
        story.breaks("gate-agrees", entry, f"the gate before {stage} was judged before the stages before it ended")
    if decide(stage, story.state).event() != event:
        story.breaks("gate-agrees", entry, f"the gate before {event.stage} says what the items do not")
    if story.state.gates.get(stage) == event:
        story.breaks("gate-agrees", entry, f"the gate before {event.stage} said this already")


def sealed(story: Story, entry: Entry) -> None:
    """The log was sealed by a run that had begun to, with every stream accounted for."""
    last = story.run.last
    if not isinstance(last, ev.StageStarted) or last.stage != Stage.SEAL:
        story.breaks("sealed", entry, "the log was sealed, and no run had begun to seal it")
    if not decide(Stage.SEAL, story.state).open:
        story.breaks("sealed", entry, "the log was sealed although the gate before seal was closed")
    if story.declared and story.declared.manifest.memory.evidence and not story.state.memory:
        story.breaks(
            "memory", entry, "the manifest names earlier evidence, and the log does not say that it was read"
        )
    for stream, lawful in story.unnamed():
        if not lawful:
            story.breaks("stream-named", entry, f"stream {stream} is named by no event")


RUNS: Mapping[type[Any], Callable[[Story, Any, Entry], None]] = {
    ev.RunStarted: run_started,
    ev.RunEnded: run_ended,
    ev.SandboxHeld: sandbox_held,
    ev.PolicyRotated: policy_rotated,
    ev.PolicySigned: policy_signed,
    ev.MemoryRead: memory_read,
    ev.ItemDeclared: item_declared,
    ev.StageStarted: stage_started,
    ev.StageEnded: stage_ended,
    ev.GateDecided: gate_decided,
}
