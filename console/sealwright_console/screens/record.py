"""A record in full, with its proof; the cursor's keys turn to other records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from sealwright_console.cursor import Cursor
from sealwright_console.feed import Feed
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.views.record import record_page, record_title
from sealwright_console.widgets.ledger import Ledger
from sealwright_console.widgets.texts import Texts


class RecordScreen(ConsoleScreen):
    """The page of the record under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "detail", "Evidence", key_display="enter", tooltip="the evidence of its component"),
    ]

    def __init__(self, feed: Feed, cursor: Cursor) -> None:
        """Show the record where `cursor` stands."""
        super().__init__(feed)
        self._cursor, self._component = cursor, ""
        self._shown = -1

    def body(self) -> Iterable[Widget]:
        """The title, and the page."""
        yield Texts(id="title")
        yield Ledger(wrapped=True, id="page")

    def on_mount(self) -> None:
        """Begin with the keys on the page."""
        super().on_mount()
        self.query_one(Ledger).focus()

    def show_state(self) -> None:
        """Show the record; its proof is made when the cursor comes to it, and not ten times a second."""
        super().show_state()
        past, n = self._cursor.past, self._cursor.n
        if n != self._shown:
            self._component = self._cursor.component
            self.query_one(Ledger).show(record_page(past, n))
            self._shown = n
        self.say("#title", record_title(past, n, self._component))

    @property
    def shown_component(self) -> str:
        """That of the record, as far as it has one."""
        return self._component

    def on_ledger_chosen(self, message: Ledger.Chosen) -> None:
        """A click on the selected row is the enter key."""
        self.action_detail()

    def action_detail(self) -> None:
        """Open the evidence of that component, as it stood."""
        from sealwright_console.screens.component import ComponentScreen  # noqa: PLC0415 - after the first paint

        if self._component in self.feed.state.components:
            self.app.push_screen(ComponentScreen(self.feed, self._component))
        else:
            self.notify("this record is of no component", markup=False, timeout=2)
