"""The engine: walks one release through its stages, asks the gate before each, and never goes round it.

- The gate's decision before a stage is in the log before the stage begins.
- A closed gate ends an unattended run; an attended one waits for a retry, a waiver or the end.
- A retry fetches and verifies the whole component again; it can't touch a verdict. A retry of a build goes
  through the gate before the build like any other.
- A waiver is taken only for a warning, only with a person and a reason, and only for the bytes that were judged.
- Whatever ends the run is said in the log, if the log still lives; what it left unverified is deleted then, on
  the record.
- A full or refusing disk ends the run like a missing tool; it never makes an item red.
- Whatever else is raised is a defect of ours and ends the run as such; no face waits for a run that is dead.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sealwright_stages import events as ev
from sealwright_stages.attestation.words import attested
from sealwright_stages.context import Context
from sealwright_stages.errors import Exhibit, Exit, InterruptedRunError, MachineError, SealwrightError
from sealwright_stages.events import STAGES, Stage
from sealwright_stages.finish import Act
from sealwright_stages.gate import Decision, decide
from sealwright_stages.journal import TEXT_LIMIT
from sealwright_stages.log import CONTRADICTION, CONTRADICTION_NEXT, LogLost
from sealwright_stages.seal.evidence import EvidenceFolder
from sealwright_stages.sign.signing import Confirm, sign_release
from sealwright_stages.state import Product
from sealwright_stages.verdict import Status, Waiver
from sealwright_stages.verify.codes import shown
from sealwright_stages.walk_builds import BuildWalk
from sealwright_stages.walk_sources import SourceWalk


@dataclass(frozen=True)
class Retry:
    """Fetch and verify the component of `item` again."""

    item: str


@dataclass(frozen=True)
class Waive:
    """Accept the warning of `item` by name: the one with this `code`, of bytes with this `sha256`, as the person saw it.

    It may have been judged again since, and be another one.
    """

    item: str
    person: str
    reason: str
    code: str
    sha256: str


Command = Retry | Waive
_WAITING = 50_000  # commands: a retry of each item of the largest release


@dataclass(frozen=True)
class Ended:
    """How a run ended: exit code, what happened, because of what (if it went wrong), and what to do next; `exhibits`
    are the contradicting words of a log."""

    exit: Exit
    what: str
    because: str
    next_step: str
    decision: Decision | None = None
    exhibits: tuple[Exhibit, ...] = ()

    @property
    def sentence(self) -> str:
        """What happened and why, in one line."""
        return f"{self.what}: {self.because}" if self.because else self.what


class Engine:
    """Walks one release. One thread calls `run`; any thread may `post` a command."""

    def __init__(
        self, context: Context, confirm: Confirm, *, attended: bool, tool: str, official: bool = True
    ) -> None:
        self.context = context
        self.journal = context.journal
        self.confirm = confirm
        self.attended = attended
        self.tool = tool
        self.official = official
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self.sources = SourceWalk(context)
        self.builds = BuildWalk(context, self.sources)

    def post(self, command: Command) -> None:
        """Ask an attended run to do something; a command that the rules forbid changes nothing, nor does one too many."""
        if self._commands.qsize() < _WAITING:
            self._commands.put(command)

    def run(self, until: Stage = Stage.SIGN) -> Ended:
        """Walk up to and including `until`. Never raises, short of leaving the program: all is in the answer."""
        try:
            ended = self._walk(until)
        except LogLost as error:
            ended = _log_lost(str(error))
        except InterruptedRunError as error:
            lost = self.journal.log.lost.is_set() and not self.journal.state.sealed
            ended = _log_lost(self.journal.log.why_lost) if lost else _refused(error)
        except SealwrightError as error:
            ended = _refused(error)
        except OSError as error:
            where = error.filename or self.context.work.root
            because = error.strerror or str(error)
            ended = Ended(Exit.ENVIRONMENT, f"{where} can't be used", because, "make room or mend it, run again")
        except Exception as error:  # noqa: BLE001 - the last boundary: a face that waits must hear of any end
            ended = failed_itself(error)
        if ended.exit is not Exit.DONE:
            try:
                self.context.check_work()
            except MachineError as error:  # whatever it stumbled over there, this is why
                ended = _refused(error)
        if self.journal.log.exhibits:  # wherever the walk was just then
            said = self.journal.log.exhibits
            ended = Ended(Exit.LOG, CONTRADICTION, self.journal.log.why_lost, CONTRADICTION_NEXT, None, said)
        self._leave(ended)
        return ended

    def _walk(self, until: Stage) -> Ended:
        state = self.journal.state
        if not state.sealed:
            self._begin()
            for stage, walk in self._stages():
                ended = self._stage(stage, walk)
                if ended is not None:
                    return ended
                if STAGES.index(until) < STAGES.index(_following(stage)):
                    how = "run again without --until to go on"
                    return Ended(Exit.DONE, f"stopped after {until}, as asked", "", how)
        return self._finish(until)

    def _stages(self) -> tuple[tuple[Stage, Callable[[], None]], ...]:
        return ((Stage.GET_SOURCES, self.sources.walk), (Stage.BUILD, self.builds.walk))

    def _begin(self) -> None:
        journal, plan = self.journal, self.context.plan
        resumed = journal.begin(plan.manifest, plan.policy_sha256, self.tool, official=self.official)
        if self.context.held is not None:
            journal.tell(self.context.held)
        if chain := plan.policy_chain:
            placed = journal.spill(chain.told())
            journal.tell(ev.PolicyRotated(plan.policy_sha256, chain.number, *placed))
        if signed := plan.policy_signature:
            placed = journal.spill(signed.evidence)
            who, needed = " ".join(signed.persons), signed.threshold
            journal.tell(ev.PolicySigned(plan.policy_sha256, signed.sums_sha256, who, needed, *placed))
        for told in self.context.memory.read:
            if told.root not in journal.state.memory:
                journal.tell(told)
        for item in plan.items():
            journal.declare(item.id, item.component, item.stage, item.kind, item.title)
        if resumed:
            for known in list(journal.state.items.values()):
                if known.status is Status.RUNNING:
                    journal.tell(ev.ItemReset(known.id, "an earlier run ended in the middle of it"))
        self.sources.purge("left over from an earlier run that did not end")
        self.builds.clear()

    def _stage(self, stage: Stage, walk: Callable[[], None]) -> Ended | None:
        if stage is not Stage.GET_SOURCES:
            self._say_gate(decide(stage, self.journal.state))
        walk()
        self.context.check_cancel()
        following = _following(stage)
        decision = decide(following, self.journal.state)
        while not decision.open and self.attended:
            self._say_gate(decision)
            self._attend()
            decision = decide(following, self.journal.state)
        if decision.open:
            return None
        self._say_gate(decision)
        return _closed(decision)

    def _say_gate(self, decision: Decision) -> None:
        event = decision.event()
        if self.journal.state.gates.get(decision.stage) != event:
            self.journal.tell(event)

    def _attend(self) -> None:
        """Wait for one command of the release manager and carry it out."""
        while True:
            self.context.check_cancel()
            with contextlib.suppress(queue.Empty):
                self._obey(self._commands.get(timeout=0.2))
                return

    def _obey(self, command: Command) -> None:
        state = self.journal.state
        if isinstance(command, Waive) and command.item in state.items:
            item = state.items[command.item]
            if (
                item.status is Status.WARNED
                and not item.green
                and (item.code, item.subject_sha256) == (command.code, command.sha256)
                and command.person.strip()
                and command.reason.strip()
            ):
                self.journal.waive(
                    Waiver(
                        item.id,
                        item.code,
                        command.person.strip(),
                        command.reason.strip(),
                        item.subject_sha256,
                        state.policy_sha256,
                    )
                )
                if item.stage is not Stage.BUILD:
                    self.sources.settle(item.component)
        elif isinstance(command, Retry) and command.item in state.items:
            item = state.items[command.item]
            if item.stage is Stage.BUILD:
                if decide(Stage.BUILD, state).open:
                    self.builds.again(item)
            else:
                self.sources.again(item.component)

    def _leave(self, ended: Ended) -> None:
        """Say the end, after what is still unverified was deleted; both only on the record."""
        if self.journal.state.sealed or self.journal.log.lost.is_set():
            return
        with contextlib.suppress(Exception):  # how the run ended is known by now; this must not hide it
            self.context.check_work()
            self.sources.purge("the run ended before it was promoted")
        with contextlib.suppress(Exception):
            self.journal.end(ended.exit, ended.sentence, ended.next_step)

    def _finish(self, until: Stage) -> Ended:
        self.context.check_work()
        evidence, finishing = EvidenceFolder(self.context), self.context.finishing
        if not self.journal.state.sealed:
            with finishing.step(Act.POLICY, "manifest and keyring are those that the run began with"):
                evidence.check_policy()
            with finishing.step(Act.PRODUCTS) as say:
                evidence.check_products()
                say(_hashed(evidence.products()))
            evidence.check_attestation()
            decision = decide(Stage.SEAL, self.journal.state)
            self._say_gate(decision)
            if not decision.open:
                return _closed(decision)
            with finishing.step(Act.SEAL) as say:
                self.journal.tell(ev.StageStarted(Stage.SEAL))
                sealed = self.journal.log.seal()
                self.journal.take(sealed)
                say(_sealed(sealed.body))
        if not evidence.signed:
            evidence.write()
        if until is Stage.SEAL:
            sealed_as_asked = f"the log is sealed, as asked{attested(evidence.folder)}"
            return Ended(Exit.DONE, sealed_as_asked, "", "run again without --until to sign")
        decision = decide(Stage.SIGN, self.journal.state)
        if not decision.open:
            return _closed(decision)
        signed = sign_release(self.context, evidence, self.confirm)
        return Ended(Exit.DONE, f"{signed}{attested(evidence.folder)}", "", f"publish {evidence.folder}")


def _hashed(products: Sequence[Product]) -> str:
    """What was held against the log before the seal."""
    whole = sum(product.size for product in products)
    return f"{len(products):,} hashed again, {whole:,} bytes: as the log says"


def _sealed(seal: Mapping[str, object]) -> str:
    """What the log authority says that it sealed."""
    return f"{seal['records']:,} records and {seal['bytes']:,} bytes of output in {seal['segments']:,} files"


def _refused(error: SealwrightError) -> Ended:
    return Ended(error.exit_code, error.what, error.because, error.next_step, None, error.exhibits)


def _log_lost(why: str) -> Ended:
    because = why or "its authority ended"
    return Ended(Exit.LOG, "the log is lost", because, "nothing after this is proved; look at the log, run again")


def failed_itself(error: BaseException) -> Ended:
    """The end of a run that a defect of ours ended."""
    because = shown(f"{type(error).__name__}: {error}", TEXT_LIMIT)
    return Ended(Exit.ENVIRONMENT, "Sealwright itself failed", because, "report this with the log, then run again")


def _closed(decision: Decision) -> Ended:
    first = decision.blockers[0]
    what, because = f"the gate before {decision.stage} is closed", f"{first.what}: {first.why}"
    return Ended(Exit.CLOSED, what, because, f"{first.what}: {first.next_step}", decision)


def _following(stage: Stage) -> Stage:
    """The next stage that has a gate (verify is walked together with get-sources)."""
    return Stage.SEAL if stage is Stage.BUILD else Stage.BUILD
