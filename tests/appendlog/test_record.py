"""Record lines: one canonical form, and nothing else is a record."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_appendlog import record
from sealwright_appendlog.record import Chunk, RecordError, Stamp, data_line, decode, encode
from sealwright_appendlog.stamps import Course

STAMP = {"n": 3, "t": "2026-01-02T03:04:05.000006Z", "up": 7, "boot": "00c0ffee", "src": "uid:0", "s": "engine"}
EVENT = {**STAMP, "k": "ev", "body": {"e": "x"}}
LINE = encode(EVENT)
plain = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
values = st.recursive(
    st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(plain, values, max_size=6))
@settings(max_examples=60, deadline=None)
def test_a_record_comes_back_as_it_went(body: dict[str, Any]) -> None:
    line = encode({**EVENT, "body": body})
    assert decode(line) == {**EVENT, "body": body}
    assert line == json.dumps({**EVENT, "body": body}, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "value",
    [1.5, None, 2**53, -(2**53), "\n", "\x7f", "\N{LATIN SMALL LETTER E WITH ACUTE}", "\ud800", b"bytes", {1: 2}],
)
def test_what_format_1_can_not_say_is_refused(value: object) -> None:
    with pytest.raises(RecordError):
        encode({**EVENT, "body": {"value": value}})


def test_a_line_of_4096_bytes_is_accepted_and_one_more_is_refused() -> None:
    room = record.MAX_LINE - len(encode({**EVENT, "body": {"x": ""}}))
    assert len(encode({**EVENT, "body": {"x": "y" * room}})) == record.MAX_LINE
    with pytest.raises(RecordError, match="4097"):
        encode({**EVENT, "body": {"x": "y" * (room + 1)}})


def test_deep_nesting_is_refused() -> None:
    value: object = 1
    for _ in range(40):
        value = [value]
    with pytest.raises(RecordError, match="deep"):
        encode({**EVENT, "body": {"x": value}})
    with pytest.raises(RecordError):
        decode(b"[" * 3000)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b" " + LINE,
        LINE + b" ",
        LINE.replace(b":", b": ", 1),
        LINE.replace(b'"body":{"e":"x"},', b'"body":{"e":"x"},"body":{"e":"x"},'),
        LINE.replace(b'"k"', b'"\\u006b"'),
        LINE.replace(b'"up":7', b'"up":7.0'),
        LINE.replace(b'"up":7', b'"up":07'),
        LINE.replace(b'"up":7', b'"up":NaN'),
        LINE.replace(b'"up":7', b'"up":null'),
        LINE.replace(b'"up":7', b'"up":"7"'),
        LINE.replace(b'"up":7', b'"up":true'),
        LINE.replace(b'"x"', b'"\xc3\xa9"'),
        LINE.replace(b'"x"', b'"\\u00e9"'),
        LINE.replace(b'"k":"ev"', b'"k":"evil"'),
        LINE.replace(b'"k":"ev"', b'"k":["ev"]'),
        LINE.replace(b'"n":3', b'"n":3,"nn":4'),
        LINE.replace(b'"n":3,', b""),
        LINE.replace(b'"s":"engine"', b'"s":"../engine"'),
        LINE.replace(b'{"e":"x"}', b'"x"'),
    ],
)
def test_a_line_that_is_not_its_own_canonical_form_is_refused(line: bytes) -> None:
    assert line != LINE
    with pytest.raises(RecordError):
        decode(line)


@given(st.integers(0, len(LINE) - 1), st.integers(1, 255))
@settings(max_examples=200, deadline=None)
def test_a_changed_byte_gives_another_record_or_none(at: int, flip: int) -> None:
    data = bytearray(LINE)
    data[at] ^= flip
    try:
        changed = decode(bytes(data))
    except RecordError:
        return
    assert changed != EVENT
    assert encode(changed) == bytes(data)


chunks = st.builds(
    Chunk,
    st.sampled_from("DE"),
    st.integers(1, 65536),
    st.just("ab" * 32),
    st.sampled_from(["data/build/xen/00000003.log", "data/a/123456789.log"]),
    st.integers(0, 1 << 26),
)


@given(chunks, st.integers(0, 10**12), st.integers(0, 10**14))
@settings(max_examples=100, deadline=None)
def test_a_data_line_is_what_encode_would_make_of_it(chunk: Chunk, n: int, up: int) -> None:
    line = data_line(Stamp(STAMP["t"], up, "00c0ffee"), n, "uid:0 qrexec:work", "build/xen", chunk)
    entry = decode(line)
    assert encode(entry) == line
    assert (entry["n"], entry["len"], entry["off"], entry["seg"]) == (n, chunk.length, chunk.offset, chunk.segment)


@pytest.mark.parametrize(
    "change", [(b'"ch":"D"', b'"ch":"X"'), (b'"len":5', b'"len":05'), (b"ab", b"AB"), (b".log", b"/x")]
)
def test_a_data_line_in_another_form_is_refused(change: tuple[bytes, bytes]) -> None:
    chunk = Chunk("D", 5, "ab" * 32, "data/build/xen/00000003.log", 0)
    line = data_line(Stamp(STAMP["t"], 7, "00c0ffee"), 3, "uid:0", "build/xen", chunk)
    with pytest.raises(RecordError):
        decode(line.replace(*change))


NO_TIMES = [
    "2026-13-02T03:04:05.000006Z",
    "2026-00-02T03:04:05.000006Z",
    "2026-02-29T03:04:05.000006Z",
    "2026-01-00T03:04:05.000006Z",
    "0000-01-02T03:04:05.000006Z",
    "2026-01-02T24:04:05.000006Z",
    "2026-01-02T03:60:05.000006Z",
    "2026-01-02T03:04:60.000006Z",
    "2026-01-02T03:04:05.00000Z",
    "2026-01-02T03:04:05.000006",
    "2026-01-02",
    "...",
]


@pytest.mark.parametrize("t", NO_TIMES)
def test_a_time_that_is_no_moment_is_refused(t: str) -> None:
    chunk = Chunk("D", 5, "ab" * 32, "data/x/00000003.log", 0)
    lines = [LINE.replace(STAMP["t"].encode(), t.encode()), data_line(Stamp(t, 7, "0" * 8), 3, "-", "x", chunk)]
    for line in lines:
        with pytest.raises(RecordError, match="no moment"):
            decode(line)
    with pytest.raises(RecordError, match="no moment"):
        Course().step(Stamp(t, 7, "0" * 8))


@given(st.datetimes())
def test_a_time_that_is_a_moment_is_accepted(moment: datetime.datetime) -> None:
    t = moment.isoformat(timespec="microseconds") + "Z"
    assert record.check_time(t) == t
    Course().step(Stamp(t, 7, "0" * 8))


@pytest.mark.parametrize(
    "name", ["engine", "build/xen", "build/xen#2", "evidence/1-1", "a" * 100, "build/libstdc++-12/1-0"]
)
def test_plain_stream_names_are_accepted(name: str) -> None:
    assert record.stream_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        "..",
        "a/..",
        ".a",
        "a/.b",
        "-a",
        "a b",
        "a\n",
        "a\0",
        "a:b",
        "a/b/c/d/e",
        "x.log",
        "a/1.log",
        "\N{LATIN SMALL LETTER E WITH ACUTE}",
        "a" * 101,
        f"{'a' * 80}/{'b' * 80}",
        "a\\b",
    ],
)
def test_a_stream_name_that_is_no_plain_path_is_refused(name: str) -> None:
    with pytest.raises(RecordError):
        record.stream_name(name)
