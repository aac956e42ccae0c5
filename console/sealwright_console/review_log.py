"""The output of a build in a review: no line of it is shown that is not, byte for byte, what the log's records name.

- A line is cut from bytes that were hashed for it, and not from bytes that are read again after they were hashed.
- A line of other bytes is refused; so is what is missing at the end.
- Where lines begin is taken from the files as they are: where they were changed, lines may be cut elsewhere, and what is
  shown of them is still what was recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sealwright_console.log_text import CAP, LogText
from sealwright_stages.errors import LogError
from sealwright_stages.review.output import Output
from sealwright_stages.review.past import Past


class CheckedText(LogText):
    """The lines of a stream of a past release, each checked as it is asked for."""

    def __init__(self, past: Past, stream: str, paths: Sequence[Path]) -> None:
        """Show `stream`, whose segments are `paths`."""
        super().__init__(paths)
        self._stream, self._output = stream, Output(past)
        self._named = 0

    def close(self) -> None:
        """Let go of the files, twice opened."""
        super().close()
        self._output.close()

    def limit_to(self, limit: int | None) -> None:
        """Show the first `limit` bytes only, which the records name; fewer are a trouble."""
        super().limit_to(limit)
        self._named = limit or 0

    @property
    def trouble(self) -> str:
        """What is wrong with all of it; empty if nothing is known to be."""
        missing = self._named - self.size
        return f"{missing:,} bytes of it are missing that the log names" if missing > 0 else ""

    def line(self, number: int) -> tuple[bytes, bool]:
        """Line `number` as in `LogText`, checked.

        Raises:
            LogError: its bytes are not what their record names.
        """
        start = self._start_of(number)
        if start is None:
            return b"", False
        most = min(CAP + 1, self._shown - start)
        data = b""
        while len(data) < most and b"\n" not in data:
            more = self._output.checked_from(self._stream, start + len(data))
            if not more:
                raise LogError(
                    "there is more in this log than was recorded", "no record names it", "audit it again"
                )
            data += more
        data, newline, _ = data[:most].partition(b"\n")
        return data[:CAP], not newline and len(data) > CAP
