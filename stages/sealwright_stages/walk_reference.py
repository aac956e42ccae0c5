"""A component's packages beside the archive's, where the manifest asks for it: right after its build.

- It is judged of products that stand, and anew whenever they were built again or it is not green.
- It holds up the gate before the seal, not the builds that need the component.
- What was fetched for it lies in the quarantine meanwhile, and nowhere else.
"""

from __future__ import annotations

from dataclasses import replace

from sealwright_stages import events as ev
from sealwright_stages.context import Context
from sealwright_stages.files import remove_tree
from sealwright_stages.manifest import ComponentSpec
from sealwright_stages.plan import build_item, reference_item
from sealwright_stages.ports import Outcome, Reference, Workshop
from sealwright_stages.verdict import Failed, Passed, Status, Verdict
from sealwright_stages.walk_sources import SourceWalk


class ReferenceWalk:
    """Compares built components with what the archive published."""

    def __init__(self, context: Context, sources: SourceWalk) -> None:
        self.context = context
        self.journal = context.journal
        self.sources = sources

    def walk(self, component: ComponentSpec) -> None:
        """Judge the products of a component that is built, unless that stands; the verdict goes to the log."""
        if component.build is None or not component.build.reference:
            return
        state, item = self.journal.state, reference_item(component).id
        subject = state.items[build_item(component).id].subject_sha256
        known = state.items[item]
        if known.green and known.subject_sha256 == subject:
            return
        if known.status is not Status.PENDING:
            self.journal.tell(ev.ItemReset(item, "it is compared again"))
        self.journal.tell(ev.ItemStarted(item))
        outcome = self._compared(component, component.build.suite, item, subject)
        self.context.check_cancel()
        for gone in outcome.deleted:
            self.journal.deleted(replace(gone, item=item))
        missing = Failed("check-missing", "it was not compared", "report this with the log")
        self.journal.verdict(item, outcome.verdicts.get(item, missing))

    def _compared(self, component: ComponentSpec, suite: str, item: str, subject: str) -> Outcome:
        context = self.context
        folder = context.work.quarantine / component.name / item.replace("/", "%")
        remove_tree(folder)
        folder.mkdir(parents=True)
        workshop = Workshop(
            folder, context.cache, context.cancel, self.sources.progress(item), context.fetch_sandbox
        )
        products = {product.name: product.sha256 for product in self.journal.products(component.name)}
        asked = Reference(item, suite, products, context.work.products / component.name)
        outcome = Outcome({})

        def compare() -> Verdict:
            nonlocal outcome
            outcome = context.plan.builder.compare(asked, subject, workshop, context.stop_reason)
            return Passed("compared", subject)

        verdict = self.sources.attempt(compare, f"{component.name}: reference")
        remove_tree(folder)
        return Outcome({item: verdict}) if isinstance(verdict, Failed) else outcome
