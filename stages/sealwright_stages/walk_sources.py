"""The first two stages: each source is fetched into the quarantine, judged at once, and only then promoted.

- What arrives is verified as soon as it has arrived; nothing waits for the others.
- Each verdict is held against what is remembered before it goes into the log.
- A component's bytes leave the quarantine together, and only with a `Green` for every one of its items.
- What failed is deleted, and the log says so; so is what was judged green and then could not be promoted, which
  turns its component red and no other.
- A component promoted by an earlier run is verified again against its logged manifest, and fetched anew if it
  differs.
- What is left in the quarantine by a crash is purged before anything begins; what a run leaves, when it ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from sealwright_stages import events as ev
from sealwright_stages.context import Context
from sealwright_stages.crew import Bounds, work
from sealwright_stages.errors import BuildError, FetchError, SealwrightError
from sealwright_stages.events import Stage
from sealwright_stages.files import remove_tree
from sealwright_stages.get_sources.quarantine import purge
from sealwright_stages.journal import clip
from sealwright_stages.log import LogLost
from sealwright_stages.plan import items_of
from sealwright_stages.ports import Outcome, Source, Workshop
from sealwright_stages.state import Item
from sealwright_stages.verdict import Failed, Green, Passed, Status, Verdict, Warned, guarded
from sealwright_stages.verify.promote import promote
from sealwright_stages.verify.sources_manifest import check_manifest
from sealwright_stages.walk_roots import RootWalk

_PROGRESS_EVERY = 1.0  # seconds between two progress records of one item


class SourceWalk:
    """Walks get-sources and verify over a plan."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.journal = context.journal
        self._workshops: dict[str, Workshop] = {}
        self._facts: dict[str, dict[str, object]] = {}
        self._roots = RootWalk(context, self.attempt, self.progress)

    def purge(self, because: str) -> None:
        """Delete all that is in the quarantine, and say so."""
        for gone in purge(self.context.work.quarantine, because):
            component = gone.name.split("/", 1)[0]
            items = [i for i in self.journal.state.items.values() if i.component == component]
            if items:
                self.journal.deleted(replace(gone, item=items[0].id))

    def walk(self) -> None:
        """Bring every component as far as it gets; verdicts go to the log."""
        begin = [Stage.GET_SOURCES, Stage.VERIFY]
        for stage in begin:
            self.journal.tell(ev.StageStarted(stage))
        jobs = self._roots.bases()
        jobs |= {component.name: self._job(component.name) for component in self.context.plan.components()}
        work(jobs, {}, Bounds(self.context.jobs), self.context.cancel)
        self._roots.walk()
        for stage in begin:
            items = [item for item in self.journal.state.items.values() if item.stage is stage]
            self.journal.tell(ev.StageEnded(stage, all(item.green for item in items)))

    def _job(self, component: str) -> Callable[[], bool]:
        return lambda: self._component(component)

    def _component(self, component: str) -> bool:
        if self._still_stands(component):
            return True
        for item in self._items(component):
            if item.status is not Status.PENDING:
                self.journal.tell(ev.ItemReset(item.id, "its sources are fetched again"))
        fetched = [self._source(source) for source in self.context.plan.sources[component]]
        return all(fetched) and self.promote(component)

    def _items(self, component: str) -> list[Item]:
        specs = [spec for source in self.context.plan.sources[component] for spec in items_of(source)]
        return [self.journal.state.items[spec.id] for spec in specs]

    def _still_stands(self, component: str) -> bool:
        """Whether an earlier run promoted it, and its bytes are still the ones in the log."""
        known = self.journal.state.components[component].manifest_sha256
        if not known or not all(item.green for item in self._items(component)):
            return False
        return isinstance(self.recheck(component), Passed)

    def recheck(self, component: str) -> Verdict:
        """Hash a component's folder against its logged manifest, as before every later stage."""
        work_folder = self.context.work
        known = self.journal.state.components[component].manifest_sha256
        return guarded(
            lambda: check_manifest(work_folder.sources / component, work_folder.manifest_file(component), known),
            f"{component}: sources",
        )

    def _source(self, source: Source) -> bool:
        context, item = self.context, source.fetch_item.id
        workshop = self._workshop(source)
        self.journal.tell(ev.ItemStarted(item))
        verdict = self.attempt(lambda: source.fetch(workshop), source.fetch_item.title)
        self.journal.verdict(item, verdict)
        if not isinstance(verdict, Passed):
            self._delete(source, item, verdict.reason)
            self._not_checked(source)
            return False
        for spec in source.verify_items:
            self.journal.tell(ev.ItemStarted(spec.id))
        outcome = self._judge(source, workshop)
        for gone in outcome.deleted:
            self.journal.deleted(gone)
        for spec in source.verify_items:
            self.journal.verdict(
                spec.id,
                outcome.verdicts.get(
                    spec.id,
                    Failed("check-missing", f"{spec.title} was not checked", "report this with the log"),
                ),
            )
        reasons = [v.reason for v in outcome.verdicts.values() if isinstance(v, Failed)]
        if reasons or not outcome.verdicts:
            self._delete(source, source.verify_items[0].id, [*reasons, "it was not checked"][0])
        self._facts.setdefault(source.component, {}).update(outcome.facts)
        context.check_cancel()
        return True

    def _delete(self, source: Source, item: str, because: str) -> None:
        """Delete what is left of a source that failed, on the record."""
        folder = self._workshops[source.fetch_item.id].quarantine
        for gone in purge(folder, because):
            self.journal.deleted(replace(gone, item=item))
        remove_tree(folder)

    def _not_checked(self, source: Source) -> None:
        for spec in source.verify_items:
            self.journal.verdict(
                spec.id,
                Failed("not-fetched", "there is nothing to verify: it did not arrive", "mend the fetch first"),
            )

    def _judge(self, source: Source, workshop: Workshop) -> Outcome:
        outcome = Outcome({})

        def check() -> Verdict:
            nonlocal outcome
            telling = replace(workshop, progress=self.progress(source.verify_items[0].id))
            outcome = self.context.remembered(source.component, source.verify(telling))
            return Passed("judged", "")

        verdict = self.attempt(check, source.fetch_item.title)
        if isinstance(verdict, Failed):
            return Outcome({spec.id: verdict for spec in source.verify_items})
        return outcome

    def attempt(self, check: Callable[[], Verdict], what: str) -> Verdict:
        """Run a fetch or a check: refusals become red, but a lost log, a full disk or a stop ends the run."""
        refusal: SealwrightError | LogLost | None = None

        def tried() -> Verdict:
            nonlocal refusal
            try:
                return check()
            except FetchError as error:
                return Failed(error.code, f"{error.what}: {error.because}", error.next_step)
            except BuildError as error:
                return Failed(error.code, f"{error.what}: {error.because}", error.next_step)
            except (SealwrightError, LogLost) as error:
                refusal = error
                return Failed("stopped", str(error), "run again")

        verdict = guarded(tried, what)
        if refusal is not None:
            raise refusal
        return verdict

    def _workshop(self, source: Source) -> Workshop:
        context, item = self.context, source.fetch_item.id
        folder = context.work.quarantine / source.component / item.replace("/", "%")
        remove_tree(folder)
        folder.mkdir(parents=True)
        workshop = Workshop(folder, context.cache, context.cancel, self.progress(item), context.fetch_sandbox)
        self._workshops[item] = workshop
        return workshop

    def progress(self, item: str) -> Callable[[int, int, str], None]:
        """How an item says how far it is: to the log, at most once a second."""
        last = 0.0

        def tell(done: int, total: int, note: str) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= _PROGRESS_EVERY:
                last = now
                self.journal.tell(ev.ItemProgress(item, done, total, clip(note)))

        return tell

    def promote(self, component: str) -> bool:
        """Move a component out of the quarantine if every item of it is green; say whether it was."""
        items = self._items(component)
        if not all(item.green for item in items):
            return False
        self.context.check_work()
        green: dict[str, Green] = {}
        for item in items:
            verdict = item.verdict()
            if isinstance(verdict, (Passed, Warned)):
                green[item.id] = Green(item.id, verdict, item.waiver)
        sources = self.context.plan.sources[component]
        pairs = [(source, self._workshops[source.fetch_item.id]) for source in sources]
        staging = self.context.work.quarantine / component / "promoted"
        try:
            promoted = promote(component, pairs, green, staging, self.context.work.sources)
        except FetchError as error:
            self._not_promoted(component, Failed(error.code, f"{error.what}: {error.because}", error.next_step))
            return False
        facts = self._facts.get(component, {})
        text, digest, stream = self.journal.spill(facts)
        self.journal.tell(
            ev.SourcesPromoted(
                component, promoted.manifest_sha256, promoted.files, promoted.bytes, text, digest, stream
            )
        )
        remove_tree(self.context.work.quarantine / component)
        return True

    def _not_promoted(self, component: str, refusal: Failed) -> None:
        """Turn a component red whose bytes could not leave the quarantine as they were judged."""
        for source in self.context.plan.sources[component]:
            for spec in source.verify_items:
                self.journal.tell(ev.ItemReset(spec.id, "its bytes could not be promoted"))
                self.journal.verdict(spec.id, refusal)
            self._delete(source, source.verify_items[0].id, refusal.reason)

    def again(self, component: str) -> None:
        """Fetch and verify one component again, whatever it said before, then what was waiting for it."""
        if component not in self.context.plan.sources:
            work(self._roots.bases(), {}, Bounds(self.context.jobs), self.context.cancel)
            self._roots.walk()
            return
        self._component(component)
        self._roots.walk(component)

    def settle(self, component: str) -> None:
        """Promote a component whose last warning was waived, then what was waiting for it."""
        if component in self.context.plan.sources and self.promote(component):
            self._roots.walk(component)
