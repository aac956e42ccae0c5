"""The release at a glance: every component, the worst first, with what to do about the selected one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from sealwright_console.feed import Feed
from sealwright_console.lines import Part, Tone
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.views.header import totals
from sealwright_console.views.overview import columns, component_rows, items_of, selected_lines
from sealwright_console.widgets.ledger import Ledger
from sealwright_console.widgets.texts import Texts
from sealwright_stages.events import Stage
from sealwright_stages.verdict import Status


class OverviewScreen(ConsoleScreen):
    """The table of components."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "detail", "Detail"),
        Binding("r", "retry", "Retry"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("escape", "back", "All", show=False),
        Binding("0", "all", "All stages", show=False),
    ]
    DEFAULT_CSS = """
    OverviewScreen #filter { display: none; height: 1; border: none; padding: 0 1; }
    OverviewScreen #filter.open { display: block; }
    OverviewScreen #counts, OverviewScreen #columns, OverviewScreen #selected { padding: 0 1; height: auto; }
    OverviewScreen #selected { background: $surface; text-wrap: wrap; max-height: 5; min-height: 2; }
    """

    def __init__(self, feed: Feed) -> None:
        """Show all stages, unfiltered."""
        super().__init__(feed)
        self.stage: Stage | None = None

    def body(self) -> Iterable[Widget]:
        """Counts, filter, table, explanation."""
        yield Texts(id="counts")
        yield Input(id="filter", placeholder="filter by name, status or reason", select_on_focus=False)
        yield Texts(id="columns")
        yield Ledger(id="components")
        yield Texts(id="selected", classes="folded")

    def on_mount(self) -> None:
        """Begin with the keys on the table."""
        super().on_mount()
        self.query_one(Ledger).focus()

    def show_state(self) -> None:
        """Show the table anew; only what changed is drawn."""
        super().show_state()
        state, ledger = self.feed.state, self.query_one(Ledger)
        needle = self.query_one("#filter", Input).value.strip()
        rows = component_rows(state, self.room, needle, self.stage, self.feed.left)
        ledger.show(rows)
        what = self.stage.value if self.stage is not None else "all stages"
        found = f"{what}: {len(rows)} of {len(state.components)} components"
        filtered = f" that have “{needle}”" if needle else ""
        self.say(
            "#counts",
            (
                *totals(state, self.stage),
                Part(f"  {found}{filtered}", Tone.DIM),
                Part(f"  build: {left}" if (left := self.feed.left()) else "", Tone.RUNNING),
            ),
        )
        self.say("#columns", columns(self.room))
        self._explain(ledger.key)

    def _explain(self, key: str) -> None:
        self.say("#selected", *selected_lines(self.feed.state, key, self.stage))

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

    def action_filter(self) -> None:
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
        self.notify(f"asked for {len(failed)} failed item(s) again", markup=False, timeout=3)
