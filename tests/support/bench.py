"""A release on the bench: real manifest, engine, walks and folders; fakes at the ports only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sealwright_keyring.policy import Person, Policy, read_files
from sealwright_stages import events as ev
from sealwright_stages.context import Context
from sealwright_stages.declared import Declaration
from sealwright_stages.engine import Command, Ended, Engine
from sealwright_stages.events import Stage
from sealwright_stages.finish import Finish, Finishing
from sealwright_stages.fold import fold
from sealwright_stages.gate import decide
from sealwright_stages.journal import Journal
from sealwright_stages.manifest import load
from sealwright_stages.memory.ledger import Ledger
from sealwright_stages.memory.recall import Recall
from sealwright_stages.plan import Plan
from sealwright_stages.ports import BuildJob
from sealwright_stages.replay import Replay
from sealwright_stages.sign.signing import Confirm
from sealwright_stages.state import State
from sealwright_stages.work import WorkFolder
from support.memory_log import Kept, MemoryLog
from support.release_folder import HEAD, component, write_release
from support.scripted import NoSandbox, ScriptedBuilder, ScriptedSource
from support.stories import POLICY


class Bench:
    """Holds what outlives a run; each call of `run` is a console started anew over it."""

    def __init__(self, folder: Path, *names: str, manifest: str = "") -> None:
        text = manifest or HEAD + "".join(component(name) for name in names)
        self.manifest = load(write_release(folder, text))
        names = tuple(spec.name for spec in self.manifest.components)
        self.sources = {name: ScriptedSource(name) for name in names}
        self.builder = ScriptedBuilder(on_run=self._watch)
        self.work = WorkFolder(folder / "work")
        self.kept = Kept(self.work.log)
        self.log = MemoryLog(self.kept)
        self.cancel = threading.Event()
        self.cache = folder / "cache"
        self.confirm = Confirm(self._no_signer, lambda request: None)
        self.jobs = 1
        self.ledger = Ledger
        self.held: ev.SandboxHeld | None = None
        self.read: tuple[ev.MemoryRead, ...] = ()
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.listener: Callable[[Any], None] = lambda record: None
        self.unlawful: list[str] = []
        self.gone = False
        self.finishing = Finishing()

    def run(
        self,
        until: Stage = Stage.SEAL,
        *,
        die_at: int = 0,
        keeps_last: bool = False,
        commands: tuple[Command, ...] = (),
    ) -> Ended:
        """Start a console, walk the release, and let go."""
        context = self.context(die_at, keeps_last=keeps_last)
        self.finishing = context.finishing
        engine = Engine(context, self.confirm, attended=bool(commands), tool="sealwright test")
        for command in commands:
            engine.post(command)
        return engine.run(until)

    def context(self, die_at: int = 0, *, keeps_last: bool = False) -> Context:
        """What a run works in, taken up from the log as it is."""
        self.work.prepare(self.manifest.release)
        self.log = MemoryLog(self.kept, die_at, keeps_last=keeps_last)
        self.cancel = threading.Event()
        journal = Journal(self.log, self.state(), self.manifest.waivers, self.listener)
        sandbox: Any = NoSandbox()
        memory = Recall(self.manifest, self.ledger(), self.read, self.clock)
        context = Context(self.plan(), journal, self.work, self.cache, sandbox, self.jobs, self.cancel, memory)
        context.held = self.held
        context.stands = lambda: not self.gone
        return context

    @property
    def finish(self) -> Finish:
        """How far seal and sign are, as the last run told it."""
        return self.finishing.now

    def plan(self) -> Plan:
        """What is to be walked, under the keyring as it lies there."""
        sources = {name: [source] for name, source in self.sources.items()}
        persons = {"manager-a": Person("manager-a", ("A" * 40,))}
        policy = Policy(self.manifest.keyring, POLICY, persons, (), read_files(self.manifest.keyring))
        return Plan(self.manifest, policy, sources, self.builder)

    def state(self) -> State:
        """What the log says now."""
        return fold(self.kept.entries)

    def told(self, kind: type[ev.Event]) -> list[Any]:
        """The events of a kind, in the log's order."""
        events = [ev.from_body(entry.body) for entry in self.kept.entries if entry.kind == "ev"]
        return [event for event in events if isinstance(event, kind)]

    def summary(self) -> dict[str, object]:
        """What must be the same whatever happened on the way."""
        state = self.state()
        return {
            "items": {item.id: (item.status, item.subject_sha256, item.waiver) for item in state.items.values()},
            "sources": {name: each.manifest_sha256 for name, each in state.components.items()},
            "products": {key: product.sha256 for key, product in state.products.items()},
            "files": sorted(str(p.relative_to(self.work.root)) for p in self.work.products.rglob("*.tar")),
            "sealed": state.sealed,
            "quarantine": list(self.work.quarantine.iterdir()),
        }

    def broken_rules(self) -> list[str]:
        """What an audit's replay of the log finds."""
        plan = self.plan()
        fetch_of = {
            spec.id: source.fetch_item.id for source in self.sources.values() for spec in source.verify_items
        }
        items = {spec.id: spec for spec in plan.items()}
        declared = Declaration(self.manifest, plan.policy_sha256, items, fetch_of)
        replay = Replay(
            lambda stream: (self.kept.folder / "data" / stream / "00000000.log").read_bytes(), declared
        )
        for entry in self.kept.entries:
            replay.take(entry)
        return replay.broken

    def stands(self, name: str) -> bool:
        """Whether a component's verified sources are in their folder."""
        return (self.work.sources / name).exists()

    def stops(self, name: str) -> None:
        """Make the source of `name` interrupt the run when it is fetched the next time."""
        self.sources[name].on_fetch = lambda workshop: workshop.cancel.set()

    def _watch(self, job: BuildJob) -> None:
        if not decide(Stage.BUILD, self.state()).open:
            self.unlawful.append(job.component)

    def _no_signer(self) -> Any:
        raise AssertionError("the signer was asked")
