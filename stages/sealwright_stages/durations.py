"""How long builds took on this machine, kept in the user's cache for the next estimate, and for nothing else.

- A record is keyed by component, recipe and environment, written whole, and holds the newest few.
- Nothing of it is trusted: what can't be read, or makes no sense, is no history.
- What can't be kept is forgotten: no build fails for want of an estimate.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.errors import MachineError
from sealwright_stages.estimate import MARKS, MOST, Earlier, Kind
from sealwright_stages.files import read_small, write_whole

_LIMIT = 16384
_LONGEST = 10_000_000.0  # seconds: more than a third of a year


@dataclass(frozen=True)
class Durations:
    """The records below a folder of the cache."""

    folder: Path

    def of(self, kind: Kind) -> tuple[Earlier, ...]:
        """Earlier builds of this kind, the newest first."""
        try:
            told = json.loads(read_small(self._file(kind), _LIMIT))
            earlier = [
                Earlier(float(seconds), int(said), _marks(marks)) for seconds, said, marks in told["builds"]
            ]
        except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return ()
        if told.get("kind") != [kind.component, kind.recipe, kind.environment]:
            return ()
        return tuple(each for each in earlier if 0 < each.seconds < _LONGEST and each.said >= 0)[:MOST]

    def keep(self, kind: Kind, build: Earlier) -> None:
        """Take a build that ended well in."""
        builds = [[round(each.seconds, 3), each.said, each.marks] for each in (build, *self.of(kind))][:MOST]
        told = {"kind": [kind.component, kind.recipe, kind.environment], "builds": builds}
        with contextlib.suppress(OSError, MachineError):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._file(kind), json.dumps(told).encode() + b"\n")

    def _file(self, kind: Kind) -> Path:
        name = "\0".join((kind.component, kind.recipe, kind.environment))
        return self.folder / f"{hashlib.sha256(name.encode()).hexdigest()}.json"


def _marks(told: list[int]) -> tuple[int, ...]:
    """Marks as they were kept; none where they make no sense."""
    marks = tuple(map(int, told))
    return marks if len(marks) == MARKS + 1 and sorted(marks) == list(marks) and marks[0] >= 0 else ()
