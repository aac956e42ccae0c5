"""The picture of a state is that state, whatever the release; its parts have a bounded size."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given

from console import made_up
from sealwright_stages import events as ev
from sealwright_stages.attended.picture import Picture, parts
from sealwright_stages.attended.protocol import MOST_SAID, Part, ProtocolError, line, said
from sealwright_stages.fold import fold
from sealwright_stages.state import State
from support.stories import entries_of, histories


def over_the_wire(state: State) -> State:
    picture = Picture()
    for part in parts(state):
        told = line(part)
        assert len(told) < MOST_SAID
        heard = said(told.rstrip(b"\n"))
        assert isinstance(heard, Part)
        picture.take(heard)
    return picture.whole()


@pytest.mark.parametrize(
    "story", [made_up.Story, made_up.troubled, made_up.building, made_up.sealed, made_up.past_trouble]
)
def test_a_picture_has_each_field_of_the_state_as_it_is(story: Callable[[], made_up.Story]) -> None:
    state = fold(story().entries)
    assert over_the_wire(state) == state
    assert list(over_the_wire(state).items) == list(state.items), "in the same order"


@given(history=histories())
def test_a_picture_of_any_history_is_the_state_that_it_makes(history: list[ev.Event]) -> None:
    state = fold(entries_of(history))
    assert over_the_wire(state) == state


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("party", 1),
        ("items", 1),
        ("items", [["a", "b"]]),
        ("runs", "1"),
        ("last_n", None),
        ("sealed", 0),
        ("", []),
    ],
)
def test_a_part_that_the_state_does_not_have_is_refused(field: str, values: object) -> None:
    with pytest.raises(ProtocolError):
        Picture().take(Part(field, values))
