"""What the console looks at and may ask: a live engine, or the evidence folder of a past release.

- The console keeps no state of its own: it polls a feed, and shows the `State` that the feed folded.
- What is newer than the log (a look at a running build) or only guessed (what is left of it) is told apart from it.
- An action returns at once; its effect shows through the log, or not at all.
- A feed of a past release is read only: each of its actions is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sealwright_appendlog.record import stream_name
from sealwright_stages.files import read_small
from sealwright_stages.state import State

if TYPE_CHECKING:
    from sealwright_console.cursor import Cursor
    from sealwright_console.repeat import Places
    from sealwright_stages.finish import Finish, Thing
    from sealwright_stages.live import Ahead, Now

_MOST_EVIDENCE = 8 << 20  # bytes; a report of differences is the longest, at 1 MiB before JSON quotes it


@dataclass(frozen=True)
class SigningRequest:
    """What a person is asked to sign: `digest` in 64 hex digits over all the `things`, `release` as "name-version"; the
    question has a `number`, which another one has not."""

    release: str
    digest: str
    summary: tuple[str, ...]
    keys: tuple[str, ...]
    counts: tuple[tuple[str, int], ...]
    warnings: tuple[str, ...]
    things: tuple[Thing, ...] = ()
    number: int = 0


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
    def cursor(self) -> Cursor | None:
        """Where a review stands in its log; None while the release is live."""

    @property
    def finished(self) -> int | None:
        """The exit code once the run ended."""

    def poll(self) -> bool:
        """Take new entries of the log into the state; quick, called ten times a second. True: it changed."""

    def log_files(self, stream: str) -> list[Path]:
        """The segments of a stream's output, in their order."""

    @property
    def places(self) -> Places:
        """Where the things of the release lie, for commands that a person runs."""

    def now(self, component: str) -> Now | None:
        """The newest look at a build that runs; it is newer than the log, and stands in no state."""

    def left(self, component: str = "") -> str:
        """How long a build that runs, or the whole stage, may still take; empty if nobody knows."""

    def ahead(self, component: str) -> Ahead | None:
        """How far a build is that runs; None if nobody knows."""

    def notices(self) -> Sequence[str]:
        """Short sentences about the log and the audit, the most important first."""

    @property
    def finish(self) -> Finish:
        """How far seal and sign are, beyond what the log says; nothing of a past release."""

    def signing(self) -> SigningRequest | None:
        """What waits for the person's yes or no."""

    def retry(self, item: str) -> None:
        """Fetch or check an item again."""

    def waive(self, item: str, person: str, reason: str, code: str, sha256: str) -> None:
        """Accept a warning, by name: the one with this code, of these bytes, as the person saw it."""

    def stop(self) -> None:
        """Stop the run; builds are stopped, and the next run resumes."""

    def confirm_signing(self, typed_digest: str, typed_release: str) -> None:
        """Say yes, with what the person typed."""

    def refuse_signing(self) -> None:
        """Say no."""


def segments(data: Path, stream: str) -> list[Path]:
    """The segment files of `stream` below `data`, in their order; none if the log could have no such stream."""
    try:
        folder = data / stream_name(stream)
    except ValueError:
        return []
    if any(part.is_symlink() for part in (folder, *folder.parents) if part.is_relative_to(data)):
        return []
    return sorted(path for path in folder.glob("*.log") if path.is_file() and not path.is_symlink())


def spilled(files: Sequence[Path], sha256: str) -> str:
    """The text of evidence on a stream, from its segments; empty if it can't be read, is longer than a page takes, or is
    other bytes than `sha256` names."""
    data = b""
    try:
        for path in files:
            data += read_small(path, _MOST_EVIDENCE - len(data))
    except OSError:
        return ""
    return data.decode("utf-8", "replace") if hashlib.sha256(data).hexdigest() == sha256 else ""
