"""How each screen looks, at both sizes that it has to work at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from console import made_up
from console.hands import press
from sealwright_console.app import ConsoleApp

SMALL, WIDE = (80, 24), (100, 30)
BOTH = pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "100x30"])
Compare = Callable[..., bool]

pytestmark = pytest.mark.xdist_group("snapshots")


async def settle(pilot: Pilot[int]) -> None:
    """No blinking, and the first entries are shown."""
    for field in pilot.app.screen.query(Input):
        field.cursor_blink = False
    await pilot.pause()


def looks(compare: Compare, app: ConsoleApp, size: tuple[int, int], *keys: str) -> bool:
    async def lead(pilot: Pilot[int]) -> None:
        await settle(pilot)
        await press(pilot, *keys)
        await settle(pilot)

    return compare(app, terminal_size=size, run_before=lead)


def troubled() -> ConsoleApp:
    return ConsoleApp(made_up.MadeUpFeed(made_up.troubled()))


@BOTH
def test_the_evidence_page_shows_fingerprints_whole(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, troubled(), size, "enter", "down", "down")


@BOTH
def test_the_build_shows_its_log_with_the_evil_line_dead(
    snap_compare: Compare, size: tuple[int, int], tmp_path: Path
) -> None:
    made_up.write_log(tmp_path)
    app = ConsoleApp(made_up.MadeUpFeed(made_up.building(), data=tmp_path))
    assert looks(snap_compare, app, size, "3")


@BOTH
def test_the_sign_screen_shows_the_digest_and_stays_disabled_until_both_match(
    snap_compare: Compare, size: tuple[int, int]
) -> None:
    app = ConsoleApp(made_up.MadeUpFeed(made_up.sealed(), waiting=made_up.request()))
    assert looks(snap_compare, app, size, "5", *made_up.DIGEST[:8], "tab", *"example-1.")


def test_the_sign_screen_arms_once_both_match(snap_compare: Compare) -> None:
    app = ConsoleApp(made_up.MadeUpFeed(made_up.sealed(), waiting=made_up.request()))
    assert looks(snap_compare, app, SMALL, "5", *made_up.DIGEST[:8], "tab", *"example-1.0")


def test_the_seal_view_lists_the_products(snap_compare: Compare) -> None:
    assert looks(snap_compare, ConsoleApp(made_up.MadeUpFeed(made_up.sealed())), SMALL, "4")


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


def test_a_review_says_why_a_place_is_none(snap_compare: Compare, tmp_path: Path) -> None:
    assert looks(snap_compare, made_up.review(tmp_path, made_up.past_trouble()), SMALL, "at", *"9999", "enter")


def test_quitting_a_running_release_asks_and_says_what_happens(snap_compare: Compare) -> None:
    assert looks(snap_compare, troubled(), SMALL, "q")
