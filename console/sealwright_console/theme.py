"""How the console looks: two themes, and which style each tone has in them."""

from __future__ import annotations

from textual.content import Content
from textual.theme import Theme

from sealwright_console.lines import Line, Tone

DARK = Theme(
    name="sealwright-dark",
    primary="#7aa2f7",
    secondary="#565f89",
    accent="#e0af68",
    success="#9ece6a",
    warning="#e0af68",
    error="#ff6b7d",
    foreground="#d5d9e8",
    background="#14161f",
    surface="#1a1d29",
    panel="#222637",
    dark=True,
    variables={"running": "#7dcfff", "dim": "#8a91ad", "cursor-row": "#2b3048"},
)
LIGHT = Theme(
    name="sealwright-light",
    primary="#2a4d9b",
    secondary="#7a8099",
    accent="#8a5a00",
    success="#2c6e1f",
    warning="#8a5a00",
    error="#b3152d",
    foreground="#1d2230",
    background="#fbfaf7",
    surface="#f2f0ea",
    panel="#e6e3da",
    dark=False,
    variables={"running": "#005f87", "dim": "#5b6175", "cursor-row": "#dcd8ca"},
)
THEMES = (DARK, LIGHT)

_STYLES = {
    Tone.PLAIN: "",
    Tone.DIM: "$dim",
    Tone.HEAD: "bold",
    Tone.KEY: "bold $primary",
    Tone.PASSED: "$success",
    Tone.WARNED: "bold $warning",
    Tone.FAILED: "bold $error",
    Tone.RUNNING: "$running",
    Tone.PENDING: "$dim",
}


def content(*lines: Line) -> Content:
    """The lines as text with styles. Their text is never read as markup."""
    parts: list[Content | tuple[str, str]] = []
    for number, line in enumerate(lines):
        if number:
            parts.append(Content("\n"))
        parts.extend((part.text, _STYLES[part.tone]) for part in line)
    return Content.assemble(*parts)
