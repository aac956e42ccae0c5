"""How long builds will still take, by how long they took before: pure functions, and a guess that says so.

- With no earlier build nothing is said, and of a stage only what is known, as `at least`.
- How far a build is, its output says: where it stands among what the build before had said at each twentieth of its
  time. Of eight builds under other loads that erred by 7 % of the whole (median), the time alone by 26 %, the share
  of all output by 11 %. Without such marks the time counts, and the share of the output the more, the larger it is:
  15 %.
- Beyond the longest of the earlier builds it is said that it takes longer than before, and how long that was.
- An estimate is rounded to what it is worth, and is never in the log.
- What builds side by side takes as long as the workers have to do, in the order of what needs what.
"""

from __future__ import annotations

import bisect
import heapq
import statistics
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sealwright_stages.events import BuildEnded
from sealwright_stages.state import State

MOST = 5
"""Earlier builds of a component that count."""
MARKS = 20


@dataclass(frozen=True)
class Earlier:
    """An earlier build that ended well: seconds, bytes of output (0: not known), and of that each mark.

    `marks` are the bytes that it had said at each twentieth of its time, or nothing.
    """

    seconds: float
    said: int = 0
    marks: tuple[int, ...] = ()


@dataclass(frozen=True)
class Kind:
    """What builds are alike in."""

    component: str
    recipe: str
    environment: str


@dataclass(frozen=True)
class Estimate:
    """Seconds that are left (0: who knows), how long it took `before` if it takes longer now.

    `unknown` builds of a stage were never timed. `spread` is by how many seconds it may be off either way, since the
    earlier builds, `of` which it comes, do not agree.
    """

    left: float
    before: float = 0.0
    unknown: int = 0
    spread: float = 0.0
    of: int = 0

    @property
    def words(self) -> str:
        """It as people say it; empty if there is nothing to say."""
        if self.before:
            longer = f"longer than before ({roughly(self.before)})"
            return f"about {roughly(self.left)} left, {longer}" if self.left else longer
        if not self.left:
            return ""
        if self.unknown:
            were = "build was" if self.unknown == 1 else "builds were"
            return f"at least {roughly(self.left)} left, {self.unknown} {were} never timed"
        return f"about {roughly(self.left)} left"


def roughly(seconds: float) -> str:
    """`20 s`, `3 min`, `1 h 20 min`: as many digits as an estimate is worth."""
    if seconds < 55:
        return f"{max(5, round(seconds / 5) * 5) if seconds < 20 else round(seconds / 10) * 10} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes if minutes < 10 else round(minutes / 5) * 5} min"
    tens = round(minutes / 10) * 10
    return f"{tens // 60} h {tens % 60} min" if tens % 60 else f"{tens // 60} h"


def expected(earlier: Sequence[Earlier]) -> float | None:
    """Seconds that a build takes, by its newest earlier ones."""
    known = [each.seconds for each in earlier[:MOST]]
    return statistics.median(known) if known else None


def remaining(earlier: Sequence[Earlier], elapsed: float, said: int) -> Estimate | None:
    """What is left of a build that runs since `elapsed` seconds and `said` so many bytes; None: nobody knows.

    `earlier` has the newest first.
    """
    known = earlier[:MOST]
    if not known:
        return None
    best = [each for each in known if each.marks] or known
    lefts = sorted(_left(each, elapsed, said) for each in best)
    longest = max(each.seconds for each in known)
    before = longest if elapsed > longest else 0.0
    return Estimate(statistics.median(lefts), before, spread=(lefts[-1] - lefts[0]) / 2, of=len(lefts))


def _left(before: Earlier, elapsed: float, said: int) -> float:
    """Seconds left, if it goes on as the build before did, at the pace that it has now."""
    by_time = max(0.0, before.seconds - elapsed)
    if before.marks and said and elapsed:
        done = _done(before, elapsed, said)
        return elapsed * (1 - done) / done if done else by_time
    share = min(1.0, said / before.said) if before.said else 0.0
    by_output = elapsed * (1 - share) / share if share else 0.0
    return (1 - share) * by_time + share * by_output


def _done(before: Earlier, elapsed: float, said: int) -> float:
    """The part of its time that the build before had taken when it had said as much; while it said nothing, by time."""
    marks = before.marks
    first, after = bisect.bisect_left(marks, said), bisect.bisect_right(marks, said)
    if after - first > 1:  # it was silent here
        return min(max(elapsed / before.seconds, first / MARKS), (after - 1) / MARKS)
    if after > MARKS:
        return 1.0
    if not after:
        return 0.0
    return (after - 1 + (said - marks[after - 1]) / (marks[after] - marks[after - 1])) / MARKS


def marks_of(track: Sequence[tuple[float, int]], seconds: float) -> tuple[int, ...]:
    """The marks of a build, of (seconds, bytes said until then) in their order; none if it was not looked at."""
    times = [at for at, _ in track]
    if not times:
        return ()
    found = [bisect.bisect_right(times, seconds * number / MARKS) - 1 for number in range(MARKS + 1)]
    return tuple(track[at][1] if at >= 0 else 0 for at in found)


def makespan(
    left: Mapping[str, float], running: Collection[str], needs: Mapping[str, Collection[str]], workers: int
) -> float:
    """Seconds until builds are done that have so much `left` each, those that run first, `workers` at a time.

    What is needed and not among them is done already; what waits for itself is left out.
    """
    waits = {name: sum(need in left for need in needs.get(name, ())) for name in left}
    waiting: dict[str, list[str]] = {}
    for name in left:
        for need in needs.get(name, ()):
            waiting.setdefault(need, []).append(name)
    ready = deque(name for name in left if name in running)
    ready += (name for name, count in waits.items() if not count and name not in running)
    at: list[tuple[float, str]] = []
    now = 0.0
    while ready or at:
        while ready and (len(at) < workers or ready[0] in running):
            name = ready.popleft()
            heapq.heappush(at, (now + left[name], name))
        now, done = heapq.heappop(at)
        for name in waiting.get(done, ()):
            waits[name] -= 1
            if not waits[name] and name not in running:
                ready.append(name)
    return now


def earlier_of(ended: BuildEnded, marks: tuple[int, ...] = ()) -> Earlier:
    """A build that ended well, as the next one is held against it."""
    return Earlier(ended.wall_ms / 1000, ended.said, marks)


def builds_of(state: State) -> dict[Kind, tuple[Earlier, ...]]:
    """The builds of a release that ended well, the newest of each kind first."""
    return {
        Kind(each.name, each.recipe, each.environment): tuple(map(earlier_of, reversed(each.took)))
        for each in state.components.values()
        if each.took
    }
