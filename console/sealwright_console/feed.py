"""What the console looks at and may ask: a live engine, or the evidence folder of a past release.

- The console keeps no state of its own: it polls a feed, and shows the `State` that the feed folded.
- An action returns at once; its effect shows through the log, or not at all.
- A feed of a past release is read only: each of its actions is refused.
"""

from __future__ import annotations

import queue
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sealwright_appendlog.record import stream_name
from sealwright_stages.events import BadEventError
from sealwright_stages.fold import apply
from sealwright_stages.log.entries import LogBroken
from sealwright_stages.state import Record, State

_AT_ONCE = 20_000


@dataclass(frozen=True)
class SigningRequest:
    """What a person is asked to sign: `digest` in 64 hex digits over all of it, `release` as "name-version"."""

    release: str
    digest: str
    summary: tuple[str, ...]
    keys: tuple[str, ...]
    counts: tuple[tuple[str, int], ...]
    warnings: tuple[str, ...]


class ReadOnlyError(RuntimeError):
    """An action was asked of a past release; the sentence says so."""


class Feed(Protocol):
    """What the screens see and may ask."""

    @property
    def title(self) -> str:
        """The release, as the heading names it."""

    @property
    def read_only(self) -> bool:
        """Whether this is a past release."""

    @property
    def state(self) -> State:
        """The fold over the log so far."""

    @property
    def finished(self) -> int | None:
        """The exit code once the run ended."""

    def poll(self) -> bool:
        """Take new entries of the log into the state; quick, called ten times a second. True: it changed."""

    def log_files(self, stream: str) -> list[Path]:
        """The segments of a stream's output, in their order."""

    def notices(self) -> Sequence[str]:
        """Short sentences about the log and the audit, the most important first."""

    def signing(self) -> SigningRequest | None:
        """What waits for the person's yes or no."""

    def retry(self, item: str) -> None:
        """Fetch or check an item again."""

    def waive(self, item: str, person: str, reason: str) -> None:
        """Accept a warning, by name."""

    def stop(self) -> None:
        """Stop the run; builds are stopped, and the next run resumes."""

    def confirm_signing(self, typed_digest: str, typed_release: str) -> None:
        """Say yes, with what the person typed."""

    def refuse_signing(self) -> None:
        """Say no."""


class ReviewFeed:
    """A past release: the entries of its log, folded in slices so that the first screen comes at once."""

    def __init__(self, title: str, entries: Iterable[Record], data: Path, notices: Sequence[str] = ()) -> None:
        """Look at `entries`; `data` is the folder of that log that holds a folder per stream."""
        self._title = title
        self._entries = iter(entries)
        self._data = data
        self._notices = tuple(notices)
        self._state = State()
        self._broken = ""
        self._done = False

    @property
    def title(self) -> str:
        """The release, as the heading names it."""
        return self._title

    @property
    def read_only(self) -> bool:
        """Always: a past release can't be changed."""
        return True

    @property
    def state(self) -> State:
        """The fold over the log so far."""
        return self._state

    @property
    def finished(self) -> int | None:
        """Nothing runs, so nothing ends; 1 if the log could not be folded."""
        return 1 if self._broken else 0

    def poll(self) -> bool:
        """Fold the next slice of entries; a broken log stops the fold, and a notice says where."""
        if self._done:
            return False
        try:
            for _ in range(_AT_ONCE):
                apply(self._state, next(self._entries))
        except StopIteration:
            self._done = True
        except (LogBroken, BadEventError, ValueError, OSError) as error:
            self._done = True
            self._broken = f"✗ the log can't be read beyond record {self._state.last_n}: {error}"
        return True

    def log_files(self, stream: str) -> list[Path]:
        """The segments of a stream, whose name must be a plain folder name."""
        return segments(self._data, stream)

    def notices(self) -> Sequence[str]:
        """What was said of this log, a break in it first."""
        return ((self._broken,) if self._broken else ()) + self._notices

    def signing(self) -> SigningRequest | None:
        """Nothing waits."""
        return None

    def retry(self, item: str) -> None:
        """Refused."""
        raise ReadOnlyError(f"{item}: a past release can't be checked again here")

    def waive(self, item: str, person: str, reason: str) -> None:
        """Refused."""
        raise ReadOnlyError(f"{item}: a past release can't be waived")

    def stop(self) -> None:
        """Refused."""
        raise ReadOnlyError("nothing runs")

    def confirm_signing(self, typed_digest: str, typed_release: str) -> None:
        """Refused."""
        raise ReadOnlyError("a past release can't be signed here")

    def refuse_signing(self) -> None:
        """Refused."""
        raise ReadOnlyError("a past release can't be signed here")


class Mirror:
    """A second fold over a live log, in the console's own thread.

    The engine's state changes in the engine's thread, under the eyes of whoever iterates over it. This one takes
    each acknowledged record through a queue and folds it when the console looks.
    """

    def __init__(self, before: State | None = None) -> None:
        """Begin with what stood in the log `before`."""
        self.state = before or State()
        self._arrived: queue.SimpleQueue[Record] = queue.SimpleQueue()

    def take(self, record: Record) -> None:
        """Take a record that was acknowledged; any thread, in the order of the log."""
        self._arrived.put(record)

    def poll(self) -> bool:
        """Fold what has arrived, at most a slice of it; True if there was anything. The console's thread only."""
        for taken in range(_AT_ONCE):
            try:
                record = self._arrived.get_nowait()
            except queue.Empty:
                return taken > 0
            if record.n > self.state.last_n:
                apply(self.state, record)
        return True


def segments(data: Path, stream: str) -> list[Path]:
    """The segment files of `stream` below `data`, in their order; none if the log could have no such stream."""
    try:
        folder = data / stream_name(stream)
    except ValueError:
        return []
    if any(part.is_symlink() for part in (folder, *folder.parents) if part.is_relative_to(data)):
        return []
    return sorted(path for path in folder.glob("*.log") if path.is_file() and not path.is_symlink())
