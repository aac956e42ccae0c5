"""Plain JSON and back, strictly: whatever was said is what is read, and what was not declared is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from sealwright_stages.attended.plain import NotPlainError, plain, reader
from sealwright_stages.events import Stage
from sealwright_stages.verdict import Status


@dataclass(frozen=True)
class Inner:
    stage: Stage
    count: int | None = None


@dataclass(frozen=True)
class Outer:
    text: str
    yes: bool
    inner: Inner
    pairs: dict[tuple[Stage, Status], int]
    many: tuple[Inner, ...] = ()
    names: list[str] | None = None


WHOLE = Outer(
    "a\n“b”\0", True, Inner(Stage.BUILD, 3), {(Stage.SIGN, Status.FAILED): 2}, (Inner(Stage.SEAL),), ["x"]
)


def test_what_was_said_is_what_is_read() -> None:
    assert reader(Outer)(json.loads(json.dumps(plain(WHOLE)))) == WHOLE


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (int, True),
        (int, "1"),
        (int, None),
        (bool, 1),
        (str, ["a"]),
        (Stage, "party"),
        (Stage, 1),
        (Stage, ["build"]),
        (Inner, ["build"]),
        (Inner, ["build", 1, 2]),
        (Inner, {"stage": "build", "count": 1}),
        (Inner, "build"),
        (tuple[Inner, ...], {"a": 1}),
        (dict[str, int], [["a"]]),
        (dict[str, int], {"a": 1}),
        (dict[str, int], [["a", 1, 1]]),
        (list[str], [None]),
    ],
)
def test_what_has_not_exactly_the_declared_type_is_refused(hint: Any, value: object) -> None:
    with pytest.raises(NotPlainError):
        reader(hint)(value)
