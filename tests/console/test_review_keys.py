"""The keys of a review, one by one: each takes the whole console where it says."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from console import made_up
from console.hands import press
from sealwright_console.lines import plain
from sealwright_console.review_app import ReviewApp
from sealwright_console.review_hits import Hits
from sealwright_console.review_log import checked_last_lines
from sealwright_console.sanitise import ACTIVE
from sealwright_console.screens.build import BuildScreen
from sealwright_console.screens.component import ComponentScreen
from sealwright_console.screens.events import EventsScreen
from sealwright_console.screens.gate import GateScreen
from sealwright_console.screens.overview import OverviewScreen
from sealwright_console.screens.place import PlaceScreen
from sealwright_console.screens.record import RecordScreen
from sealwright_console.widgets.log_view import LogView
from sealwright_console.widgets.texts import Texts
from sealwright_console.widgets.timeline import Timeline
from sealwright_stages.events import Stage
from sealwright_stages.review.meaning import Severity


@asynccontextmanager
async def reviewing(folder: Path, at: int | None = None) -> AsyncIterator[tuple[ReviewApp, Pilot[int]]]:
    app = made_up.review(folder, made_up.past_trouble(), at)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        yield app, pilot


def said(app: ReviewApp, name: str) -> str:
    return "\n".join(plain(line) for line in app.screen.query_one(name, Texts).lines)


async def settled(app: ReviewApp, pilot: Pilot[int]) -> None:
    """The search has ended, and what it found is shown."""
    await app.workers.wait_for_complete()
    app.look()
    await pilot.pause()


@pytest.mark.parametrize("screen", ["", "G", "l", "3", "4", "5", "e", "?"])
async def test_left_right_home_and_end_move_the_cursor_on_every_screen(tmp_path: Path, screen: str) -> None:
    async with reviewing(tmp_path, 100) as (app, pilot):
        if screen:
            await press(pilot, screen.replace("?", "question_mark"))
        for key, n in (
            ("left", 99),
            ("right", 100),
            ("right", 101),
            ("home", 0),
            ("left", 0),
            ("end", 329),
            ("right", 329),
        ):
            await press(pilot, key)
            assert (app.cursor.n, app.feed.state.last_n) == (n, n)
            assert f"record {n:,} of 330" in said(app, "#heading")


async def test_a_field_that_is_typed_into_keeps_its_keys(tmp_path: Path) -> None:
    async with reviewing(tmp_path, 100) as (app, pilot):
        await press(pilot, "/", "x", "y", "left", "home", "e", "at", "end")
        assert app.cursor.n == 100
        assert app.screen.query_one("#filter", Input).value == "e@xy"
        assert isinstance(app.screen, OverviewScreen)


@pytest.mark.parametrize(
    ("forward", "back"), [("shift+right", "shift+left"), ("right_square_bracket", "left_square_bracket")]
)
async def test_shift_and_brackets_go_between_weighty_records(tmp_path: Path, forward: str, back: str) -> None:
    async with reviewing(tmp_path, 0) as (app, pilot):
        seen = []
        for _ in range(5):
            await press(pilot, forward)
            seen.append(app.cursor.n)
        assert seen == list(app.cursor.past.weighty[:5])
        await press(pilot, back, back)
        assert app.cursor.n == seen[2]
        await press(pilot, "home", back)
        assert app.cursor.n == 0
        await press(pilot, "end", forward)
        assert app.cursor.n == app.cursor.last


async def test_on_the_build_screen_brackets_turn_to_another_build(tmp_path: Path) -> None:
    async with reviewing(tmp_path) as (app, pilot):
        await press(pilot, "3", "[")
        assert app.cursor.n == app.cursor.last


async def test_at_goes_to_a_number_or_a_time_or_says_why_not(tmp_path: Path) -> None:
    async with reviewing(tmp_path) as (app, pilot):
        await press(pilot, "at", *"150", "enter")
        assert app.cursor.n == 150 and app.feed.state.last_n == 150
        await press(pilot, "at", *"12:40", "enter")
        assert app.cursor.n == 30
        await press(pilot, "at", *"999", "enter")
        assert isinstance(app.screen, PlaceScreen) and "records 0 to 329" in said(app, "#wrong")
        await press(pilot, "escape")
        assert app.cursor.n == 30 and isinstance(app.screen, OverviewScreen)


async def test_each_screen_shows_the_state_at_the_cursor(tmp_path: Path) -> None:
    async with reviewing(tmp_path) as (app, pilot):
        red = app.cursor.past.red[0]
        await press(pilot, "at", *str(red), "enter")
        assert "✗ 1" in said(app, "#counts")
        await press(pilot, "left")
        assert "✗" not in said(app, "#counts")
        await press(pilot, "right", "G")
        assert "CLOSED" in said(app, "#title") and "1 red" in said(app, "#steps")


async def test_the_log_of_a_build_ends_at_the_cursor(tmp_path: Path) -> None:
    async with reviewing(tmp_path) as (app, pilot):
        past = app.cursor.past
        n = next(entry.n for entry in past.entries(0) if entry.kind == "data" and entry.stream == "build/lvm2/1-1")
        await press(pilot, "at", *str(n + 3), "enter", "3")
        assert isinstance(app.screen, BuildScreen)
        log = app.screen.query_one(LogView)
        assert log.status().startswith("FOLLOW  line 4 of 4 ")
        await press(pilot, "right")
        assert log.status().startswith("FOLLOW  line 5 of 5 ")
        await press(pilot, "left", "left")
        assert log.status().startswith("FOLLOW  line 3 of 3 ")


async def test_up_and_down_go_along_the_listed_records(tmp_path: Path) -> None:
    async with reviewing(tmp_path, 100) as (app, pilot):
        await press(pilot, "e", "up")
        told = app.cursor.past.index.told
        assert app.cursor.n == told[app.cursor.past.index.told_until(100) - 2]
        await press(pilot, "down", "down")
        assert app.cursor.n == told[app.cursor.past.index.told_until(100)]
        await press(pilot, "pagedown", "pageup")
        await press(pilot, "home", "up")
        assert app.cursor.n == 0


async def test_filters_list_what_they_name(tmp_path: Path) -> None:
    async with reviewing(tmp_path, 0) as (app, pilot):
        await press(pilot, "e", "v", "v")
        assert "severity: red" in said(app, "#wanted") and said(app, "#wanted").startswith("2 records")
        await press(pilot, "down")
        assert app.cursor.n == app.cursor.past.red[0]
        await press(pilot, "v", "s", "s", "s")
        chosen = app.cursor.past.chosen("", Stage.BUILD)
        assert said(app, "#wanted").startswith(f"{len(chosen)} records") and "stage: build" in said(app, "#wanted")
        await press(pilot, "c", *"lvm", "enter")
        chosen = app.cursor.past.chosen("lvm2", Stage.BUILD, Severity.INFO)
        assert said(app, "#wanted").startswith(f"{len(chosen)} records") and "component: lvm2" in said(
            app, "#wanted"
        )
        await press(pilot, "c", *"nothing", "enter")
        assert "no component has" in said(app, "#said")
        await press(pilot, "escape", "escape")
        assert said(app, "#wanted").startswith("198 records")
        await press(pilot, "escape")
        assert isinstance(app.screen, OverviewScreen)


async def test_a_search_finds_events_and_output_both_ways_and_around_the_end(tmp_path: Path) -> None:
    async with reviewing(tmp_path) as (app, pilot):
        await press(pilot, "e", "home", "/", *"UNUSED", "enter")
        await settled(app, pilot)
        first = app.cursor.n
        assert app.cursor.past.entry(first).kind == "data" and "unused variable" in said(app, "#said")
        await press(pilot, "n")
        await settled(app, pilot)
        assert app.cursor.n > first
        await press(pilot, "N")
        await settled(app, pilot)
        await press(pilot, "N")
        await settled(app, pilot)
        assert app.cursor.n > first  # around the end
        await press(pilot, "end", "/", *["backspace"] * 6, *"mirror", "enter")
        await settled(app, pilot)
        assert "another mirror" in said(app, "#record")
        await press(pilot, "/", "x", "y", "z", "enter")
        await settled(app, pilot)
        assert "not found" in said(app, "#said")


async def test_a_hit_brings_no_active_character(tmp_path: Path) -> None:
    async with reviewing(tmp_path) as (app, pilot):
        await press(pilot, "e", "home", "/", *"evil", "enter")
        await settled(app, pilot)
        assert "evil line: ␛" in said(app, "#said")
        assert not ACTIVE.search(said(app, "#said") + said(app, "#record").replace("\n", ""))


async def test_keys_answer_while_a_search_runs_and_esc_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = threading.Event()

    class Endless(Hits):
        def run(self, stop: Callable[[], bool]) -> None:
            while not stop():
                stopped.wait(0.001)
            stopped.set()

    monkeypatch.setattr("sealwright_console.screens.events.Hits", Endless)
    async with reviewing(tmp_path, 100) as (app, pilot):
        await press(pilot, "e", "/", "x", "enter", "left")
        assert "searching" in said(app, "#said") and app.cursor.n == 99 and not stopped.is_set()
        await press(pilot, "escape")
        assert isinstance(app.screen, EventsScreen) and "searching" not in said(app, "#said")
        assert stopped.wait(10)


async def test_enter_opens_the_evidence_and_l_the_log_of_the_records_component(tmp_path: Path) -> None:
    async with reviewing(tmp_path) as (app, pilot):
        past = app.cursor.past
        n = next(entry.n for entry in past.entries(0) if entry.kind == "data" and entry.stream == "build/lvm2/1-1")
        await press(pilot, "e", "at", *str(n), "enter", "enter")
        assert isinstance(app.screen, RecordScreen) and "lvm2" in said(app, "#title")
        await press(pilot, "enter")
        assert isinstance(app.screen, ComponentScreen) and app.screen.component_name == "lvm2"
        await press(pilot, "escape", "escape", "l")
        assert isinstance(app.screen, BuildScreen) and "BUILD    lvm2 " in said(app, "#build")


async def test_a_log_that_is_changed_while_it_is_reviewed_is_told_and_not_shown(tmp_path: Path) -> None:
    async with reviewing(tmp_path, 100) as (app, pilot):
        index = tmp_path / "index.jsonl"
        index.write_bytes(index.read_bytes().replace(b"sha256 as pinned", b"sha256 as wanted"))
        await press(pilot, "end")
        assert app.cursor.n == 100
        assert "changed since it was audited" in said(app, "#notices")
        await press(pilot, "e")
        assert isinstance(app.screen, EventsScreen)


async def test_comma_and_full_stop_go_a_minute_and_g_goes_to_a_place_and_capital_g_to_the_gate(
    tmp_path: Path,
) -> None:
    async with reviewing(tmp_path, 100) as (app, pilot):
        await press(pilot, "full_stop")
        assert app.cursor.n == 130  # a record every two seconds
        await press(pilot, "comma", "comma")
        assert app.cursor.n == 70
        await press(pilot, "g", *"12", "enter")
        assert app.cursor.n == 12
        await press(pilot, "G", "g")
        assert isinstance(app.screen, PlaceScreen)
        await press(pilot, "escape")
        assert isinstance(app.screen, GateScreen)


async def test_the_heading_says_that_it_is_the_past_until_end(tmp_path: Path) -> None:
    async with reviewing(tmp_path, 100) as (app, pilot):
        assert "PAST  record 100 of 330 · 2026-03-02 12:42:20 UTC" in said(app, "#heading")
        await press(pilot, "end")
        assert "END  record 329 of 330" in said(app, "#heading") and "PAST" not in said(app, "#heading")


async def test_a_click_on_the_timeline_goes_there_and_to_what_is_marked_there(tmp_path: Path) -> None:
    async with reviewing(tmp_path, 100) as (app, pilot):
        line = plain(app.screen.query_one(Timeline).lines[0])
        assert await pilot.click(Timeline, offset=(1 + line.index("✗"), 0))
        assert app.cursor.n in app.cursor.past.red
        await pilot.click(Timeline, offset=(1 + 9, 0))
        first = app.cursor.n
        assert first < 12
        await pilot.click(Timeline, offset=(2, 0))  # the clock beside it
        assert app.cursor.n == first


async def test_the_hits_are_counted_and_the_kind_is_chosen(tmp_path: Path) -> None:
    async with reviewing(tmp_path) as (app, pilot):
        await press(pilot, "e", "home", "/", *"unused", "enter")
        await settled(app, pilot)
        assert said(app, "#said").startswith("hit 1 of ")
        await press(pilot, "n")
        await settled(app, pilot)
        assert said(app, "#said").startswith("hit 2 of ")
        await press(pilot, "escape", *"ww")
        assert "what: gate" in said(app, "#wanted")


async def test_a_line_of_output_that_is_not_what_was_recorded_is_refused_in_a_block(tmp_path: Path) -> None:
    async with reviewing(tmp_path) as (app, pilot):
        segment = next((tmp_path / "data" / "build" / "lvm2" / "1-1").glob("*.log"))
        segment.write_bytes(segment.read_bytes().replace(b"part_003", b"part_OK!"))
        app.push_screen(BuildScreen(app.feed, "lvm2"))
        await pilot.pause()
        await press(pilot, "end")
        log = app.screen.query_one(LogView)
        log.action_to_top()
        await pilot.pause()
        shown = ["".join(part.text for part in log.render_line(y)) for y in range(log.size.height)]
        assert "NOT WHAT WAS RECORDED" in shown[3] and "part_OK" not in "".join(shown)
        assert "part_002" in shown[2] and "part_004" in shown[4]
        assert any(part.style and part.style.reverse for part in log.render_line(3))
        assert "✗ NOT WHAT WAS RECORDED" in said(app, "#place")
        segment.write_bytes(b"")
        await press(pilot, "left", "right")
        assert "✗" in said(app, "#place")


async def test_the_builds_side_by_side_show_nothing_that_was_not_recorded(tmp_path: Path) -> None:
    known = made_up.past(tmp_path, made_up.past_trouble())
    limit = known.output_until("build/lvm2/1-1", known.size - 1)
    whole = checked_last_lines(known, "build/lvm2/1-1", 3, limit)
    assert len(whole) == 3 and whole[-1].endswith(b"part_011.o")
    segment = next((tmp_path / "data" / "build" / "lvm2" / "1-1").glob("*.log"))
    segment.write_bytes(segment.read_bytes().replace(b"part_011", b"part_OK!"))
    told = checked_last_lines(known, "build/lvm2/1-1", 3, limit)
    assert b"NOT WHAT WAS RECORDED" in told[0] and b"OK" not in b"".join(told)
