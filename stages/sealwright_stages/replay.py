"""Replay a log's rules: what `audit` demands of the order in which things happened.

- The items that were declared are those of the manifest, all of them before the first gate, and no others.
- A stage that has a gate began only after that gate was recorded open, and the gate's rules, applied to the state as
  it was then, agree with what was recorded.
- A promotion came after every fetch and verify item of its component was declared and green, of which one, at least,
  verified.
- A build has an item, and began only while the gate before build was open, from sources that were promoted, under
  their manifest, on a stream of its own.
- A build began only after the builds of all that the manifest says it needs were green. What it saw of their products
  was, byte for byte, what the log had of them, and is what stands at the seal. (Before version 0.1 was out, builds saw
  nothing of them, and said nothing.)
- A product belongs to a build that had ended with exit 0, and whose stream ended clean with that exit; at the seal
  that holds for the last build of each product's component.
- A product's name is one plain file name.
- Where the manifest wants the policy itself signed, that was on record before each stage began.
- Each warning that counts as green has a waiver by name.
- Evidence and facts hash as they are named, whether they stand in the event or on a stream of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sealwright_stages import events as ev
from sealwright_stages.events import BadEventError, Stage
from sealwright_stages.fold import apply
from sealwright_stages.gate import decide
from sealwright_stages.log.entries import Entry
from sealwright_stages.needed import digest_now
from sealwright_stages.ports import ItemSpec
from sealwright_stages.state import Item, State

_GATED = (Stage.BUILD, Stage.SEAL)
_LIMIT = 20


@dataclass
class Replay:
    """Feed it the entries in their order; `broken` says which rules were not kept, the first ones first.

    `stream_sha256` hashes a stream. `declared` are the manifest's items; without them (the manifest can't be read,
    which is bad enough) nothing is said of declarations. `wants_signed_policy` and `needs`, the components whose
    products each build sees, are the manifest's wish too.
    """

    stream_sha256: Callable[[str], str]
    declared: Mapping[str, ItemSpec] | None
    wants_signed_policy: bool = False
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    state: State = field(default_factory=State)
    broken: list[str] = field(default_factory=list)
    _ends: dict[str, int | None] = field(default_factory=dict)  # exit of each stream; None: it ended unclean

    def take(self, entry: Entry) -> None:
        """Judge one entry against the state before it, then fold it in."""
        try:
            if entry.kind == "ev":
                self._judge(ev.from_body(entry.body), entry)
            apply(self.state, entry)
        except (BadEventError, ValueError) as error:
            self._say(entry, f"not an event that could stand here: {error}")
        if entry.kind == "eof":
            self._ends[entry.stream] = entry.body.get("exit") if entry.body.get("clean") is True else None
        if entry.kind == "seal":
            self._sealed(entry)

    def _judge(self, event: ev.Event, entry: Entry) -> None:
        if isinstance(event, ev.ItemDeclared):
            self._declaration(event, entry)
        elif isinstance(event, ev.GateDecided):
            if decide(Stage(event.stage), self.state).event() != event:
                self._say(entry, f"the gate before {event.stage} says what the items do not")
        elif isinstance(event, ev.StageStarted):
            self._stage(Stage(event.stage), entry)
        elif isinstance(event, ev.BuildStarted):
            self._build(event, entry)
        elif isinstance(event, ev.ProductCollected):
            self._product(event, entry)
        elif isinstance(event, ev.SourcesPromoted):
            self._promotion(event, entry)
            self._evidence(event.facts, event.facts_stream, event.facts_sha256, entry)
        elif isinstance(event, (ev.ItemVerdict, ev.PolicySigned)):
            self._evidence(event.evidence, event.evidence_stream, event.evidence_sha256, entry)

    def _declaration(self, event: ev.ItemDeclared, entry: Entry) -> None:
        if self.declared is None:
            return
        said = ItemSpec(event.item, event.component, Stage(event.stage), event.kind, event.title)
        if self.declared.get(event.item) != said:
            self._say(entry, f"{event.item} is not an item that the manifest declares so")

    def _stage(self, stage: Stage, entry: Entry) -> None:
        if self.wants_signed_policy and self.state.policy_signed is None:
            self._say(entry, f"{stage} began although the policy's own signature was not on record")
        if stage in _GATED:
            self._gated(stage, entry)

    def _gated(self, stage: Stage, entry: Entry) -> None:
        decided = self.state.gates.get(stage)
        if decided is None or not decided.open or not decide(stage, self.state).open:
            self._say(entry, f"{stage} began although its gate was not open")
        if missing := set(self.declared or ()) - set(self.state.items):
            self._say(
                entry, f"{stage} began although {min(missing)}, which the manifest wants, was never declared"
            )

    def _build(self, event: ev.BuildStarted, entry: Entry) -> None:
        self._gated(Stage.BUILD, entry)
        item = self.state.items.get(event.item)
        if item is None or item.stage is not Stage.BUILD or item.component != event.component:
            self._say(entry, f"{event.item} is no build of {event.component} that was declared")
        if event.stream in self._ends:
            self._say(entry, f"{event.component} was built on stream {event.stream}, which had ended before")
        component = self.state.components.get(event.component)
        if component is None or not component.manifest_sha256:
            self._say(entry, f"{event.component} was built from sources that were never promoted")
        elif component.manifest_sha256 != event.manifest_sha256:
            self._say(entry, f"{event.component} was built from other sources than the promoted ones")
        self._needed(event, entry)

    def _needed(self, event: ev.BuildStarted, entry: Entry) -> None:
        self._evidence(event.needs, event.needs_stream, event.needs_sha256, entry)
        if self.declared is None:
            return
        needs = self.needs.get(event.component, ())
        for need in needs:
            item = self.state.items.get(f"{need}/build")
            if item is None or not item.green or not self._ended_well(need):
                self._say(entry, f"{event.component} was built although {need}, which it needs, was not")
        if event.needs_sha256 not in ("", digest_now(self.state, needs)):
            self._say(entry, f"{event.component} was built with other products than those of what it needs")

    def _product(self, event: ev.ProductCollected, entry: Entry) -> None:
        if "/" in event.name or event.name in (".", "..") or not event.name.isprintable():
            self._say(entry, f"{event.name!r} is no plain file name")
        if not self._ended_well(event.component):
            self._say(entry, f"{event.name} is no product of a build that ended well")

    def _ended_well(self, name: str) -> bool:
        """Whether the last build of a component said its exit 0, and its stream the same, cleanly."""
        component = self.state.components.get(name)
        return component is not None and component.build_exit == 0 and self._ends.get(component.build_stream) == 0

    def _promotion(self, event: ev.SourcesPromoted, entry: Entry) -> None:
        items = [item for item in self.state.items.values() if _of_sources(item, event.component)]
        wanted = {spec.id for spec in (self.declared or {}).values() if _of_sources(spec, event.component)}
        if late := wanted - {item.id for item in items}:
            self._say(entry, f"{event.component} was promoted before {min(late)} was even declared")
        if not all(item.green for item in items):
            self._say(entry, f"{event.component} was promoted although not all of it was green")
        if not any(item.stage is Stage.VERIFY for item in items):
            self._say(entry, f"{event.component} was promoted although nothing of it was verified")

    def _evidence(self, text: str, stream: str, sha256: str, entry: Entry) -> None:
        try:
            found = self.stream_sha256(stream) if stream else hashlib.sha256(text.encode()).hexdigest()
        except (OSError, ValueError):
            found = "nothing"
        if (stream and text) or found != (sha256 or hashlib.sha256().hexdigest()):
            self._say(entry, f"its evidence {f'on stream {stream}' if stream else 'in it'} is not what it names")

    def _sealed(self, entry: Entry) -> None:
        if not decide(Stage.SEAL, self.state).open:
            self._say(entry, "the log was sealed although the gate before seal was closed")
        for component in sorted({product.component for product in self.state.products.values()}):
            if not self._ended_well(component):
                self._say(entry, f"the last build of {component}, which has products, did not end well")
            with_now = "", digest_now(self.state, self.needs.get(component, ()))
            if self.declared is not None and self.state.components[component].built_with not in with_now:
                self._say(entry, f"{component} was built with products that are not those of the release")

    def _say(self, entry: Entry, what: str) -> None:
        if len(self.broken) < _LIMIT:
            self.broken.append(f"record {entry.n}: {what}")


def _of_sources(item: Item | ItemSpec, component: str) -> bool:
    """Whether an item speaks of a component's sources."""
    return item.component == component and item.stage in (Stage.GET_SOURCES, Stage.VERIFY)
