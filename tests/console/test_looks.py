"""How frame, overview, gate, waiver and help look, at 80x24 and with room, in every theme."""

from __future__ import annotations

from pathlib import Path

import pytest

from console import made_up
from console.test_screens import Compare, looks, troubled
from sealwright_console.app import ConsoleApp
from sealwright_console.theme import THEME_NAMES
from sealwright_stages.verdict import Status

SMALL, LARGE = (80, 24), (120, 40)
BOTH = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])
REFUSED = (
    "✗ the log authority refuses: its disk is full since 12:40:11, and what happens now can't be logged; "
    "next: make room on the log host, then run again"
)

pytestmark = pytest.mark.xdist_group("snapshots")


@pytest.fixture(autouse=True)
def _no_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "SEALWRIGHT_THEME"):
        monkeypatch.delenv(name, raising=False)


@BOTH
def test_the_overview_shows_the_red_one_first_and_says_why(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, troubled(), size)


@BOTH
def test_when_all_is_green_one_calm_line_says_so(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, ConsoleApp(made_up.MadeUpFeed(made_up.sealed())), size)


def test_a_release_with_nothing_in_its_log_yet_is_shown(snap_compare: Compare) -> None:
    assert looks(snap_compare, ConsoleApp(made_up.MadeUpFeed(made_up.Story())), SMALL)


def test_a_filter_that_finds_nothing_says_so(snap_compare: Compare) -> None:
    assert looks(snap_compare, troubled(), SMALL, "/", *"zzz", "enter")


def test_a_long_notice_keeps_its_two_lines(snap_compare: Compare) -> None:
    feed = made_up.MadeUpFeed(made_up.troubled(), said=(REFUSED, "204 sent, 200 acked"))
    assert looks(snap_compare, ConsoleApp(feed), SMALL)


@BOTH
def test_the_gate_offers_a_waiver_for_the_warning_only(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, troubled(), size, "g")


def test_the_gate_keeps_its_last_column_beside_the_scrollbar(snap_compare: Compare) -> None:
    assert looks(snap_compare, troubled(), SMALL, "g", "p", "end")


def test_an_open_gate_is_calm_and_names_its_waivers(snap_compare: Compare) -> None:
    assert looks(snap_compare, ConsoleApp(made_up.MadeUpFeed(made_up.sealed())), SMALL, "g")


@BOTH
def test_a_waiver_wants_a_name_and_a_reason(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, troubled(), size, "g", "down", "a", *"manager-1")


def test_help_names_the_keys_of_its_screen_first(snap_compare: Compare) -> None:
    assert looks(snap_compare, troubled(), SMALL, "g", "question_mark")


def test_help_names_all_keys(snap_compare: Compare) -> None:
    assert looks(snap_compare, troubled(), (120, 70), "question_mark")


def test_help_in_a_review_has_the_keys_of_the_cursor(snap_compare: Compare, tmp_path: Path) -> None:
    assert looks(snap_compare, made_up.review(tmp_path, made_up.sealed()), LARGE, "question_mark")


def test_a_signed_release_says_so(snap_compare: Compare, tmp_path: Path) -> None:
    app = made_up.review(tmp_path, made_up.sealed())
    app.cursor.signed = Status.PASSED
    assert looks(snap_compare, app, SMALL)


@pytest.mark.parametrize("theme", THEME_NAMES)
def test_each_theme_keeps_shapes_and_words(snap_compare: Compare, theme: str) -> None:
    app = ConsoleApp(made_up.MadeUpFeed(made_up.troubled()), theme=theme)
    assert looks(snap_compare, app, SMALL, "g")


def test_without_colours_bold_and_reverse_stay(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert looks(snap_compare, troubled(), SMALL)


def test_in_ascii_every_cell_is_ascii(snap_compare: Compare) -> None:
    app = ConsoleApp(made_up.MadeUpFeed(made_up.troubled()), ascii_only=True)
    assert looks(snap_compare, app, SMALL)
