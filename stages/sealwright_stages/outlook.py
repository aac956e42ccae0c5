"""What the faces may say of running builds beyond the log: the newest look at each, and how long it will still take.

- It reads the state and changes nothing; what it says is in no log.
- Earlier builds are those of this log, then those that this machine remembers, then those of earlier releases that
  `[memory] evidence` names.
- What can't be built any more, since what it needs is red, is waited for by nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from sealwright_stages.durations import Durations
from sealwright_stages.estimate import Earlier, Estimate, Kind, earlier_of, expected, makespan, remaining
from sealwright_stages.events import BuildEnded, Stage
from sealwright_stages.live import Ahead, Live, Now, build_name
from sealwright_stages.manifest import ComponentSpec
from sealwright_stages.plan import build_item, reproduce_item
from sealwright_stages.state import Component, State
from sealwright_stages.verdict import Status

_SECOND = build_name("", second=True)
_EVERY = 1.0  # seconds that an estimate of the whole stage holds


class Outlook:
    """Looks ahead over the builds of a release; for one thread."""

    def __init__(
        self,
        components: Sequence[ComponentSpec],
        workers: int,
        live: Live,
        durations: Durations,
        remembered: Mapping[Kind, Sequence[Earlier]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Of `components`, each after what it needs."""
        self.live = live
        self._components = {each.name: each for each in components}
        self._workers = workers
        self._durations, self._remembered = durations, remembered
        self._known: dict[str, tuple[Earlier, ...]] = {}
        self._clock = clock
        self._whole: tuple[float, str] = (-_EVERY, "")

    def now(self, build: str) -> Now | None:
        """The newest look at a build that runs; `build` is the component, of a second build its item."""
        return self.live.of(build)

    def left(self, state: State, build: str) -> str:
        """How long a running build will still take, in words; empty if nobody knows."""
        known = _known(state, build)
        if known is None or not known.building:
            return ""
        estimate = self._left(state, build)
        return estimate.words if estimate else ""

    def ahead(self, state: State, build: str) -> Ahead | None:
        """How far a running build is; None if nobody knows."""
        known, now = _known(state, build), self.live.of(build)
        estimate = self._left(state, build) if known is not None and known.building else None
        if estimate is None or now is None:
            return None
        elapsed = now.look.elapsed_ms / 1000
        percent = min(99, round(100 * elapsed / (elapsed + estimate.left))) if elapsed else 0
        return Ahead(percent, round(estimate.spread), estimate.of)

    def whole(self, state: State) -> str:
        """How long the build stage will still take, in words; empty if nobody knows."""
        at, words = self._whole
        if self._clock() - at >= _EVERY:
            words = self._stage(state)
            self._whole = self._clock(), words
        return words

    def _stage(self, state: State) -> str:
        if Stage.BUILD not in state.stages_started or Stage.BUILD in state.stages_ended:
            return ""
        left, running, unknown = self._jobs(state)
        needs = {name: needed for name, _, needed in self._builds()}
        return Estimate(makespan(left, running, needs, self._workers), unknown=unknown).words

    def _builds(self) -> Iterator[tuple[str, str, Collection[str]]]:
        """Every build: its name, its item's id (empty: there is nothing to build), what must be built before."""
        for name, component in self._components.items():
            yield name, build_item(component).id if component.build else "", component.needs
            if component.build and component.build.reproduce > 1:
                yield build_name(name, second=True), reproduce_item(component).id, (name,)

    def _jobs(self, state: State) -> tuple[dict[str, float], set[str], int]:
        """What is to be built: seconds left of each, which of them run, of how many that is not known."""
        left: dict[str, float] = {}
        running: set[str] = set()
        never: set[str] = set()
        unknown = 0
        for name, of, needs in self._builds():
            item, known = state.items.get(of), _known(state, name)
            if (item is not None and item.status is Status.FAILED) or not never.isdisjoint(needs):
                never.add(name)
            elif not of:
                left[name] = 0.0
            elif item is None or item.status in (Status.PENDING, Status.RUNNING):
                if known is not None and known.building:
                    running.add(name)
                    estimate = self._left(state, name)
                    seconds = estimate.left if estimate else None
                else:
                    seconds = expected(self._earlier(state, name))
                unknown += seconds is None
                left[name] = seconds or 0.0
        return left, running, unknown

    def _left(self, state: State, build: str) -> Estimate | None:
        now = self.live.of(build)
        elapsed, said = (now.look.elapsed_ms / 1000, now.look.said) if now else (0.0, 0)
        return remaining(self._earlier(state, build), elapsed, said)

    def _earlier(self, state: State, build: str) -> tuple[Earlier, ...]:
        """The earlier builds of a component; a second one takes about what the first one takes."""
        component = build.removesuffix(_SECOND)
        if component not in self._known:
            kind = kind_of(self._components.get(component))
            kept = self._durations.of(kind) if kind else ()
            self._known[component] = (*kept, *(self._remembered.get(kind, ()) if kind else ()))
        builds = (*_took(state, build), *(_took(state, component) if build != component else ()))
        return (*map(earlier_of, builds), *self._known[component])


def _known(state: State, build: str) -> Component | None:
    if build.endswith(_SECOND):
        return state.seconds.get(build.removesuffix(_SECOND))
    return state.components.get(build)


def _took(state: State, build: str) -> tuple[BuildEnded, ...]:
    known = _known(state, build)
    return known.took[::-1] if known else ()


def kind_of(component: ComponentSpec | None) -> Kind | None:
    """What builds of a component are alike in; None if it is not built."""
    if component is None or component.build is None:
        return None
    return Kind(component.name, component.build.recipe, component.build.environment)
