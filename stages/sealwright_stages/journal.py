"""The engine's pen: says an event to the log, and only then lets the state know it.

- The state changes by acknowledged entries alone, so what is shown was in the log first.
- Evidence too long for a record goes as data on a stream of its own, and the event names its SHA-256.
- A warning that the manifest waives by name is waived right after its verdict, on the record.
- What builds add to while others look is read under the pen's own lock.
- From the beginning of a run until its end is said, the log's stream may not end as if all had been said.
- Texts from outside are cut to `TEXT_LIMIT` characters and `_BYTE_LIMIT` bytes before they go into a record,
  so that no text, however odd, makes a record that the log would refuse.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from sealwright_stages import events as ev
from sealwright_stages.fold import apply
from sealwright_stages.review.snapshots import freeze, thaw
from sealwright_stages.state import Product, Record, State
from sealwright_stages.verdict import Verdict, Waiver, Warned, covers

if TYPE_CHECKING:
    from sealwright_stages.manifest import Manifest
    from sealwright_stages.ports import Deleted, EventLog

TEXT_LIMIT = 400
_BYTE_LIMIT = 600  # of UTF-8: 800 as base64
_INLINE = 1200  # bytes of JSON once it is quoted in a record


class Journal:
    """Appends events and holds the state that they make."""

    def __init__(
        self,
        log: EventLog,
        state: State,
        waivers: Sequence[Waiver] = (),
        listener: Callable[[Record], None] = lambda record: None,
    ) -> None:
        self.log = log
        self.state = state
        self._waivers = waivers
        self._listener = listener
        self._lock = threading.RLock()
        self._spilled = 0
        self._resumed: bool | None = None

    def begin(self, manifest: Manifest, policy_sha256: str, tool: str, *, official: bool) -> bool:
        """Say that a run began, unless that was said; gives whether it goes on with an earlier one."""
        if self._resumed is None:
            self._resumed = self.state.runs > 0
            what = manifest.name, manifest.version, tool, manifest.sha256, policy_sha256
            self.log.all_said = False
            self.tell(ev.RunStarted(*what, self._resumed, official))
        return self._resumed

    def end(self, code: int, sentence: str, next_step: str) -> None:
        """Say how the run ended, if the log still takes it: the end itself is known without."""
        if not self.state.sealed and not self.log.lost.is_set():
            with contextlib.suppress(Exception):
                self.tell(ev.RunEnded(int(code), clip(sentence), clip(next_step)))
                self.log.all_said = True

    def tell(self, event: ev.Event) -> Record:
        """Append an event; when this returns it is durable and in the state.

        Raises:
            LogLost: the authority is gone; nothing has changed.
        """
        with self._lock:
            record = self.log.append(ev.to_body(event))
            apply(self.state, record)
            self._listener(record)
            return record

    def take(self, record: Record) -> None:
        """Take a record that the authority made by itself (`seal`) into the state."""
        with self._lock:
            apply(self.state, record)
            self._listener(record)

    def picture(self) -> State:
        """The state as it is at one moment, for the caller alone, while others go on to tell."""
        with self._lock:
            kept = freeze(self.state)
        return thaw(kept)

    def products(self, component: str) -> tuple[Product, ...]:
        """A component's products, while others may be told of."""
        with self._lock:
            return tuple(each for each in self.state.products.values() if each.component == component)

    def declare(self, spec_id: str, component: str, stage: ev.Stage, kind: str, title: str) -> None:
        """Declare an item, unless a run before has."""
        if spec_id not in self.state.items:
            self.tell(ev.ItemDeclared(spec_id, component, stage, kind, clip(title)))

    def verdict(self, item: str, verdict: Verdict) -> None:
        """Say how an item's check ended, and waive it where the manifest does."""
        text, digest, stream = self.spill(verdict.evidence)
        self.tell(
            ev.ItemVerdict(
                item=item,
                verdict=verdict.status,
                code=verdict.code,
                reason=clip(verdict.reason),
                next=clip(verdict.next_step),
                subject_sha256=verdict.subject_sha256,
                evidence=text,
                evidence_sha256=digest,
                evidence_stream=stream,
            )
        )
        for waiver in self._waivers:
            if isinstance(verdict, Warned) and covers(waiver, item, verdict):
                self.waive(waiver)

    def waive(self, waiver: Waiver) -> None:
        """Record a named acceptance, if it was given under the policy that is in force."""
        if waiver.policy_sha256 == self.state.policy_sha256:
            self.tell(
                ev.ItemWaived(
                    waiver.item,
                    waiver.code,
                    clip(waiver.person),
                    clip(waiver.reason),
                    waiver.item_sha256,
                    waiver.policy_sha256,
                )
            )

    def deleted(self, gone: Deleted) -> None:
        """Say that bytes are gone."""
        self.tell(ev.FileDeleted(gone.item, clip(gone.name), gone.sha256, gone.size, clip(gone.because)))

    def spill(self, evidence: Mapping[str, object]) -> tuple[str, str, str]:
        """Place JSON: (text or empty, SHA-256, stream or empty)."""
        text = json.dumps(evidence, sort_keys=True, default=str) if evidence else ""
        digest = hashlib.sha256(text.encode()).hexdigest() if text else ""
        if len(json.dumps(text)) <= _INLINE:
            return text, digest, ""
        with self._lock:
            self._spilled += 1
            name = f"evidence/{self.state.runs}-{self._spilled}"
        stream = self.log.open_stream(name)
        stream.write("D", text.encode())
        stream.finish(0)
        return "", digest, name


def clip(text: str) -> str:
    """`text`, cut to what a record takes."""
    data = text.encode("utf-8", "replace")
    if len(text) <= TEXT_LIMIT and len(data) <= _BYTE_LIMIT:
        return text
    return data[: _BYTE_LIMIT - 4].decode("utf-8", "ignore")[: TEXT_LIMIT - 1] + "…"
