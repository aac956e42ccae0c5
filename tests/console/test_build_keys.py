"""The keys of the build screen, of its log, and of the builds side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key
from textual.pilot import Pilot

from console import made_up
from console.hands import press
from sealwright_console.app import ConsoleApp
from sealwright_console.lines import plain
from sealwright_console.log_text import LogText
from sealwright_console.screens.build import BuildScreen
from sealwright_console.screens.builds import BuildsScreen
from sealwright_console.screens.component import ComponentScreen
from sealwright_console.screens.overview import OverviewScreen
from sealwright_console.widgets import log_view
from sealwright_console.widgets.ledger import Ledger
from sealwright_console.widgets.log_view import LogView
from sealwright_console.widgets.pane import Pane

SMALL, LARGE = (80, 24), (120, 40)


def app_over(data: Path, story: made_up.Story | None = None) -> ConsoleApp:
    return ConsoleApp(made_up.MadeUpFeed(story or made_up.building(), data=data), clock=lambda: 0.0)


def written(data: Path, text: bytes, component: str = "xen") -> Path:
    folder = data / "build" / component / "1-1"
    folder.mkdir(parents=True)
    (folder / "00000001.log").write_bytes(text)
    return folder


async def settled(app: ConsoleApp, pilot: Pilot[int]) -> LogView:
    await app.workers.wait_for_complete()
    await pilot.pause()
    return app.screen.query_one(LogView)


@contextmanager
def small_steps() -> Iterator[None]:
    """Logs are long from a few lines on: what takes a thread for gigabytes takes it for these."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_view, "_AT_ONCE", 1000)
        patch.setattr("sealwright_console.log_text._TAIL", 2000)
        yield


def shown(app: ConsoleApp, log: LogView) -> list[str]:
    return [log.render_line(y).text.rstrip() for y in range(log.size.height)]


LINES = [b"line %05d" % number for number in range(9000)]


async def test_a_long_log_shows_its_end_before_it_is_indexed_and_its_numbers_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, b"\n".join(LINES) + b"\n")
    monkeypatch.setattr(LogView, "_index", lambda self, log: None)  # the thread has not come to it yet
    app = app_over(tmp_path)
    with small_steps():
        async with app.run_test(size=SMALL) as pilot:
            await press(pilot, "3")
            log = await settled(app, pilot)
            assert shown(app, log)[-1] == "  line 08999" and shown(app, log)[-2] == "  line 08998"
            assert "FOLLOW  at the end, reading 0%" in log.status()
            await press(pilot, "up")
            assert shown(app, log)[-1] == "  line 08998"
            while log._whole.extend():
                pass
            log._busy = False
            log._grown()
            assert shown(app, log)[-1] == "  line 08998", "the view stays where it was"
            assert log.status().startswith("PAUSED  line 8,999 of 9,000 ")


async def test_home_and_end_work_while_a_log_is_read(tmp_path: Path) -> None:
    written(tmp_path, b"\n".join(LINES) + b"\n")
    app = app_over(tmp_path)
    with small_steps():
        async with app.run_test(size=SMALL) as pilot:
            await press(pilot, "3", "home", "end", "home")
            log = await settled(app, pilot)
            assert shown(app, log)[0] == "  line 00000" and log.status().startswith("PAUSED  line 12 of 9,000")
            await press(pilot, "f")
            log = await settled(app, pilot)
            assert shown(app, log)[-1] == "  line 08999" and log.status().startswith("FOLLOW  line 9,000 of 9,000")


async def test_e_and_w_go_to_errors_and_warnings_and_back(tmp_path: Path) -> None:
    lines = list(LINES[:600])
    lines[100], lines[400] = b"x.c:1: error: it", b"y.c:2: Error: that"
    lines[50] = b"warning: so"
    written(tmp_path, b"\n".join(lines) + b"\n")
    app = app_over(tmp_path)
    async with app.run_test(size=SMALL) as pilot:
        await press(pilot, "3", "home", "e")
        log = await settled(app, pilot)
        assert "hit in line 101" in log.status() and "e 2 errors" in log.status() and "w 1 warning" in log.status()
        for keys, line in (("e", 401), ("e", 101), ("E", 401), ("E", 101), ("w", 51), ("w", 51), ("W", 51)):
            await press(pilot, keys)
            assert f"hit in line {line}" in log.status(), keys
        assert "around" in log.status()
        assert any(line.startswith("> warning: so") for line in shown(app, log))


async def test_a_search_goes_on_and_back_and_is_given_up_by_esc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = list(LINES[:600])
    lines[10] = lines[300] = b"a Needle here"
    written(tmp_path, b"\n".join(lines) + b"\n")
    app = app_over(tmp_path)
    async with app.run_test(size=SMALL) as pilot:
        await press(pilot, "3", "home", "/", *"needle", "enter")
        log = await settled(app, pilot)
        for key, line in (("n", 301), ("n", 11), ("N", 301), ("N", 11)):
            await press(pilot, key)
            await settled(app, pilot)
            assert f"hit in line {line} " in f"{log.status()} ", key

        def long(self: LogText, needle: str, here: int, forward: bool, stop: Any, told: Any) -> int | None:
            told(0.43)
            while not stop():
                pass
            return 0

        monkeypatch.setattr(LogText, "find", long)
        await press(pilot, "n")
        while "43%" not in log.status():
            await pilot.pause()
        assert "searching 43%, esc ends it" in log.status()
        await press(pilot, "escape")
        await settled(app, pilot)
        assert isinstance(app.screen, BuildScreen) and "search given up" in log.status()
        await press(pilot, "escape")
        assert isinstance(app.screen, OverviewScreen)


async def test_what_is_typed_fast_after_the_slash_is_all_in_the_search(tmp_path: Path) -> None:
    written(tmp_path, b"\n".join([*LINES[:300], b"nowhere else", *LINES[300:400]]) + b"\n")
    app = app_over(tmp_path)
    async with app.run_test(size=SMALL) as pilot:
        await press(pilot, "3")
        for key in (
            "slash",
            *"nowhere",
            "enter",
        ):  # as a paste or a macro comes: without a turn of the loop between
            app.post_message(Key(key, {"slash": "/", "enter": None}.get(key, key)))
        await pilot.pause()
        log = await settled(app, pilot)
        assert (
            isinstance(app.screen, BuildScreen) and log.needle == "nowhere" and "hit in line 301" in log.status()
        )


async def test_a_hit_far_to_the_right_in_a_line_of_a_megabyte_is_brought_into_sight(tmp_path: Path) -> None:
    written(tmp_path, b"short\n" + b"x" * 700_000 + b"NEEDLE" + b"y" * 300_000 + b"\nend\n")
    app = app_over(tmp_path)
    async with app.run_test(size=SMALL) as pilot:
        await press(pilot, "3", "/", *"needle", "enter")
        log = await settled(app, pilot)
        (line,) = [each for each in shown(app, log) if each.startswith("> ")]
        assert line.startswith("> …x") and "xNEEDLEy" in line and "cut after" in line


async def test_a_hit_where_the_index_has_not_come_yet_is_gone_to_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [*LINES[:4000], b"needle", *LINES[4000:]]
    written(tmp_path, b"\n".join(lines) + b"\n")
    monkeypatch.setattr(LogView, "_index", lambda self, log: None)
    app = app_over(tmp_path)
    with small_steps():
        async with app.run_test(size=SMALL) as pilot:
            await press(pilot, "3", "/", *"needle", "enter")
            log = await settled(app, pilot)
            assert "hit found, reading as far as that" in log.status()
            while log._whole.extend():
                pass
            log._busy = False
            log._grown()
            assert "hit in line 4,001" in log.status() and "> needle" in shown(app, log)


async def test_v_shows_all_builds_and_enter_opens_one(tmp_path: Path) -> None:
    made_up.write_log(tmp_path)
    made_up.write_log(tmp_path, "vmm-core", 30)
    app = app_over(tmp_path)
    async with app.run_test(size=SMALL) as pilot:
        await press(pilot, "3", "v")
        assert isinstance(app.screen, BuildsScreen)
        ledger = app.screen.query_one(Ledger)
        assert ledger.key == "xen" and not app.screen.query_one("#panes").display
        await press(pilot, "enter")
        assert isinstance(app.screen, BuildScreen) and app.screen._shown == "xen"
        await press(pilot, "v", "end", "up", "enter")
        assert isinstance(app.screen, BuildScreen) and app.screen._shown == "vmm-core"
        await press(pilot, "v", "down", "[", "right_square_bracket", "down", "escape")
        assert isinstance(app.screen, BuildScreen) and app.screen._shown == "vmm-core", "esc changes nothing"


async def test_leaving_all_builds_before_they_are_laid_out_is_no_error(tmp_path: Path) -> None:
    made_up.write_log(tmp_path)
    app = app_over(tmp_path)
    async with app.run_test(size=LARGE) as pilot:
        await press(pilot, "3")
        for _ in range(3):
            app.push_screen(BuildsScreen(app.feed, "xen"))
            app.pop_screen()
            await pilot.pause()
        assert isinstance(app.screen, BuildScreen)


async def test_a_build_that_has_not_begun_is_not_opened(tmp_path: Path) -> None:
    app = app_over(tmp_path)
    async with app.run_test(size=SMALL) as pilot:
        await press(pilot, "3", "v", "down", "enter")
        assert isinstance(app.screen, BuildsScreen) and app.screen.shown_component == "kde-desktop"


async def test_with_room_there_are_panes_that_follow_their_logs(tmp_path: Path) -> None:
    made_up.write_log(tmp_path)
    app = app_over(tmp_path, made_up.red_build())
    async with app.run_test(size=LARGE) as pilot:
        await press(pilot, "3", "v")
        await pilot.pause()
        app.look()
        panes = [pane for pane in app.screen.query(Pane) if pane.display]
        assert [pane.build for pane in panes] == ["xen", "kde-desktop", "vmm-core", "core-admin"]
        written(tmp_path, b"fresh output\n", "kde-desktop")
        app.look()
        assert any("fresh output" in plain(line) for line in panes[1].lines)
        assert [plain(pane.lines[0])[:1] for pane in panes] == [" ", ">", " ", " "]
        await press(pilot, "left_square_bracket")
        assert [plain(pane.lines[0])[:1] for pane in panes] == [">", " ", " ", " "]
        await pilot.click(panes[2])
        assert app.screen.query_one(Ledger).key == "vmm-core"
        await pilot.click(panes[2])
        assert isinstance(app.screen, BuildScreen) and app.screen._shown == "vmm-core"


async def test_a_narrower_terminal_takes_the_panes_away(tmp_path: Path) -> None:
    app = app_over(tmp_path)
    async with app.run_test(size=LARGE) as pilot:
        await press(pilot, "3", "v")
        assert app.screen.query_one("#panes").display
        await pilot.resize_terminal(*SMALL)
        await pilot.pause()
        assert not app.screen.query_one("#panes").display


async def test_in_a_review_the_panes_end_at_the_cursor(tmp_path: Path) -> None:
    app = made_up.review(tmp_path, made_up.past_trouble())
    async with app.run_test(size=LARGE) as pilot:
        n = next(
            entry.n
            for entry in app.cursor.past.entries(0)
            if entry.kind == "data" and entry.stream == "build/lvm2/1-1"
        )
        await press(pilot, "at", *str(n + 3), "enter", "3", "v")
        await pilot.pause()
        pane = next(pane for pane in app.screen.query(Pane) if pane.build == "lvm2")
        assert plain(pane.lines[-1]).strip() == "CC      lvm2/part_003.o"
        assert "… running" in plain(pane.lines[0])


async def test_the_newest_line_stays_in_sight_when_the_window_shrinks_and_the_red_one_in_the_list(
    tmp_path: Path,
) -> None:
    made_up.write_log(tmp_path, last=b"make: *** [all] Error 2\n")
    app = app_over(tmp_path, made_up.red_build())
    async with app.run_test(size=LARGE) as pilot:
        await press(pilot, "3", "[")
        log = await settled(app, pilot)
        assert shown(app, log)[-1] == "e make: *** [all] Error 2"
        await pilot.resize_terminal(*SMALL)
        await pilot.pause()
        assert shown(app, log)[-1] == "e make: *** [all] Error 2"
        await pilot.resize_terminal(*LARGE)
        await press(pilot, "right_square_bracket", "v")
        await pilot.pause()
        ledger = app.screen.query_one(Ledger)
        assert ledger.key == "kde-desktop" and ledger.scroll_offset.y == 0


async def test_enter_shows_the_evidence_of_the_component(tmp_path: Path) -> None:
    app = app_over(tmp_path)
    async with app.run_test(size=SMALL) as pilot:
        await press(pilot, "3", "enter")
        assert isinstance(app.screen, ComponentScreen) and app.screen.component_name == "xen"
