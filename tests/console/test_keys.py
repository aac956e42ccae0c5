"""What keys do and, above all, what they never do."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from textual.widgets import Button

from console import made_up
from console.hands import drum, press
from sealwright_console.app import INTERRUPTED, ConsoleApp
from sealwright_console.cursor import Cursor
from sealwright_console.feed import ReadOnlyError
from sealwright_console.review_feed import ReviewFeed
from sealwright_console.screens.asking import ChooseScreen
from sealwright_console.screens.build import BuildScreen
from sealwright_console.screens.component import ComponentScreen
from sealwright_console.screens.gate import GateScreen
from sealwright_console.screens.overview import OverviewScreen
from sealwright_console.screens.sign import SignScreen
from sealwright_console.screens.waive import WaiveScreen
from sealwright_console.widgets.ledger import Ledger
from sealwright_console.widgets.log_view import LogView
from sealwright_console.widgets.texts import Texts
from sealwright_stages import events as ev

SIZE = (80, 24)
PLACES = {
    "overview": (),
    "component": ("enter",),
    "gate": ("g",),
    "build": ("3",),
    "builds": ("3", "v"),
    "seal": ("4",),
    "sign": ("5",),
    "help": ("question_mark",),
    "waive": ("g", "down", "a"),
    "quit": ("q",),
    "filter": ("slash",),
}
NAMED = ("enter", "space", "tab", "shift+tab", "up", "down", "left", "right", "home", "end", "pageup", "pagedown")
EVERY_KEY = (
    *string.ascii_lowercase,
    *"AGLNRY",
    *string.digits,
    "slash",
    "left_square_bracket",
    "right_square_bracket",
    *NAMED,
)
WARNING = "kde-desktop/signature of the tag"


def app_over(feed: made_up.MadeUpFeed) -> ConsoleApp:
    return ConsoleApp(feed, clock=lambda: 0.0)


def ready_to_sign() -> made_up.MadeUpFeed:
    return made_up.MadeUpFeed(made_up.sealed(), waiting=made_up.request())


@pytest.mark.parametrize(
    "place",
    [
        *("overview", "sign", "waive"),
        *(pytest.param(place, marks=pytest.mark.slow) for place in ("component", "gate", "build", "builds")),
    ],
)
async def test_with_a_red_item_no_key_anywhere_signs_refuses_or_waives(place: str) -> None:
    feed = made_up.MadeUpFeed(made_up.troubled(), waiting=made_up.request())
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        for key in EVERY_KEY:
            if app._exit:
                break
            if key in ("a", "A", "0", "tab"):  # now and then begin anew from the place
                await press(pilot, "escape", "escape", "escape", *PLACES[place])
            await drum(pilot, key)
        await pilot.pause()
    assert not [asked for asked in feed.asked if asked[0] in ("confirm", "refuse", "waive")]


@pytest.mark.parametrize("place", PLACES)
async def test_escape_never_ends_refuses_or_deletes_anything(place: str) -> None:
    feed = ready_to_sign() if place == "sign" else made_up.MadeUpFeed(made_up.troubled())
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, *PLACES[place], "escape", "escape", "escape", "escape")
        await pilot.pause()
        assert isinstance(app.screen, OverviewScreen) and app.is_running
    assert feed.asked == [] and app.return_value is None


async def test_number_keys_open_the_stage_views() -> None:
    app = app_over(made_up.MadeUpFeed(made_up.troubled()))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "1")
        assert isinstance(app.screen, OverviewScreen) and app.screen.stage == "get-sources"
        await press(pilot, "3")
        assert isinstance(app.screen, BuildScreen)
        await press(pilot, "5")
        assert isinstance(app.screen, SignScreen) and len(app.screen_stack) == 3
        await press(pilot, "2")
        assert isinstance(app.screen, OverviewScreen) and app.screen.stage == "verify"
        await press(pilot, "0")
        assert app.screen.stage is None


async def test_enter_opens_the_evidence_of_what_is_selected() -> None:
    app = app_over(made_up.MadeUpFeed(made_up.troubled()))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "down", "enter")
        assert isinstance(app.screen, ComponentScreen) and app.screen.component_name == "kde-desktop"
        await press(pilot, "g", "down", "enter")
        await pilot.pause()
        assert isinstance(app.screen, ComponentScreen)
        assert app.screen.query_one(Ledger).key == WARNING


async def test_the_cursor_stays_on_its_component_while_rows_move() -> None:
    feed = made_up.MadeUpFeed(made_up.troubled())
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "down", "down", "down")
        ledger = app.screen.query_one(Ledger)
        assert ledger.key == "artwork"
        feed.story.verdict("artwork/build", "failed", "exit 2", next="read its log")
        app.look()
        await pilot.pause()
        assert ledger.key == "artwork" and ledger._rows[0].key == "artwork"


async def test_a_slow_showing_is_followed_by_a_rest() -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 1.0
        return now[0]

    feed = made_up.MadeUpFeed(made_up.troubled())
    app = ConsoleApp(feed, clock=clock)
    async with app.run_test(size=SIZE):
        feed.said = ("one",)
        app.look()
        heading = app.screen.query_one("#notices", Texts)
        shown = heading.lines
        feed.said = ("two",)
        app.look()
        assert heading.lines == shown
        now[0] += 60.0
        app.look()
        assert heading.lines != shown


async def test_the_filter_narrows_and_escape_takes_it_away() -> None:
    app = app_over(made_up.MadeUpFeed(made_up.troubled()))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "slash", *"kde", "enter")
        assert [row.key for row in app.screen.query_one(Ledger)._rows] == ["kde-desktop"]
        await press(pilot, "escape")
        assert len(app.screen.query_one(Ledger)._rows) == 11


async def test_retry_asks_for_failed_items_only() -> None:
    feed = made_up.MadeUpFeed(made_up.troubled())
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "down", "r", "up", "r", "g", "R")
    assert feed.asked == [("retry", "xen/grub-0.97.tar.gz")] * 2


async def test_a_red_item_offers_no_waiver() -> None:
    feed = made_up.MadeUpFeed(made_up.troubled())
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "g", "a")
        assert isinstance(app.screen, GateScreen)


async def test_a_waiver_takes_a_typed_name_and_reason() -> None:
    feed = made_up.MadeUpFeed(made_up.troubled())
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "g", "down", "a", *"manager-1", "enter", *"too few", "enter")
        assert isinstance(app.screen, WaiveScreen) and app.screen.query_one("#yes", Button).disabled
        await press(pilot, "shift+tab", "end", *" words", "tab", "tab", "enter")
        await pilot.pause()
    assert feed.asked == [("waive", WARNING, "manager-1", "too few words")]


async def test_a_waiver_for_bytes_that_changed_meanwhile_is_dropped_and_that_is_said() -> None:
    feed = made_up.MadeUpFeed(made_up.troubled())
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "g", "down", "a", *"manager-1", "enter", *"good reason")
        feed.story.verdict(WARNING, "warned", "another warning", code="another")
        app.look()
        await press(pilot, "tab", "tab", "enter")
        assert [told.message for told in app._notifications] == [
            "it was judged anew meanwhile: nothing was waived, look again"
        ]
    assert feed.asked == []


@pytest.mark.parametrize("keys", [("escape",), ("tab", "tab", "enter"), ("right", "right", "enter")])
async def test_quitting_while_running_asks_and_staying_changes_nothing(keys: tuple[str, ...]) -> None:
    feed = made_up.MadeUpFeed(made_up.troubled())
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "q")
        assert isinstance(app.screen, ChooseScreen)
        await press(pilot, *keys)
        assert isinstance(app.screen, OverviewScreen)
    assert feed.asked == [] and app.return_value is None


async def test_quitting_while_running_leaves_it_running_first_of_all() -> None:
    feed = made_up.MadeUpFeed(made_up.troubled())
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "q", "enter")
    assert feed.asked == [] and app.return_value == INTERRUPTED


async def test_stopping_while_running_waits_for_the_end() -> None:
    feed = made_up.MadeUpFeed(made_up.troubled())
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "q", "tab", "enter")
        await pilot.pause()
        assert feed.asked == [("stop",)] and app.return_value is None
        feed.finished = INTERRUPTED
        app.look()
    assert app.return_value == INTERRUPTED


@pytest.mark.parametrize("code", [0, 1, 5])
async def test_quitting_after_the_end_gives_the_exit_code_of_the_run(code: int) -> None:
    app = app_over(made_up.MadeUpFeed(made_up.sealed(), finished=code))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "q")
    assert app.return_value == code


async def test_a_review_changes_nothing_whatever_is_pressed(tmp_path: Path) -> None:
    app = made_up.review(tmp_path, made_up.troubled())
    feed = app.feed
    async with app.run_test(size=SIZE) as pilot:
        app.look()
        for place in ((), ("enter",), ("g",), ("5",)):
            await press(pilot, "escape", "escape", *place, "r", "R", "down", "a", "r", "enter")
        assert app.is_running
    for action in (
        feed.stop,
        feed.refuse_signing,
        lambda: feed.retry("x"),
        lambda: feed.waive("x", "p", "r", "c", "0" * 64),
    ):
        with pytest.raises(ReadOnlyError):
            action()


def test_a_broken_log_is_shown_up_to_the_break_and_named(tmp_path: Path) -> None:
    story = made_up.troubled()
    story.tell(ev.ItemStarted("never/declared"))
    past = made_up.past(tmp_path, story)
    feed = ReviewFeed(Cursor(past, past.size - 1), ("✓ said before",))
    assert feed.poll() and not feed.poll()
    assert feed.notices()[0].startswith("✗ the log can't be read beyond here: record") and feed.finished == 1
    assert feed.state.items


async def test_the_log_follows_stops_and_searches(tmp_path: Path) -> None:
    made_up.write_log(tmp_path)
    app = app_over(made_up.MadeUpFeed(made_up.building(), data=tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "3")
        await pilot.pause()
        log = app.screen.query_one(LogView)
        assert log.status().startswith("FOLLOW  line 220 of 220")
        await press(pilot, "up")
        assert log.status().startswith("PAUSED")
        await press(pilot, "slash", *"STRNCPY", "enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "hit in line 215" in log.status()
        with next((tmp_path / "build/xen/1-1").iterdir()).open("ab") as file:
            file.write(b"new line\n")
        await press(pilot, "f")
        app.look()
        await pilot.pause()
        assert "line 221 of 221" in log.status()


async def test_brackets_turn_to_another_build(tmp_path: Path) -> None:
    made_up.write_log(tmp_path, "vmm-core", 30)
    app = app_over(made_up.MadeUpFeed(made_up.building(), data=tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "3", "right_square_bracket")
        await pilot.pause()
        assert isinstance(app.screen, BuildScreen) and app.screen._shown == "vmm-core"
        assert "line 30 of 30" in app.screen.query_one(LogView).status()


async def test_copying_gives_the_selected_row_in_full() -> None:
    app = app_over(made_up.MadeUpFeed(made_up.troubled()))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "g", "y")
        assert "grub-0.97.tar.gz" in app.clipboard and "\n" in app.clipboard
