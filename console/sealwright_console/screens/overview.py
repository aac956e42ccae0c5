"""The release at a glance: every component, the worst first, with what to do about the selected one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from sealwright_console.feed import Feed
from sealwright_console.lines import Line, Part, Row, Tone, apart
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.views.overview import (
    Order,
    counts_line,
    empty_line,
    items_of,
    selected_lines,
)
from sealwright_console.views.roll import Roll
from sealwright_console.widgets.ledger import EDGES, Ledger
from sealwright_console.widgets.texts import Texts
from sealwright_stages.events import Stage
from sealwright_stages.verdict import Status


class OverviewScreen(ConsoleScreen):
    """The table of components."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "detail", "Detail", key_display="enter", tooltip="the evidence of the component"),
        Binding("r", "retry", "Retry", tooltip="fetch and check what is red of the component again"),
        Binding(
            "slash", "search", "Filter", key_display="/", tooltip="only components that have a text; esc: all"
        ),
        Binding("n", "hit(True)", "Next hit", show=False, tooltip="the next component that the filter found"),
        Binding("N", "hit(False)", "Hit before", show=False, tooltip="the component before that the filter found"),
        Binding("s", "sort", "Sort", tooltip="sort by severity, name, or the newest first"),
        Binding(
            "escape", "back", "Clear filter", show=False, tooltip="take the filter away, then show all stages"
        ),
        Binding("0", "all", "All stages", show=False, tooltip="show all stages"),
    ]
    DEFAULT_CSS = """
    OverviewScreen #filter { display: none; height: 1; border: none; padding: 0 1; }
    OverviewScreen #filter.open { display: block; }
    OverviewScreen #counts, OverviewScreen #selected { padding: 0 1; height: auto; }
    OverviewScreen #counts { background: $surface; }
    OverviewScreen #columns { padding: 0 2; height: 1; }
    OverviewScreen #selected { background: $surface; max-height: 5; min-height: 3; }
    """

    def __init__(self, feed: Feed) -> None:
        """Show all stages, unfiltered."""
        super().__init__(feed)
        self.stage: Stage | None = None
        self.order = Order.SEVERITY
        self.roll = Roll()

    def body(self) -> Iterable[Widget]:
        """Counts, filter, table, explanation."""
        yield Texts(id="counts")
        yield Input(id="filter", placeholder="filter by name, status or reason", select_on_focus=False)
        yield Texts(id="columns")
        yield Ledger(id="components")
        yield Texts(id="selected")

    def on_mount(self) -> None:
        """Begin with the keys on the table."""
        super().on_mount()
        self.query_one(Ledger).focus()

    def show_state(self) -> None:
        """Show the table anew; only what changed is drawn."""
        super().show_state()
        state, ledger = self.feed.state, self.query_one(Ledger)
        needle = self.query_one("#filter", Input).value.strip()
        width = max(1, self.app.size.width - EDGES)
        table = self.roll.table(state, width, needle, self.stage, self.feed.left, self.order)
        ledger.needle = needle
        ledger.show(table.rows or [Row("", ((), empty_line(state, self.stage, needle)))])
        beside: Line = (Part(f"by {self.order}", Tone.DIM),)
        if left := self.feed.left():
            beside = (Part(f"build: {left}", Tone.RUNNING), Part("  "), *beside)
        believed = self.feed.cursor is None or self.feed.cursor.proved
        counts = counts_line(state, table, self.stage, needle, believed=believed)
        self.say("#counts", apart(counts, beside, self.room))
        self.say("#columns", table.head if table.rows else ())
        self._explain(ledger.key)

    def _explain(self, key: str) -> None:
        self.say("#selected", *selected_lines(self.feed.state, key, self.stage, self.room))

    def on_ledger_moved(self, message: Ledger.Moved) -> None:
        """Explain the component under the cursor."""
        self._explain(message.key)

    def on_ledger_chosen(self, message: Ledger.Chosen) -> None:
        """Open its evidence."""
        self.action_detail()

    def on_input_changed(self, message: Input.Changed) -> None:
        """Filter while the person types."""
        if self.whole:
            self.show_state()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Keep the filter, and give the keys back to the table."""
        self.query_one(Ledger).focus()

    @property
    def shown_component(self) -> str:
        """The component under the cursor."""
        return self.query_one(Ledger).key

    def show_stage(self, stage: Stage | None) -> None:
        """Show one stage's items only."""
        self.stage = stage
        self.show_state()

    def action_all(self) -> None:
        """Show all stages."""
        self.show_stage(None)

    def action_sort(self) -> None:
        """Sort by the next thing there is to sort by."""
        orders = list(Order)
        self.order = orders[(orders.index(self.order) + 1) % len(orders)]
        self.show_state()

    def action_hit(self, forward: bool) -> None:
        """Go to the next component that was found, or the one before; round the end."""
        ledger = self.query_one(Ledger)
        found = ledger.places("")
        if not self.query_one("#filter", Input).value.strip():
            self.notify("nothing is searched for: / asks", markup=False, timeout=3)
        elif found:
            here = found.index(ledger.place) if ledger.place in found else -1
            ledger.go_to(found[(here + (1 if forward else -1)) % len(found)])

    def action_search(self) -> None:
        """Open the filter."""
        field = self.query_one("#filter", Input)
        field.add_class("open")
        field.focus()

    def action_back(self) -> None:
        """Take the filter away first, then the restriction to a stage."""
        field = self.query_one("#filter", Input)
        if field.has_class("open"):
            field.value = ""
            field.remove_class("open")
            self.query_one(Ledger).focus()
        else:
            self.stage = None
        self.show_state()

    def action_detail(self) -> None:
        """Open the evidence of the component under the cursor."""
        from sealwright_console.screens.component import ComponentScreen  # noqa: PLC0415 - after the first paint

        key = self.query_one(Ledger).key
        if key:
            self.app.push_screen(ComponentScreen(self.feed, key))

    def action_retry(self) -> None:
        """Fetch and check the component's failed items again."""
        key = self.query_one(Ledger).key
        failed = [item.id for item in items_of(self.feed.state, key) if item.status is Status.FAILED]
        if self.feed.read_only:
            return
        for item in failed:
            self.feed.retry(item)
        told = f"asked for {len(failed)} red again" if failed else "nothing of it is red"
        self.notify(told, markup=False, timeout=3)
