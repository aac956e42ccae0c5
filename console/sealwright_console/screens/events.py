"""The records of a past release: a list that moves the cursor, filters, and a search through all that was said.

- Going to a line of the list takes the whole console to that record.
- Searching goes through records and output in a thread, from the cursor on and around the end; it stops at the first
  hit, at `esc`, and when something else is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input
from textual.worker import get_current_worker

from sealwright_console.cursor import Cursor
from sealwright_console.feed import Feed
from sealwright_console.lines import Line, Part, Tone
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.views.past import record_lines, wanted_line
from sealwright_console.widgets.record_list import RecordList
from sealwright_console.widgets.texts import Texts
from sealwright_console.words import record_line
from sealwright_stages.errors import LogError
from sealwright_stages.events import STAGES, Stage
from sealwright_stages.review.meaning import Severity
from sealwright_stages.review.search import Hit, Wanted, hits

_STAGES: tuple[Stage | None, ...] = (None, *STAGES)
_ASKED = {"text": "search records and output", "component": "only of this component (empty: all)"}


class EventsScreen(ConsoleScreen):
    """What happened, record by record."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "detail", "Evidence"),
        Binding("slash", "ask('text')", "Search", key_display="/"),
        Binding("n", "hit(True)", "Next"),
        Binding("N", "hit(False)", "Prev", show=False),
        Binding("c", "ask('component')", "Component", show=False),
        Binding("s", "stage", "Stage", show=False),
        Binding("v", "severity", "Severity", show=False),
    ]
    DEFAULT_CSS = """
    EventsScreen #wanted, EventsScreen #said { height: 1; padding: 0 1; }
    EventsScreen #record { height: auto; max-height: 4; padding: 0 1; background: $surface; text-wrap: wrap; }
    EventsScreen #asked { display: none; height: 1; border: none; padding: 0 1; }
    EventsScreen #asked.open { display: block; }
    """

    def __init__(self, feed: Feed, cursor: Cursor) -> None:
        """Show all records, unfiltered."""
        super().__init__(feed)
        self._cursor = cursor
        self._wanted = Wanted()
        self._asking = ""
        self._said: Line = ()
        self._listed: Wanted | None = None
        self._count = 0

    def body(self) -> Iterable[Widget]:
        """Filters, list, the record under the cursor, what the search says, a field."""
        yield Texts(id="wanted")
        yield RecordList(self._cursor.past, id="records")
        yield Texts(id="record", classes="folded")
        yield Texts(id="said")
        yield Input(id="asked", select_on_focus=False)

    def on_mount(self) -> None:
        """Begin with the keys on the list."""
        super().on_mount()
        self.query_one(RecordList).focus()

    def show_state(self) -> None:
        """Show where the cursor stands."""
        super().show_state()
        records, filters = self.query_one(RecordList), replace(self._wanted, text="")
        if filters != self._listed:
            chosen = self._cursor.past.chosen(filters.component, filters.stage, filters.least)
            self._listed, self._count = filters, len(chosen)
            records.list_all(chosen)
        records.stand_on(self._cursor.n)
        self.say("#wanted", wanted_line(self._wanted, self._count))
        try:
            lines = record_lines(self._cursor.past, self._cursor.n)
        except LogError as error:
            lines = ((Part(f"✗ {error.what}: {error.because}", Tone.FAILED),),)
        self.say("#record", *lines)
        self.say("#said", self._said)

    def on_record_list_moved(self, message: RecordList.Moved) -> None:
        """Go there."""
        self._cursor.go(message.n)
        self.show_state()

    @property
    def shown_component(self) -> str:
        """That of the record under the cursor, as far as it has one."""
        past, n = self._cursor.past, self._cursor.n
        if past.index.is_told(n):
            return past.meaning(past.index.told_until(n) - 1).component
        try:
            return past.streams.get(past.entry(n).stream, ("", None))[0]
        except LogError:
            return ""

    def action_detail(self) -> None:
        """Open the evidence of that component, as it stood."""
        from sealwright_console.screens.component import ComponentScreen  # noqa: PLC0415 - after the first paint

        name = self.shown_component
        if name in self.feed.state.components:
            self.app.push_screen(ComponentScreen(self.feed, name))

    def action_stage(self) -> None:
        """Take the next stage, or all."""
        at = (_STAGES.index(self._wanted.stage) + 1) % len(_STAGES)
        self._want(replace(self._wanted, stage=_STAGES[at]))

    def action_severity(self) -> None:
        """Take the next severity, or all."""
        self._want(replace(self._wanted, least=Severity((self._wanted.least + 1) % len(Severity))))

    def _want(self, wanted: Wanted) -> None:
        self.workers.cancel_group(self, "search")
        self._wanted, self._said = wanted, ()
        self.show_state()

    def action_ask(self, what: str) -> None:
        """Open the field."""
        field = self.query_one("#asked", Input)
        self._asking = what
        field.placeholder = _ASKED[what]
        field.value = self._wanted.text if what == "text" else self._wanted.component
        field.add_class("open")
        self.set_focus(field)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Search, or filter, and give the keys back to the list."""
        self._close()
        if self._asking == "text":
            self._want(replace(self._wanted, text=message.value))
            self._look(forward=True, here=True)
            return
        known = [name for name in self._cursor.past.end.components if message.value.strip() in name]
        name = message.value.strip() if message.value.strip() in known else next(iter(known), "")
        self._want(replace(self._wanted, component=name if message.value.strip() else ""))
        if not known:
            self._tell(f"no component has “{message.value.strip()}” in its name", Tone.WARNED)

    def _close(self) -> bool:
        field = self.query_one("#asked", Input)
        was_open = field.has_class("open")
        field.remove_class("open")
        self.query_one(RecordList).focus()
        return was_open

    def action_back(self) -> None:
        """Close the field first, then stop a search, then take the filters away."""
        searching = any(worker.group == "search" and worker.is_running for worker in self.workers)
        if self._close():
            return
        if searching or self._said:
            self.workers.cancel_group(self, "search")
            self._said = ()
            self.show_state()
        elif self._wanted != Wanted(self._wanted.text):
            self._want(Wanted(self._wanted.text))
        else:
            super().action_back()

    def action_hit(self, forward: bool) -> None:
        """Go to the next hit, or the one before."""
        self._look(forward=forward, here=False)

    def _look(self, *, forward: bool, here: bool) -> None:
        if self._wanted.text:
            self._tell(f"searching for “{self._wanted.text}”; esc stops", Tone.RUNNING)
            start = self._cursor.n if here else self._cursor.n + (1 if forward else -1)
            self._search(self._wanted, start, forward)

    @work(thread=True, group="search", exclusive=True)
    def _search(self, wanted: Wanted, start: int, forward: bool) -> None:
        worker = get_current_worker()
        found: Hit | LogError | None
        try:
            found = next(self._around(wanted, start, forward, lambda: worker.is_cancelled), None)
        except LogError as error:
            found = error
        if not worker.is_cancelled:
            self.app.call_from_thread(self._found, wanted, found)

    def _around(self, wanted: Wanted, start: int, forward: bool, stop: Callable[[], bool]) -> Iterator[Hit]:
        """Hits from `start` to the end of the log, then from its other end back to `start`."""
        past, last = self._cursor.past, self._cursor.last
        if 0 <= start <= last:
            yield from hits(past, wanted, record_line, (start, last if forward else 0), stop)
        if start > 0 and forward:
            yield from hits(past, wanted, record_line, (0, min(start - 1, last)), stop)
        if start < last and not forward:
            yield from hits(past, wanted, record_line, (last, max(start + 1, 0)), stop)

    def _found(self, wanted: Wanted, found: Hit | LogError | None) -> None:
        if not self.whole or wanted != self._wanted:
            return
        if isinstance(found, LogError):
            self._tell(f"✗ {found.what}: {found.because}", Tone.FAILED)
        elif found is None:
            self._tell(f"not found: {wanted.text}", Tone.WARNED)
        else:
            self._cursor.go(found.entry.n)
            line = (found.lines or (b"",))[0]
            said = line.decode("utf-8", "surrogateescape").expandtabs(8).strip()
            self._tell(f"hit in record {found.entry.n:,}  {said}", Tone.HEAD)
            self.show_state()

    def _tell(self, text: str, tone: Tone) -> None:
        self._said = (Part(text, tone),)
        self.say("#said", self._said)
