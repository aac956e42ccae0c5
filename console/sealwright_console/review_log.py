"""The output of a build in a review: no line of it is shown that is not, byte for byte, what the log's records name.

- A line is cut from bytes that were hashed for it, and not from bytes that are read again after they were hashed.
- A line of other bytes is refused; so is what is missing at the end.
- Where lines begin is taken from the files as they are: where they were changed, lines may be cut elsewhere, and what is
  shown of them is still what was recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sealwright_console.log_text import CAP, REFUSED, LogText
from sealwright_stages.errors import LogError
from sealwright_stages.review.output import Output
from sealwright_stages.review.past import Past

_PEEK = 1 << 14


class CheckedText(LogText):
    """The lines of a stream of a past release, each checked as it is asked for."""

    def __init__(self, past: Past, stream: str, paths: Sequence[Path], begin: int = 0) -> None:
        """Show `stream`, whose segments are `paths`, from the byte `begin` on."""
        super().__init__(paths, begin)
        self._stream, self._output = stream, Output(past)

    def close(self) -> None:
        """Let go of the files, twice opened."""
        super().close()
        self._output.close()

    @property
    def trouble(self) -> str:
        """What is wrong with all of it: fewer bytes than the records name, which say where it is shown up to."""
        missing = (self.limit or 0) - self.size
        return f"{REFUSED}: {missing:,} bytes are missing" if missing > 0 else ""

    def line(self, number: int, skip: int = 0) -> tuple[bytes, bool]:
        """Line `number` as in `LogText`, checked.

        Raises:
            LogError: its bytes are not what their record names.
        """
        start = self.start_of(number)
        if start is None:
            return b"", False
        start += skip
        most = min(CAP + 1, self.shown - start)
        data = b""
        while len(data) < most and b"\n" not in data:
            more = self._output.checked_from(self._stream, start + len(data))
            if not more:
                raise LogError(
                    "there is more in this log than was recorded", "no record names it", "audit it again"
                )
            data += more
        data, newline, _ = data[: max(0, most)].partition(b"\n")
        return data[:CAP], not newline and len(data) > CAP


def checked_last_lines(past: Past, stream: str, most: int, limit: int) -> list[bytes]:
    """The last lines of the first `limit` bytes of a stream, checked; that they are not what was recorded, if so."""
    start = max(0, limit - _PEEK)
    with Output(past) as output:
        try:
            data = output.checked(stream, start, limit - start)
        except LogError as error:
            return [f"✗ {REFUSED}: {error.because}".encode()]
    if len(data) < limit - start:
        return [f"✗ {REFUSED}: bytes are missing".encode()]
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    if start and len(lines) > 1:
        lines.pop(0)
    return [line[:CAP] for line in lines[-most:]] if most > 0 else []
