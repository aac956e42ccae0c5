"""Names of an authority and of its logs, and the folder that a log's name becomes.

- An origin is one to six plain parts, joined by slashes, at most 200 characters; no part begins with a dot.
- A log of an authority is named below it: the authority's own name, a slash, and more.
- A folder's name is the origin with `+` for each slash, which no origin holds: two origins never share one.
"""

from __future__ import annotations

import re

from sealwright_appendlog.clients import Refused

_PART = "[A-Za-z0-9][A-Za-z0-9._~-]*"
_ORIGIN = re.compile(f"{_PART}(?:/{_PART}){{0,5}}", re.ASCII)
_LONGEST = 200


def authority_name(name: str) -> str:
    """`name`, if an authority of many logs can have it.

    Raises:
        ValueError: it can't.
    """
    if len(name) > _LONGEST // 2 or not _ORIGIN.fullmatch(name):
        raise ValueError("an authority's name is plain parts joined by slashes, as log.example.org/releases")
    return name


def log_origin(origin: str, authority: str) -> str:
    """`origin`, if it can be a log of `authority`.

    Raises:
        Refused: it can't.
    """
    if len(origin) > _LONGEST or not _ORIGIN.fullmatch(origin) or not origin.startswith(f"{authority}/"):
        raise Refused(f"the origin is no plain name below {authority}")
    return origin


def folder_name(origin: str) -> str:
    """The name of the folder of the log with this origin."""
    return origin.replace("/", "+")
