"""The build stage: each component in the sandbox, in dependency order, its output in the log as it comes.

- A component's folder is hashed against its logged manifest right before its build, and what differs is red.
- The products of what it needs are hashed against the log then, too, and what differs is red; those very files are
  mounted into the build, and named in the log when it begins.
- A build that fails stops those that need it and nothing else; each of them waits, and says for whom.
- Builds run beside each other as far as processors and memory go: what each may take must fit.
- A component that is built again on demand is built alone, with what depends on it.
- A component whose build root could not be made is red for that reason; it is never built in another.
- A build that lost its log is dead, its products are thrown away, and it is never resumed.
- A build that failed on a full disk is no verdict on its sources: it ends the run, and is built again.
- A second build waits for the first of its component, and nobody waits for it but the gate. It takes its room as any.
- A component that is built again is to be built again twice, if it was: see `walk_again`.
- Products are collected after every process of the build is dead, strictly, and each one is in the log.
- What the manifest wants compared is compared once the build is green; the comparison is an item of its own, and is
  undone with the build.
- A component that an earlier run built is kept only if each of its products still hashes as logged, and was
  made from the sources that stand in its folder now, and with the products that now stand of what it needs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection

from sealwright_stages import events as ev
from sealwright_stages.build_attempt import attempted, job_of
from sealwright_stages.context import Context
from sealwright_stages.crew import Bounds, work
from sealwright_stages.errors import BuildError
from sealwright_stages.events import Stage
from sealwright_stages.files import remove_tree, sha256_file
from sealwright_stages.manifest import Build, ComponentSpec
from sealwright_stages.memory_room import MemoryRoom
from sealwright_stages.needed import changed, digest, listed, seen_by
from sealwright_stages.plan import build_item, build_items, reproduce_item
from sealwright_stages.ports import BuildResult, Collected
from sealwright_stages.state import Item
from sealwright_stages.verdict import Failed, Passed, Status, Verdict
from sealwright_stages.walk_again import SecondBuilds
from sealwright_stages.walk_reference import ReferenceWalk
from sealwright_stages.walk_sources import SourceWalk

_NAMED = 3  # of those that a build waits for, how many it names


class BuildWalk:
    """Walks the build stage over a plan."""

    def __init__(self, context: Context, sources: SourceWalk) -> None:
        self.context = context
        self.journal = context.journal
        self.sources = sources
        self.reference = ReferenceWalk(context, sources)
        components = context.plan.components()
        self._built = {component.name: component for component in components if component.build}
        self._sees = seen_by(components)
        self.seconds = SecondBuilds(context, self._refusal, self._sees)
        self._told: dict[str, list[str]] = {}
        self._needs: dict[str, frozenset[str]] = {}
        """All that each component needs, also through components that are not built themselves."""
        for each in components:
            self._needs[each.name] = frozenset(each.needs).union(*(self._needs[name] for name in each.needs))

    def clear(self) -> None:
        """Remove what builds, second ones and reports wrote in a run that did not end; no build runs now."""
        for left in self.context.work.build.iterdir():
            remove_tree(left)

    def walk(self) -> None:
        """Build everything that is to be built; verdicts go to the log."""
        self._walk(self._built)

    def again(self, item: Item) -> None:
        """Build the component of a build's item, and what depends on it as far as that must be; if it is the item of a
        second build or of a comparison, that alone, unless its first build does not stand. Everything else is left
        alone."""
        name = item.component
        if item.kind == "reproduce":
            self.seconds.forget(name)
        if item.id != f"{name}/build" and self._still_stands(self._built[name]):
            self._walk({name})
        else:
            self._walk({each for each in self._built if each == name or name in self._needs[each]})

    def _walk(self, names: Collection[str]) -> None:
        self.journal.tell(ev.StageStarted(Stage.BUILD))
        built = {name: component for name, component in self._built.items() if name in names}
        twice = {reproduce_item(each).id: each for each in built.values() if self.seconds.wanted(each)}
        jobs = {name: self._job(component) for name, component in built.items()}
        jobs |= {name: self.seconds.job(component) for name, component in twice.items()}
        needs = {**self._needs, **{name: frozenset([component.name]) for name, component in twice.items()}}
        limits = {name: _how(component).limits.memory for name, component in (built | twice).items()}
        bounds = Bounds(self.context.jobs, MemoryRoom(limits, self._spare))

        def stopped(name: str) -> None:
            if name in twice:
                self.seconds.stopped(twice[name])
            else:
                self._stopped(built[name])

        work(jobs, needs, bounds, self.context.cancel, stopped)
        items = [i for i in self.journal.state.items.values() if i.stage is Stage.BUILD]
        self.journal.tell(ev.StageEnded(Stage.BUILD, all(item.green for item in items)))

    def _spare(self) -> int:
        return self.context.plan.builder.spare_memory()

    def _job(self, component: ComponentSpec) -> Callable[[], bool]:
        return lambda: self._build(component)

    def _build(self, component: ComponentSpec) -> bool:
        item = build_item(component).id
        if self._waits_for(component):
            self._stopped(component)
            return False
        if not self._still_stands(component):
            self._reset(component, "it is built again")
            self.journal.tell(ev.ItemStarted(item))
            verdict = self._refusal(component) or self._run(component, item)
            self.journal.verdict(item, verdict)
            if not isinstance(verdict, Passed):
                return False
        self.reference.walk(component)
        return True

    def _reset(self, component: ComponentSpec, because: str) -> None:
        """Make its build pending, and what was compared with it."""
        for spec in build_items(component):
            if self.journal.state.items[spec.id].status is not Status.PENDING:
                self.journal.tell(ev.ItemReset(spec.id, because))

    def _waits_for(self, component: ComponentSpec) -> list[str]:
        """What it needs and is not green; those that failed, if some did."""
        items = {
            name: self.journal.state.items[build_item(self._built[name]).id] for name in self._needs_of(component)
        }
        lacking = [name for name, item in items.items() if not item.green]
        return [name for name in lacking if items[name].status is Status.FAILED] or lacking

    def _stopped(self, component: ComponentSpec) -> None:
        """Say for whom a component waits; one that is green stays so, and is looked at when that one is green."""
        item = self.journal.state.items[build_item(component).id]
        by = self._waits_for(component)[:_NAMED]
        if item.green or (item.status is Status.PENDING and item.note and by == self._told.get(item.id)):
            return
        self._told[item.id] = by
        self._reset(component, "what it needs is not built")
        self.journal.tell(ev.BuildStopped(component.name, item.id, " ".join(by)))

    def _needs_of(self, component: ComponentSpec) -> list[str]:
        return sorted(name for name in self._needs[component.name] if name in self._built)

    def _refusal(self, component: ComponentSpec) -> Failed | None:
        """Why the component must not be built now, if something is wrong with what it is built from or in."""
        recheck = self.sources.recheck(component.name)
        if isinstance(recheck, Failed):
            return recheck
        for need in self._sees[component.name]:
            if refused := changed(need, self.context.work.products / need, self.journal.products(need)):
                return refused
        if component.name in self.context.prepared:
            return None
        missing = f"the root of {component.name} in {_how(component).environment} was not made"
        because = Failed("environment-missing", missing, "run again; then read its items")
        return self.context.refused.get(component.name, because)

    def _seen(self, component: ComponentSpec) -> dict[str, str]:
        """The products that its build sees, as they stand now."""
        return listed(product for need in self._sees[component.name] for product in self.journal.products(need))

    def _still_stands(self, component: ComponentSpec) -> bool:
        state = self.journal.state.components[component.name]
        if not self.journal.state.items[build_item(component).id].green:
            return False
        if state.built_from != state.manifest_sha256 or state.built_with != digest(self._seen(component)):
            return False
        if not self.seconds.could_follow(component):
            return False
        folder = self.context.work.products / component.name
        known = self.journal.products(component.name)
        try:
            return bool(known) and all(sha256_file(folder / p.name) == p.sha256 for p in known)
        except OSError:
            return False

    def _run(self, component: ComponentSpec, item: str) -> Verdict:
        context = self.context
        facts, destination = context.facts(component.name), context.work.products / component.name
        job = job_of(context, component, self._sees[component.name], facts)
        remove_tree(destination)
        try:
            with attempted(context, job, item, self._seen(component)) as attempt:
                if isinstance(attempt.ended, Failed):
                    return attempt.ended
                products = context.plan.builder.collect(job, attempt.out, destination)
                for product in products:
                    self.journal.tell(
                        ev.ProductCollected(job.component, product.name, product.sha256, product.size)
                    )
                    self._compare(job.component, product, facts.get("references"))
                return _passed(attempt.ended, products)
        except BuildError as error:
            return Failed(error.code, f"{error.what}: {error.because}", error.next_step)
        except BaseException:
            remove_tree(destination)
            raise

    def _compare(self, component: str, product: Collected, references: object) -> None:
        """Set a product beside what the archive's verified index names; says so and judges nothing."""
        if not isinstance(references, dict):
            return
        published = references.get(product.name)
        result = "absent" if published is None else "identical" if published == product.sha256 else "differs"
        self.journal.tell(ev.ProductCompared(component, product.name, result, str(published or ""), "the archive"))


def _how(component: ComponentSpec) -> Build:
    assert component.build is not None  # noqa: S101 - only components with a build come here
    return component.build


def _passed(result: BuildResult, products: tuple[Collected, ...]) -> Passed:
    evidence = {
        "products": {product.name: product.sha256 for product in products},
        "limited_by": dict(result.limited_by),
    }
    what = f"built in {result.wall_ms / 1000:.1f} s, {len(products)} products"
    return Passed(what, products_sha256(products), evidence)


def products_sha256(products: tuple[Collected, ...]) -> str:
    """One SHA-256 over the products' lines in sha256sum form, sorted by name."""
    lines = "".join(f"{p.sha256}  {p.name}\n" for p in sorted(products, key=lambda p: p.name))
    return hashlib.sha256(lines.encode()).hexdigest()
