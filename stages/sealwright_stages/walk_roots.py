"""The build roots, whose packages are judged in verify like any source.

- An environment that has a root for each component makes its own root first, beside the fetching, and theirs of it.
- A root is made once what is to be built in it is verified: that says what it needs. It waits for nothing else.
- Components whose wishes are equal share one root; each has an item of its own that says so.
- A root without an item (the host's own) can't turn red itself: what refused it turns its builds red.
- What stands already in this run, and comes out the same, is not judged anew: a waiver on it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from sealwright_stages import events as ev
from sealwright_stages.build_depends import depends_of
from sealwright_stages.context import Context
from sealwright_stages.crew import Bounds, work
from sealwright_stages.files import remove_tree
from sealwright_stages.manifest import ComponentSpec
from sealwright_stages.plan import environment_component
from sealwright_stages.ports import Outcome, Prepared, Progress, Workshop
from sealwright_stages.verdict import Failed, Passed, Verdict

_NOTHING: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
Attempt = Callable[[Callable[[], Verdict], str], Verdict]
_Wish = tuple[tuple[str, ...], tuple[str, ...]]
"""Packages and relation fields, both sorted."""


class RootWalk:
    """Prepares the build roots; `attempt` turns what refuses one into red."""

    def __init__(self, context: Context, attempt: Attempt, progress: Callable[[str], Progress]) -> None:
        self.context = context
        self.journal = context.journal
        self._attempt, self._progress = attempt, progress
        self._bases: dict[str, str] = {}
        """SHA-256 of the roots that were judged in this run, of environments that have one for each component."""
        self._failed: dict[str, Failed] = {}

    def bases(self) -> dict[str, Callable[[], bool]]:
        """What prepares the environments' own roots, of which those of components are made; it needs no source."""
        environments = self.context.plan.environments().items()
        own = [name for name, components in environments if self._item(name, components[0])]
        return {environment_component(name): partial(self._base, name) for name in own}

    def walk(self, only: str = "") -> None:
        """Prepare every component's build root, or that of `only`, once `bases` are prepared."""
        for environment, components in self.context.plan.environments().items():
            if only and only not in (each.name for each in components):
                continue
            if not self._item(environment, components[0]):
                self._shared(environment, components)
                continue
            if only and not self._stands(environment):
                self._base(environment)
            self._own(environment, [each for each in components if only in ("", each.name)])

    def _item(self, environment: str, component: ComponentSpec) -> str:
        """The item of the root that a component has for itself."""
        spec = self.context.plan.builder.root_item(environment, component.name)
        return spec.id if spec else ""

    def _items(self, environment: str) -> list[str]:
        return [spec.id for spec in self.context.plan.builder.environment_items(environment)]

    def _promoted(self, component: ComponentSpec) -> bool:
        return bool(self.journal.state.components[component.name].manifest_sha256)

    def _forget(self, components: Sequence[ComponentSpec]) -> None:
        for each in components:
            self.context.prepared.pop(each.name, None)
            self.context.refused.pop(each.name, None)

    def _start(self, items: Sequence[str]) -> None:
        for item in items:
            self.journal.tell(ev.ItemStarted(item))

    def _wait(self, items: Sequence[str], because: str) -> None:
        for item in items:
            self.journal.tell(ev.ItemReset(item, because))

    def _shared(self, environment: str, components: Sequence[ComponentSpec]) -> None:
        """One root for all: what each of them asks for must be in it."""
        self._forget(components)
        items = self._items(environment)
        self._start(items)
        if not all(self._promoted(each) for each in components):
            self._wait(items, "made once all that is built in it is verified")
            return
        packages: set[str] = set()
        depends: set[str] = set()

        def prepared() -> Verdict:
            for each in components:
                names, fields = self._wish(each)
                packages.update(names)
                depends.update(fields)
            return self._prepare(environment, components, items, (tuple(sorted(packages)), tuple(sorted(depends))))

        self._refused(self._attempt(prepared, environment), components, items)

    def _own(self, environment: str, components: Sequence[ComponentSpec]) -> None:
        """A root for each, made of the environment's own."""
        self._forget(components)
        items = {each.name: self._item(environment, each) for each in components}
        ready = [each for each in components if self._promoted(each)]
        waiting = [items[each.name] for each in components if each not in ready]
        self._start(waiting)
        self._wait(waiting, "made once what is built in it is verified")
        if environment in self._failed:
            named = [items[each.name] for each in ready]
            self._start(named)
            self._refused(self._failed[environment], ready, named)
            return
        jobs: dict[str, Callable[[], bool]] = {}
        for wish, group in self._groups(environment, ready, items).items():
            jobs[group[0].name] = self._job(environment, group, [items[each.name] for each in group], wish)
        work(jobs, {}, Bounds(self.context.jobs), self.context.cancel)

    def _stands(self, environment: str) -> bool:
        """Whether an environment's own root was judged in this run, and still is what it was."""
        sha256 = ""

        def looked() -> Verdict:
            nonlocal sha256
            sha256 = self._prepared(environment, [], _NOTHING).sha256
            return Passed("prepared", sha256)

        verdict = self._attempt(looked, environment)
        return not isinstance(verdict, Failed) and sha256 == self._bases.get(environment)

    def _base(self, environment: str) -> bool:
        """Prepare an environment's own root, and say how it was judged."""
        items = self._items(environment)
        self._failed.pop(environment, None)
        self._bases.pop(environment, None)
        self._start(items)
        verdict = self._attempt(lambda: self._prepare(environment, (), items, _NOTHING), environment)
        if isinstance(verdict, Failed):
            self._failed[environment] = verdict
            self._refused(verdict, (), items)
            return False
        judged = (self.journal.state.items[item].verdict() for item in items)
        red = [each for each in judged if isinstance(each, Failed)]
        if red:  # it was made, and what is remembered, say, is against it
            self._failed[environment] = red[0]
            return False
        self._bases[environment] = verdict.subject_sha256
        return True

    def _groups(
        self, environment: str, components: Sequence[ComponentSpec], items: dict[str, str]
    ) -> dict[_Wish, list[ComponentSpec]]:
        """The components by what they wish for; one that can't say is red."""
        groups: dict[_Wish, list[ComponentSpec]] = {}
        for each in components:
            found: list[_Wish] = []

            def wished(each: ComponentSpec = each, found: list[_Wish] = found) -> Verdict:
                found.append(self._wish(each))
                return Passed("read", "")

            verdict = self._attempt(wished, environment)
            if isinstance(verdict, Failed):
                self._start([items[each.name]])
                self._refused(verdict, [each], [items[each.name]])
            else:
                groups.setdefault(found[0], []).append(each)
        return groups

    def _job(
        self, environment: str, group: Sequence[ComponentSpec], items: Sequence[str], wish: _Wish
    ) -> Callable[[], bool]:
        def job() -> bool:
            self._start(items)
            verdict = self._attempt(lambda: self._prepare(environment, group, items, wish), environment)
            self._refused(verdict, group, items)
            return not isinstance(verdict, Failed)

        return job

    def _wish(self, component: ComponentSpec) -> _Wish:
        """What a component wants in its root. Raises BuildError."""
        folder = self.context.work.sources / component.name
        depends = depends_of(component, self.context.facts(component.name), folder)
        packages = component.build.packages if component.build else ()
        return tuple(sorted(set(packages))), tuple({depends} - {""})

    def _prepare(
        self, environment: str, group: Sequence[ComponentSpec], items: Sequence[str], wish: _Wish
    ) -> Verdict:
        """Prepare a root, and say of each of `items` what was found."""
        own = bool(group) and bool(self._item(environment, group[0]))
        prepared = self._prepared(environment, items, wish, own=own)
        for each in group:
            self.context.prepared[each.name] = prepared
        found = {item: prepared.verdict for item in items if prepared.verdict is not None}
        verdicts = self.context.remembered(environment_component(environment), Outcome(found)).verdicts
        for item in items:
            missing = Failed("check-missing", f"{item} was not checked", "report this")
            self.journal.verdict(item, verdicts.get(item, missing))
        return Passed("prepared", prepared.sha256)

    def _prepared(self, environment: str, items: Sequence[str], wish: _Wish, *, own: bool = False) -> Prepared:
        context = self.context
        name = re.sub("[ :/]", "%", items[0] if items else environment_component(environment))
        folder = context.work.quarantine / name
        remove_tree(folder)
        folder.mkdir(parents=True)
        progress = self._progress(items[0]) if items else (lambda done, total, note: None)
        workshop = Workshop(folder, context.cache, context.cancel, progress, context.fetch_sandbox)
        prepared = context.plan.builder.prepare(environment, *wish, workshop, own=own)
        remove_tree(folder)
        return prepared

    def _refused(self, verdict: Verdict, components: Sequence[ComponentSpec], items: Sequence[str]) -> None:
        if not isinstance(verdict, Failed):
            return
        for each in components:
            self.context.refused[each.name] = verdict
        for item in items:
            self.journal.verdict(item, verdict)
