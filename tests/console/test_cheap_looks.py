"""What a look at the release costs: what did not change is neither made, nor drawn, nor written again."""

from __future__ import annotations

import random
import sys

import pytest
from textual.strip import Strip

from console.made_up import MadeUpFeed, building
from sealwright_console.app import ConsoleApp
from sealwright_console.views.overview import Order
from sealwright_console.views.roll import Roll, component_table
from sealwright_console.widgets.ledger import Ledger
from sealwright_stages.events import Stage
from sealwright_stages.fold import fold
from support.moving import MovingFeed, name, story_of
from support.painting import Painted

RED = "source has arrived"


def test_a_change_of_one_of_5000_components_makes_one_row() -> None:
    feed = MadeUpFeed(story_of(5000))
    roll = Roll()
    roll.table(feed.state, 76)
    assert roll.made == 5000
    feed.story.verdict(f"{name(4000)}/{RED}", "passed", "fetched")
    feed.poll()
    table = roll.table(feed.state, 76)
    assert roll.made == 5001 and table == component_table(feed.state, 76)


def test_whatever_changes_the_kept_table_is_the_table() -> None:
    chance = random.Random(20)  # noqa: S311 - a game
    feed, roll = MovingFeed(story_of(90), changes=7), Roll()
    for _ in range(150):
        feed._next = 0.0
        feed.poll()
        wishes = (
            chance.choice((60, 100, 120)),
            chance.choice(("", "", "via tor", "failed", "nothing")),
            chance.choice((None, None, Stage.GET_SOURCES, Stage.BUILD)),
        )
        hours = chance.randrange(3)
        left = (lambda name, hours=hours: f"{hours} h left") if hours else (lambda name: "")
        order = chance.choice(tuple(Order))
        assert roll.table(feed.state, *wishes, left, order) == component_table(feed.state, *wishes, left, order)


def test_the_kept_table_follows_a_review_to_another_record() -> None:
    roll, story = Roll(), building()
    for count in (len(story.entries), 40, 3, 90):
        state = fold(story.entries[:count])
        assert roll.table(state, 120) == component_table(state, 120)


async def test_of_a_table_only_the_rows_that_changed_in_sight_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    render = Ledger.render_line

    def counted(self: Ledger, y: int) -> Strip:
        drawn.append(y)
        return render(self, y)

    feed = MadeUpFeed(story_of(200))
    app = ConsoleApp(feed, clock=lambda: 0.0)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        monkeypatch.setattr(Ledger, "render_line", counted)
        for which, wanted in ((150, 0), (2, 1)):
            drawn.clear()
            feed.story.verdict(f"{name(which)}/{RED}", "failed" if which == 2 else "passed", "said anew")
            app.look()
            await pilot.pause()
            assert len(drawn) == wanted, which


def test_while_nothing_changes_nothing_is_written() -> None:
    with Painted(sys.executable, "-m", "support.moving", "50", "0") as program:
        program.wait(b"c00000", 60)
        program.settle()
        assert program.drain(1.5) == 0
