"""Makes text from outside safe and honest to show: what is invisible or active becomes visible and dead.

- No control character (C0, DEL, C1) comes out: ESC becomes ␛, others their picture or their code point.
- Nothing that reorders text (bidi controls) or hides (zero width, fillers, tags, odd blanks) comes out.
- Bytes that are no UTF-8 come out as their value in angle brackets, such as <9B>.
- Combining marks stand on a letter, two at most: a pile of them can't paint over the lines around it.
- What is too long is cut, and says by how much.
- Plain printable ASCII is never changed, and cleaning twice is cleaning once.
- What a build service would take for a command in a line of its log is one for nobody, once it went through `inert`.
"""

from __future__ import annotations

import re
import unicodedata

LIMIT = 4096
"""Characters of one text that are shown, if nothing else is said."""

_SUFFIX = 32
_INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5") | frozenset(
    chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), *range(0x180B, 0x180F))
)
_DEAD_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Me"})

ACTIVE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""What must never reach a terminal, whoever let it through."""

_COMMAND = re.compile(r"##(?=[A-Za-z.-]*\[)")


def clean(text: str | bytes, limit: int = LIMIT) -> str:
    """Give `text` as one line that is safe to show.

    Args:
        text: anything from outside; bytes are read as UTF-8, and what is none stays visible.
        limit: characters that come out at most, if it is large enough to say by how much it was cut.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    if not (text.isascii() and text.isprintable()):
        text = _visible(text[:limit]) + text[limit:]  # what is cut off is counted, and never looked at
    if len(text) <= limit:
        return text
    kept = max(0, limit - _SUFFIX)
    return f"{text[:kept]}… (+{len(text) - kept} characters)"


def one_line(text: str) -> str:
    """`clean` in full: for a piece of what is copied, where a line end from outside would be obeyed by a shell."""
    return clean(text, max(1, len(text) * 8))


def inert(line: str) -> str:
    """`line` without what GitHub, Azure or TeamCity read as a command: `::` at its start, `##[`, `##vso[` anywhere."""
    if line.lstrip().startswith("::"):
        line = line.replace("::", ": :", 1)
    return _COMMAND.sub("# #", line)


def dead(character: str) -> str:
    """Give one character that must not be shown as the glyphs that stand for it."""
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if 0xDC80 <= code <= 0xDCFF:
        return f"<{code - 0xDC00:02X}>"
    return f"<U+{code:04X}>"


def _visible(text: str) -> str:
    out: list[str] = []
    room = 0
    for character in text:
        category = unicodedata.category(character)
        if category == "Mn" and room > 0 and character not in _INVISIBLE:
            room -= 1
            out.append(character)
            continue
        room = 2 if category[0] == "L" else 0
        out.append(dead(character) if _is_dead(character, category) else character)
    return "".join(out)


def _is_dead(character: str, category: str) -> bool:
    if category in _DEAD_CATEGORIES or category == "Mn" or character in _INVISIBLE:
        return True
    return category == "Zs" and character != " "
