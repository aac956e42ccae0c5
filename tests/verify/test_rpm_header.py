"""The header structure of RPM: one way to write it, and whatever is written otherwise is refused."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.rpm_header import (
    BIN,
    IMMUTABLE,
    INT64,
    SIGNATURES,
    STRING,
    STRINGS,
    RpmError,
    Value,
    header_size,
    parse,
)
from sealwright_stages.verify.rpm_package import RpmPackage, read_package
from verify.rpms import blob, entry, number, text, write_header

TEXTS = st.binary(max_size=12).map(lambda data: data.replace(b"\0", b"x") + b"\0")
VALUES = st.one_of(
    TEXTS.map(lambda data: Value(STRING, 1, data)),
    st.lists(TEXTS, min_size=1, max_size=4).map(lambda data: Value(STRINGS, len(data), b"".join(data))),
    st.lists(TEXTS, min_size=1, max_size=2).map(lambda data: Value(9, len(data), b"".join(data))),
    st.binary(min_size=1, max_size=20).map(blob),
    st.integers(0, 2**32 - 1).map(number),
    st.lists(st.binary(min_size=8, max_size=8), min_size=1, max_size=3).map(
        lambda data: Value(INT64, len(data), b"".join(data))
    ),
    st.binary(min_size=2, max_size=2).map(lambda data: Value(3, 1, data)),
)
HEADERS = st.dictionaries(st.integers(64, 9999), VALUES, max_size=8)
SMALL: Mapping[int, Value] = {100: text("C"), 1000: text("hi"), 1003: number(1), 1004: blob(b"abc")}
GOOD = write_header(IMMUTABLE, SMALL)


@given(HEADERS)
def test_what_is_written_right_is_read_as_it_was(entries: Mapping[int, Value]) -> None:
    found = parse(write_header(IMMUTABLE, entries), IMMUTABLE)
    assert found.entries == entries


@given(HEADERS, st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4))
def test_what_is_read_can_only_be_written_so(entries: Mapping[int, Value], changes: list[tuple[int, int]]) -> None:
    raw = bytearray(write_header(IMMUTABLE, entries))
    for place, byte in changes:
        raw[place % len(raw)] = byte
    try:
        found = parse(bytes(raw), IMMUTABLE)
    except RpmError:
        return
    assert write_header(IMMUTABLE, found.entries) == bytes(raw)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_header_or_refused(data: bytes) -> None:
    for raw in (data, GOOD[:16] + data, GOOD[:8] + struct.pack(">II", 1, 16) + data):
        with pytest.raises(RpmError):
            parse(raw, SIGNATURES)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_package_or_refused(data: bytes) -> None:
    for raw in (
        data,
        b"\xed\xab\xee\xdb\x03\0" + bytes(90) + data,
        bytes(96) + write_header(SIGNATURES, {}) + data,
    ):
        try:
            assert isinstance(read_package(io.BytesIO(raw)), RpmPackage)
        except RefusedError as error:
            assert error.reason and error.next_step


def _entry_at(number: int, *, tag: int = -1, kind: int = -1, offset: int = -1, count: int = -1) -> bytes:
    """The good header with one entry of its index changed."""
    raw = bytearray(GOOD)
    old = struct.unpack_from(">IIII", raw, 16 + 16 * number)
    new = [old[at] if value == -1 else value for at, value in enumerate((tag, kind, offset, count))]
    raw[16 + 16 * number : 32 + 16 * number] = entry(*new)
    return bytes(raw)


def _resized(entries: int, store: int) -> bytes:
    return GOOD[:8] + struct.pack(">II", entries, store) + GOOD[16:]


STORE = len(GOOD) - 16 - 16 * (len(SMALL) + 1)
WITHOUT = write_header(IMMUTABLE, {tag: value for tag, value in SMALL.items() if tag != 1004})
TRICKS: dict[str, bytes] = {
    "another magic": b"\x8e\xad\xe8\x02" + GOOD[4:],
    "reserved bytes in use": GOOD[:5] + b"\1" + GOOD[6:],
    "no entries": _resized(0, STORE),
    "too many entries": _resized(0x10000, STORE),
    "entries without number": _resized(0xFFFFFFFF, STORE),
    "an endless store": _resized(5, 0xFFFFFFFF),
    "a store without room for the trailer": _resized(5, 15),
    "more than it announces": GOOD + b"\0",
    "less than it announces": GOOD[:-1],
    "the other region": write_header(SIGNATURES, SMALL),
    "no region": _entry_at(0, tag=99),
    "a region of another type": _entry_at(0, kind=STRING),
    "a region of another size": _entry_at(0, count=32),
    "a region that ends early": _entry_at(0, offset=STORE - 20),
    "a region beyond the store": _entry_at(0, offset=STORE),
    "a region at the far end of numbers": _entry_at(0, offset=0xFFFFFFF0),
    "a trailer over fewer entries": GOOD[:-8] + struct.pack(">i", -64) + GOOD[-4:],
    "a trailer that points forward": GOOD[:-8] + struct.pack(">i", 80) + GOOD[-4:],
    "a trailer of another region": GOOD[:-16] + struct.pack(">I", SIGNATURES) + GOOD[-12:],
    "entries beyond the region": GOOD[:8]
    + struct.pack(">II", 6, STORE + 4)
    + GOOD[16 : 16 + 80]
    + entry(2000, BIN, STORE, 4)
    + GOOD[96:]
    + b"evil",
    "a region inside": _entry_at(1, tag=IMMUTABLE),
    "tags out of order": _entry_at(1, tag=1001),
    "a tag twice": _entry_at(2, tag=100),
    "a type that is none": _entry_at(1, kind=0),
    "a type beyond the known": _entry_at(1, kind=10),
    "no values": _entry_at(4, count=0),
    "values without number": _entry_at(4, count=0xFFFFFFFF),
    "one text that is two": _entry_at(1, count=2),
    "a text that is really two": write_header(IMMUTABLE, {**SMALL, 1000: Value(STRING, 2, b"hi\0ho\0")}),
    "an entry without data": write_header(IMMUTABLE, {**SMALL, 1002: Value(BIN, 0, b"")}),
    "a list of no texts": write_header(IMMUTABLE, {**SMALL, 1002: Value(STRINGS, 0, b"")}),
    "a text over the end": _entry_at(2, kind=STRINGS, count=9),
    "an overlap": _entry_at(4, offset=0),
    "data before the store": _entry_at(4, offset=0xFFFFFFFF),
    "data that reach into the trailer": _entry_at(4, count=4),
    "bytes between the data": GOOD.replace(b"hi\0\0\0\0", b"hi\0\0x\0"),
    "bytes that no entry names": GOOD[:8]
    + struct.pack(">II", 5, STORE + 4)
    + entry(IMMUTABLE, BIN, STORE - 12, 16)
    + GOOD[32:-16]
    + b"evil"
    + GOOD[-16:],
}


def test_the_header_that_the_tricks_are_made_of_is_good() -> None:
    assert parse(GOOD, IMMUTABLE).entries == SMALL
    assert parse(_resized(5, STORE), IMMUTABLE) and parse(_entry_at(1), IMMUTABLE)
    assert parse(WITHOUT, IMMUTABLE).entries != SMALL


@pytest.mark.parametrize("how", TRICKS)
def test_a_tricky_header_is_refused(how: str) -> None:
    assert TRICKS[how] != GOOD
    with pytest.raises(RpmError):
        parse(TRICKS[how], IMMUTABLE)


def test_an_endless_header_is_refused_before_it_is_read() -> None:
    for trick in ("an endless store", "entries without number", "too many entries"):
        with pytest.raises(RpmError, match="beyond the limits"):
            header_size(TRICKS[trick][:16])


READS: list[tuple[Callable[[], object], str]] = [
    (lambda: parse(GOOD, IMMUTABLE).number(1000), "not one number"),
    (lambda: parse(GOOD, IMMUTABLE).text(1003), "not one text"),
    (lambda: parse(GOOD, IMMUTABLE).text(1000, listed=True), "not one text"),
    (lambda: parse(GOOD, IMMUTABLE).blob(1000), "not of bytes"),
    (lambda: parse(write_header(IMMUTABLE, {1000: Value(STRING, 1, b"\xff\0")}), IMMUTABLE).text(1000), "ASCII"),
]


@pytest.mark.parametrize(("read", "because"), READS)
def test_an_entry_of_another_type_is_refused(read: Callable[[], object], because: str) -> None:
    with pytest.raises(RpmError, match=because):
        read()


def test_an_entry_that_is_not_there_is_none() -> None:
    header = parse(GOOD, IMMUTABLE)
    assert (header.number(1), header.text(1), header.blob(1)) == (None, None, None)
