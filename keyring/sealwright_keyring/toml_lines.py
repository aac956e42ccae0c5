"""Find the line of a key or table in TOML text that is known to be valid, for error messages.

tomllib gives values without their places; this scan knows headers, arrays of tables and simple keys, which is all
that our files use. Where it can't tell, it gives the line of the nearest table above.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\-\"' ]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_\-]+|\"[^\"]+\"|'[^']+')\s*=")


def line_of(text: str, path: Sequence[str | int]) -> int:
    """The line (from 1) of what `path` leads to, e.g. ("component", 1, "file", 0, "sha256")."""
    wanted = tuple(path)
    best, best_length = 1, 0
    current: tuple[str | int, ...] = ()
    counts: dict[tuple[str | int, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header:
            current = _enter(header.group(2), header.group(1) == "[[", counts)
            here = current
        elif key := _KEY.match(line):
            here = (*current, key.group(1).strip("\"'"))
        else:
            continue
        if here == wanted[: len(here)] and len(here) > best_length:
            best, best_length = number, len(here)
    return best


def _enter(name: str, array: bool, counts: dict[tuple[str | int, ...], int]) -> tuple[str | int, ...]:
    parts = [part.strip().strip("\"'") for part in name.split(".")]
    path: tuple[str | int, ...] = ()
    for index, part in enumerate(parts):
        path = (*path, part)
        if array and index == len(parts) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path
