"""What changed between the release that is reviewed and another one; both are audited first, in a process beside us.

- The release that was sealed first is A, whichever was opened first.
- Nothing is told before both were audited; a side that is not whole is said to be so above all else.
- `esc` ends the comparing; what was found stays until the screen is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from sealwright_console.aside import Aside
from sealwright_console.feed import Feed
from sealwright_console.figures import duration
from sealwright_console.lines import Part, Tone
from sealwright_console.review_feed import SideFeed
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.views.diff import component_at, diff_rows, diff_title
from sealwright_console.widgets.ledger import Ledger
from sealwright_console.widgets.texts import Texts
from sealwright_stages.compare.both import Compared
from sealwright_stages.reviewer import Reviewer

if TYPE_CHECKING:
    from sealwright_console.review_app import ReviewApp


class DiffScreen(ConsoleScreen):
    """The page of a comparison."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "side('B')", "Component", key_display="enter", tooltip="the component as it is in B"),
        Binding("a", "side('A')", "In A", tooltip="the component as it is in A"),
        Binding("b", "side('B')", "In B", tooltip="the component as it is in B"),
    ]

    def __init__(self, feed: Feed, here: Path, other: Path, reviewer: Reviewer) -> None:
        """Compare the evidence folders `here`, which `feed` shows, and `other`."""
        super().__init__(feed)
        self._other = other
        self.compared: Compared | None = None
        self._told = False
        self._begun = monotonic()
        self._work: Aside[Compared] = Aside("diff", here, other, reviewer)

    def body(self) -> Iterable[Widget]:
        """The title, and the rows."""
        yield Texts(id="title")
        yield Ledger(wrapped=True, id="diff")

    def on_mount(self) -> None:
        """Begin with the keys on the rows."""
        super().on_mount()
        self.query_one(Ledger).focus()

    def on_unmount(self) -> None:
        """Nobody waits for it any more."""
        self._work.stop()

    def tick(self) -> None:
        """Show what came of it, once it is there."""
        if self._told:
            return
        if not self._work.ended:
            took = duration(monotonic() - self._begun)
            told = f"comparing with {self._other}, {took}: both are audited first; esc ends it"
            self.say("#title", (Part(f"… {told}", Tone.RUNNING),))
            return
        self._told = True
        self.compared = self._work.result
        if self.compared is None:
            self.say("#title", (Part(f"✗ nothing was compared: {self._work.failed}", Tone.FAILED),))
            return
        self.say("#title", diff_title(self.compared))
        self.query_one(Ledger).show(diff_rows(self.compared))

    @property
    def shown_component(self) -> str:
        """The component that the selected row is about."""
        return component_at(self.query_one(Ledger).key)

    def on_ledger_chosen(self, message: Ledger.Chosen) -> None:
        """A click on the selected row is the enter key."""
        self.action_side("B")

    def action_side(self, name: str) -> None:
        """Open the component of the selected row, as it is in A or in B."""
        from sealwright_console.screens.component import ComponentScreen  # noqa: PLC0415 - after the first paint

        component, compared = self.shown_component, self.compared
        if compared is None or not component:
            return
        side = compared.a if name == "A" else compared.b
        if component not in side.state.components:
            self.notify(f"{name} has no {component}", markup=False, timeout=3)
            return
        shown = SideFeed(side.evidence, name, side.state, proved=side.passed)
        self.app.push_screen(ComponentScreen(shown, component))


def open_diff(app: ReviewApp) -> None:
    """Ask which release to compare with, and do it."""
    from sealwright_console.start import PathScreen  # noqa: PLC0415 - only here

    opening = getattr(app.feed, "opening", None)
    here = app.cursor.past.log.parent
    # a checkpoint that was saved is one of this log, and says nothing of another
    reviewer = replace(opening.reviewer, saved=()) if opening is not None else Reviewer()

    def chosen(typed: str | None) -> None:
        if typed:
            app.open_screen(DiffScreen(app.feed, here, Path(typed).expanduser().absolute(), reviewer))

    app.push_screen(PathScreen("Compare with which release?", "its evidence folder", _wrong), chosen)


def _wrong(folder: Path) -> str:
    return "" if (folder / "log" / "index.jsonl").is_file() else "there is no log in it: name an evidence folder"
