"""All builds side by side: the list of them, and with room a pane for each that matters now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Grid
from textual.events import Click
from textual.widget import Widget

from sealwright_console.feed import Feed
from sealwright_console.lines import Part, Row, Tone
from sealwright_console.log_text import last_lines
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.views.build import Figures, component_of, total_line
from sealwright_console.views.builds import (
    OneBuild,
    all_builds,
    arrangement,
    chosen,
    copied_text,
    list_head,
    list_rows,
    pane_lines,
    panes_fit,
)
from sealwright_console.widgets.ledger import EDGES, Ledger
from sealwright_console.widgets.pane import Pane
from sealwright_console.widgets.texts import Texts

_PANES = 4
_FRAME = 7
"""Lines of the screen that are neither list nor pane."""


class BuildsScreen(ConsoleScreen):
    """The builds of the release, side by side."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", key_display="enter", tooltip="the selected build, with its whole log"),
        Binding("v", "open", "One build", show=False, tooltip="the selected build alone"),
        Binding("left_square_bracket", "turn(-1)", "Before", key_display="[", tooltip="select the build before"),
        Binding("right_square_bracket", "turn(1)", "Next", key_display="]", tooltip="select the next build"),
        Binding("left", "turn(-1)", "Build before", show=False, tooltip="select the build before"),
        Binding("right", "turn(1)", "Next build", show=False, tooltip="select the next build"),
    ]
    DEFAULT_CSS = """
    BuildsScreen #total { height: 1; padding: 0 1; background: $surface; }
    BuildsScreen #columns { height: 1; padding: 0 2; }
    BuildsScreen #panes { display: none; height: 1fr; grid-size: 2; grid-gutter: 1 2; padding: 1 1 0 1; }
    BuildsScreen #panes.open { display: block; layout: grid; }
    """

    def __init__(self, feed: Feed, name: str = "") -> None:
        """Begin with build `name` selected."""
        super().__init__(feed)
        self._first = name
        self._found: list[OneBuild] = []

    def body(self) -> Iterable[Widget]:
        """How far all are, the list, the panes."""
        yield Texts(id="total")
        yield Texts(id="columns")
        yield Ledger(id="builds")
        with Grid(id="panes"):
            for number in range(_PANES):
                yield Pane(id=f"pane-{number}")

    def on_mount(self) -> None:
        """Begin with the keys on the list."""
        super().on_mount()
        ledger = self.query_one(Ledger)
        ledger.focus()
        ledger.select(self._first)
        self.call_after_refresh(self._reveal)

    def _reveal(self) -> None:
        """Have the selected build in sight, and the first of the list too if both can be."""
        if not self.whole:  # it was left again before it was laid out
            return
        ledger = self.query_one(Ledger)
        ledger.scroll_home(animate=False, force=True, immediate=True)
        ledger.select(ledger.key)

    def show_state(self) -> None:
        """Show list and panes anew."""
        super().show_state()
        self._found = all_builds(self.feed.state)
        self.say("#total", total_line(self.feed.state, self.room, self.feed.left()))
        self._show_builds()

    def tick(self) -> None:
        """Show figures and output that came since."""
        if self.feed.cursor is None and any(
            each.known is not None and each.known.building for each in self._found
        ):
            self._show_builds()

    def _show_builds(self) -> None:
        ledger = self.query_one(Ledger)
        width = max(1, self.app.size.width - EDGES)
        room = self.app.size.width, self.app.size.height - _FRAME
        tails = None if panes_fit(*room) else (lambda build: self._tail(build, 1))
        rows = list_rows(self._found, width, self._figures, self.feed.state.last_t, tails)
        plan = arrangement(*room, sum(len(row.lines) for row in rows))
        self.say("#columns", list_head(width, self._found) if rows else ())
        ledger.show(rows or [Row("", ((), (Part("No component is to be built.", Tone.DIM),)))])
        ledger.styles.height = plan.listed if plan.columns else "1fr"
        self.query_one("#panes").set_class(bool(plan.columns), "open")
        panes = list(self.query(Pane))
        shown = chosen(self._found, ledger.key, plan.panes)
        for number, pane in enumerate(panes):
            pane.display = number < len(shown)
            if pane.display:
                self._show_pane(pane, shown[number], ledger.key)

    def _show_pane(self, pane: Pane, build: OneBuild, selected: str) -> None:
        width, height = max(20, pane.size.width), max(1, pane.size.height)
        tail, figures = self._tail(build, height), self._figures(build.name)
        room, last_t = (width, height), self.feed.state.last_t
        pane.show(build.name, pane_lines(build, figures, last_t, tail, room, selected=build.name == selected))

    def _figures(self, name: str) -> Figures:
        return Figures(self.feed.now(name), self.feed.left(name), self.feed.ahead(name))

    def _tail(self, build: OneBuild, most: int) -> list[bytes]:
        stream = build.known.build_stream if build.known is not None else ""
        if not stream:
            return []
        cursor = self.feed.cursor
        if cursor is None:
            return last_lines(self.feed.log_files(stream), most)
        from sealwright_console.review_log import checked_last_lines  # noqa: PLC0415 - a live release needs none of it

        return checked_last_lines(cursor.past, stream, most, cursor.output(stream))

    def on_ledger_moved(self, message: Ledger.Moved) -> None:
        """Mark the pane of the build under the cursor."""
        if self.whole:
            self._show_builds()

    def on_ledger_chosen(self, message: Ledger.Chosen) -> None:
        """Open it."""
        self.action_open()

    def on_click(self, event: Click) -> None:
        """Select the build of the pane under the mouse; a click on the selected one opens it."""
        if not isinstance(event.widget, Pane):
            return
        ledger = self.query_one(Ledger)
        if event.widget.build == ledger.key:
            self.action_open()
        else:
            ledger.select(event.widget.build)

    @property
    def shown_component(self) -> str:
        """The component of the selected build."""
        return component_of(self.query_one(Ledger).key)

    def action_turn(self, step: int) -> None:
        """Select another build."""
        self.query_one(Ledger).action_move(step)

    def action_open(self) -> None:
        """Show the selected build alone."""
        from sealwright_console.screens.build import BuildScreen  # noqa: PLC0415 - it imports this one

        name = self.query_one(Ledger).key
        if not name:
            return
        if not any(each.name == name and each.known is not None for each in self._found):
            self.notify("it has not begun", markup=False, timeout=2)
            return
        self.app.pop_screen()
        below = self.app.screen
        if isinstance(below, BuildScreen):
            below.turn_to(name)
        else:
            self.app.push_screen(BuildScreen(self.feed, name))

    def copied(self) -> str:
        """The selected build."""
        key = self.query_one(Ledger).key
        return next((copied_text(each) for each in self._found if each.name == key), "")
