"""The newest look at each running build, for the faces alone: it is in no state, and nothing is decided by it.

- Writers never wait for readers, and nothing piles up: of each build there is the newest look, and no other.
- Bytes moved are told as a rate over the last second or more.
- What has ended is gone from here; what it took is in the log.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from sealwright_stages.build_result import Sampled

_OVER_MS = 1000


def build_name(component: str, *, second: bool) -> str:
    """What a build is called here: a first one as its component, a second one as its item."""
    return f"{component}/reproduce" if second else component


@dataclass(frozen=True)
class Now:
    """The newest look at a build, and bytes a second that it reads and writes."""

    look: Sampled
    reading: int = 0
    writing: int = 0


@dataclass(frozen=True)
class Ahead:
    """How far a running build is, by `of` earlier ones: percent, and seconds by which what is left may be off."""

    percent: int
    spread: int = 0
    of: int = 0


class Live:
    """The newest look of each running build; any thread."""

    def __init__(self) -> None:
        self._now: dict[str, Now] = {}
        self._since: dict[str, Sampled] = {}
        self._lock = threading.Lock()
        self.changes = 0
        """Grows whenever there is something new."""

    def show(self, component: str, look: Sampled) -> None:
        """Take a look in."""
        with self._lock:
            since = self._since.setdefault(component, look)
            now = Now(look)
            took = look.elapsed_ms - since.elapsed_ms
            if took >= _OVER_MS:
                reading, writing = (look.read - since.read) * 1000, (look.written - since.written) * 1000
                now = Now(look, max(0, reading) // took, max(0, writing) // took)
                self._since[component] = look
            elif component in self._now:
                now = replace(self._now[component], look=look)
            self._now[component] = now
            self.changes += 1

    def over(self, component: str) -> None:
        """Its build has ended."""
        with self._lock:
            self._since.pop(component, None)
            self._now.pop(component, None)
            self.changes += 1

    def names(self) -> tuple[str, ...]:
        """The components that are being built and were looked at."""
        with self._lock:
            return tuple(self._now)

    def of(self, component: str) -> Now | None:
        """The newest look, while it is being built."""
        return self._now.get(component)
