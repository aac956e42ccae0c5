"""A line of `make bench`: what something costs, beside a peer that does the least that could do, in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """Our seconds, the peer's, and who that is; a ratio above 1 says that we are faster."""

    what: str
    ours: float
    peer: float = 0.0
    name: str = ""
    note: str = ""

    def __str__(self) -> str:
        if not self.ours:
            return self.note
        beside = (
            f", {self.name} {self.peer * 1000:.1f} ms, speed ratio {self.peer / self.ours:.2f}"
            if self.name
            else ""
        )
        return f"{self.what}: {self.ours * 1000:.1f} ms{beside}{f'  ({self.note})' if self.note else ''}"


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
