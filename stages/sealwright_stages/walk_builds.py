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
- Products are collected after every process of the build is dead, strictly, and each one is in the log.
- A component that an earlier run built is kept only if each of its products still hashes as logged, and was
  made from the sources that stand in its folder now, and with the products that now stand of what it needs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from sealwright_stages import events as ev
from sealwright_stages.context import Context
from sealwright_stages.crew import Bounds, work
from sealwright_stages.errors import BuildError, MachineError
from sealwright_stages.events import Stage
from sealwright_stages.files import is_full, remove_tree, sha256_file
from sealwright_stages.journal import clip
from sealwright_stages.manifest import Build, ComponentSpec
from sealwright_stages.memory_room import MemoryRoom
from sealwright_stages.needed import changed, digest, listed, seen_by
from sealwright_stages.plan import build_item
from sealwright_stages.ports import BuildJob, BuildResult, Collected, Need, OutputStream, Sampled
from sealwright_stages.verdict import Failed, Passed, Status, Verdict
from sealwright_stages.verify.codes import shown
from sealwright_stages.walk_sources import SourceWalk

_NAMED = 3  # of those that a build waits for, how many it names
_NOT_RUN = 127  # the exit of a build that could not be begun, as shells say it


class BuildWalk:
    """Walks the build stage over a plan."""

    def __init__(self, context: Context, sources: SourceWalk) -> None:
        self.context = context
        self.journal = context.journal
        self.sources = sources
        components = context.plan.components()
        self._built = {component.name: component for component in components if component.build}
        self._sees = seen_by(components)
        self._told: dict[str, list[str]] = {}
        self._needs: dict[str, frozenset[str]] = {}
        """All that each component needs, also through components that are not built themselves."""
        for each in components:
            self._needs[each.name] = frozenset(each.needs).union(*(self._needs[name] for name in each.needs))

    def walk(self) -> None:
        """Build everything that is to be built; verdicts go to the log."""
        self._walk(self._built)

    def again(self, name: str) -> None:
        """Build one component, and what depends on it as far as that must be; everything else is left alone."""
        self._walk({each for each in self._built if each == name or name in self._needs[each]})

    def _walk(self, names: Collection[str]) -> None:
        self.journal.tell(ev.StageStarted(Stage.BUILD))
        jobs = {name: self._job(component) for name, component in self._built.items() if name in names}
        room = MemoryRoom({name: _how(self._built[name]).limits.memory for name in jobs}, self._spare)
        bounds = Bounds(self.context.jobs, room)
        work(jobs, self._needs, bounds, self.context.cancel, lambda name: self._stopped(self._built[name]))
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
        if self._still_stands(component):
            return True
        if self.journal.state.items[item].status is not Status.PENDING:
            self.journal.tell(ev.ItemReset(item, "it is built again"))
        self.journal.tell(ev.ItemStarted(item))
        verdict = self._refusal(component) or self._run(component, item)
        self.journal.verdict(item, verdict)
        return isinstance(verdict, Passed)

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
        if item.status is not Status.PENDING:
            self.journal.tell(ev.ItemReset(item.id, "what it needs is not built"))
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
        folder = self.context.work.products / component.name
        known = self.journal.products(component.name)
        try:
            return bool(known) and all(sha256_file(folder / p.name) == p.sha256 for p in known)
        except OSError:
            return False

    def _run(self, component: ComponentSpec, item: str) -> Verdict:
        context, journal = self.context, self.journal
        facts = context.facts(component.name)
        job = self._job_of(component, facts)
        name = f"build/{component.name}/{journal.state.runs}-{journal.state.items[item].tries}"
        out = context.work.build / component.name
        destination = context.work.products / component.name
        for folder in (out, destination):
            remove_tree(folder)
        out.mkdir()
        begun = ev.BuildStarted(
            component.name,
            item,
            name,
            job.recipe,
            job.environment.name,
            job.environment.sha256,
            journal.state.components[component.name].manifest_sha256,
            job.epoch,
            *journal.spill(self._seen(component)),
        )
        try:
            journal.tell(begun)
            return self._streamed(job, out, destination, journal.log.open_stream(name), facts)
        finally:
            remove_tree(out)

    def _job_of(self, component: ComponentSpec, facts: Mapping[str, object]) -> BuildJob:
        build, work_folder, epoch = _how(component), self.context.work, facts.get("epoch")
        return BuildJob(
            component=component.name,
            recipe=build.recipe,
            commands=build.commands,
            environment=self.context.prepared[component.name],
            sources=work_folder.sources / component.name,
            epoch=epoch if isinstance(epoch, int) else 0,
            limits=build.limits,
            products=build.products,
            needs=tuple(Need(name, work_folder.products / name) for name in self._sees[component.name]),
            spec=build.spec,
        )

    def _streamed(
        self, job: BuildJob, out: Path, destination: Path, stream: OutputStream, facts: Mapping[str, object]
    ) -> Verdict:
        try:
            return self._sandboxed(job, out, destination, stream, facts)
        except BuildError as error:
            return Failed(error.code, f"{error.what}: {error.because}", error.next_step)
        except BaseException:
            stream.abort()
            remove_tree(destination)
            raise

    def _sandboxed(
        self,
        job: BuildJob,
        out: Path,
        destination: Path,
        stream: OutputStream,
        facts: Mapping[str, object],
    ) -> Verdict:
        context, journal = self.context, self.journal

        def sampled(sample: Sampled) -> None:
            journal.tell(
                ev.BuildSample(
                    job.component, sample.cpu, sample.memory, sample.processes, sample.read, sample.written
                )
            )

        try:
            result = context.plan.builder.run(job, out, stream, sampled, context.stop_reason)
        except BuildError as error:
            stream.finish(_NOT_RUN)
            journal.tell(ev.BuildEnded(job.component, _NOT_RUN, 0, clip(error.because)))
            raise
        context.check_cancel()
        stream.finish(result.exit)
        journal.tell(ev.BuildEnded(job.component, result.exit, result.wall_ms, result.killed_because))
        if result.exit != 0 and not result.killed_because and is_full(out):
            raise MachineError(
                f"{job.component} can't be built", f"the disk of {out} is full", "make room, run again"
            )
        if result.exit != 0 or result.killed_because:
            return _failed(job, result)
        products = context.plan.builder.collect(job, out, destination)
        for product in products:
            journal.tell(ev.ProductCollected(job.component, product.name, product.sha256, product.size))
            self._compare(job.component, product, facts.get("references"))
        return Passed(
            f"built in {result.wall_ms / 1000:.1f} s, {len(products)} products",
            products_sha256(products),
            {
                "products": {product.name: product.sha256 for product in products},
                "limited_by": dict(result.limited_by),
            },
        )

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


def _failed(job: BuildJob, result: BuildResult) -> Failed:
    said = f", last saying: {shown(result.last_line)}" if result.last_line else ""
    because = result.killed_because or f"it ended with exit {result.exit}{said}"
    return Failed(
        "build-failed",
        f"{job.component}: {because}",
        "read its log, mend the source or the limits, run again",
    )


def products_sha256(products: tuple[Collected, ...]) -> str:
    """One SHA-256 over the products' lines in sha256sum form, sorted by name."""
    lines = "".join(f"{p.sha256}  {p.name}\n" for p in sorted(products, key=lambda p: p.name))
    return hashlib.sha256(lines.encode()).hexdigest()
