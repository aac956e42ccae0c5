"""The lines of `--batch`, `status` and `review --batch`: whatever the log holds, nothing active comes out."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from sealwright_console.batch import Face, summary
from sealwright_console.sanitise import ACTIVE
from sealwright_stages import events as ev
from sealwright_stages.state import Component, Item, Product, State
from sealwright_stages.verdict import Status, Waiver

HOSTILE = "a\x1b]0;title\x07\x1b[31mverdict: yes\u202e\x9b\nnext line"


def filled(kind: type[Any]) -> Any:
    """An event with a hostile text in each of its text fields."""
    values = {"str": HOSTILE, "int": 7, "bool": True}
    return kind(**{field.name: values[str(field.type)] for field in dataclasses.fields(kind)})


@pytest.mark.parametrize("name", sorted(ev.NAMES))
def test_no_field_of_any_event_brings_an_active_character(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    face = Face(as_json=True)
    face.take(SimpleNamespace(kind="ev", n=1, t="2026-01-01T00:00:00Z", body=ev.to_body(filled(ev.NAMES[name]))))
    told = capsys.readouterr()
    for text in (told.err, told.out):
        assert text.count("\n") <= 1
        assert not ACTIVE.search(text.rstrip("\n"))


def test_no_field_of_the_state_brings_an_active_character_into_the_summary() -> None:
    state = State(release=HOSTILE, version=HOSTILE, policy_sha256=HOSTILE, policy_signed=filled(ev.PolicySigned))
    state.components[HOSTILE] = Component(HOSTILE, items=(HOSTILE,))
    waiver = Waiver(HOSTILE, HOSTILE, HOSTILE, HOSTILE, "", "")
    state.items[HOSTILE] = Item(
        HOSTILE, HOSTILE, ev.Stage.VERIFY, HOSTILE, HOSTILE, Status.WARNED, reason=HOSTILE, waiver=waiver
    )
    state.products[HOSTILE, HOSTILE] = Product(HOSTILE, HOSTILE, "", 1, 1, HOSTILE, HOSTILE)
    lines = list(summary(state))
    assert len(lines) == 5
    assert not any(ACTIVE.search(line) for line in lines)


def test_the_summary_names_the_policy_and_who_signed_it() -> None:
    state = State(release="x", version="1", policy_sha256="ab" * 32)
    assert list(summary(state))[1] == f"  policy   {'ab' * 32}"
    state.policy_signed = ev.PolicySigned("ab" * 32, "cd" * 32, "ada bob", 2, "", "", "")
    assert list(summary(state))[1] == f"  policy   {'ab' * 32}, signed itself by ada, bob (2 needed)"
