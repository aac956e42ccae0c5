"""The comparison in the console: everything is told, what is dangerous says CHECK, and rows lead into either release."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from compare.releases import RELEASES, git, greeting, release, with_greeting
from console import made_up
from console.hands import press
from console.test_diff import HOSTILE_TEXT, compared, side
from sealwright_console.lines import Row, Tone, plain
from sealwright_console.review_feed import SideFeed
from sealwright_console.sanitise import ACTIVE
from sealwright_console.screens import diff as diff_screen
from sealwright_console.screens.component import ComponentScreen
from sealwright_console.screens.diff import DiffScreen
from sealwright_console.views.diff import component_at, diff_rows, diff_title
from sealwright_console.widgets.ledger import Ledger
from sealwright_console.widgets.texts import Texts
from sealwright_stages.audit import Reviewer
from sealwright_stages.compare.both import Compared
from sealwright_stages.compare.compared import compare
from sealwright_stages.compare.facts import Release, Signature
from sealwright_stages.findings import bad
from sealwright_stages.fold import fold


def text(rows: list[Row]) -> str:
    return "\n".join(plain(line) for row in rows for line in row.lines)


def tones(rows: list[Row]) -> set[Tone]:
    return {part.tone for row in rows for line in row.lines for part in line}


@settings(max_examples=60, deadline=None)
@given(RELEASES, RELEASES)
def test_every_change_is_told(a: Release, b: Release) -> None:
    made = compared(a, b)
    flat = "".join(text(diff_rows(made)).split())
    for change in made.difference.changes if made.difference else ():
        assert change.section.value == "durations" or "".join(change.after.split()) in flat
    keys = [row.key for row in diff_rows(made) if row.key]
    assert len(keys) == len(set(keys))


def test_a_key_that_changed_is_marked_check_and_its_row_leads_to_the_component() -> None:
    made = compared(release(), with_greeting(greeting(git("v1.1", key="C" * 40)), version="1.1"))
    row = next(row for row in diff_rows(made) if "CHECK  key changed" in text([row]))
    assert component_at(row.key) == "greeting" and Tone.FAILED in tones([row])
    assert any("~ greeting" in line and "CHECK" in line for line in text(diff_rows(made)).splitlines())


def test_components_are_the_same_changed_new_or_gone() -> None:
    more = replace(release(), components={**release().components, "fresh": greeting()})
    assert "= 2   ~ 0   + 1   - 0 components" in plain(diff_title(compared(release(), more)))
    assert "- 1 components" in plain(diff_title(compared(more, release())))
    assert "  + fresh" in text(diff_rows(compared(release(), more)))
    assert "~ 1" in plain(diff_title(compared(release(), with_greeting(greeting(epoch=1)))))


def test_a_side_that_is_not_whole_stands_first_in_a_block() -> None:
    rows = diff_rows(compared(release(), with_greeting(greeting(epoch=1)), passed=False))
    assert "NO, B is not whole" in text(rows[:1]) and Tone.ALARM in tones(rows[:1])
    assert Tone.PASSED not in tones(rows)


@settings(max_examples=60, deadline=None)
@given(HOSTILE_TEXT, HOSTILE_TEXT)
def test_no_text_from_outside_comes_out_alive(name: str, value: str) -> None:
    hostile = release(
        name=name or "x",
        version=value,
        tool=value,
        declared={name: {value: name}},
        components={name: greeting(git(signatures=frozenset({Signature(name, value)}), waived=value))},
    )
    broken = replace(side(hostile, passed=False), left_out=(value,), findings=(bad(name, value),))
    made = Compared(broken, side(release()), compare(hostile, release()), (), (value,))
    for row in diff_rows(made):
        assert not any(ACTIVE.search(plain(line)) for line in row.lines)
    assert not ACTIVE.search(plain(diff_title(made)))


class Done:
    """A comparison that has ended."""

    failed = ""
    ended = True
    stopped = False

    def __init__(self, result: Compared | None, failed: str = "") -> None:
        self.result, self.failed = result, failed

    def stop(self) -> None:
        self.stopped = True


@pytest.mark.parametrize(("key", "name"), [("a", "A"), ("b", "B"), ("enter", "B")])
async def test_a_row_leads_into_the_component_of_either_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, name: str
) -> None:
    state = fold(made_up.sealed().entries)
    made = compared(release(), with_greeting(greeting(epoch=1)))
    made = replace(made, a=replace(made.a, state=state), b=replace(made.b, state=state))
    done = Done(made)
    monkeypatch.setattr(diff_screen, "Aside", lambda *_: done)
    app = made_up.review(tmp_path, made_up.past_trouble())
    async with app.run_test(size=(80, 24)) as pilot:
        screen = DiffScreen(app.feed, tmp_path, tmp_path, Reviewer())
        app.push_screen(screen)
        await pilot.pause()
        app.look()
        ledger = screen.query_one(Ledger)
        first = next(iter(state.components))
        monkeypatch.setattr(type(screen), "shown_component", property(lambda self: first))
        await press(pilot, key)
        assert isinstance(app.screen, ComponentScreen) and isinstance(app.screen.feed, SideFeed)
        assert f" as {name}, at its end" in plain(app.screen.query_one("#heading", Texts).lines[0])
        await press(pilot, "l")  # the log of the other release is not ours
        assert isinstance(app.screen, ComponentScreen)
        await press(pilot, "escape", "escape")
        assert ledger is not None and done.stopped


async def test_a_comparison_that_failed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff_screen, "Aside", lambda *_: Done(None, "its process ended with -9"))
    app = made_up.review(tmp_path, made_up.past_trouble())
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(DiffScreen(app.feed, tmp_path, tmp_path, Reviewer()))
        await pilot.pause()
        app.look()
        await press(pilot, "enter")
        assert "✗ nothing was compared: its process ended" in plain(app.screen.query_one("#title", Texts).lines[0])


def test_two_real_folders_are_compared_beside_us_the_older_first(tmp_path: Path) -> None:
    from sealwright_console.aside import Aside

    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    work: Aside[Any] = Aside("diff", tmp_path / "one", tmp_path / "other", Reviewer())
    work.wait()
    assert work.result is not None and not work.result.whole
    work.stop()


async def test_d_asks_for_a_folder_with_a_log(tmp_path: Path) -> None:
    app = made_up.review(tmp_path, made_up.past_trouble())
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "d", *"/nowhere", "enter")
        assert "there is no log in it" in plain(app.screen.query_one("#wrong", Texts).lines[0])
        await press(pilot, "escape")
        assert not isinstance(app.screen, DiffScreen)
