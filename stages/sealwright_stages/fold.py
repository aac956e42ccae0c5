"""The fold over the log that makes the state of a release: pure, one event after the other.

- `apply` owns the state that it is given and changes it in place, so that an event costs the same in a release
  of ten thousand items as in one of ten; whoever needs an old state asks `review.past`.
- An event about something that was never declared is `BadEventError`: the log is not one of ours.
- A verdict replaces the one before it; a reset takes it away together with its waiver.
- A reset of a source takes its promotion away, a reset of a build its products, that of a second build what is known
  of it.
- What a second build says never touches what is known of the first, nor the products.
- For whom a build waits stays with its item until it begins.
- A waiver counts only while the verdict that it names stands.
- A policy's own signature counts for the run that checked it, and for the policy that the run goes by.
- A log goes on only under the release, manifest and policy that it began with.
- What was accepted once (promoted; of a build root, green) is kept with its evidence, whatever becomes of it later.
- Of the files of an item that were deleted the first 100 are named, and all are counted.
- A component has at most 200,000 items, more than a manifest can declare: what a forged log says costs no more time
  than what it takes to read it.
- What earlier releases tell is read before the first item is declared, each of them once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from sealwright_stages import events as ev
from sealwright_stages.events import BadEventError, Stage
from sealwright_stages.state import Component, Item, Product, Record, Sample, State
from sealwright_stages.verdict import Status, Waiver, covers

_SAMPLES = 120
"""Samples of a build that are kept, the newest."""
_TOOK = 5
_DELETED = 100
_ITEMS = 200_000


def fold(entries: Iterable[Record], state: State | None = None) -> State:
    """Apply `entries` in order to `state` (a new one if left out).

    Raises:
        BadEventError: an entry is no event of ours, or speaks of what was never declared.
    """
    state = State() if state is None else state
    for entry in entries:
        apply(state, entry)
    return state


def apply(state: State, entry: Record, event: ev.Event | None = None) -> State:
    """Take one entry into the state and return that state; `event` is what it says, if that was read already."""
    state.last_n, state.last_t = entry.n, entry.t
    state.first_t = state.first_t or entry.t
    if entry.kind == "seal":
        state.sealed = True
    elif entry.kind == "eof" and entry.body.get("clean") is False:
        state.unclean.append(str(entry.body.get("stream", "")))
    elif entry.kind == "ev":
        event = ev.from_body(entry.body) if event is None else event
        _HANDLERS[type(event)](state, event, entry)
    return state


def _item(state: State, name: str) -> Item:
    try:
        return state.items[name]
    except KeyError:
        raise BadEventError(f"item {name!r} was never declared") from None


def _component(state: State, name: str) -> Component:
    try:
        return state.components[name]
    except KeyError:
        raise BadEventError(f"component {name!r} was never declared") from None


def _stage(name: str) -> Stage:
    try:
        return Stage(name)
    except ValueError:
        raise BadEventError(f"no stage is called {name!r}") from None


def _put(state: State, item: Item, entry: Record) -> None:
    before = state.items.get(item.id)
    if before is not None:
        state.counts[before.stage, before.status] -= 1
    key = item.stage, item.status
    state.counts[key] = state.counts.get(key, 0) + 1
    state.items[item.id] = replace(item, n=entry.n, t=entry.t)
    state.updated[item.component] = entry.t


def _turn(state: State, name: str, **changes: Any) -> Component:
    """Put a component's successor, with these changes, in its place."""
    component = state.components[name] = replace(_component(state, name), **changes)
    return component


def _run_started(state: State, event: ev.RunStarted, entry: Record) -> None:
    began = state.release, state.version, state.manifest_sha256, state.policy_sha256
    if state.runs and began != (event.release, event.version, event.manifest_sha256, event.policy_sha256):
        raise BadEventError("a run goes on under another release, manifest or policy than the log began with")
    state.release, state.version, state.tool = event.release, event.version, event.tool
    state.manifest_sha256, state.policy_sha256 = event.manifest_sha256, event.policy_sha256
    state.policy_signed = state.policy_rotated = None
    state.runs += 1
    state.ended = None


def _sandbox_held(state: State, event: ev.SandboxHeld, entry: Record) -> None:
    state.held = event


def _policy_rotated(state: State, event: ev.PolicyRotated, entry: Record) -> None:
    if not state.runs or event.policy_sha256 != state.policy_sha256:
        raise BadEventError("versions lead to another policy than the one that the run goes by")
    state.policy_rotated = event


def _policy_signed(state: State, event: ev.PolicySigned, entry: Record) -> None:
    if not state.runs or event.policy_sha256 != state.policy_sha256:
        raise BadEventError("another policy was signed than the one that the run goes by")
    state.policy_signed = event


def _memory_read(state: State, event: ev.MemoryRead, entry: Record) -> None:
    if state.items or event.root in state.memory:
        raise BadEventError(f"{event.release} was remembered too late, or twice")
    state.memory[event.root] = event


def _turn_build(state: State, event: ev.BuildStarted | ev.BuildSample | ev.BuildEnded, **changes: Any) -> None:
    """Do the same to what is known of a component's build, the first or the second."""
    known = _component(state, event.component)
    if event.second:
        known = state.seconds.get(event.component, Component(event.component))
    (state.seconds if event.second else state.components)[event.component] = replace(known, **changes)


def _item_declared(state: State, event: ev.ItemDeclared, entry: Record) -> None:
    if event.item in state.items:
        raise BadEventError(f"item {event.item!r} was declared twice")
    stage = _stage(event.stage)
    known = state.components.setdefault(event.component, Component(event.component)).items
    if len(known) >= _ITEMS:
        raise BadEventError(f"{event.component!r} has more items than a manifest can declare")
    _turn(state, event.component, items=(*known, event.item))
    _put(state, Item(event.item, event.component, stage, event.kind, event.title), entry)


def _stage_started(state: State, event: ev.StageStarted, entry: Record) -> None:
    state.stages_started[_stage(event.stage)] = entry.t
    state.stages_ended.pop(_stage(event.stage), None)
    state.stages_ended_at.pop(_stage(event.stage), None)


def _stage_ended(state: State, event: ev.StageEnded, entry: Record) -> None:
    state.stages_ended[_stage(event.stage)] = event.ok
    state.stages_ended_at[_stage(event.stage)] = entry.t


def _item_started(state: State, event: ev.ItemStarted, entry: Record) -> None:
    item = _item(state, event.item)
    tries = item.tries + 1
    running = replace(item, status=Status.RUNNING, tries=tries, waiver=None, note="", began=entry.t, judged="")
    _put(state, running, entry)


def _item_progress(state: State, event: ev.ItemProgress, entry: Record) -> None:
    item = _item(state, event.item)
    _put(state, replace(item, done=event.done, total=event.total, note=event.note), entry)


def _item_verdict(state: State, event: ev.ItemVerdict, entry: Record) -> None:
    item = _item(state, event.item)
    if event.verdict not in (Status.PASSED, Status.WARNED, Status.FAILED):
        raise BadEventError(f"{event.item}: {event.verdict!r} is no verdict")
    status = Status(event.verdict)
    _put(
        state,
        replace(
            item,
            status=status,
            code=event.code,
            reason=event.reason,
            next_step=event.next,
            subject_sha256=event.subject_sha256,
            evidence=event.evidence,
            evidence_sha256=event.evidence_sha256,
            evidence_stream=event.evidence_stream,
            waiver=None,
            judged=entry.t,
        ),
        entry,
    )
    _accept_root(state, item.id)


def _accept_root(state: State, name: str) -> None:
    """Keep an item of a build root once it is green; nothing else promotes it."""
    item = state.items[name]
    if item.green and item.component.startswith("environment "):
        state.accepted.append(item)


def _item_reset(state: State, event: ev.ItemReset, entry: Record) -> None:
    old = _item(state, event.item)
    fresh = Item(old.id, old.component, old.stage, old.kind, old.title, tries=old.tries)
    _put(state, fresh, entry)
    if old.stage is not Stage.BUILD:
        _turn(state, old.component, manifest_sha256="")
        return
    if old.id == f"{old.component}/reproduce":
        state.seconds.pop(old.component, None)
    if old.id != f"{old.component}/build":
        return
    for key in [key for key in state.products if key[0] == old.component]:
        del state.products[key]


def _file_deleted(state: State, event: ev.FileDeleted, entry: Record) -> None:
    item = _item(state, event.item)
    named = item.deleted if len(item.deleted) >= _DELETED else (*item.deleted, event.name)
    _put(state, replace(item, deleted=named, gone=item.gone + 1), entry)


def _item_waived(state: State, event: ev.ItemWaived, entry: Record) -> None:
    item = _item(state, event.item)
    waiver = Waiver(event.item, event.code, event.person, event.reason, event.item_sha256, event.policy_sha256)
    verdict = item.verdict()
    if verdict is None or not covers(waiver, item.id, verdict) or waiver.policy_sha256 != state.policy_sha256:
        raise BadEventError(f"{event.item}: a waiver that covers nothing")
    _put(state, replace(item, waiver=waiver), entry)
    _accept_root(state, item.id)


def _sources_promoted(state: State, event: ev.SourcesPromoted, entry: Record) -> None:
    component = _turn(
        state,
        event.component,
        manifest_sha256=event.manifest_sha256,
        files=event.files,
        bytes=event.bytes,
        facts=event.facts,
        facts_sha256=event.facts_sha256,
        facts_stream=event.facts_stream,
    )
    state.updated[event.component] = entry.t
    known = (state.items[name] for name in component.items)
    state.accepted += [item for item in known if item.stage is Stage.VERIFY and item.green]


def _gate_decided(state: State, event: ev.GateDecided, entry: Record) -> None:
    state.gates[_stage(event.stage)] = event


def _build_started(state: State, event: ev.BuildStarted, entry: Record) -> None:
    most = event.most_seconds, event.most_memory, event.most_disk, event.most_processes
    _turn_build(
        state,
        event,
        building=True,
        build_stream=event.stream,
        build_started=entry.t,
        build_ended="",
        build_exit=None,
        recipe=event.recipe,
        environment=event.environment,
        environment_sha256=event.environment_sha256,
        epoch=event.epoch,
        limits=most if any(most) else (),
        samples=(),
        end=None,
        built_from=event.manifest_sha256,
        built_with=event.needs_sha256,
    )


def _build_stopped(state: State, event: ev.BuildStopped, entry: Record) -> None:
    item = _item(state, event.item)
    because = f"stopped by {', '.join(event.by.split())}, which it needs and which is not built"
    _put(state, replace(item, note=because), entry)


def _build_sample(state: State, event: ev.BuildSample, entry: Record) -> None:
    figures = event.cpu, event.memory, event.processes, event.read, event.written, event.disk, event.files
    known = (state.seconds if event.second else state.components).get(event.component)
    samples = (*(known.samples if known else ()), Sample(*figures, at=entry.t))
    _turn_build(state, event, samples=samples[-_SAMPLES:])


def _build_ended(state: State, event: ev.BuildEnded, entry: Record) -> None:
    known = (state.seconds if event.second else state.components).get(event.component)
    took = known.took if known else ()
    if event.exit == 0 and not event.because:
        took = (*took, event)[-_TOOK:]
    _turn_build(
        state,
        event,
        building=False,
        build_exit=event.exit,
        build_ended=entry.t,
        wall_ms=event.wall_ms,
        end=event,
        took=took,
    )


def _product_collected(state: State, event: ev.ProductCollected, entry: Record) -> None:
    _component(state, event.component)
    state.products[event.component, event.name] = Product(
        event.component, event.name, event.sha256, event.size, entry.n
    )


def _product_compared(state: State, event: ev.ProductCompared, entry: Record) -> None:
    key = event.component, event.name
    if key not in state.products:
        raise BadEventError(f"{event.component}: {event.name!r} was compared but never collected")
    state.products[key] = replace(state.products[key], compared=event.result, reference=event.reference)


def _run_ended(state: State, event: ev.RunEnded, entry: Record) -> None:
    state.ended = event


_HANDLERS: Mapping[type[object], Callable[[State, Any, Record], None]] = {
    ev.RunStarted: _run_started,
    ev.SandboxHeld: _sandbox_held,
    ev.PolicyRotated: _policy_rotated,
    ev.PolicySigned: _policy_signed,
    ev.MemoryRead: _memory_read,
    ev.ItemDeclared: _item_declared,
    ev.StageStarted: _stage_started,
    ev.StageEnded: _stage_ended,
    ev.ItemStarted: _item_started,
    ev.ItemProgress: _item_progress,
    ev.ItemVerdict: _item_verdict,
    ev.ItemReset: _item_reset,
    ev.FileDeleted: _file_deleted,
    ev.ItemWaived: _item_waived,
    ev.SourcesPromoted: _sources_promoted,
    ev.GateDecided: _gate_decided,
    ev.BuildStarted: _build_started,
    ev.BuildStopped: _build_stopped,
    ev.BuildSample: _build_sample,
    ev.BuildEnded: _build_ended,
    ev.ProductCollected: _product_collected,
    ev.ProductCompared: _product_compared,
    ev.RunEnded: _run_ended,
}
