"""Which of two versions is the older one: Debian's rule, and one for tags that a person can follow.

Pure and total: any two texts give an answer, however odd they are.

- Debian: epoch, then upstream version, then revision; runs of digits by their number, all else by dpkg's order, in
  which `~` comes before the end, and letters before other characters (deb-version(7)).
- Tags whose texts are the same but for their digits are compared number by number.
- Else both must read `<prefix><numbers><suffix>` with the same prefix and the same separator: a number that is not
  there is 0, and alpha, beta, pre and rc, in this order, come before no suffix.
- Tags that neither rule covers can't be compared by their names.
"""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Any

_RUNS = re.compile(r"([^0-9]*)([0-9]*)")
_DIGITS = re.compile(r"[0-9]+")
_TAG = re.compile(
    r"(?P<prefix>[^0-9]*)(?P<numbers>[0-9]+(?:(?P<separator>[._-])[0-9]+(?:(?P=separator)[0-9]+)*)?)"
    r"(?:[._~-]?(?P<suffix>alpha|beta|pre|rc)[._-]?(?P<count>[0-9]*))?\Z",
    re.IGNORECASE,
)
_BEFORE = ("alpha", "beta", "pre", "rc", "")

Number = tuple[int, str]
"""A run of digits, ordered as the number that it is, of whatever length."""


def compare_debian(one: str, other: str) -> int:
    """Below 0, 0 or above 0 as the Debian version `one` is older than, as old as or newer than `other`."""
    for a, b in zip(_debian(one), _debian(other), strict=True):
        if order := _compare_part(a, b):
            return order
    return 0


def compare_tags(one: str, other: str) -> int | None:
    """Below 0, 0 or above 0 as the tag `one` is older than, as old as or newer than `other`; None: not to be said."""
    if _DIGITS.sub("0", one) == _DIGITS.sub("0", other):
        return _order([_number(n) for n in _DIGITS.findall(one)], [_number(n) for n in _DIGITS.findall(other)])
    a, b = _TAG.match(one), _TAG.match(other)
    if a is None or b is None or a["prefix"] != b["prefix"]:
        return None
    if a["separator"] and b["separator"] and a["separator"] != b["separator"]:
        return None
    numbers = [_DIGITS.findall(found["numbers"]) for found in (a, b)]
    longest = max(map(len, numbers))
    padded = ([_number(n) for n in (*each, *["0"] * (longest - len(each)))] for each in numbers)
    return _order(*padded) or _order(_suffix(a), _suffix(b))


def _debian(version: str) -> tuple[str, str, str]:
    """Epoch, upstream version, revision."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, dash, revision = rest.rpartition("-")
    return (epoch, upstream, revision) if dash else (epoch, rest, "")


def _compare_part(one: str, other: str) -> int:
    """Dpkg's `verrevcmp`: turn by turn what is no digit, then a number; the end is older than all but `~`."""
    for a, b in zip_longest(_RUNS.findall(one), _RUNS.findall(other), fillvalue=("", "")):
        if order := _order(_weights(a[0]), _weights(b[0])) or _order(_number(a[1]), _number(b[1])):
            return order
    return 0


def _weights(text: str) -> list[int]:
    return [*(-1 if c == "~" else ord(c) if c.isascii() and c.isalpha() else ord(c) + 256 for c in text), 0]


def _number(digits: str) -> Number:
    digits = digits.lstrip("0")
    return len(digits), digits


def _suffix(found: re.Match[str]) -> tuple[int, Number]:
    return _BEFORE.index((found["suffix"] or "").lower()), _number(found["count"] or "")


def _order(one: Any, other: Any) -> int:
    return bool(one > other) - bool(one < other)
