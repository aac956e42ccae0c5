"""The rules of review_opening and aside: what is read is a claim until an audit of the same bytes has said yes."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console import made_up
from console.hands import press
from sealwright_console.aside import Aside, Audited
from sealwright_console.cursor import Cursor
from sealwright_console.lines import plain
from sealwright_console.review_app import ReviewApp
from sealwright_console.review_feed import ReviewFeed
from sealwright_console.review_opening import Opening
from sealwright_console.widgets.texts import Texts
from sealwright_stages.audit import Reviewer
from sealwright_stages.findings import bad, good
from sealwright_stages.fold import fold
from sealwright_stages.log.entries import read_entries
from sealwright_stages.verdict import Status
from support.past_log import Output, Seal, write_past
from support.stories import whole_release

GREENS = {"dark": "#9ece6a", "light": "#235c18", "high-contrast": "#5cff5c"}


class Beside:
    """Work in another process, as far as anybody can see; it ends when the test says so."""

    def __init__(self, *asked: Any) -> None:
        self.asked = asked
        self.progress = 0.0
        self.result: Audited | None = None
        self.failed = ""
        self.stopped = False

    @property
    def ended(self) -> bool:
        return self.result is not None or bool(self.failed)

    def stop(self) -> None:
        self.stopped = True


def opened(folder: Path) -> tuple[Opening, Beside]:
    """An opening of the log in `folder`/log, of which nothing was read yet, and its audit."""
    made: list[Beside] = []

    def start(*asked: Any) -> Any:
        made.append(Beside(*asked))
        return made[0]

    opening = Opening(folder, Reviewer(), start)
    return opening, made[0]


def release(folder: Path) -> Path:
    output = [Output("build/xen/1-1", b"line\n")] * 100
    write_past(folder / "log", [*whole_release("xen", "lvm2"), *output, Seal()])
    return folder


def yes(opening: Opening, *, signed: bool = True) -> Audited:
    found = (good("log", "whole"), *((good("signatures", "by manager"),) if signed else ()))
    return Audited(found, "", opening.past.index.sha256)


def all_read(opening: Opening) -> None:
    while opening.read(1):
        pass


def test_it_is_proved_once_the_audit_said_yes_and_read_the_same_bytes(tmp_path: Path) -> None:
    opening, audit = opened(release(tmp_path))
    opening.read(0.000001)
    cursor = Cursor(opening.past, opening.past.size - 1, Status.RUNNING)
    audit.progress = 0.34
    assert opening.look(cursor) and (cursor.signed, cursor.proved, opening.code) == (Status.RUNNING, False, 130)
    assert opening.notices[0] == "… the audit runs, 34%: nothing that is shown here is proved yet"
    all_read(opening)
    opening.look(cursor)
    assert not cursor.proved
    audit.result = yes(opening)
    assert opening.look(cursor) and not opening.look(cursor)
    assert (cursor.signed, cursor.proved, opening.code) == (Status.PASSED, True, 0)
    assert opening.notices[0] == "✓ verdict: yes"


def test_a_yes_waits_until_all_was_read(tmp_path: Path) -> None:
    whole, _ = opened(release(tmp_path))
    all_read(whole)
    opening, audit = opened(tmp_path)
    opening.read(0.000001)
    audit.result = yes(whole)
    cursor = Cursor(opening.past, opening.past.size - 1, Status.RUNNING)
    opening.look(cursor)
    assert not opening.read_whole and (cursor.signed, cursor.proved) == (Status.RUNNING, False)
    all_read(opening)
    opening.look(cursor)
    assert cursor.proved


@pytest.mark.parametrize("deed", ["other bytes", "bad", "no verdict", "no hash"])
def test_whatever_is_not_that_yes_is_a_no(tmp_path: Path, deed: str) -> None:
    opening, audit = opened(release(tmp_path))
    all_read(opening)
    cursor = Cursor(opening.past, opening.past.size - 1, Status.RUNNING)
    if deed == "no verdict":
        audit.failed = "its process ended with -9"
    else:
        found = (bad("products", "one is another"),) if deed == "bad" else (good("signatures", "by manager"),)
        digest = {"other bytes": "0" * 64, "bad": opening.past.index.sha256, "no hash": ""}[deed]
        audit.result = Audited(found, "", digest)
    opening.look(cursor)
    assert (cursor.signed, cursor.proved, opening.code) == (Status.FAILED, False, 1)
    assert opening.notices[0] == "✗ verdict: NO" and opening.notices[1].startswith("✗ BAD")


def test_closing_ends_the_audit(tmp_path: Path) -> None:
    opening, audit = opened(release(tmp_path))
    opening.close()
    assert audit.stopped


@pytest.mark.parametrize("damage", [b"no record\n", b'{"n":1}\n', b"\xff\x00\n"])
def test_a_log_that_is_damaged_is_read_up_to_there(tmp_path: Path, damage: bytes) -> None:
    release(tmp_path)
    index = tmp_path / "log" / "index.jsonl"
    lines = index.read_bytes().splitlines(keepends=True)
    index.write_bytes(b"".join(lines[:40]) + damage + b"".join(lines[40:]))
    opening, _ = opened(tmp_path)
    all_read(opening)
    assert opening.past.size == 40 and opening.past.broken and opening.read_whole


def test_a_goal_is_gone_to_once_all_is_read_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    for goal, n, told in (("60", 60, ""), ("12:38", None, "! 12:38: the log begins at")):
        opening, _ = opened(release(tmp_path))
        opening.read(0.000001)
        cursor = Cursor(opening.past, opening.past.size - 1)
        opening.go_to(goal)
        opening.look(cursor)
        all_read(opening)
        opening.look(cursor)
        assert cursor.n == (opening.past.size - 1 if n is None else n) and cursor.trouble.startswith(told)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1 << 30))
def test_the_state_at_the_cursor_is_the_fold_of_the_records_up_to_it_while_the_log_is_read(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    folder = release(tmp_path_factory.mktemp("evidence"))
    entries = list(read_entries(folder / "log"))
    opening, _ = opened(folder)
    opening.read(0.0000001)
    cursor = Cursor(opening.past, opening.past.size - 1)
    going = True
    while going:
        going = opening.read(0.0000001)
        opening.look(cursor)
        deed = chance.choice(("stay", "step", "leap", "minute", "end", "go"))
        if deed == "step":
            cursor.step(chance.randint(-5, 5))
        elif deed in ("leap", "minute"):
            getattr(cursor, deed)(forward=chance.random() < 0.5)
        elif deed == "go":
            cursor.go(chance.randrange(opening.past.size))
        elif deed == "end":
            cursor.go(cursor.last)
        assert cursor.state == fold(entries[: cursor.n + 1])
        assert deed != "end" or cursor.n == cursor.last


async def test_nothing_is_green_on_any_screen_before_the_audit_said_yes_and_after_a_no(tmp_path: Path) -> None:
    known = made_up.past(tmp_path / "log", made_up.sealed())
    for theme, green in GREENS.items():
        opening, audit = opened(tmp_path)
        all_read(opening)
        cursor = Cursor(known, known.size - 1, Status.RUNNING)
        app = ReviewApp(ReviewFeed(cursor, opening=opening), cursor, theme=theme, clock=lambda: 0.0)
        async with app.run_test(size=(120, 40)) as pilot:

            async def pictures(app: ReviewApp = app, pilot: Any = pilot) -> str:
                drawn = ""
                for keys in (
                    (),
                    ("enter",),
                    ("e",),
                    ("e", "enter"),
                    ("G",),
                    ("3",),
                    ("4",),
                    ("5",),
                    ("question_mark",),
                ):
                    await press(pilot, "escape", "escape", "escape", *keys)
                    drawn += app.export_screenshot().lower()
                return drawn

            drawn = await pictures()
            assert green not in drawn and "✓" not in drawn and "audit&#160;running" in drawn
            audit.result = Audited((bad("log", "no"),), "", "")
            app.look()
            drawn = await pictures()
            assert green not in drawn and "✓" not in drawn and "audit:&#160;no" in drawn
        cursor.proved = True
        app = ReviewApp(ReviewFeed(cursor, ("✓ verdict: yes",)), cursor, theme=theme, clock=lambda: 0.0)
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause()
            drawn = app.export_screenshot().lower()
            assert green in drawn and "✓" in drawn  # so that the test can fail


async def test_the_whole_screen_is_shown_anew_when_it_is_proved(tmp_path: Path) -> None:
    known = made_up.past(tmp_path / "log", made_up.sealed())
    opening, audit = opened(tmp_path)
    all_read(opening)
    cursor = Cursor(known, known.size - 1, Status.RUNNING)
    app = ReviewApp(ReviewFeed(cursor, opening=opening), cursor, clock=lambda: 0.0)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "AUDIT RUNNING" in plain(app.screen.query_one("#steps", Texts).lines[0])
        audit.result = yes(opening)
        app.look()
        await pilot.pause()
        drawn = app.export_screenshot()
        assert "? passed" not in drawn.replace("&#160;", " ") and "✓" in drawn and "SIGNED" in drawn


def test_a_real_audit_beside_us_says_what_it_found(tmp_path: Path) -> None:
    work: Aside[Audited] = Aside("audit", release(tmp_path), Reviewer())
    work.wait()
    assert work.result is not None and any(found.ok == "bad" for found in work.result.findings)
    work.stop()


def test_work_that_is_stopped_leaves_no_process_and_has_failed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    work: Aside[Audited] = Aside("audit", tmp_path, Reviewer())
    child = work._child
    work.stop()
    assert child.poll() is not None
    assert work.ended


def test_work_that_nobody_knows_has_failed_and_says_why(tmp_path: Path) -> None:
    work: Aside[Audited] = Aside("nothing", tmp_path)
    work.wait()
    assert work.result is None and "KeyError" in work.failed
    work.stop()


def test_the_process_beside_us_takes_no_module_from_where_it_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pickle.py").write_text("raise SystemExit('taken over')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    work: Aside[Audited] = Aside("audit", release(tmp_path / "evidence"), Reviewer())
    work.wait()
    assert work.result is not None
    work.stop()
