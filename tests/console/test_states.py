"""How the console looks when something is wrong, waits or has ended, and where there is hardly any room: red first."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from console import lone, made_up
from console.hands import press
from console.test_screens import Compare, looks, settle, troubled
from sealwright_console.app import ConsoleApp
from sealwright_console.screens.doctor import DoctorScreen

SMALL, LARGE, TINY = (80, 24), (120, 40), (40, 12)
BOTH = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])
LOST = ("✗ the log is lost: the log authority has ended without a word · 204 records acknowledged",)
ENDED = (
    "✗ the run ended: the engine, pid 4711, is gone without a word · next: run again to resume",
    "✓ log authority connected · 204 records acknowledged",
)

pytestmark = pytest.mark.xdist_group("snapshots")


@pytest.fixture(autouse=True)
def _no_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "SEALWRIGHT_THEME"):
        monkeypatch.delenv(name, raising=False)


def console(story: made_up.Story, **more: object) -> ConsoleApp:
    return ConsoleApp(made_up.MadeUpFeed(story, **more))  # type: ignore[arg-type]


@BOTH
def test_a_lost_log_is_told_in_red_on_the_overview(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, console(made_up.building(), said=LOST), size)


def test_a_lost_log_is_told_on_the_build_too(snap_compare: Compare) -> None:
    assert looks(snap_compare, console(made_up.building(), said=LOST), SMALL, "3")


@BOTH
def test_a_run_that_ended_says_how_and_what_to_do(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, console(made_up.troubled(), said=ENDED, finished=3), size)


def test_a_red_item_has_no_way_to_be_waived(snap_compare: Compare) -> None:
    assert looks(snap_compare, troubled(), SMALL, "g", "a")


@BOTH
def test_the_question_of_the_signer_is_told_on_the_overview(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, console(made_up.sealed(), waiting=made_up.request()), size)


def test_the_question_of_the_signer_is_told_on_the_gate(snap_compare: Compare) -> None:
    assert looks(snap_compare, console(made_up.sealed(), waiting=made_up.request()), SMALL, "g")


@BOTH
def test_a_gate_that_only_waits_is_closed_and_not_red(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, console(made_up.building()), size, "g")


@BOTH
def test_while_it_builds_the_overview_says_what_is_done_and_what_runs(
    snap_compare: Compare, size: tuple[int, int]
) -> None:
    assert looks(snap_compare, console(made_up.building(), lefts={"": "about 3:20", "xen": "about 0:50"}), size)


def test_a_filter_keeps_the_red_and_says_how_many_were_found(snap_compare: Compare) -> None:
    assert looks(snap_compare, troubled(), SMALL, "/", *"fail", "enter")


@BOTH
def test_a_good_component_is_calm(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, console(made_up.sealed()), size, "enter")


@BOTH
def test_the_palette_over_a_red_gate(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = troubled()

    async def lead(pilot: Pilot[int]) -> None:
        await settle(pilot)
        await press(pilot, "g")
        await press(pilot, ":")
        await settle(pilot)
        await press(pilot, *"stage")
        await app.workers.wait_for_complete()
        await pilot.pause(0.3)
        await settle(pilot)

    assert snap_compare(app, terminal_size=size, run_before=lead)


@BOTH
def test_the_doctor_says_that_a_machine_is_not_fit(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = troubled()

    async def lead(pilot: Pilot[int]) -> None:
        app.push_screen(DoctorScreen(lone.findings, lone.good_trial))
        await pilot.pause()
        await app.workers.wait_for_complete()
        await settle(pilot)

    assert snap_compare(app, terminal_size=size, run_before=lead)


@pytest.mark.parametrize("keys", ["", "g", "q"], ids=["overview", "gate", "quit"])
def test_where_there_is_hardly_room_red_is_still_told(snap_compare: Compare, keys: str) -> None:
    assert looks(snap_compare, troubled(), TINY, *keys)


@pytest.mark.parametrize("theme", ["light", "high-contrast", "ansi"])
def test_each_theme_shows_red_on_the_overview(snap_compare: Compare, theme: str) -> None:
    app = ConsoleApp(made_up.MadeUpFeed(made_up.troubled()), theme=theme)
    assert looks(snap_compare, app, SMALL)
