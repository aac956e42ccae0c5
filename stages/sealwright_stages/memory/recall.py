"""What a run remembers: the ledger of earlier releases, and what its own log has accepted so far.

- An item that this log accepted counts like one of an earlier release, also after it was reset.
- What this run has judged green of another component counts too, also before it is accepted: two components that are
  judged at once are held against each other.
- Evidence counts only if it hashes as its verdict says.
- A verdict is looked at before it goes into the log; whatever goes wrong with that makes it red.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sealwright_appendlog.record import stream_name
from sealwright_stages.errors import LogError
from sealwright_stages.estimate import Earlier, Kind
from sealwright_stages.events import MemoryRead
from sealwright_stages.log.entries import read_stream
from sealwright_stages.manifest import Manifest
from sealwright_stages.memory.decide import Rules, remembered
from sealwright_stages.memory.facts import Fact, Origin, facts_of
from sealwright_stages.memory.ledger import Ledger
from sealwright_stages.ports import Outcome
from sealwright_stages.state import Item, State
from sealwright_stages.verdict import Failed, Verdict


class Recall:
    """The memory of one run; any thread may ask."""

    def __init__(
        self,
        manifest: Manifest,
        ledger: Ledger | None = None,
        read: Sequence[MemoryRead] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        took: Mapping[Kind, tuple[Earlier, ...]] | None = None,
    ) -> None:
        """A memory of the facts in `ledger`, which came out of the logs that `read` names; `took`: of their builds."""
        self.read = tuple(read)
        self.took = took or {}
        self._manifest = manifest
        self._ledger = ledger or Ledger()
        self._seen = Ledger()
        self._clock = clock
        self._lock = threading.Lock()
        self._taken = 0

    def outcome(self, outcome: Outcome, component: str, state: State, log: Path | None) -> Outcome:
        """What checking a source gave, with each verdict in the light of what is remembered."""
        judged = {item: self.verdict(verdict, component, state, log) for item, verdict in outcome.verdicts.items()}
        return replace(outcome, verdicts=judged)

    def verdict(self, verdict: Verdict, component: str, state: State, log: Path | None) -> Verdict:
        """One verdict about something of `component`, in the light of what is remembered.

        Raises:
            LogError: the log's copy of earlier evidence does not hash as it says.
            ValueError: the evidence tells its facts crookedly.
        """
        if isinstance(verdict, Failed):
            return verdict  # what is red is nothing to remember, and its evidence may lack what facts are made of
        facts = facts_of(component, verdict.evidence, verdict.subject_sha256, Origin())
        with self._lock:
            self._take_own(state, log)
            beside = [each for fact in facts for each in self._seen.contradictions(fact)]
            others = [each for each in beside if each.then.component != component]
            judged = remembered(verdict, facts, self._ledger, self._rules(component), self._clock(), others)
            if not isinstance(judged, Failed):
                self._seen.take(facts)
            return judged

    def _take_own(self, state: State, log: Path | None) -> None:
        """Take in what this log has accepted since it was asked last; what can't be read is asked for again."""
        for item in state.accepted[self._taken :]:
            self._ledger.take(facts_of_item(item, log, Origin(n=item.n)))
            self._taken += 1

    def _rules(self, component: str) -> Rules:
        memory = self._manifest.memory
        own = next((c.fresh_days for c in self._manifest.components if c.name == component), None)
        return Rules(memory.accepted, own or memory.fresh_days)


def facts_of_item(item: Item, log: Path | None, origin: Origin) -> tuple[Fact, ...]:
    """The facts of an item that was accepted; `log` is the folder of the log that it stands in.

    Raises:
        LogError: its evidence does not hash as its verdict says.
        ValueError: the evidence tells its facts crookedly.
    """
    return facts_of(item.component, evidence_of(item, log), item.subject_sha256, origin)


def evidence_of(item: Item, log: Path | None) -> Mapping[str, object]:
    """The evidence of an item's verdict, empty if it has none; `log` is the folder of the log that it stands in.

    Raises:
        LogError: it does not hash as the verdict says.
        ValueError: it is no table, or stands on no stream that there could be.
    """
    if not item.evidence_sha256:
        return {}
    text = item.evidence.encode()
    if item.evidence_stream:
        text = read_stream(log, stream_name(item.evidence_stream))
    if hashlib.sha256(text).hexdigest() != item.evidence_sha256:
        raise LogError(
            f"{log}: the evidence of {item.id}", "it does not hash as its verdict says", "audit that log"
        )
    try:
        evidence = json.loads(text)
    except RecursionError as error:
        raise ValueError(f"the evidence of {item.id} nests without end") from error
    if not isinstance(evidence, dict):
        raise ValueError(f"the evidence of {item.id} is no table")
    return evidence
