"""A thread that does jobs one after the other, and says how each one ended.

- Whoever begins a job ends it too, in the order of their beginning, and gets there whatever it raised, which need
  not be an OSError.
- A job that was begun is done, also while the worker is being closed.
- News that can't be given ends nothing: `ready` says it as well, to whoever looks.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable


class Worker:
    """One thread, begun with its first job."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._begun: queue.SimpleQueue[tuple[Callable[[], None], Callable[[], None]] | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def begin(self, job: Callable[[], None], done: Callable[[], None] = lambda: None) -> None:
        """Do `job` in the thread; `done` is called there at its end, whatever came of it."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._begun.put((job, done))

    @property
    def ready(self) -> bool:
        """Whether a job that was begun is done, and not ended."""
        return not self._ended.empty()

    def end(self) -> None:
        """Wait for the oldest job that was begun; raises what it raised."""
        error = self._ended.get()
        if error is not None:
            raise error

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._begun.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (begun := self._begun.get()) is not None:
            job, done = begun
            failed: BaseException | None = None
            try:
                job()
            except BaseException as error:  # noqa: BLE001 - nobody waits for a thread that is gone
                failed = error
            self._ended.put(failed)
            with contextlib.suppress(Exception):
                done()
