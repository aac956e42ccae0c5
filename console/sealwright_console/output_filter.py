"""The last gate before the terminal: whatever a widget let through, no active character leaves the console.

- Control, bidi and zero-width characters in a segment become one dead cell each; the line keeps its width.
- Links (OSC 8) are taken off.
- `AsciiFilter` makes every other character ASCII too, for terminals and fonts that have no more.
- It hangs on `App.get_line_filters`, which every widget's lines pass; a byte-level test keeps it there.
"""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from sealwright_console.ascii_text import as_ascii
from sealwright_console.sanitise import ACTIVE


class DeadFilter(LineFilter):
    """Takes the life out of what must not reach a terminal."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Give the segments without active characters and links, as wide as they were."""
        if not any(_suspicious(segment) for segment in segments):
            return segments
        width = sum(cell_len(segment.text) for segment in segments)
        return Segment.adjust_line_length([_dead(segment) for segment in segments], width)


class AsciiFilter(LineFilter):
    """Says everything in ASCII."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Give the segments in ASCII, as wide as they were."""
        return [
            segment if segment.text.isascii() else Segment(as_ascii(segment.text), segment.style)
            for segment in segments
        ]


def _suspicious(segment: Segment) -> bool:
    linked = segment.style is not None and segment.style.link is not None
    return linked or ACTIVE.search(segment.text) is not None


def _dead(segment: Segment) -> Segment:
    style = segment.style
    if style is not None and style.link is not None:
        style = style.update_link(None)
    return Segment(ACTIVE.sub("\N{REPLACEMENT CHARACTER}", segment.text), style)
