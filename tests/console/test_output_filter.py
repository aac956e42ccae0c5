"""The rules of output_filter, segment by segment."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from sealwright_console.output_filter import AsciiFilter, DeadFilter
from sealwright_console.sanitise import ACTIVE

BLACK = Color(0, 0, 0)
TEXTS = st.lists(
    st.text(st.one_of(st.characters(), st.sampled_from("\x1b\x07\x9b\u202e\u200b\x00\u2066"))), max_size=6
)


def widths(segments: list[Segment]) -> int:
    return sum(cell_len(segment.text) for segment in segments)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_no_active_character_comes_out_and_the_line_keeps_its_width(texts: list[str]) -> None:
    before = [Segment(text) for text in texts]
    after = DeadFilter().apply(before, BLACK)
    assert all(ACTIVE.search(segment.text) is None for segment in after)
    assert widths(after) == widths(before)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_in_ascii_all_is_ascii_and_the_line_keeps_its_width(texts: list[str]) -> None:
    before = DeadFilter().apply([Segment(text) for text in texts], BLACK)
    after = AsciiFilter().apply(before, BLACK)
    assert all(segment.text.isascii() for segment in after)
    assert widths(after) == widths(before)


def test_links_are_taken_off_and_other_styles_stay() -> None:
    style = Style(bold=True, link="https://example.org")
    (after,) = DeadFilter().apply([Segment("text", style)], BLACK)
    assert after.style is not None and after.style.link is None and after.style.bold


def test_each_status_keeps_a_shape_of_its_own_in_ascii() -> None:
    after = AsciiFilter().apply([Segment("✓!✗…·")], BLACK)
    assert len(set(after[0].text)) == 5
