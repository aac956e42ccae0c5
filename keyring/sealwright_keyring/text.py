"""Strings of strangers, made fit to show and to log.

- Only printable ASCII comes out; everything else appears as a Python escape, so that no terminal obeys it.
"""

from __future__ import annotations


def printable(value: bytes | str, limit: int = 2000) -> str:
    """`value` with each byte or character outside printable ASCII escaped, cut at `limit` characters."""
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
    parts = []
    for character in text[:limit]:
        if " " <= character <= "~" and character != "\\":
            parts.append(character)
        elif character == "\\":
            parts.append("\\\\")
        elif 0xDC80 <= ord(character) <= 0xDCFF:
            parts.append(f"\\x{ord(character) - 0xDC00:02x}")
        else:
            parts.append(character.encode("unicode_escape", "surrogatepass").decode("ascii"))
    return "".join(parts) + ("..." if len(text) > limit else "")
