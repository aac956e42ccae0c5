"""Text from outside as HTML: escaped, and what is invisible, active or piled up made visible.

- No markup, no control or bidi character, and no blank but the plain one comes out as itself.
- Combining marks stand on a character, two at most.
- What is too long is cut, and says by how much.
"""

from __future__ import annotations

import html
import unicodedata

_LIMIT = 2000
_MARKS = 2


def safe(text: str, limit: int = _LIMIT) -> str:
    """Give `text` as HTML that shows it and does nothing; at most `limit` of its characters."""
    shown: list[str] = []
    marks = _MARKS
    for character in text[:limit]:
        marks = marks + 1 if unicodedata.category(character)[0] == "M" else 0
        visible = character.isprintable() and marks <= _MARKS
        shown.append(character if visible else f"<U+{ord(character):04X}>")
    if len(text) > limit:
        shown.append(f"… (+{len(text) - limit} characters)")
    return html.escape("".join(shown))
