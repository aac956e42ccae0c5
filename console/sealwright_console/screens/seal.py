"""The seal: whether the log is closed, and the products that it speaks of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from sealwright_console.lines import Part, Tone
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.views.build import seal_rows
from sealwright_console.widgets.ledger import Ledger
from sealwright_console.widgets.texts import Texts


class SealScreen(ConsoleScreen):
    """The log's end and the products."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "copy", "Copy")]

    def body(self) -> Iterable[Widget]:
        """The title, and the rows."""
        yield Texts((Part("SEAL", Tone.HEAD), Part("   what will be signed", Tone.DIM)), id="title")
        yield Ledger(wrapped=True, id="products")

    def on_mount(self) -> None:
        """Begin with the keys on the products."""
        super().on_mount()
        self.query_one(Ledger).focus()

    def show_state(self) -> None:
        """Show the products anew."""
        super().show_state()
        self.query_one(Ledger).show(seal_rows(self.feed.state))
