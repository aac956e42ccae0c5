"""The protocol between an engine and its consoles: each message comes through, and nothing else does."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealwright_stages.attended.protocol import (
    MOST_ASKED,
    Asked,
    AskRetry,
    Asks,
    AskStop,
    AskWaive,
    Greet,
    Lines,
    Looks,
    No,
    Over,
    Part,
    Position,
    ProtocolError,
    Refuse,
    Said,
    Sign,
    Waits,
    Whole,
    asked,
    line,
    protocol_of,
    said,
)
from sealwright_stages.finish import Act, Check, Finish, Signer, Step, Thing
from sealwright_stages.live import Now
from sealwright_stages.ports import Sampled
from sealwright_stages.verdict import Status
from support.lone_engine import hello

EVIL = "\x1b[31m\u202e\0“[b]”\ud800"
SAID: list[Said] = [
    hello(),
    Part("items", [[1, "a"], None, True]),
    Whole(),
    Position(7, True, EVIL, 2, 3),
    Asks(),
    Asks(1, "r-1", "ab", ("one", EVIL), ("KEY",), 3, ("w",), (Thing("SHA256SUMS", "sha256sums", "ab", 7),)),
    Finish(),
    Finish(
        (Step(Act.SEAL, Status.PASSED, EVIL, "", "then", "now"), Step(Act.KEY, Status.RUNNING)),
        (Signer(EVIL, ("KEY",)),),
        2,
        ("SHA256SUMS",),
        (Check("SHA256SUMS", "me", "KEY", "then", "gpg", "agrees"),),
        "ab",
        9,
        "/srv",
        EVIL,
        ("KEY",),
        (Thing("log/SHA256SUMS", "log-sha256sums", EVIL, 7),),
        3,
    ),
    Looks({EVIL: Now(Sampled(1, 2, 3, 4, 5), 6, 7)}, {"x": "about 3 min left"}, "about 1 h left"),
    Over(4, "what", EVIL, "next", (("checkpoint", "/a/b"),)),
    No("why"),
    Waits("for a while"),
]
ASKED: list[Asked] = [
    Greet(1, "0.1.0"),
    AskRetry(EVIL),
    AskWaive("item", "me", EVIL, "code", "0" * 64),
    AskStop(),
    Sign(1, "0123abcd", "small-1.0"),
    Refuse(2),
]


@pytest.mark.parametrize("message", SAID, ids=lambda message: type(message).__name__)
def test_what_an_engine_says_is_heard_as_it_was_said(message: Said) -> None:
    assert said(line(message)[:-1]) == message


@pytest.mark.parametrize("message", ASKED, ids=lambda message: type(message).__name__)
def test_what_a_console_asks_is_heard_as_it_was_asked(message: Asked) -> None:
    assert asked(line(message)[:-1]) == message
    assert line(message).count(b"\n") == 1 and line(message).isascii()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"1",
        b"\xff",
        b'{"m":"party"}',
        b'{"m":["stop"]}',
        b'{"m":"stop","now":true}',
        b'{"m":"stop"}{"m":"stop"}',
        b'{"m":"retry"}',
        b'{"m":"retry","item":1}',
        b'{"m":"retry","item":null}',
        b'{"m":"retry","item":"a","item":"b"}',
        b'{"m":"refuse","number":true}',
        b'{"m":"refuse","number":1.0}',
        b'{"m":"refuse","number":NaN}',
        b'{"m":"refuse","number":' + b"9" * 5000 + b"}",
        b'{"m":"position","n":1}',
        b'{"m":"waive","item":"a","person":"b"}',
        b"[" * 100_000,
    ],
)
def test_what_is_not_exactly_of_a_known_form_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        asked(data)
    with pytest.raises(ProtocolError):
        said(data)


def test_neither_side_takes_the_words_of_the_other() -> None:
    for each in SAID:
        if not isinstance(each, Whole):
            with pytest.raises(ProtocolError):
                asked(line(each)[:-1])
    for wish in ASKED:
        with pytest.raises(ProtocolError):
            said(line(wish)[:-1])


def test_another_protocol_is_told_whatever_else_it_says() -> None:
    assert protocol_of(b'{"m":"hello","protocol":9,"surprise":[]}') == 9
    for wrong in (b"{}", b'{"protocol":"1"}', b'{"protocol":true}'):
        with pytest.raises(ProtocolError):
            protocol_of(wrong)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    for read in (asked, said):
        try:
            read(data)  # type: ignore[operator]
        except ProtocolError:
            continue


@given(st.lists(st.binary(max_size=30)), st.integers(1, 7))
def test_lines_are_cut_where_they_end_however_they_come(told: list[bytes], size: int) -> None:
    told = [each.replace(b"\n", b"") for each in told]
    data = b"".join(each + b"\n" for each in told)
    lines = Lines(30)
    assert [each for at in range(0, len(data), size) for each in lines.take(data[at : at + size])] == told


def test_a_line_that_is_too_long_is_refused_before_it_ends() -> None:
    lines = Lines(MOST_ASKED)
    with pytest.raises(ProtocolError):
        for _ in range(MOST_ASKED):
            lines.take(b"x" * 100)
    with pytest.raises(ProtocolError):
        Lines(MOST_ASKED).take(json.dumps("x" * MOST_ASKED).encode() + b"\n")
