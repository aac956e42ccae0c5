"""The second build of a component, in other surroundings: once its first is green, where the manifest asks for it.

- It is made from the same sources, in the same build root, with the same date and needs, and is an item of its own.
- Its products never come to `products/`: they lie beside what builds write until they were compared, then they are gone.
- The same bytes, all of them and no others: green. Anything else is a warning, with both digests and a report in its
  evidence, and stays until a person waives it or asks for another try.
- A second build that fails, could not be run or has products that are refused is red: nobody knows what it would give.
- Nothing that needs the component waits for it, only the gate before the seal.
- A verdict stands as long as it is about the products that stand. With the first build it is undone.
- A component whose build root is another by now can't be built a second time as the first: it is built anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sealwright_stages import events as ev
from sealwright_stages.build_attempt import attempted, job_of
from sealwright_stages.context import Context
from sealwright_stages.errors import BuildError
from sealwright_stages.files import remove_tree
from sealwright_stages.manifest import ComponentSpec
from sealwright_stages.needed import listed
from sealwright_stages.plan import build_item, reproduce_item
from sealwright_stages.ports import Collected, Report, Side
from sealwright_stages.twice import Twice
from sealwright_stages.verdict import Failed, Passed, Status, Verdict, Warned
from sealwright_stages.verify.codes import failed

_AGAIN = "read its log; mend the build, or leave out of `vary` what it can't bear, and run again"
_LABELS = ("first", "second")


class SecondBuilds:
    """Builds a second time, and compares. `refusal` says why a component must not be built now, if something does."""

    def __init__(
        self,
        context: Context,
        refusal: Callable[[ComponentSpec], Failed | None],
        sees: Mapping[str, tuple[str, ...]],
    ) -> None:
        self.context = context
        self.journal = context.journal
        self._refusal = refusal
        self._sees = sees
        self._forgotten: set[str] = set()

    def wanted(self, component: ComponentSpec) -> bool:
        """Whether the manifest asks for it."""
        return component.build is not None and component.build.reproduce == 2

    def forget(self, name: str) -> None:
        """Let no verdict stand that a component's second build may have."""
        self._forgotten.add(name)

    def job(self, component: ComponentSpec) -> Callable[[], bool]:
        """Build it a second time, unless that stands; true if it is green then."""
        return lambda: self._build(component)

    def could_follow(self, component: ComponentSpec) -> bool:
        """Whether a second build could follow the first one that stands, if one still has to."""
        if not self.wanted(component) or self._stands(component):
            return True
        root = self.context.prepared.get(component.name)
        return root is None or root.sha256 == self.journal.state.components[component.name].environment_sha256

    def stopped(self, component: ComponentSpec) -> None:
        """Say that it waits for the first build; where that is green and waits itself, there is nothing new to say."""
        items = self.journal.state.items
        item, first = items[reproduce_item(component).id], items[build_item(component).id]
        if item.status is Status.PENDING and not item.note and not first.green:
            self.journal.tell(ev.BuildStopped(component.name, item.id, component.name))

    def _stands(self, component: ComponentSpec) -> bool:
        items = self.journal.state.items
        item, first = items[reproduce_item(component).id], items[build_item(component).id]
        judged = item.status in (Status.PASSED, Status.WARNED)
        return judged and component.name not in self._forgotten and item.subject_sha256 == first.subject_sha256

    def _build(self, component: ComponentSpec) -> bool:
        item = reproduce_item(component).id
        if not self._stands(component):
            if self.journal.state.items[item].status is not Status.PENDING:
                self.journal.tell(ev.ItemReset(item, "it is built a second time again"))
            self._forgotten.discard(component.name)
            self.journal.tell(ev.ItemStarted(item))
            self.journal.verdict(item, self._refusal(component) or self._run(component, item))
        return self.journal.state.items[item].green

    def _run(self, component: ComponentSpec, item: str) -> Verdict:
        context, build = self.context, component.build
        assert build is not None  # noqa: S101 - see `wanted`
        kept = context.work.build / f".{component.name}.products"
        sees = self._sees[component.name]
        job = job_of(context, component, sees, context.facts(component.name))
        seen = listed(product for need in sees for product in self.journal.products(need))
        remove_tree(kept)
        try:
            since = self.journal.state.components[component.name].build_started
            varied = context.plan.builder.vary(job, build.vary, context.work.build, since)
            again = replace(job, around=varied.around)
            with attempted(context, again, item, seen, varied) as attempt:
                if isinstance(attempt.ended, Failed):
                    return failed("second-build-failed", attempt.ended.reason, _AGAIN)
                products = context.plan.builder.collect(again, attempt.out, kept)
            told = {**varied.told(), "limited_by": dict(attempt.ended.limited_by)}
            return self._compared(component, products, Side(_LABELS[1], kept), told)
        except BuildError as error:
            return failed("second-build-failed", f"{error.what}: {error.because}", _AGAIN)
        finally:
            remove_tree(kept)

    def _compared(
        self, component: ComponentSpec, products: tuple[Collected, ...], second: Side, told: Mapping[str, object]
    ) -> Verdict:
        context, state, name = self.context, self.journal.state, component.name
        first = tuple(Collected(each.name, each.sha256, each.size) for each in self.journal.products(name))
        twice = Twice(first, products)
        subject = state.items[build_item(component).id].subject_sha256
        evidence = {**told, "twice": twice.told()}
        if twice.same:
            return Passed(f"{len(first)} products, the same bytes{_varied(told)}", subject, evidence)
        folder = context.work.build / f".{name}.report"
        sides = Side(_LABELS[0], context.work.products / name), second
        report = Report(why_none="no product differs: some are there only once", cure="compare the two logs")
        if twice.differing:
            report = context.plan.builder.report(sides, twice.differing, folder, context.stop_reason)
            context.check_cancel()
        reason = f"a second build gave {twice.sentence}{_varied(told)}"
        next_step = "read the report in its evidence; mend the build, or waive it by name"
        return Warned("not-reproduced", reason, next_step, subject, {**evidence, "report": report.evidence()})


def _varied(told: Mapping[str, object]) -> str:
    """What was varied, in words."""
    varied, kept = told["varied"], told["kept"]
    assert isinstance(varied, dict) and isinstance(kept, dict)  # noqa: S101 - see `Varied.told`
    text = f"; varied: {', '.join(varied) or 'nothing but the time'}"
    return f"{text}; not varied: {', '.join(kept)}" if kept else text
