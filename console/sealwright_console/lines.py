"""Lines of text as the screens show them: parts with a tone, all of them clean.

- A `Part` is clean by construction: no way leads from outside to the screen around `sanitise`.
- A tone is a meaning, not a colour; the theme says how it looks, and every meaning has a word or a shape too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from rich.cells import cell_len, set_cell_size

from sealwright_console.sanitise import LIMIT, clean
from sealwright_stages.verdict import Status


class Tone(StrEnum):
    """What a part means."""

    PLAIN = "plain"
    DIM = "dim"
    HEAD = "head"
    KEY = "key"
    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    ALARM = "alarm"
    RUNNING = "running"
    PENDING = "pending"


MARKS = {
    Status.PASSED: "✓",
    Status.WARNED: "!",
    Status.FAILED: "✗",
    Status.RUNNING: "…",
    Status.PENDING: "·",
}

_NARROWEST = 8
"""Cells below which folding would give nothing to read."""


@dataclass(frozen=True)
class Part:
    """A piece of a line; its text is cleaned and capped when it is made."""

    text: str
    tone: Tone = Tone.PLAIN
    limit: int = field(default=LIMIT, compare=False)
    here: bool = False
    """Whether this is where things stand now: underlined, whatever its tone."""

    def __post_init__(self) -> None:
        """Clean the text."""
        object.__setattr__(self, "text", clean(self.text, self.limit))


Line = tuple[Part, ...]


@dataclass(frozen=True)
class Row:
    """Lines that belong together; `key` says what can be selected there, empty for what can't."""

    key: str
    lines: tuple[Line, ...]


def plain(line: Line) -> str:
    """The line's text without its tones."""
    return "".join(part.text for part in line)


def heading(text: str) -> Row:
    """A row that names what follows."""
    return Row("", ((Part(text, Tone.HEAD),),))


def blank() -> Row:
    """An empty row."""
    return Row("", ((),))


def labelled(label: str, text: str, tone: Tone = Tone.PLAIN, indent: int = 6) -> Line:
    """A line such as `      why     the file differs from its pin`."""
    return (Part(f"{'':{indent}}{label:<9}", Tone.DIM), Part(text, tone))


def mark(status: Status) -> Part:
    """Shape and tone of a status; the word stands beside it."""
    return Part(MARKS[status], tone_of(status))


def word(status: Status, width: int = 0) -> Part:
    """Shape, word and tone of a status, padded to `width` cells."""
    return Part(f"{MARKS[status]} {status.value}".ljust(width), tone_of(status))


def tone_of(status: Status) -> Tone:
    """The tone that means this status."""
    return Tone(status.value)


def fit(text: str, width: int) -> str:
    """The text, cleaned, in exactly `width` cells: padded, or cut with an ellipsis."""
    text = clean(text)
    return set_cell_size(text, width) if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"


def cut(line: Line, width: int) -> Line:
    """The line in at most `width` cells; what is left out is told by an ellipsis."""
    if cell_len(plain(line)) <= width:
        return line
    out: list[Part] = []
    room = max(1, width) - 1
    for part in line:
        text = part.text if cell_len(part.text) <= room else set_cell_size(part.text, room)
        out.append(Part(text, part.tone))
        room -= cell_len(text)
        if text != part.text:
            break
    return (*out, Part("…", out[-1].tone))


def few(lines: list[Line], most: int, width: int) -> tuple[Line, ...]:
    """At most so many lines; where there are more, the last one says so by an ellipsis at its end."""
    if len(lines) <= most:
        return tuple(lines)
    last = cut(lines[most - 1], width - 2)
    return (*lines[: most - 1], (*last, Part(" …", Tone.DIM)))


def apart(left: Line, right: Line, width: int) -> Line:
    """One line at the left edge and one at the right, at least two cells between them; the left one is cut for that."""
    room = width - cell_len(plain(right)) - 2
    left = cut(left, max(0, room))
    gap = max(2, width - cell_len(plain(left)) - cell_len(plain(right)))
    return (*left, Part(" " * gap), *right)


def join(parts: Iterable[Line], between: str = "  ") -> Line:
    """Several lines as one."""
    out: list[Part] = []
    for line in parts:
        if out:
            out.append(Part(between))
        out.extend(line)
    return tuple(out)


def wrap(line: Line, width: int, hang: int = 0) -> list[Line]:
    """The line in pieces of at most `width` cells, cut at blanks where it can be, the rest indented as its text.

    The indent is `hang`, or else that of the second part where the first is a label, or else that of the leading blanks.
    """
    if width < _NARROWEST or cell_len(plain(line)) <= width:
        return [line]
    hang = hang or (cell_len(line[0].text) if len(line) > 1 and line[0].text[:1] == " " else 2)
    hang = hang if hang < width // 2 else 2
    pieces: list[Line] = []
    current: list[Part] = []
    used = 0
    for word_, tone in _words(line, width - hang):
        text = word_
        if used + cell_len(text) > width and used > (hang if pieces else 0):
            pieces.append(tuple(current))
            current, used = [Part(" " * hang)], hang
            text = text.lstrip(" ")
        current.append(Part(text, tone))
        used += cell_len(text)
    return [*pieces, tuple(current)]


def _words(line: Line, longest: int) -> Iterable[tuple[str, Tone]]:
    """Blanks and the word after them, each with its tone; words longer than a line are cut.

    A word of one character stays with the one before it: a key alone on its line would be overlooked.
    """
    for part in line:
        for found in _bound_words(part.text, longest):
            text = found
            while cell_len(text) > longest:
                cut = longest if text.isascii() else max(1, longest // 2)
                yield text[:cut], part.tone
                text = text[cut:]
            yield text, part.tone


def _bound_words(text: str, longest: int) -> Iterator[str]:
    held = ""
    for found in re.finditer(r" *[^ ]+| +$", text):
        word_ = found.group()
        if held and len(word_.strip()) == 1 and cell_len(held + word_) <= longest:
            held += word_
            continue
        if held:
            yield held
        held = word_
    if held:
        yield held
