"""A component's evidence, item by item, in full."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from sealwright_console.feed import Feed, spilled
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.views.detail import detail_rows, title_line
from sealwright_console.widgets.ledger import Ledger
from sealwright_console.widgets.texts import Texts
from sealwright_stages.state import Item
from sealwright_stages.verdict import Status


class ComponentScreen(ConsoleScreen):
    """The page of one component."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "retry", "Retry"),
        Binding("y", "copy", "Copy"),
    ]

    def __init__(self, feed: Feed, name: str, item: str = "") -> None:
        """Show the component `name`, the cursor on `item` if one is named."""
        super().__init__(feed)
        self.component_name = name
        self._item = item
        self._read: dict[str, str] = {}

    def body(self) -> Iterable[Widget]:
        """The title, and the rows."""
        yield Texts(id="title")
        yield Ledger(wrapped=True, id="evidence")

    def on_mount(self) -> None:
        """Put the cursor on the item that was asked for."""
        super().on_mount()
        ledger = self.query_one(Ledger)
        ledger.focus()
        self.call_after_refresh(ledger.select, self._item)

    def show_state(self) -> None:
        """Show the page anew."""
        super().show_state()
        self.say("#title", title_line(self.feed.state, self.component_name, self.feed.left(self.component_name)))
        self.query_one(Ledger).show(detail_rows(self.feed.state, self.component_name, self._spilled))

    def _spilled(self, item: Item) -> str:
        """The evidence that an item has on a stream, read once; nothing of one that is not what its verdict names."""
        if not item.evidence_stream:
            return ""
        if item.evidence_sha256 not in self._read:
            self._read[item.evidence_sha256] = spilled(
                self.feed.log_files(item.evidence_stream), item.evidence_sha256
            )
        return self._read[item.evidence_sha256]

    @property
    def shown_component(self) -> str:
        """This one."""
        return self.component_name

    def action_retry(self) -> None:
        """Fetch and check the item under the cursor again, if it failed."""
        item = self.feed.state.items.get(self.query_one(Ledger).key)
        if item is None or item.status is not Status.FAILED or self.feed.read_only:
            return
        self.feed.retry(item.id)
        self.notify("asked for it again", markup=False, timeout=3)
