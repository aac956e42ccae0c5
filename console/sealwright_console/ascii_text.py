"""Says a text in ASCII, as wide as it was, for terminals and fonts that have no more."""

from __future__ import annotations

from rich.cells import cell_len

_ASCII = str.maketrans(
    {
        "✓": "+",
        "✗": "X",
        "…": "~",
        "·": ".",
        "—": "-",
        "←": "<",
        "→": ">",
        "↑": "^",
        "↓": "v",
        "█": "#",
        "━": "=",
        "▁": "_",
        "▂": "_",
        "▃": ".",
        "▄": "-",
        "▅": "=",
        "▆": "+",
        "▇": "*",
        "“": '"',
        "”": '"',
        "⏎": "^",
        "▎": "|",
        "▌": "|",
        "▔": "-",
        "▲": "^",
    }
)
_BOXES = {code: "-" if code in (0x2500, 0x2501, 0x2550) else "|" for code in range(0x2500, 0x2580)}
_CORNERS = dict.fromkeys(map(ord, "┌┐└┘├┤┬┴┼╭╮╯╰╔╗╚╝"), "+")
_PICTURES = dict.fromkeys(range(0x2400, 0x2422), "^")
_TO_ASCII = {**_PICTURES, **_BOXES, **_CORNERS, **_ASCII}


def as_ascii(text: str) -> str:
    """`text` in ASCII, in as many cells."""
    out = []
    for character in text.translate(_TO_ASCII):
        out.append(character if character.isascii() else "?" * cell_len(character))
    return "".join(out)
