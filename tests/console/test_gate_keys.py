"""The gate can't be walked around: every key, cell, widget and command, on every screen that there is.

- Whatever is pressed while the release may not go on, no confirmation reaches the engine's port, and no waiver of what
  is not a warning.
- There is no word on the port that asks for the next stage.
- Screens are found in the package: a new one is walked over by being there.
- The quick suite presses what is bound and clicks coarsely; the slow one presses every key and clicks every widget.
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widgets import Button, Input

from console import made_up
from console.reach import at, bound_keys, make, no_findings, no_trial, screens
from console.scenes import (
    ASKS,
    READS,
    STORIES,
    Guarded,
    Kept,
    KeptReview,
    click,
    guarded,
    members,
    settled,
    strike,
    turns,
)
from sealwright_console.cursor import Cursor
from sealwright_console.review_feed import ReviewFeed
from sealwright_console.screens.doctor import DoctorScreen
from sealwright_console.screens.events import EventsScreen
from sealwright_console.screens.gate import GateScreen
from sealwright_console.screens.overview import OverviewScreen
from sealwright_console.screens.place import PlaceScreen

SIZE = (80, 24)
NAMED = (
    *("enter", "tab", "space", "escape", "backspace", "delete", "insert", "up", "down", "left", "right"),
    *("home", "end", "pageup", "pagedown"),
)
KEYS = (
    *(character for character in string.printable if character.isprintable() and character != " "),
    *(f"f{number}" for number in range(1, 25)),
    *(f"ctrl+{character}" for character in (*string.ascii_lowercase, "at", "backslash", "underscore")),
    *NAMED,
    *(f"{held}+{name}" for held in ("shift", "ctrl") for name in NAMED),
)
EVERYWHERE = ("Theme: ", "Stage ")
"""How palette commands begin that are the same on every screen."""


@pytest.fixture(autouse=True)
def _harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key may open the doctor, or make a release in this folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(DoctorScreen.__init__, "__defaults__", (no_findings, no_trial))


@pytest.fixture
def cursor(tmp_path: Path) -> Cursor:
    return at(tmp_path / "past", made_up.past_trouble())


class Place:
    """A screen above the overview, which is put back after each step."""

    def __init__(self, app: Kept | KeptReview, kind: type[Screen[Any]], feed: Any, cursor: Any) -> None:
        self.app, self._kind, self._feed, self._cursor = app, kind, feed, cursor
        self.screen: Screen[Any] | None = None

    async def put(self) -> None:
        """Put it back if it is not there."""
        if self.app.screen is not self.screen:
            await turns(30)  # what opened is whole
        stays = self.screen is not None and self.screen in self.app.screen_stack
        while self.app.screen is not self.screen and len(self.app.screen_stack) > 2:
            self.app.pop_screen()
            await turns()
        if stays:
            return
        self.screen = make(self._kind, self._feed, self._cursor)
        self.app.push_screen(self.screen)
        await turns(60)

    def typed(self) -> None:
        """Whatever has fields has the right words in them."""
        for field in self.app.screen.query(Input):
            field.value = made_up.DIGEST[:8] if field.id == "digits" else "example-1.0"


async def press_what_is_bound(place: Place) -> None:
    """Each key that the screen or something on it binds, and one that nobody does.

    The app's own keys are the same everywhere: they are pressed where there is something to answer, at the gate and in the
    overview.
    """
    await place.put()
    screen = place.app.screen
    nodes: list[DOMNode] = [screen, *screen.query("*")]
    if isinstance(screen, GateScreen | OverviewScreen) or screen.query(Button):
        nodes.append(place.app)
    await press_each(place, sorted({key for node in nodes for key in node._bindings.key_to_bindings} | {"z"}))


async def press_everything(place: Place) -> None:
    """Every key that there is."""
    await press_each(place, (*KEYS, *(key for key in bound_keys() if key not in KEYS)))


async def press_each(place: Place, keys: Sequence[str]) -> None:
    """Each key, with the right words in the fields."""
    for key in keys:
        await place.put()
        place.typed()
        await strike(place.app, key)


async def click_coarsely(place: Place) -> None:
    """A coarse grid, each widget that has a name and one of each other kind."""
    await click_grid(place, (0, 8, 16, SIZE[1] - 1), (2, 40, 77))
    await place.put()
    known: set[tuple[str, str | None]] = set()
    numbers = []
    for number, widget in enumerate(place.app.screen.query("*")):
        what = (type(widget).__name__, widget.id)
        if what not in known or isinstance(widget, Button):
            numbers.append(number)
        known.add(what)
    await click_widgets(place, numbers)


async def click_everything(place: Place) -> None:
    """A fine grid and every widget."""
    await click_grid(place, range(0, SIZE[1], 3), range(2, SIZE[0], 19))
    await place.put()
    await click_widgets(place, range(len(place.app.screen.query("*"))))


async def click_grid(place: Place, rows: Iterable[int], columns: Iterable[int]) -> None:
    """Each of these cells, twice."""
    for y, x in itertools.product(rows, columns):
        await place.put()
        place.typed()
        await click(place.app, x, y)
        await click(place.app, x, y)


async def click_widgets(place: Place, numbers: Iterable[int]) -> None:
    """The middle of each of these widgets of the screen, and a press of each that is a button."""
    for number in numbers:
        await place.put()
        widgets = list(place.app.screen.query("*"))
        if number < len(widgets):
            x, y = (int(each) for each in widgets[number].region.center)
            await click(place.app, x, y)
            if isinstance(widgets[number], Button):
                place.typed()
                widgets[number].press()
                await turns()


async def run_every_command(place: Place) -> None:
    """All that the palette offers here."""
    await place.put()
    names = [command.title for command in place.app.get_system_commands(place.app.screen)]
    if not isinstance(place.screen, OverviewScreen):
        names = [name for name in names if not name.startswith(EVERYWHERE)]
    for name in names:
        await place.put()
        found = [each for each in place.app.get_system_commands(place.app.screen) if each.title == name]
        for command in found:
            place.typed()
            done = command.callback()
            if hasattr(done, "__await__"):
                await done
            await turns()


def test_a_console_has_no_word_for_the_next_stage_and_five_for_all_else() -> None:
    assert members() == ASKS | READS


QUICK = (press_what_is_bound, click_coarsely, run_every_command)
WHOLE = (press_everything, click_everything, run_every_command)
HANDS = pytest.mark.parametrize(
    "hands", [QUICK, pytest.param(WHOLE, marks=pytest.mark.slow)], ids=["quick", "whole"]
)
"""What is done on a screen, one after the other in one console."""


@pytest.mark.parametrize("kind", screens(), ids=lambda kind: kind.__name__)
@HANDS
async def test_with_a_red_item_nothing_on_any_screen_signs_or_waives_it(
    kind: type[Screen[Any]], hands: Sequence[Any], cursor: Cursor
) -> None:
    feed = guarded("red in a sealed log")
    app = Kept(feed, clock=lambda: 0.0)
    async with app.run_test(size=SIZE):
        for how in hands:
            await how(Place(app, kind, feed, cursor))
            await settled(app)
            assert feed.unlawful == [], how.__name__


@HANDS
@pytest.mark.parametrize("kind", [EventsScreen, PlaceScreen, OverviewScreen], ids=lambda kind: kind.__name__)
async def test_nothing_in_a_review_asks_anything_of_an_engine(
    kind: type[Screen[Any]], hands: Sequence[Any], cursor: Cursor
) -> None:
    asked: list[str] = []
    feed = ReviewFeed(cursor, ())
    for name in ASKS:
        setattr(feed, name, lambda *words, name=name: asked.append(name))
    app = KeptReview(feed, cursor, clock=lambda: 0.0)
    async with app.run_test(size=SIZE):
        for how in hands:
            await how(Place(app, kind, feed, cursor))
            await settled(app)
    assert asked == []


async def type_and_press(app: Kept) -> None:
    """All that signs where it may: right words, the button by key, by mouse, and by a message that was on its way."""
    await strike(app, "5")
    await turns(60)
    screen = app.screen
    for key in (*made_up.DIGEST[:8], "tab", *"example-1.0", "tab", "enter"):
        await strike(app, key)
    button = screen.query_one("#sign", Button)
    for force in (False, True):
        for field, text in (("#digits", made_up.DIGEST[:8]), ("#release", "example-1.0")):
            screen.query_one(field, Input).value = text
        await turns()
        button.disabled = button.disabled and not force
        await click(app, *(int(each) for each in button.region.center))
        button.press()
        screen.post_message(Button.Pressed(button))
        await turns(40)


@pytest.mark.parametrize("name", STORIES)
async def test_right_words_sign_nothing_while_the_release_may_not_go_on(name: str) -> None:
    feed = guarded(name)
    app = Kept(feed, clock=lambda: 0.0)
    async with app.run_test(size=SIZE):
        await type_and_press(app)
    assert [asked for asked in feed.asked if asked[0] == "confirm"] == []


async def test_the_same_hands_do_sign_what_may_be_signed() -> None:
    feed = Guarded(made_up.sealed(), waiting=made_up.request(), signable=True)
    app = Kept(feed, clock=lambda: 0.0)
    async with app.run_test(size=SIZE):
        await type_and_press(app)
    assert feed.asked[:1] == [("confirm", made_up.DIGEST[:8], "example-1.0")] and feed.unlawful == []


async def test_the_gate_offers_a_key_only_where_it_can_work() -> None:
    app = Kept(guarded("red"), clock=lambda: 0.0)
    async with app.run_test(size=SIZE):
        await strike(app, "g")
        await turns(60)
        offered = []
        for _ in range(3):
            offered.append(
                {key for key, each in app.screen.active_bindings.items() if each.enabled} & {"a", "r", "R"}
            )
            await strike(app, "down")
            await turns(20)
    assert offered == [{"r", "R"}, {"a", "R"}, {"R"}]
