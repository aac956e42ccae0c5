"""Events become bodies of the log and come back the same, or are refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from sealwright_appendlog import record
from sealwright_stages import events as ev
from sealwright_stages.events import BadEventError, from_body, to_body
from support.stories import HOSTILE_TEXT, PLAIN_TEXT, any_event, judged

WAIVED = to_body(ev.ItemWaived("xen/tag", "c", "p", "r", "s", "p"))


@given(any_event(PLAIN_TEXT))
def test_an_event_comes_back_from_the_log_as_it_was(event: ev.Event) -> None:
    assert from_body(json.loads(json.dumps(to_body(event)))) == event


@given(any_event(HOSTILE_TEXT))
def test_a_body_holds_only_what_the_log_format_allows(event: ev.Event) -> None:
    line = record.encode({"body": to_body(event)})
    assert all(0x20 <= byte <= 0x7E for byte in line)


@given(any_event(HOSTILE_TEXT))
def test_broken_unicode_is_replaced_once_and_then_stays(event: ev.Event) -> None:
    once = from_body(json.loads(json.dumps(to_body(event))))
    assert type(once) is type(event)
    assert from_body(json.loads(json.dumps(to_body(once)))) == once


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\udcff", "\ud83d"])
def test_a_lone_surrogate_can_be_said(text: str) -> None:
    come_back = from_body(to_body(ev.ItemReset("xen/tag", text)))
    assert isinstance(come_back, ev.ItemReset)
    come_back.because.encode()  # it is real text now


@pytest.mark.parametrize("name", [None, "item.unknown", "ItemReset", "", 3, ["item.reset"]])
def test_an_unknown_name_is_refused(name: object) -> None:
    with pytest.raises(BadEventError, match="unknown event"):
        from_body({"e": name, "item": "xen/tag", "because": "x"})


@pytest.mark.parametrize("field", sorted(set(WAIVED) - {"e"}))
def test_a_missing_field_is_refused(field: str) -> None:
    with pytest.raises(BadEventError, match=f"no field '{field}'"):
        from_body({key: value for key, value in WAIVED.items() if key != field})


def test_a_surplus_field_is_refused() -> None:
    with pytest.raises(BadEventError, match="unknown field 'more'"):
        from_body({**WAIVED, "more": 1})


@pytest.mark.parametrize("value", [1, True, None, 1.5, ["x"], {"b64": 3}, {"b64": "eA==", "more": ""}, {}])
def test_a_text_of_another_type_is_refused(value: object) -> None:
    with pytest.raises(BadEventError):
        from_body({**WAIVED, "reason": value})


@pytest.mark.parametrize("value", [True, "1", 1.0, None])
def test_a_number_of_another_type_is_refused(value: object) -> None:
    with pytest.raises(BadEventError, match="exit is not int"):
        from_body({**to_body(ev.RunEnded(0, "", "")), "exit": value})


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_a_yes_or_no_of_another_type_is_refused(value: object) -> None:
    with pytest.raises(BadEventError, match="ok is not bool"):
        from_body({**to_body(ev.StageEnded("build", True)), "ok": value})


@pytest.mark.parametrize("value", ["###", "eA", "eA==\n", "é"])
def test_broken_base64_is_refused(value: str) -> None:
    with pytest.raises(BadEventError):
        from_body({**WAIVED, "reason": {"b64": value}})


def test_only_texts_that_need_it_are_encoded() -> None:
    assert to_body(judged("xen/tag", "passed"))["reason"] == "because of xen/tag"
    assert to_body(ev.ItemReset("xen/tag", "ü"))["because"] == {"b64": "w7w="}


def test_every_kind_of_event_has_one_name() -> None:
    assert len(set(ev.NAMES.values())) == len(ev.NAMES)
    assert {to_body(ev.ItemStarted("x"))["e"], to_body(ev.ItemReset("x", ""))["e"]} == {
        "item.started",
        "item.reset",
    }
