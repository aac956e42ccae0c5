"""What is claimed must not look proved: as long as no audit has said yes, nothing on a review's screens is green.

- A filter at the app's last door: whatever widget shows it, a check mark is a question mark, and green is grey.
- It asks for each line that is rendered, and takes the answer of the release that is on the screen.
"""

from __future__ import annotations

from collections.abc import Callable

from rich.color import Color as RichColor
from rich.color import ColorType
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

_GREENS = (2, 10)  # of a terminal's own sixteen
_CLAIMED = str.maketrans({"✓": "?", "✔": "?", "☑": "?"})


class ClaimFilter(LineFilter):
    """Takes what looks proved from what is not."""

    def __init__(self, proved: Callable[[], bool]) -> None:
        """`proved` says whether an audit said yes to what is on the screen."""
        super().__init__()
        self._proved = proved

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Give the segments as a claim, as wide as they were."""
        return segments if self._proved() else [_claimed(segment) for segment in segments]


def _claimed(segment: Segment) -> Segment:
    style = segment.style
    if style is not None and (_green(style.color) or _green(style.bgcolor)):
        style += Style(color=_grey(style.color), bgcolor=_grey(style.bgcolor))
    return Segment(segment.text.translate(_CLAIMED), style)


def _green(color: RichColor | None) -> bool:
    if color is None:
        return False
    if color.triplet is None:
        return color.type in (ColorType.STANDARD, ColorType.EIGHT_BIT) and color.number in _GREENS
    red, green, blue = color.triplet
    return green > 1.1 * max(red, blue, 1)


def _grey(color: RichColor | None) -> RichColor | None:
    """As light as it was, without the green."""
    if not _green(color) or color is None:
        return color
    if color.triplet is None:
        return RichColor.default()
    red, green, blue = color.triplet
    light = min(255, round(0.2126 * red + 0.7152 * green + 0.0722 * blue))
    return RichColor.from_rgb(light, light, light)
