"""The seal: what it takes, what was done, and the products and warnings that it speaks of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from sealwright_console.lines import Line, Part, Row, Tone, apart, few
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.views.seal import copied, seal_rows, sealing_lines, selected_lines
from sealwright_console.widgets.ledger import EDGES, Ledger
from sealwright_console.widgets.texts import Texts

_SELECTED = 5
"""Lines at most for what is selected."""


class SealScreen(ConsoleScreen):
    """The steps, then a table that can be filtered, then the selected row in full."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/", tooltip="only what has a text; esc: all"),
        Binding("y", "copy", "Copy", tooltip="copy the selected digest, as sha256sum would write it"),
        Binding("escape", "back", "Back", tooltip="take the filter away, then go back"),
    ]
    DEFAULT_CSS = """
    SealScreen #sealing { height: auto; max-height: 50%; padding: 0 1; }
    SealScreen #filter { display: none; height: 1; border: none; padding: 0 1; }
    SealScreen #filter.open { display: block; }
    SealScreen #selected { height: auto; max-height: 5; padding: 0 1; background: $surface; }
    """

    def body(self) -> Iterable[Widget]:
        """The title, the steps, the filter, the table, the selected row."""
        yield Texts(id="title")
        yield Texts(id="sealing")
        yield Input(id="filter", placeholder="filter by component, file, digest or word", select_on_focus=False)
        yield Ledger(id="products")
        yield Texts(id="selected")

    def on_mount(self) -> None:
        """Begin with the keys on the table."""
        super().on_mount()
        self.set_focus(self.query_one(Ledger))

    @property
    def needle(self) -> str:
        """What is looked for."""
        return self.query_one("#filter", Input).value.strip()

    def show_state(self) -> None:
        """Show steps and table anew."""
        super().show_state()
        state, finish, ledger = self.feed.state, self.feed.finish, self.query_one(Ledger)
        self.say("#title", self._title())
        self.say("#sealing", *sealing_lines(state, finish, self.room))
        rows = seal_rows(state, finish, max(1, self.app.size.width - EDGES), self.needle)
        none = f"nothing has “{self.needle}”" if self.needle else "no product yet"
        ledger.show(rows or [Row("", ((Part(none, Tone.DIM),),))])
        self._explain(ledger.key)

    def _title(self) -> Line:
        state = self.feed.state
        waived = f", {len(state.waivers):,} waived" if state.waivers else ""
        told = f"{len(state.products):,} products{waived}"
        return apart((Part("SEAL", Tone.HEAD),), (Part(told, Tone.DIM),), self.room)

    def _explain(self, key: str) -> None:
        lines = selected_lines(self.feed.state, self.feed.finish, key, self.room)
        self.say("#selected", *few(list(lines), _SELECTED, self.room))

    def on_ledger_moved(self, message: Ledger.Moved) -> None:
        """Explain the row under the cursor."""
        self._explain(message.key)

    def on_input_changed(self, message: Input.Changed) -> None:
        """Filter while the person types."""
        if self.whole:
            self.show_state()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Keep the filter, and give the keys back to the table."""
        self.query_one(Ledger).focus()

    def action_filter(self) -> None:
        """Open the filter."""
        field = self.query_one("#filter", Input)
        field.add_class("open")
        field.focus()

    def action_back(self) -> None:
        """Take the filter away first."""
        field = self.query_one("#filter", Input)
        if not field.has_class("open"):
            super().action_back()
            return
        field.value = ""
        field.remove_class("open")
        self.query_one(Ledger).focus()
        self.show_state()

    def copied(self) -> str:
        """The selected digest, or the row in words."""
        key = self.query_one(Ledger).key
        return copied(self.feed.state, self.feed.finish, key) or super().copied()
