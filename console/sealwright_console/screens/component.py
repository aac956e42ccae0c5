"""A component's evidence as trees, item by item: the worst one open, the others a line each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from sealwright_console.feed import Feed, spilled
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.screens.finding import FIND_KEYS, Searched
from sealwright_console.views.detail import detail_rows, title_line, worst_item
from sealwright_console.views.evidence import APART, Node, Tree, found_node, read
from sealwright_console.views.overview import items_of
from sealwright_console.widgets.ledger import Ledger, Place, has
from sealwright_console.widgets.texts import Texts
from sealwright_keyring.toml_lines import line_of
from sealwright_stages.files import read_small
from sealwright_stages.state import Item
from sealwright_stages.verdict import Status

_MOST_POLICY = 1 << 20


class _Everything(frozenset[str]):
    """The keys of a tree that is open all the way down."""

    def __contains__(self, key: object) -> bool:
        return True


class ComponentScreen(Searched, ConsoleScreen):
    """The page of one component."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *FIND_KEYS,
        Binding("enter,space", "turn", "Fold", tooltip="fold or unfold the line, or open its page"),
        Binding("right", "unfold", "Unfold", show=False, tooltip="unfold the line, or go into it"),
        Binding("left", "fold", "Fold", show=False, tooltip="fold the line, or go to the one above it"),
        Binding("plus", "unfold_all", "All", show=False, tooltip="unfold every item, or fold all"),
        Binding("c", "copy_command", "Command", tooltip="copy the command that repeats the check"),
        Binding("y", "copy", "Value", tooltip="copy the value under the cursor in full"),
        Binding("Y", "copy_evidence", "JSON", tooltip="copy the evidence of the item as JSON"),
        Binding("r", "retry", "Retry", tooltip="fetch and check the red item again"),
    ]

    def __init__(self, feed: Feed, name: str, item: str = "") -> None:
        """Show the component `name`, with `item` open, or the worst one if none is named."""
        super().__init__(feed)
        self.component_name = name
        self._item = item
        self._open: set[str] = set()
        self._read: dict[str, str] = {}
        self._policy: dict[str, str] = {}

    def body(self) -> Iterable[Widget]:
        """The title, and the rows."""
        yield Texts(id="title")
        yield Ledger(wrapped=True, id="evidence")

    def on_mount(self) -> None:
        """Put the cursor on the item that was asked for, or on the worst."""
        known = self._item in self.feed.state.items
        item = self._item if known else worst_item(self.feed.state, self.component_name)
        self._open.add(item)
        super().on_mount()
        ledger = self.query_one(Ledger)
        ledger.focus()
        ledger.select(item)  # at once: the next key may be here before it is laid out
        self.call_after_refresh(self._place_first, item)

    def _place_first(self, item: str) -> None:
        for ledger in self.query(Ledger):  # none, where a fast hand has left already
            if ledger.key == item:
                ledger.select(item, top=True)

    def show_state(self) -> None:
        """Show the page anew."""
        super().show_state()
        self.say("#title", title_line(self.feed.state, self.component_name, self.feed.left(self.component_name)))
        rows = detail_rows(self.feed.state, self.component_name, self._tree, self.room)
        self.query_one(Ledger).show(rows)

    @property
    def _tree(self) -> Tree:
        return Tree(frozenset(self._open), self._text, self._others, self.feed.places, self._place, self.room)

    def _text(self, item: Item) -> str:
        """An item's evidence; that on a stream is read once, and nothing of one that is not what its verdict names."""
        if not item.evidence_stream:
            return item.evidence
        if item.evidence_sha256 not in self._read:
            self._read[item.evidence_sha256] = spilled(
                self.feed.log_files(item.evidence_stream), item.evidence_sha256
            )
        return self._read[item.evidence_sha256]

    def _others(self, key: str) -> Mapping[str, object]:
        item = self.feed.state.items.get(key)
        return read(self._text(item)) if item is not None else {}

    def _place(self, person: str) -> str:
        """Where the policy names a person; empty if it can't be read, or doesn't."""
        keys = self.feed.places.keys
        if keys is not None and person not in self._policy:
            try:
                text = read_small(keys.parent / "signers.toml", _MOST_POLICY).decode()
                self._policy[person] = f"signers.toml line {line_of(text, ('person', person))}"
            except (OSError, ValueError, KeyError):
                self._policy[person] = ""
        return self._policy.get(person, "")

    @property
    def shown_component(self) -> str:
        """This one."""
        return self.component_name

    @property
    def _selected(self) -> Item | None:
        return self.feed.state.items.get(self.query_one(Ledger).key.partition(APART)[0])

    @property
    def _node(self) -> Node | None:
        return found_node(self.feed.state.items, self.query_one(Ledger).key, self._tree)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In a review left and right are the cursor's, which goes through the log."""
        if action in ("fold", "unfold") and self.feed.cursor is not None:
            return False
        return super().check_action(action, parameters)

    def on_ledger_chosen(self, message: Ledger.Chosen) -> None:
        """A click on the selected line is the enter key."""
        self.action_turn()

    def action_turn(self) -> None:
        """Fold or unfold the line under the cursor, or open its page."""
        node, key = self._node, self.query_one(Ledger).key
        if node is not None and node.page:
            from sealwright_console.screens.page import PageScreen  # noqa: PLC0415 - after the first paint

            self.app.push_screen(PageScreen(self.feed, f"{self.component_name}: {node.label}", node.page))
        elif key and (node is None or node.kids is not None):
            self._open ^= {key}
            self.show_state()

    def action_unfold(self) -> None:
        """Unfold the line, or go into it."""
        node, key = self._node, self.query_one(Ledger).key
        if node is not None and node.kids is None:
            if node.page:
                self.action_turn()
        elif key in self._open:
            self.query_one(Ledger).action_move(1)
        elif key:
            self.action_turn()

    def action_fold(self) -> None:
        """Fold the line, or go to the one that it is below."""
        ledger = self.query_one(Ledger)
        if ledger.key in self._open:
            self.action_turn()
        elif APART in ledger.key:
            ledger.select(ledger.key.rpartition(APART)[0])

    def action_unfold_all(self) -> None:
        """Unfold every item with its command and evidence, but not their depths; fold all if they are open."""
        items = [item.id for item in items_of(self.feed.state, self.component_name)]
        every = {f"{item}{part}" for item in items for part in ("", f"{APART}hand", f"{APART}evidence")}
        self._open = set() if every <= self._open else self._open | every
        self.show_state()

    def places(self, needle: str) -> Sequence[Place]:
        """Where the text is, also in what is folded."""
        whole = replace(self._tree, open=_Everything())
        rows = detail_rows(self.feed.state, self.component_name, whole, self.room)
        return [row.key for row in rows if row.key and has(row, needle)]

    def go_to(self, place: Place) -> None:
        """Unfold what the place is in."""
        parts = str(place).split(APART)
        above = {APART.join(parts[:depth]) for depth in range(1, len(parts))}
        if not above <= self._open:
            self._open |= above
            self.show_state()
        super().go_to(place)

    def copied(self) -> str:
        """The value under the cursor in full; of an item's own line what is to be seen of it."""
        node = self._node
        return (node.whole if node is not None else "") or super().copied()

    def action_copy_evidence(self) -> None:
        """Copy all evidence of the item, as it stands in the log."""
        item = self._selected
        self._copy(self._text(item) if item is not None else "", "the evidence")

    def action_copy_command(self) -> None:
        """Copy the command that repeats the check of the item."""
        item = self._selected
        hand = found_node(self.feed.state.items, f"{item.id}{APART}hand", self._tree) if item is not None else None
        self._copy(hand.raw if hand is not None else "", "the command")

    def _copy(self, text: str, what: str) -> None:
        copy = getattr(self.app, "copy", None)
        if copy is not None:
            copy(text, what)

    def action_retry(self) -> None:
        """Fetch and check the item under the cursor again, if it failed."""
        item = self._selected
        if item is None or item.status is not Status.FAILED or self.feed.read_only:
            return
        self.feed.retry(item.id)
        self.notify("asked for it again", markup=False, timeout=3)
