"""What the stages share while a release is walked: the plan, the pen, the folders and the way to stop."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sealwright_stages.durations import Durations
from sealwright_stages.errors import InterruptedRunError, LogError, MachineError
from sealwright_stages.events import SandboxHeld
from sealwright_stages.finish import Finishing
from sealwright_stages.journal import Journal
from sealwright_stages.live import Live
from sealwright_stages.log.entries import read_stream
from sealwright_stages.memory.recall import Recall
from sealwright_stages.plan import Plan
from sealwright_stages.ports import FetchSandbox, Outcome, Prepared
from sealwright_stages.verdict import Failed
from sealwright_stages.work import WorkFolder

_GONE = "it was moved or deleted while the run worked in it"


@dataclass
class Context:
    """One run of one release; each component's build root is in `prepared`, or in `refused` with the reason."""

    plan: Plan
    journal: Journal
    work: WorkFolder
    cache: Path
    fetch_sandbox: FetchSandbox
    jobs: int
    cancel: threading.Event
    memory: Recall
    held: SandboxHeld | None = None
    """That the sandbox holds on this machine, which is told when a run begins."""
    prepared: dict[str, Prepared] = field(default_factory=dict)
    refused: dict[str, Failed] = field(default_factory=dict)
    live: Live = field(default_factory=Live)
    stands: Callable[[], bool] = lambda: True
    """Whether the work folder is still the one whose lock the run holds."""
    finishing: Finishing = field(default_factory=Finishing)
    """How far seal and sign are, for the faces."""

    @property
    def durations(self) -> Durations:
        """How long builds took on this machine."""
        return Durations(self.cache / "durations")

    def check_cancel(self) -> None:
        """Go on, or raise because the run was interrupted, the log lost or the work folder gone."""
        self.check_work()
        if reason := self.stop_reason():
            if self.journal.log.lost.is_set():
                raise LogError("the run was stopped", reason, "start the log authority, then run again")
            raise InterruptedRunError("the run was stopped", reason, "run again to resume")

    def check_work(self) -> None:
        """Go on in the work folder that the run began in; one that lies there now is none of ours.

        Raises:
            MachineError: it was moved or deleted.
        """
        if not self.stands():
            next_step = "run again in the folder where it is now, or anew"
            raise MachineError(f"{self.work.root} is not the run's folder any more", _GONE, next_step)

    def stop_reason(self) -> str:
        """Why everything must stop now, or nothing."""
        if not self.stands():
            return _GONE
        if self.journal.log.lost.is_set():
            return "the log authority is lost"
        return "it was interrupted" if self.cancel.is_set() else ""

    def facts(self, component: str) -> dict[str, object]:
        """What verify found out about a component for its build, read back from the log.

        Raises:
            LogError: the log's copy does not hash as the event says.
        """
        known = self.journal.state.components[component]
        text = known.facts.encode()
        if known.facts_stream:
            text = read_stream(self.journal.log.log_dir, known.facts_stream)
        if not known.facts_sha256:
            return {}
        if hashlib.sha256(text).hexdigest() != known.facts_sha256:
            raise LogError(
                f"{component}: what the log holds about it",
                "it does not hash as recorded",
                "do not go on: audit",
            )
        facts = json.loads(text)
        return dict(facts)

    def remembered(self, component: str, outcome: Outcome) -> Outcome:
        """What checking something of `component` gave, in the light of what is remembered.

        Raises:
            LogError: the log's copy of earlier evidence does not hash as it says.
        """
        return self.memory.outcome(outcome, component, self.journal.state, self.journal.log.log_dir)
