"""How each screen looks, at both sizes that it has to work at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

from compare.releases import git, greeting, release, with_greeting
from console import lone, made_up
from console.hands import press
from console.test_diff import compared
from console.test_review_diff import Done
from sealwright_console import start
from sealwright_console.app import ConsoleApp
from sealwright_console.recent import Recent, Stand
from sealwright_console.screens import diff
from sealwright_console.screens.doctor import DoctorScreen
from sealwright_stages.compare.facts import Product
from sealwright_stages.reviewer import Reviewer
from sealwright_stages.verdict import Status

SMALL, WIDE = (80, 24), (100, 30)
BOTH = pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "100x30"])
TREE = pytest.mark.parametrize("size", [SMALL, (120, 40)], ids=["80x24", "120x40"])
Compare = Callable[..., bool]

pytestmark = pytest.mark.xdist_group("snapshots")


async def settle(pilot: Pilot[int]) -> None:
    """No blinking, and the first entries are shown."""
    for field in pilot.app.screen.query(Input):
        field.cursor_blink = False
    await pilot.pause()


def looks(compare: Compare, app: App[Any], size: tuple[int, int], *keys: str) -> bool:
    async def lead(pilot: Pilot[int]) -> None:
        await settle(pilot)
        for key in keys:  # a screen that opens puts its cursor once it is laid out
            await press(pilot, key)
        await settle(pilot)

    return compare(app, terminal_size=size, run_before=lead)


def troubled() -> ConsoleApp:
    return ConsoleApp(made_up.MadeUpFeed(made_up.troubled()))


@TREE
def test_the_worst_item_is_open_and_what_differs_is_marked(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, troubled(), size, "enter")


@TREE
def test_a_check_is_shown_with_its_signer_and_the_command_to_repeat_it(
    snap_compare: Compare, size: tuple[int, int]
) -> None:
    assert looks(snap_compare, troubled(), size, "down", "enter", "right", *["down"] * 6, "right")


@TREE
def test_the_start_screen(snap_compare: Compare, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    known = [
        Recent(Path(f"/srv/releases/example-{name}.release"), Path("/srv/releases/release.toml"))
        for name in ("1.2", "1.1", "1.0")
    ]
    at = "2026-03-02T12:42:00.000000Z"
    told = {
        known[0]: Stand(known[0], "example-1.2", "verify", Status.FAILED, at),
        known[1]: Stand(known[1], "example-1.1", "sealed", Status.PASSED, at, sealed=True),
        known[2]: Stand(known[2], trouble="the folder is gone", gone=True),
    }
    monkeypatch.setattr(start, "stand", told.__getitem__)
    assert looks(snap_compare, start.StartApp(known), size, "down")


@TREE
def test_the_doctor_with_a_selftest(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = troubled()

    async def lead(pilot: Pilot[int]) -> None:
        app.push_screen(DoctorScreen(lone.findings, lone.good_trial))
        await pilot.pause()
        await press(pilot, "s")
        await app.workers.wait_for_complete()
        await settle(pilot)

    assert snap_compare(app, terminal_size=size, run_before=lead)


@BOTH
def test_the_build_shows_its_log_with_the_evil_line_dead(
    snap_compare: Compare, size: tuple[int, int], tmp_path: Path
) -> None:
    made_up.write_log(tmp_path)
    app = ConsoleApp(made_up.MadeUpFeed(made_up.building(), data=tmp_path))
    assert looks(snap_compare, app, size, "3")


@BOTH
def test_a_review_says_which_record_it_shows_and_has_a_timeline(
    snap_compare: Compare, size: tuple[int, int], tmp_path: Path
) -> None:
    assert looks(snap_compare, made_up.review(tmp_path, made_up.past_trouble(), 95), size)


@BOTH
def test_a_review_lists_its_records_and_shows_a_hit_in_output(
    snap_compare: Compare, size: tuple[int, int], tmp_path: Path
) -> None:
    app = made_up.review(tmp_path, made_up.past_trouble())
    assert looks(snap_compare, app, size, "e", "home", "/", *"evil", "enter")


@TREE
def test_a_review_whose_audit_runs_has_nothing_green(
    snap_compare: Compare, size: tuple[int, int], tmp_path: Path
) -> None:
    app = made_up.review(tmp_path, made_up.past_trouble())
    app.cursor.signed, app.cursor.proved = Status.RUNNING, False
    assert looks(snap_compare, app, size)


@TREE
def test_output_that_is_not_what_was_recorded(
    snap_compare: Compare, size: tuple[int, int], tmp_path: Path
) -> None:
    app = made_up.review(tmp_path, made_up.past_trouble())
    for segment in (tmp_path / "data" / "build").rglob("*.log"):
        segment.write_bytes(segment.read_bytes().replace(b"part_003", b"part_OK!"))
    assert looks(snap_compare, app, size, "3")


@TREE
def test_two_releases_side_by_side(
    snap_compare: Compare, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = greeting(git("v1.1", key="C" * 40), products={"greeting-1.1.tar": Product(made_up.sha("1.1"), 301)})
    made = compared(release(), with_greeting(changed, version="1.1"))
    monkeypatch.setattr(diff, "Aside", lambda *_: Done(made))
    app = made_up.review(tmp_path, made_up.past_trouble())

    async def lead(pilot: Pilot[int]) -> None:
        app.push_screen(diff.DiffScreen(app.feed, tmp_path, tmp_path, Reviewer()))
        await pilot.pause()
        app.look()
        await settle(pilot)

    assert snap_compare(app, terminal_size=size, run_before=lead)


def test_a_review_says_why_a_place_is_none(snap_compare: Compare, tmp_path: Path) -> None:
    assert looks(snap_compare, made_up.review(tmp_path, made_up.past_trouble()), SMALL, "at", *"9999", "enter")


def test_quitting_a_running_release_asks_and_says_what_happens(snap_compare: Compare) -> None:
    assert looks(snap_compare, troubled(), SMALL, "q")
