"""The gate can't be walked around by any order of things: seeded walks of keys, mouse, sizes, palette and late events.

A walk types the right digits and the right name again and again, and things change under its hands. `SEED=7` in the
environment walks another way, and `WALKS=50` fifty times as long.
"""

from __future__ import annotations

import inspect
import os
import random
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandList
from textual.widgets import Button

from console import made_up
from console.reach import bound_keys, no_findings, no_trial
from console.scenes import STORIES, Guarded, Kept, click, guarded, resize, settled, strike, turns
from sealwright_console.screens.doctor import DoctorScreen
from sealwright_console.widgets.palette import Palette
from sealwright_stages import events as ev

STEPS = int(os.environ.get("WALKS", "1")) * 14
SEED = int(os.environ.get("SEED", "6"))
SIZES = ((80, 24), (120, 40), (40, 12), (20, 5), (3, 2), (1, 1), (200, 60))
BOUND = bound_keys()
LIKELY = (
    "5",
    "g",
    "g",
    "tab",
    "enter",
    "enter",
    "down",
    "a",
    "a",
    "r",
    "R",
    "escape",
    "space",
    "q",
    "y",
    "slash",
    "p",
)
WARNING, RED = "kde-desktop/signature of the tag", "xen/grub-0.97.tar.gz"


@pytest.fixture(autouse=True)
def _harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key may open the doctor, or make a release in this folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(DoctorScreen.__init__, "__defaults__", (no_findings, no_trial))


class Walker:
    """A pair of hands with a seed, and a world that changes meanwhile."""

    def __init__(self, app: Kept, feed: Guarded, seed: str) -> None:
        self.app, self.feed, self.dice = app, feed, random.Random(seed)  # noqa: S311 - a seeded walk
        self.done: list[str] = []

    async def walk(self, steps: int) -> None:
        ways: dict[Callable[[], Awaitable[None]], int] = {
            self.a_key: 9,
            self.any_key: 4,
            self.right_words: 6,
            self.a_waiver: 2,
            self.a_cell: 3,
            self.a_widget: 4,
            self.a_button: 3,
            self.a_size: 1,
            self.a_command: 2,
            self.something_late: 3,
        }
        await self.right_words()
        for _ in range(steps):
            way = self.dice.choices(list(ways), list(ways.values()))[0]
            self.done.append(way.__name__)
            await way()
            self.app.look()
            assert self.feed.unlawful == [], self.done
        await settled(self.app)  # what was pressed is worked off before the app is taken down

    async def a_key(self) -> None:
        await strike(self.app, self.dice.choice(LIKELY))

    async def any_key(self) -> None:
        await strike(self.app, self.dice.choice(BOUND))

    async def right_words(self) -> None:
        """What the request asks for, with a slip now and then."""
        asked = self.feed.waiting
        digits = asked.digest[:8] if asked is not None else ""
        for key in ("escape", "escape", "5"):
            await strike(self.app, key)
        await turns(60)  # a hand that looks before it types
        for key in (*digits, "tab", *"example-1.0"):
            if self.dice.random() > 0.01:
                await strike(self.app, key)
        for key in self.dice.choice(
            (("tab", "enter"), ("tab", "space"), ("enter", "enter"), ("tab", "tab", "enter"))
        ):
            await strike(self.app, key)
        await self.a_button()

    async def a_waiver(self) -> None:
        """A whole one, for whatever the gate's cursor stands on."""
        for key in (
            "escape",
            "g",
            *["down"] * self.dice.randrange(4),
            "a",
            *"manager-1",
            "tab",
            *"well known",
            "tab",
        ):
            await strike(self.app, key)
        if self.dice.random() < 0.5:
            await self.something_late()
        for key in ("tab", "enter"):
            await strike(self.app, key)

    async def a_cell(self) -> None:
        width, height = self.app.size
        await click(self.app, self.dice.randrange(max(1, width)), self.dice.randrange(max(1, height)))

    async def a_widget(self) -> None:
        widget = self.dice.choice([self.app.screen, *self.app.screen.query("*")])
        await click(self.app, *(int(each) for each in widget.region.center))

    async def a_button(self) -> None:
        """A press that was on its way when things changed."""
        for button in self.app.screen.query(Button):
            self.app.screen.post_message(Button.Pressed(button))
            await turns()

    async def a_size(self) -> None:
        await resize(self.app, *self.dice.choice(SIZES))

    async def a_command(self) -> None:
        """One of the palette's, by its callback or by typing its name."""
        commands = list(self.app.get_system_commands(self.app.screen))
        command = self.dice.choice(commands)
        if self.dice.random() < 0.7:
            done = command.callback()
            if inspect.isawaitable(done):
                await done
            await turns(30)
        else:
            for key in ("escape", "colon", *command.title[:6].lower(), "enter", "enter"):
                await strike(self.app, key)

    async def something_late(self) -> None:
        """An event of the log, another question, or none."""
        story, feed = self.feed.story, self.feed
        which = self.dice.randrange(6)
        if which == 0:
            feed.waiting = made_up.request(made_up.sha(str(self.dice.random())))
        elif which == 1:
            feed.waiting = made_up.request() if feed.waiting is None else None
        elif which == 2 and RED in feed.state.items:
            story.verdict(RED, "failed", "another red", code="digest-mismatch", next="r")
            feed.signable = False
        elif which == 3 and WARNING in feed.state.items:
            story.verdict(WARNING, "warned", "another warning", code=f"warning-{self.dice.randrange(9)}")
            feed.signable = False
        elif which == 4 and RED in feed.state.items:
            story.tell(ev.ItemStarted(RED))
            feed.signable = False
        else:
            feed.said = (f"said {self.dice.random()}",)
        feed.poll()


QUICK = ("red", "waived, then red", "one runs", "log lost")
"""Walked in the quick suite; the slow one walks all."""


def some(every: Iterable[Any], quick: Iterable[Any]) -> list[Any]:
    """All of them; what is not quick is marked slow."""
    return [each if each in quick else pytest.param(each, marks=pytest.mark.slow) for each in every]


@pytest.mark.parametrize("name", some(STORIES, QUICK))
async def test_no_walk_signs_or_waives_what_it_may_not(name: str) -> None:
    feed = guarded(name)
    app = Kept(feed, clock=lambda: 0.0)
    async with app.run_test(size=(80, 24)):
        await Walker(app, feed, f"{name} {SEED}").walk(STEPS)
    assert [asked for asked in feed.asked if asked[0] == "confirm"] == []


@pytest.mark.parametrize("seed", some(range(SEED, SEED + 3), [SEED]))
async def test_a_walk_over_a_green_release_signs_only_the_digest_that_stands(seed: int) -> None:
    feed = Guarded(made_up.sealed(), waiting=made_up.request(), signable=True)
    app = Kept(feed, clock=lambda: 0.0)
    async with app.run_test(size=(80, 24)):
        await Walker(app, feed, f"green {seed}").walk(STEPS)
    assert feed.unlawful == []


async def test_leaving_the_palette_while_it_gathers_does_not_end_the_console() -> None:
    app = Kept(guarded("red"), clock=lambda: 0.0)
    async with app.run_test(size=(80, 24)):
        await strike(app, "colon")
        await turns(60)
        palette = app.screen
        assert isinstance(palette, Palette)
        await strike(app, "escape")
        await turns(60)
        assert app.screen is not palette
        palette._refresh_command_list(CommandList(), [], True)  # what a search does that ends later
        palette._list_visible = True
        await turns()
