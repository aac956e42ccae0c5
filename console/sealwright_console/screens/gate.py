"""The gate panel: each reason why the gate is closed, and what to do about it.

- The verdict is that of `gate.decide`; this screen only displays it.
- Nothing here opens a gate over a red item: there is no such key.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from sealwright_console.feed import Feed
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.screens.finding import FIND_KEYS, Searched
from sealwright_console.screens.waive import WaiveScreen
from sealwright_console.views.gate import gate_rows, summary, waivable
from sealwright_console.views.header import next_gate
from sealwright_console.widgets.ledger import Ledger
from sealwright_console.widgets.texts import Texts
from sealwright_stages.verdict import Status


class GateScreen(Searched, ConsoleScreen):
    """Why the next gate is closed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *FIND_KEYS,
        Binding("enter", "evidence", "Evidence", key_display="enter", tooltip="the evidence of the item"),
        Binding("r", "retry", "Retry", tooltip="fetch and check the red item again"),
        Binding("R", "retry_all", "All red", tooltip="fetch and check every red item again"),
        Binding("a", "waive", "Waive", tooltip="waive a warning, by name and with a reason; red is never waived"),
        Binding("p", "passed", "Passed", show=False, tooltip="show or fold what has passed"),
        Binding("g,G", "app.gate", "Gate", show=False, tooltip="go back from the gate"),
        Binding("l,L", "app.log", "Log", show=False, tooltip="the log of a build"),
    ]

    def __init__(self, feed: Feed) -> None:
        """Show the gate of `feed`; what has passed is folded."""
        super().__init__(feed)
        self._unfolded = False

    def body(self) -> Iterable[Widget]:
        """The decision, and its reasons."""
        yield Texts(id="title")
        yield Ledger(wrapped=True, id="reasons")

    def on_mount(self) -> None:
        """Begin with the keys on the reasons."""
        super().on_mount()
        self.query_one(Ledger).focus()

    def show_state(self) -> None:
        """Ask the gate anew."""
        super().show_state()
        state = self.feed.state
        decision = next_gate(state)
        self.say("#title", summary(decision))
        self.query_one(Ledger).show(gate_rows(state, decision, self._unfolded))
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A key is offered where it can work: a waiver on a warning, a retry on what is red."""
        state, ledger = self.feed.state, next(iter(self.query(Ledger)), None)
        key = ledger.key if ledger is not None else ""
        if action == "waive" and not waivable(state, key):
            return False
        if action == "retry" and (key not in state.items or state.items[key].status is not Status.FAILED):
            return False
        if action == "retry_all" and not any(item.status is Status.FAILED for item in state.items.values()):
            return False
        return super().check_action(action, parameters)

    def on_ledger_moved(self, message: Ledger.Moved) -> None:
        """Offer the keys of the item under the cursor."""
        self.refresh_bindings()

    def on_ledger_chosen(self, message: Ledger.Chosen) -> None:
        """Open the evidence of a reason."""
        self.action_evidence()

    def action_evidence(self) -> None:
        """Open the evidence of the item under the cursor."""
        from sealwright_console.screens.component import ComponentScreen  # noqa: PLC0415 - after the first paint

        item = self.feed.state.items.get(self.query_one(Ledger).key)
        if item is not None:
            self.app.push_screen(ComponentScreen(self.feed, item.component, item.id))

    def action_waive(self) -> None:
        """Ask for a name and a reason, for a warning only."""
        key = self.query_one(Ledger).key
        if self.feed.read_only or not waivable(self.feed.state, key):
            self.notify("only a warning can be waived, and only in a live run", markup=False, timeout=3)
            return
        item = self.feed.state.items[key]

        def waived(answer: tuple[str, str] | None) -> None:
            now = self.feed.state.items.get(key)
            unchanged = now is not None and (now.code, now.subject_sha256) == (item.code, item.subject_sha256)
            if answer is None:
                return
            if unchanged and waivable(self.feed.state, key):
                self.feed.waive(key, *answer, item.code, item.subject_sha256)
            else:
                told = "it was judged anew meanwhile: nothing was waived, look again"
                self.notify(told, severity="warning", markup=False, timeout=6)

        self.app.push_screen(WaiveScreen(item), waived)

    def action_passed(self) -> None:
        """Show each item that has passed, or fold them into one line."""
        self._unfolded = not self._unfolded
        self.show_state()

    def action_retry(self) -> None:
        """Fetch and check the item under the cursor again, if it failed."""
        self._retry([self.query_one(Ledger).key])

    def action_retry_all(self) -> None:
        """Fetch and check every failed item again."""
        self._retry(list(self.feed.state.items))

    def _retry(self, keys: list[str]) -> None:
        items = self.feed.state.items
        failed = [key for key in keys if key in items and items[key].status is Status.FAILED]
        if self.feed.read_only:
            return
        for key in failed:
            self.feed.retry(key)
        told = f"asked for {len(failed)} red again" if failed else "there is nothing red here"
        self.notify(told, markup=False, timeout=3)
