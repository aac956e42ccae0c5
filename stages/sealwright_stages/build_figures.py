"""What is said of the looks at a running build: all of them to the faces, few of them to the log.

- The first look is logged, and one after a second, or a hundredth of the time that the build has taken, whichever is
  longer, but at least one in five minutes: 100 + 100 ln(t / 100 s) of them until 300 s stand between two.
- A look is logged at once where memory, processes, disk or files passed the most that was logged by a quarter.
- The last look is logged before the end, so what a build was killed for is there.
- A look that goes into the log is there before any face sees it.
- The peaks that the end tells are those of all looks.
"""

from __future__ import annotations

from collections.abc import Callable

from sealwright_stages import events as ev
from sealwright_stages.estimate import marks_of
from sealwright_stages.live import Live, build_name
from sealwright_stages.ports import BuildResult, Sampled

_SHORTEST_MS, _LONGEST_MS = 1000, 300_000
_PART = 100
_FLOORS = (16 << 20, 8, 16 << 20, 1000)
"""Of memory, processes, disk and files what is no peak yet."""

_TRACKED = 1.0025
"""By so much the time grows until what a build has said is kept again: a few thousand times in two days."""

Peaks = tuple[int, ...]


def peaks_of(look: Sampled) -> Peaks:
    """Figures of which the log must know the peak: memory, processes, disk, files."""
    return (look.memory, look.processes, look.disk, look.files)


def worth_logging(look: Sampled, logged_ms: int | None, most: Peaks) -> bool:
    """Whether a look goes into the log, where the last was at `logged_ms` and `most` are the peaks that it knows."""
    if logged_ms is None:
        return True
    pause = min(_LONGEST_MS, max(_SHORTEST_MS, look.elapsed_ms // _PART))
    if look.elapsed_ms - logged_ms >= pause:
        return True
    return any(
        now * 4 > max(top, floor) * 5 for now, top, floor in zip(peaks_of(look), most, _FLOORS, strict=True)
    )


class BuildFigures:
    """Takes the looks at one build."""

    def __init__(
        self, component: str, live: Live, tell: Callable[[ev.BuildSample], object], *, second: bool = False
    ) -> None:
        self._component, self._live, self._tell, self._second = component, live, tell, second
        self._name = build_name(component, second=second)
        self._logged_ms: int | None = None
        self._most: Peaks = (0, 0, 0, 0)
        self._last: Sampled | None = None
        self._track: list[tuple[float, int]] = []

    def take(self, look: Sampled) -> None:
        """Take a look in; raises what the log raises."""
        self._last = look
        if not self._track or look.elapsed_ms / 1000 > self._track[-1][0] * _TRACKED:
            self._track.append((look.elapsed_ms / 1000, look.said))
        if worth_logging(look, self._logged_ms, self._most):
            self._log(look)
        self._live.show(self._name, look)

    def end(self) -> None:
        """Log the last look, unless it is there already; raises what the log raises."""
        if self._last is not None and self._last.elapsed_ms != self._logged_ms:
            self._log(self._last)

    def marks(self, seconds: float) -> tuple[int, ...]:
        """What it had said when, for the estimate of the next build."""
        return marks_of(self._track, seconds)

    def over(self) -> None:
        """Nothing is to be seen of it any more."""
        self._live.over(self._name)

    def ended(self, result: BuildResult) -> ev.BuildEnded:
        """The end of the build, with what it took."""
        used = result.used
        return ev.BuildEnded(
            self._component,
            result.exit,
            result.wall_ms,
            result.killed_because,
            self._second,
            cpu_ms=used.cpu_ms,
            cpu_by=used.cpu_by,
            memory=used.memory,
            charged=used.charged,
            processes=used.processes,
            disk=used.disk,
            files=used.files,
            read=used.read,
            written=used.written,
            said=used.said,
        )

    def _log(self, look: Sampled) -> None:
        figures = (
            look.cpu,
            look.memory,
            look.processes,
            look.read,
            look.written,
            self._second,
            look.disk,
            look.files,
        )
        self._tell(ev.BuildSample(self._component, *figures))
        self._logged_ms = look.elapsed_ms
        self._most = tuple(map(max, self._most, peaks_of(look)))
