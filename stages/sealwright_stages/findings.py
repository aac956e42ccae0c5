"""What an audit says of one thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    `ok` is good, bad, advice, or unchecked; `rule` is the id of the rule that it is about (`sealwright_stages.rules`).
    A bad one names the record (`n`, -1: none) and the stream where it shows first, if there is one. `notes` are
    documents that have to be seen beside it, as they are.
    """

    ok: str
    what: str
    detail: str
    rule: str = ""
    n: int = -1
    stream: str = ""
    notes: tuple[str, ...] = ()


def good(what: str, detail: str, rule: str = "") -> Finding:
    """It is as it should be."""
    return Finding("good", what, detail, rule)


def bad(what: str, detail: str, rule: str = "", n: int | None = None, stream: str = "") -> Finding:
    """It is not, so the verdict is a no."""
    return Finding("bad", what, detail, rule, -1 if n is None else n, stream)


def advice(what: str, detail: str, rule: str = "") -> Finding:
    """What a person should know."""
    return Finding("advice", what, detail, rule)


def unchecked(what: str, detail: str) -> Finding:
    """What this audit could not look at, and how it could be."""
    return Finding("unchecked", what, detail)
