"""Replay a log's rules: what `audit` demands of the order in which things happened.

- A stage that has a gate began only after that gate was recorded open, and the gate's rules, applied to the state as
  it was then, agree with what was recorded.
- A build began only while the gate before build was open, from sources that were promoted, under their manifest.
- A product belongs to a build that had ended with exit 0 and was not ended before.
- A promotion came after every fetch and verify item of its component was green.
- Each warning that counts as green has a waiver by name.
- Evidence that is named by SHA-256 on a stream of its own is there, and hashes so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from sealwright_stages import events as ev
from sealwright_stages.events import BadEventError, Stage
from sealwright_stages.gate import decide
from sealwright_stages.log.entries import Entry
from sealwright_stages.state import State, apply

_GATED = (Stage.BUILD, Stage.SEAL)
_LIMIT = 20


@dataclass
class Replay:
    """Feed it the entries in their order; `broken` says which rules were not kept, the first ones first."""

    read_stream: Callable[[str], bytes]
    state: State = field(default_factory=State)
    broken: list[str] = field(default_factory=list)

    def take(self, entry: Entry) -> None:
        """Judge one entry against the state before it, then fold it in."""
        try:
            if entry.kind == "ev":
                self._judge(ev.from_body(entry.body), entry)
            apply(self.state, entry)
        except (BadEventError, ValueError) as error:
            self._say(entry, f"not an event that could stand here: {error}")
        if entry.kind == "seal" and not decide(Stage.SEAL, self.state).open:
            self._say(entry, "the log was sealed although the gate before seal was closed")

    def _judge(self, event: ev.Event, entry: Entry) -> None:
        if isinstance(event, ev.GateDecided):
            if decide(Stage(event.stage), self.state).event() != event:
                self._say(entry, f"the gate before {event.stage} says what the items do not")
        elif isinstance(event, ev.StageStarted) and Stage(event.stage) in _GATED:
            self._gated(Stage(event.stage), entry)
        elif isinstance(event, ev.BuildStarted):
            self._build(event, entry)
        elif isinstance(event, ev.ProductCollected):
            component = self.state.components.get(event.component)
            if component is None or component.build_exit != 0:
                self._say(entry, f"{event.name} is no product of a build that ended well")
        elif isinstance(event, ev.SourcesPromoted):
            self._promotion(event, entry)
        elif isinstance(event, ev.ItemVerdict) and event.evidence_stream:
            self._evidence(event.evidence_stream, event.evidence_sha256, entry)

    def _gated(self, stage: Stage, entry: Entry) -> None:
        decided = self.state.gates.get(stage)
        if decided is None or not decided.open or not decide(stage, self.state).open:
            self._say(entry, f"{stage} began although its gate was not open")

    def _build(self, event: ev.BuildStarted, entry: Entry) -> None:
        self._gated(Stage.BUILD, entry)
        component = self.state.components.get(event.component)
        if component is None or not component.manifest_sha256:
            self._say(entry, f"{event.component} was built from sources that were never promoted")
        elif component.manifest_sha256 != event.manifest_sha256:
            self._say(entry, f"{event.component} was built from other sources than the promoted ones")

    def _promotion(self, event: ev.SourcesPromoted, entry: Entry) -> None:
        items = [
            item
            for item in self.state.items.values()
            if item.component == event.component and item.stage in (Stage.GET_SOURCES, Stage.VERIFY)
        ]
        if not items or not all(item.green for item in items):
            self._say(entry, f"{event.component} was promoted although not all of it was green")
        if event.facts_stream:
            self._evidence(event.facts_stream, event.facts_sha256, entry)

    def _evidence(self, stream: str, sha256: str, entry: Entry) -> None:
        try:
            found = hashlib.sha256(self.read_stream(stream)).hexdigest()
        except OSError:
            found = ""
        if found != sha256:
            self._say(entry, f"its evidence on stream {stream} is not what it names")

    def _say(self, entry: Entry, what: str) -> None:
        if len(self.broken) < _LIMIT:
            self.broken.append(f"record {entry.n}: {what}")
