"""Where in a TOML text a key stands, for messages that name a line.

- The line of the deepest part of the path that can be found is given; line 1 if none of it is there.
- Elements of an array are reported at the line of the array's key.
- Only the text is read: it never fails, so that it can't hide the error which it helps to report.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=(.*)")
_Path = tuple[str | int, ...]


def line_of(text: str, path: Sequence[str | int]) -> int:
    """The line (from 1) where `path`, of keys and array indexes, stands in `text`."""
    wanted = tuple(path)
    best, found = 0, 1
    for number, place in _places(text):
        depth = _common(place, wanted)
        if depth > best:
            best, found = depth, number
    return found


def _common(place: _Path, wanted: _Path) -> int:
    depth = 0
    for ours, theirs in zip(place, wanted, strict=False):
        if ours != theirs:
            break
        depth += 1
    return depth


def _places(text: str) -> Iterator[tuple[int, _Path]]:
    counts: dict[_Path, int] = {}
    table: _Path = ()
    quote = ""
    for number, line in enumerate(text.split("\n"), 1):
        if quote:
            quote = "" if quote in line else quote
            continue
        if header := _HEADER.match(line):
            table = _resolve(_split(header[2]), counts, header[1] == "[[")
            yield number, table
        elif key := _KEY.match(line):
            yield number, (*table, *_split(key[1]))
            quote = next((mark for mark in ('"""', "'''") if key[2].count(mark) % 2), "")


def _split(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in re.findall(_PART, dotted)]


def _resolve(names: Sequence[str], counts: dict[_Path, int], opens: bool) -> _Path:
    """The path of a table header, with the index of each array of tables that it goes through."""
    place: _Path = ()
    for depth, name in enumerate(names):
        place = (*place, name)
        if opens and depth == len(names) - 1:
            counts[place] = counts.get(place, -1) + 1
        if place in counts:
            place = (*place, counts[place])
    return place
