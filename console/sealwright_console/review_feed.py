"""A past release as the console sees it: read only; at the record where the cursor stands, or one to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sealwright_console.cursor import Cursor
from sealwright_console.feed import ReadOnlyError, SigningRequest, segments
from sealwright_console.repeat import Places
from sealwright_stages.finish import Finish
from sealwright_stages.state import State

if TYPE_CHECKING:
    from sealwright_console.review_opening import Opening


class PastFeed:
    """What all past releases have in common: nothing runs or waits, and each action is refused."""

    cursor: Cursor | None = None

    def __init__(self, log: Path) -> None:
        """Show the release whose log folder is `log`."""
        self._log = log

    @property
    def read_only(self) -> bool:
        """Always: a past release can't be changed."""
        return True

    def log_files(self, stream: str) -> list[Path]:
        """The segments of a stream, whose name must be a plain folder name."""
        return segments(self._log / "data", stream)

    @property
    def places(self) -> Places:
        """Those of the evidence folder; the sources, if it still stands in the work folder that it was made in."""
        evidence = self._log.parent
        inside = (evidence.parent / "release.json").is_file()
        sources = evidence.parent / "sources" if inside else None
        return Places(sources, evidence / "products", evidence / "policy" / "keys", self._log)

    def now(self, component: str) -> None:
        """Nothing runs."""

    def left(self, component: str = "") -> str:
        """Nothing is left."""
        return ""

    def ahead(self, component: str) -> None:
        """Nothing runs."""

    @property
    def finish(self) -> Finish:
        """Nothing is being done."""
        return Finish()

    def signing(self) -> SigningRequest | None:
        """Nothing waits."""
        return None

    def retry(self, item: str) -> None:
        """Refused."""
        raise ReadOnlyError(f"{item}: a past release can't be checked again here")

    def waive(self, item: str, person: str, reason: str, code: str, sha256: str) -> None:
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


class ReviewFeed(PastFeed):
    """Implements `feed.Feed` over a cursor."""

    def __init__(self, cursor: Cursor, notices: Sequence[str] = (), opening: Opening | None = None) -> None:
        """Look where `cursor` stands; `notices` is what was said of this log, or `opening` says it as it comes."""
        super().__init__(cursor.past.log)
        self.cursor: Cursor | None = cursor
        self._cursor = cursor
        self._notices = tuple(notices)
        self.opening = opening
        self._seen = -1

    @property
    def title(self) -> str:
        """The release, as its log names it."""
        end = self._cursor.past.end
        return f"{end.release}-{end.version}"

    @property
    def proved(self) -> bool:
        """Whether an audit said yes to what is shown."""
        return self._cursor.proved

    @property
    def state(self) -> State:
        """The fold over the log up to the cursor."""
        return self._cursor.state

    @property
    def finished(self) -> int | None:
        """Nothing runs, so nothing ends; 1 if the log could not be folded."""
        return 1 if self._cursor.past.broken else 0

    def poll(self) -> bool:
        """Whether the cursor went somewhere since the last look, or more is known by now."""
        told = self.opening is not None and self.opening.look(self._cursor)
        moved, self._seen = self._cursor.moves != self._seen, self._cursor.moves
        return moved or told

    def notices(self) -> Sequence[str]:
        """What was said of this log; what is wrong with it now, and a break in it, first."""
        broken = self._cursor.past.broken
        told = (self._cursor.trouble, f"✗ the log can't be read beyond here: {broken}" if broken else "")
        return (*filter(None, told), *(self.opening.notices if self.opening else self._notices))


class SideFeed(PastFeed):
    """Implements `feed.Feed` over one of two releases that are compared: at its end, without a cursor."""

    def __init__(self, evidence: Path, name: str, state: State, *, proved: bool) -> None:
        """Show `state`, the end of the release in `evidence`, which is A or B of a comparison; `proved`: it is whole."""
        super().__init__(evidence / "log")
        self.proved = proved
        self.state = state
        self._name = name

    @property
    def title(self) -> str:
        """The release, and which of the two it is."""
        return f"{self.state.release}-{self.state.version} as {self._name}, at its end"

    @property
    def finished(self) -> int | None:
        """Nothing runs."""
        return 0

    def poll(self) -> bool:
        """Nothing changes."""
        return False

    def notices(self) -> Sequence[str]:
        """Whether it can be believed."""
        word = (
            "✓ this release is whole" if self.proved else "✗ NOT WHOLE: nothing that is said here can be believed"
        )
        return (word, str(self._log.parent))
