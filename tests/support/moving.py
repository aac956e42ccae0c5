"""A made-up release of any size that changes while it is looked at: `python -m support.moving COMPONENTS CHANGES`.

The first components are red and stay so, each with a reason that changes: they stand at the top of the table. The others
start, go on and end, so that they change their places below. With CHANGES of 0 it stands still.
"""

from __future__ import annotations

import random
import sys
import time
from dataclasses import dataclass, field

from console.made_up import GIT_ITEMS, MadeUpFeed, Story, sha
from sealwright_stages import events as ev

PERIOD = 0.1
RED = 60


def story_of(components: int) -> Story:
    """All is declared, and the first ones are red."""
    story = Story()
    story.tell(ev.RunStarted("example", "1.0", "sealwright 0.1.0", sha("manifest"), sha("policy"), False, True))
    for number in range(components):
        story.declare(name(number), *GIT_ITEMS)
    story.tell(ev.StageStarted("get-sources"))
    for number in range(min(RED, components)):
        story.verdict(f"{name(number)}/source has arrived", "failed", "no answer", next="try again with r")
    return story


def name(number: int) -> str:
    """What a component is called."""
    return f"c{number:05}"


@dataclass
class MovingFeed(MadeUpFeed):
    """Changes `changes` components ten times a second, one in five of them in sight."""

    changes: int = 0
    _next: float = 0.0
    _chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - a game

    def poll(self) -> bool:
        """Let happen what is due, and take it in."""
        if self.changes and self.state.components and time.monotonic() >= self._next:
            self._next = time.monotonic() + PERIOD
            for number in range(self.changes):
                self._change(number % 5 == 0)
        return super().poll()

    def _change(self, in_sight: bool) -> None:
        there = len(self.state.components)
        red = min(RED, there)
        if in_sight or there == red:
            which = f"{name(self._chance.randrange(min(15, red)))}/source has arrived"
            self.story.verdict(which, "failed", f"no answer for {self._chance.randrange(1000)} s")
            return
        which = f"{name(self._chance.randrange(red, there))}/source has arrived"
        what = self._chance.randrange(3)
        if what == 0:
            self.story.tell(ev.ItemStarted(which))
        elif what == 1:
            self.story.tell(ev.ItemProgress(which, self._chance.randrange(100), 100, "via tor"))
        else:
            self.story.verdict(which, "passed", "fetched over https from git.example.org")


def main(components: int, changes: int) -> None:
    """Show it until the person leaves."""
    from sealwright_console.app import run_console

    run_console(MovingFeed(story_of(components), changes=changes))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
