"""Work through jobs in parallel, in dependency order, and stop them all together.

- A job starts when all that it needs has ended well; a job whose need did not never starts, and is told of at once.
- A job that has no room beside what runs waits for its room; while nothing runs, every job has.
- The first error that is not a verdict (log lost, disk full, interrupted) stops the rest and is raised.
"""

from __future__ import annotations

import contextlib
import graphlib
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """How much may run at once: `workers` jobs, and as many as have room.

    `has_room` is asked with the names of what runs and that of a job that could start beside it.
    """

    workers: int
    has_room: Callable[[Collection[str], str], bool] = lambda running, name: True


def work(
    jobs: Mapping[str, Callable[[], bool]],
    needs: Mapping[str, Collection[str]],
    bounds: Bounds,
    cancel: threading.Event,
    on_stopped: Callable[[str], None] = lambda name: None,
) -> frozenset[str]:
    """Run `jobs` (name -> what to do, true when it went well) and return the names that went well.

    `needs` maps a name to the names that must have gone well before. `cancel` is set on the first error, so
    that running jobs end soon. `on_stopped` hears of each job that never starts because of what it needs.

    Raises:
        SealwrightError: the first that a job raised.
    """
    queue = _Queue({name: frozenset(need for need in needs.get(name, ()) if need in jobs) for name in jobs})
    running: dict[Future[bool], str] = {}
    with ThreadPoolExecutor(max(1, bounds.workers), thread_name_prefix="crew") as pool, _cancelling(cancel):
        while queue.active:
            for name in queue.stopped():
                on_stopped(name)
            while (following := queue.next(running.values(), bounds)) is not None:
                running[pool.submit(jobs[following])] = following
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                queue.done(running.pop(future), well=future.result())
    return frozenset(queue.well)


@contextlib.contextmanager
def _cancelling(cancel: threading.Event) -> Iterator[None]:
    try:
        yield
    except BaseException:
        cancel.set()
        raise


class _Queue:
    """What is still to be done, in dependency order."""

    def __init__(self, needed: Mapping[str, frozenset[str]]) -> None:
        self.well: set[str] = set()
        self._needed = needed
        self._ready: list[str] = []
        self._order = graphlib.TopologicalSorter(needed)
        self._order.prepare()

    @property
    def active(self) -> bool:
        """Whether something is still to be done, or runs."""
        self._ready += self._order.get_ready()
        return self._order.is_active()

    def stopped(self) -> Iterator[str]:
        """Take out what can never start, because what it needs did not go well."""
        while gone := [name for name in self._ready if not self._needed[name] <= self.well]:
            for name in gone:
                self._ready.remove(name)
                self._order.done(name)
                yield name
            self._ready += self._order.get_ready()

    def next(self, running: Collection[str], bounds: Bounds) -> str | None:
        """Take out the first job that may start beside what runs."""
        if running and len(running) >= bounds.workers:  # what runs is looked at after each end: keep it few
            return None
        name = next((name for name in self._ready if not running or bounds.has_room(running, name)), None)
        if name is not None:
            self._ready.remove(name)
        return name

    def done(self, name: str, *, well: bool) -> None:
        """Say that a job has ended."""
        if well:
            self.well.add(name)
        self._order.done(name)
