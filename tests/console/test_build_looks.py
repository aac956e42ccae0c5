"""How the build screen and the builds side by side look, in each of their states."""

from __future__ import annotations

from pathlib import Path

import pytest

from console import made_up
from console.test_screens import Compare, looks
from sealwright_console.app import ConsoleApp
from sealwright_stages.live import Ahead, Now
from sealwright_stages.ports import Sampled

SMALL, LARGE = (80, 24), (120, 40)
BOTH = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])
FAILED = (
    b"cc1: all warnings being treated as errors\nx.c:12:3: error: unused variable 'y'\nmake: *** [all] Error 2\n"
)

pytestmark = pytest.mark.xdist_group("snapshots")


@pytest.fixture(autouse=True)
def _no_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "SEALWRIGHT_THEME"):
        monkeypatch.delenv(name, raising=False)


def feed(data: Path, story: made_up.Story) -> made_up.MadeUpFeed:
    """A release with two logs, whose running builds are looked at and have an estimate."""
    made_up.write_log(data, last=FAILED if story.entries[-1].body.get("component") == "kde-desktop" else b"")
    for name in ("vmm-core", "kde-desktop", "release-tools"):
        made_up.write_log(data, name, 40)
    look = Sampled(139, 7_900_000_000, 12, 0, 0, disk=45_000_000, files=3400, elapsed_ms=571_000)
    told = made_up.MadeUpFeed(story, data=data)
    for name in ("xen", "kde-desktop"):
        if told.state.components[name].building:
            told.looks[name] = Now(look, 1_000_000, 12_000_000)
            told.lefts[name], told.far[name] = "about 8 min left", Ahead(54, 40, 3)
    told.lefts[""] = "about 1 h 20 min left" if told.looks else ""
    return told


@BOTH
def test_a_running_build(snap_compare: Compare, size: tuple[int, int], tmp_path: Path) -> None:
    assert looks(snap_compare, ConsoleApp(feed(tmp_path, made_up.building())), size, "3")


@BOTH
def test_builds_side_by_side_with_a_red_one(snap_compare: Compare, size: tuple[int, int], tmp_path: Path) -> None:
    assert looks(snap_compare, ConsoleApp(feed(tmp_path, made_up.red_build())), size, "3", "v")


@BOTH
def test_a_red_build(snap_compare: Compare, size: tuple[int, int], tmp_path: Path) -> None:
    app = ConsoleApp(feed(tmp_path, made_up.red_build()))
    assert looks(snap_compare, app, size, "3", "[")


@BOTH
def test_a_build_that_is_done(snap_compare: Compare, size: tuple[int, int], tmp_path: Path) -> None:
    assert looks(snap_compare, ConsoleApp(feed(tmp_path, made_up.sealed())), size, "3")


@BOTH
def test_a_build_in_a_review_as_it_was_at_the_cursor(
    snap_compare: Compare, size: tuple[int, int], tmp_path: Path
) -> None:
    app = made_up.review(tmp_path, made_up.past_trouble())
    past = app.cursor.past
    n = next(entry.n for entry in past.entries(0) if entry.kind == "data" and entry.stream == "build/lvm2/1-1")
    assert looks(snap_compare, app, size, "at", *str(n + 7), "enter", "3")


def test_a_running_build_in_ascii(snap_compare: Compare, tmp_path: Path) -> None:
    app = ConsoleApp(feed(tmp_path, made_up.building()), ascii_only=True)
    assert looks(snap_compare, app, SMALL, "3")


def test_a_red_build_without_colours(
    snap_compare: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert looks(snap_compare, ConsoleApp(feed(tmp_path, made_up.red_build())), SMALL, "3", "v")


def test_a_hit_and_its_search(snap_compare: Compare, tmp_path: Path) -> None:
    app = ConsoleApp(feed(tmp_path, made_up.red_build()))
    assert looks(snap_compare, app, LARGE, "3", "[", "E")
