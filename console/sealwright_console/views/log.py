"""What a log shows: one line of it made safe, and the line that says where we are."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

from sealwright_console.lines import Line, Part, Tone, cut, plain
from sealwright_console.log_marks import ERRORS, WARNINGS
from sealwright_console.sanitise import clean

_TAB = 8
_CHARACTERS, _BYTES = 3, 4
"""Characters that may share a cell, with two marks on a letter; bytes that a character may have."""
_SPARE = 16


@dataclass(frozen=True)
class LogLine:
    """A line as it is shown: a mark of one character, and the text before, of and after a hit."""

    mark: str
    before: str
    hit: str = ""
    after: str = ""


def log_line(data: bytes, width: int, shift: int = 0, hit: tuple[int, int] | None = None) -> LogLine:
    """A line of output in at most about `width` characters, from its character `shift` on.

    Args:
        data: the bytes of the line, without its end.
        width: cells that there are; what can't be in them is not looked at, however long the line is.
        shift: characters that are left out at the left.
        hit: where in `data` a hit is, and how many bytes it has; None if it has none.
    """
    data = data.rstrip(b"\r")
    room = (shift + width) * _CHARACTERS + _SPARE
    at, length = hit or (len(data), 0)
    before, text, after = data[: min(at, room * _BYTES)], data[at : at + length], data[at + length :]
    shown = _expanded(before)
    found = _expanded(text[: room * _BYTES], len(shown))
    rest = _expanded(after[: room * _BYTES], len(shown) + len(found))
    parts = [clean(part[:room], room) for part in (shown, found, rest)]
    for number, part in enumerate(parts):
        parts[number], shift = part[shift:], max(0, shift - len(part))
    return LogLine(_mark(data), *parts)


def _expanded(data: bytes, column: int = 0) -> str:
    """The text with blanks for tabs, where it begins in `column`."""
    text = data.decode("utf-8", "surrogateescape")
    return (
        f"{'':{column % _TAB}}{text}".expandtabs(_TAB)[column % _TAB :] if column % _TAB else text.expandtabs(_TAB)
    )


def _mark(data: bytes) -> str:
    """`e` before a line of errors, `w` before one of warnings."""
    lower = data.lower()
    if any(needle in lower for needle in ERRORS):
        return "e"
    return "w" if any(needle in lower for needle in WARNINGS) else " "


@dataclass(frozen=True)
class LogPlace:
    """Where a view of a log is: the number of its lowest line, or none while the log is read; what else is to be said."""

    following: bool
    line: int = 0
    lines: int = 0
    column: int = 0
    read: int = 100
    rate: int = 0
    errors: int = 0
    warnings: int = 0
    said: str = ""


def place_line(place: LogPlace, width: int = 1000) -> Line:
    """`FOLLOW  line 204 of 204   not found: x   98,100 lines/s   e 0 errors   w 17 warnings`, shorter without room."""
    for short in range(3):
        line = _place_parts(place, short)
        if cell_len(plain(line)) <= width:
            return line
    return cut(line, width)


def _place_parts(place: LogPlace, short: int) -> Line:
    """Where we are; `short` is 1 without the words of the counts, 2 also without how many lines there are."""
    mode = Part("FOLLOW" if place.following else "PAUSED", Tone.RUNNING if place.following else Tone.HEAD)
    where = f"line {place.line:,}{f' of {place.lines:,}' if short < 2 else ''}"
    where = where if place.lines else "at the end" if place.read < 100 else "empty"
    parts = [mode, Part(f"  {where}")]
    if place.column:
        parts.append(Part(f", column {place.column + 1}"))
    if place.read < 100:
        parts.append(Part(f", reading {place.read}%", Tone.DIM))
    if place.said:
        parts.append(Part(f"   {place.said}", Tone.KEY))
    if place.rate:
        parts.append(Part(f"   {place.rate:,} lines/s", Tone.DIM))
    parts.append(_counted("e", place.errors, "error", Tone.FAILED, short))
    parts.append(_counted("w", place.warnings, "warning", Tone.WARNED, short))
    return tuple(parts)


def _counted(key: str, count: int, what: str, tone: Tone, short: int) -> Part:
    word = "" if short else f" {what}{'' if count == 1 else 's'}"
    return Part(f"   {key} {count:,}{word}", tone if count else Tone.DIM)
