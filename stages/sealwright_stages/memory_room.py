"""Whether a build has room beside those that run: by the memory that each of them may take.

- What runs may take its whole limit at any time, so that is what counts, not what it takes now.
- All of that must fit into what was spare when nothing ran, and the new one into what is spare now.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping


class MemoryRoom:
    """Answers for builds with these limits (bytes); `spare` says how much memory the builder's machine can give."""

    def __init__(self, limits: Mapping[str, int], spare: Callable[[], int]) -> None:
        self._limits = limits
        self._spare = spare
        self._at_first = spare()

    def __call__(self, running: Collection[str], name: str) -> bool:
        """Whether `name` may start beside `running`."""
        taken = sum(self._limits[each] for each in running)
        return taken + self._limits[name] <= self._at_first and self._limits[name] <= self._spare()
