"""The rules of sanitise, lines and figures."""

from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from sealwright_console.figures import clock, duration, grouped, size, spaced, sparkline
from sealwright_console.lines import Part, fit, plain, wrap
from sealwright_console.sanitise import ACTIVE, LIMIT, clean

HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x00\x07\x08\x1b\x7f\x85\x9b\x9d\u202e\u2066\u200b\u200d\ufeff\u00ad\u3164\U000e0041"),
        st.characters(categories=["Mn", "Cf", "Cs", "Zs"]),
    ),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(HOSTILE)
def test_no_control_bidi_or_invisible_character_comes_out(text: str) -> None:
    out = clean(text)
    assert ACTIVE.search(out) is None
    assert all(unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in out)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120))
def test_bytes_of_any_kind_come_out_as_text_that_can_be_encoded(data: bytes) -> None:
    assert ACTIVE.search(clean(data)) is None
    clean(data).encode()


@settings(max_examples=200, deadline=None)
@given(HOSTILE)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=100))
def test_printable_ascii_is_never_changed(text: str) -> None:
    assert clean(text) == text


def test_what_was_hostile_stays_visible() -> None:
    assert clean("\x1b[1;1HGREEN") == "␛[1;1HGREEN"
    assert clean("a\u202eb\x9bc\x00\x7f\n") == "a<U+202E>b<U+009B>c␀␡␊"
    assert clean(b"caf\xc3\xa9 \x9b\xff") == "café <9B><FF>"


def test_marks_pile_up_to_two_at_most() -> None:
    assert clean("e" + "\u0301" * 9).count("\u0301") == 2
    assert "\u0301" not in clean(" \u0301")


@settings(max_examples=60, deadline=None)
@given(st.integers(min_value=0, max_value=9000), st.integers(min_value=64, max_value=LIMIT))
def test_what_is_too_long_is_cut_and_says_by_how_much(length: int, limit: int) -> None:
    out = clean("x" * length, limit)
    assert len(out) <= limit
    assert (out == "x" * length) == (length <= limit)
    if length > limit:
        kept = out.index("…")
        assert f"(+{length - kept} characters)" in out


@settings(max_examples=150, deadline=None)
@given(HOSTILE, st.integers(min_value=0, max_value=60))
def test_folding_loses_no_text_and_keeps_to_the_width(text: str, width: int) -> None:
    line = (Part("      why      "), Part(text))
    pieces = wrap(line, width)
    squeezed = "".join(plain(piece) for piece in pieces).replace(" ", "")
    assert squeezed == plain(line).replace(" ", "")
    if width >= 8:
        assert all(cell_len(plain(piece).rstrip()) <= max(width, 17) for piece in pieces)


@settings(max_examples=100, deadline=None)
@given(HOSTILE, st.integers(min_value=1, max_value=40))
def test_a_fitted_text_has_exactly_its_width(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width


def test_digests_are_shown_whole_and_in_fours() -> None:
    digest = "0123456789abcdef" * 4
    assert grouped(digest).replace(" ", "") == digest
    assert grouped("48168fa9") == "4816 8fa9"
    assert spaced(f"key {digest[:40]}, ok") == f"key {grouped(digest[:40])}, ok"
    assert spaced("deadbeef x" + digest + "y") == "deadbeef x" + digest + "y"


def test_figures_read_as_people_say_them() -> None:
    assert (size(0), size(999), size(2_100_000_000)) == ("0 B", "999 B", "2.1 GB")
    assert (duration(9.9), duration(4360)) == ("0:09", "1:12:40")
    assert clock("2026-03-02T12:39:00.123456Z") == "12:39:00"
    assert clock("\x1b[2J never a time at all") == "\x1b[2J never a time at all"
    assert sparkline([0, 50, 100], 3, top=100) == "▁▄▇"
    assert sparkline([1, 2, 3], 2) == sparkline([2, 3], 2)
