"""The lines of `--batch`, `status` and `review --batch`: whatever the log holds, nothing active comes out."""

from __future__ import annotations

import dataclasses
import json
import re
from types import SimpleNamespace
from typing import Any

import pytest

from console import made_up
from sealwright_console.batch_face import Face
from sealwright_console.complaints import print_json
from sealwright_console.sanitise import ACTIVE, inert
from sealwright_console.summary import summary
from sealwright_stages import events as ev
from sealwright_stages.fold import fold
from sealwright_stages.state import Component, Item, Product, State
from sealwright_stages.verdict import Status, Waiver

HOSTILE = "##[add-mask]a\x1b]0;title\x07\x1b[31mverdict: yes\u202e\x9b\nnext line"


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
        assert "##[" not in text, "a build service would take it for a command"


def test_no_field_of_the_state_brings_an_active_character_into_the_summary() -> None:
    state = State(release=HOSTILE, version=HOSTILE, policy_sha256=HOSTILE, policy_signed=filled(ev.PolicySigned))
    state.components[HOSTILE] = Component(HOSTILE, items=(HOSTILE,))
    waiver = Waiver(HOSTILE, HOSTILE, HOSTILE, HOSTILE, "", "")
    state.items[HOSTILE] = Item(
        HOSTILE, HOSTILE, ev.Stage.VERIFY, HOSTILE, HOSTILE, Status.WARNED, reason=HOSTILE, waiver=waiver
    )
    state.products[HOSTILE, HOSTILE] = Product(HOSTILE, HOSTILE, "", 1, 1, HOSTILE, HOSTILE)
    lines = list(summary(state))
    assert len(lines) == 8
    assert not any(ACTIVE.search(line) or "##[" in line for line in lines)


def test_the_json_that_is_printed_is_what_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": "##[error]x", "###": "##vso["})
    assert json.loads(capsys.readouterr().out) == {"a": "##[error]x", "###": "##vso["}


@pytest.mark.parametrize(
    "text", ["::set-output name=x::y", "  ::error::x", "a ##[error]x", "##vso[task.x]", "##teamcity[x]"]
)
def test_no_line_is_a_command_of_a_build_service(text: str) -> None:
    said = inert(text)
    assert not said.lstrip().startswith("::") and not re.search(r"##[a-z]*\[", said)
    assert inert(said) == said and inert("a::b # ## c") == "a::b # ## c"


def test_the_table_says_of_each_component_how_it_stands_and_what_it_took() -> None:
    lines = list(summary(fold(made_up.building().entries)))
    head = next(line for line in lines if "COMPONENT" in line)
    assert head.split() == ["STATUS", "COMPONENT", "CHECKS", "BUILD", "PRODUCTS", "REPRODUCED"]
    row = next(line for line in lines if line.split()[:2] == ["passed", "vmm-core"])
    assert row.split()[2:] == ["3/3", "1:35", "1", "-"], row
    assert row.index("vmm-core") == head.index("COMPONENT")


@pytest.mark.parametrize(
    ("story", "word"),
    [
        (made_up.troubled(), "RED: 1 failed, and red can't be waived"),
        (made_up.building(), "not complete: 9 of 34 not checked yet"),
        (made_up.sealed(), "green: all 34 items"),
    ],
    ids=["red", "building", "sealed"],
)
def test_the_verdict_is_the_last_line_and_as_bad_as_the_worst(story: made_up.Story, word: str) -> None:
    assert list(summary(fold(story.entries)))[-1] == f"  verdict  {word}"


def test_the_summary_names_the_policy_and_who_signed_it() -> None:
    state = State(release="x", version="1", policy_sha256="ab" * 32)
    assert list(summary(state))[1] == f"  policy   {'ab' * 32}"
    state.policy_signed = ev.PolicySigned("ab" * 32, "cd" * 32, "ada bob", 2, "", "", "")
    assert list(summary(state))[1] == f"  policy   {'ab' * 32}, signed itself by ada, bob (2 needed)"
