"""What an audit says of one thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `ok` is good, bad or advice."""

    ok: str
    what: str
    detail: str


def good(what: str, detail: str) -> Finding:
    """It is as it should be."""
    return Finding("good", what, detail)


def bad(what: str, detail: str) -> Finding:
    """It is not, so the verdict is a no."""
    return Finding("bad", what, detail)


def advice(what: str, detail: str) -> Finding:
    """What could not be checked, or a person should know."""
    return Finding("advice", what, detail)
