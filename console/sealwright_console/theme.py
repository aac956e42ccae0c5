"""How the console looks: its themes, and which style each tone has in them.

- Each tone can be read on each background on which it is used: a contrast of at least 4.5:1 (WCAG 2.1, 1.4.3).
- `ansi` has no colours of its own but the terminal's sixteen; so has NO_COLOR, which takes those away too. Bold,
  underline and reverse stay, and no meaning hangs on a colour.
- The one loud tone is `ALARM`, a block in reverse; a screen on which all is well has none.
"""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content
from textual.theme import Theme

from sealwright_console.lines import Line, Tone


def _bars(track: str, bar: str) -> dict[str, str]:
    """A scrollbar that is seen but doesn't shout."""
    states = ("", "-hover", "-active")
    bars = {f"scrollbar{state}": bar for state in states}
    return bars | {f"scrollbar-background{state}": track for state in states} | {"scrollbar-corner-color": track}


DARK = Theme(
    name="dark",
    primary="#7aa2f7",
    secondary="#9aa1bd",
    accent="#e0af68",
    success="#9ece6a",
    warning="#e0af68",
    error="#ff7a8a",
    foreground="#d5d9e8",
    background="#14161f",
    surface="#1a1d29",
    panel="#222637",
    dark=True,
    variables={
        "running": "#7dcfff",
        "dim": "#9aa1bd",
        "cursor-row": "#2b3048",
        "text-disabled": "#9aa1bd",
        **_bars("#14161f", "#4a5272"),
    },
)
LIGHT = Theme(
    name="light",
    primary="#264790",
    secondary="#4f5568",
    accent="#734a00",
    success="#235c18",
    warning="#734a00",
    error="#a31229",
    foreground="#1d2230",
    background="#fbfaf7",
    surface="#f2f0ea",
    panel="#e6e3da",
    dark=False,
    variables={
        "running": "#00557a",
        "dim": "#4f5568",
        "cursor-row": "#dcd8ca",
        "text-disabled": "#4f5568",
        **_bars("#fbfaf7", "#a9a594"),
    },
)
HIGH_CONTRAST = Theme(
    name="high-contrast",
    primary="#8ab8ff",
    secondary="#d8d8d8",
    accent="#ffd700",
    success="#5cff5c",
    warning="#ffd700",
    error="#ff9c9c",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    dark=True,
    variables={
        "running": "#5cf0ff",
        "dim": "#d8d8d8",
        "cursor-row": "#003366",
        "text-disabled": "#d8d8d8",
        **_bars("#000000", "#d8d8d8"),
    },
)
ANSI = Theme(
    name="ansi",
    ansi=True,
    primary="ansi_blue",
    secondary="ansi_default",
    accent="ansi_default",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    dark=True,
    variables={
        "running": "ansi_cyan",
        "dim": "ansi_default",
        "cursor-row": "ansi_default",
        "text-disabled": "ansi_default",
        "block-cursor-foreground": "ansi_black",
        "block-cursor-background": "ansi_white",
        "input-cursor-background": "ansi_default",
        "input-cursor-foreground": "ansi_default",
        "input-cursor-text-style": "reverse",
        "ansi-background": "ansi_black",
        "ansi-foreground": "ansi_white",
    },
)
THEMES = (DARK, LIGHT, HIGH_CONTRAST, ANSI)
THEME_NAMES = tuple(theme.name for theme in THEMES)
BACKGROUNDS = ("background", "surface", "panel", "cursor-row")
"""What text stands on: the body, the lines around it, the heading, the selected row."""

STYLES: Mapping[Tone, str] = {
    Tone.PLAIN: "",
    Tone.DIM: "$dim",
    Tone.HEAD: "bold",
    Tone.KEY: "bold $primary",
    Tone.PASSED: "$success",
    Tone.WARNED: "bold $warning",
    Tone.FAILED: "bold $error",
    Tone.ALARM: "bold reverse $error",
    Tone.RUNNING: "$running",
    Tone.PENDING: "$dim",
}


def content(*lines: Line) -> Content:
    """The lines as text with styles. Their text is never read as markup."""
    parts: list[Content | tuple[str, str]] = []
    for number, line in enumerate(lines):
        if number:
            parts.append(Content("\n"))
        parts.extend((part.text, f"{STYLES[part.tone]}{' bold underline' if part.here else ''}") for part in line)
    return Content.assemble(*parts)
