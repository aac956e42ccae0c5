"""Work through jobs in parallel, in dependency order, and stop them all together.

- A job starts when all that it needs has ended well; a job whose need failed never starts.
- The first error that is not a verdict (log lost, disk full, interrupted) stops the rest and is raised.
"""

from __future__ import annotations

import graphlib
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait


def work(
    jobs: Mapping[str, Callable[[], bool]],
    needs: Mapping[str, Collection[str]],
    workers: int,
    cancel: threading.Event,
) -> frozenset[str]:
    """Run `jobs` (name -> what to do, true when it went well) and return the names that went well.

    `needs` maps a name to the names that must have gone well before. `cancel` is set on the first error, so
    that running jobs end soon.

    Raises:
        SealwrightError: the first that a job raised.
    """
    order = graphlib.TopologicalSorter({name: [n for n in needs.get(name, ()) if n in jobs] for name in jobs})
    order.prepare()
    well: set[str] = set()
    ready: deque[str] = deque()
    running: dict[Future[bool], str] = {}
    first: BaseException | None = None
    workers = max(1, workers)
    with ThreadPoolExecutor(workers, thread_name_prefix="crew") as pool:
        while order.is_active():
            ready += order.get_ready()
            while ready and len(running) < workers:  # what runs is looked at after each end: keep it few
                name = ready.popleft()
                if first is None and all(need in well for need in needs.get(name, ()) if need in jobs):
                    running[pool.submit(jobs[name])] = name
                else:
                    order.done(name)
            if not running:
                continue
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                name = running.pop(future)
                order.done(name)
                error = future.exception()
                if error is not None:
                    first = first or error
                    cancel.set()
                elif future.result():
                    well.add(name)
    if first is not None:
        raise first
    return frozenset(well)
