"""The records of a past release: a list that moves the cursor, filters, and a search through all that was said.

- Going to a line of the list takes the whole console to that record.
- Searching goes through records and output in a thread, from the cursor on and around the end: the first hit is gone to
  as soon as it is known, the others are counted. `esc` stops it, and so does asking for something else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar, TypeVar

from textual import work
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input
from textual.worker import get_current_worker

from sealwright_console.cursor import Cursor
from sealwright_console.feed import Feed
from sealwright_console.lines import Line, Part, Tone
from sealwright_console.review_hits import Hits
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.views.past import hits_line, record_lines, wanted_line
from sealwright_console.widgets.record_list import RecordList
from sealwright_console.widgets.texts import Texts
from sealwright_stages.errors import LogError
from sealwright_stages.events import STAGES, Stage
from sealwright_stages.review.meaning import Kind, Severity
from sealwright_stages.review.search import Wanted

T = TypeVar("T")
_STAGES: tuple[Stage | None, ...] = (None, *STAGES)
_KINDS: tuple[Kind | None, ...] = (None, *Kind)
_ASKED = {"text": "search records and output", "component": "only of this component (empty: all)"}


class EventsScreen(ConsoleScreen):
    """What happened, record by record."""

    LONG_TIMELINE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "whole", "Record", key_display="enter", tooltip="the record in full, with its proof"),
        Binding("slash", "ask('text')", "Search", key_display="/", tooltip="search all records and all output"),
        Binding("n", "hit(True)", "Next", tooltip="the next hit"),
        Binding("N", "hit(False)", "Prev", show=False, tooltip="the hit before"),
        Binding("c", "ask('component')", "Component", show=False, tooltip="only the records of a component"),
        Binding("s", "stage", "Stage", show=False, tooltip="only the records of the next stage, or of all"),
        Binding("v", "severity", "Severity", show=False, tooltip="all, warned and red, or red"),
        Binding(
            "w", "kind", "What", show=False, tooltip="runs, gates, checks, waivers, builds, products, the log"
        ),
    ]
    DEFAULT_CSS = """
    EventsScreen #wanted, EventsScreen #said { height: 1; padding: 0 1; }
    EventsScreen #wanted { background: $surface; }
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
        self._told: Line = ()
        self._listed: tuple[Wanted, int] | None = None
        self._count = 0
        self._hits: Hits | None = None
        self._looking: tuple[bool, bool] | None = None  # for the next hit: forward, and whether here would do

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
        past = self._cursor.past
        if (filters, past.size) != self._listed:
            chosen = past.chosen(filters.component, filters.stage, filters.least, filters.kind)
            self._listed, self._count = (filters, past.size), len(chosen)
            records.list_all(chosen)
        records.stand_on(self._cursor.n)
        self.say("#wanted", wanted_line(self._wanted, self._count))
        try:
            lines = record_lines(past, self._cursor.n)
        except LogError as error:
            lines = ((Part(f"✗ {error.what}: {error.because}", Tone.FAILED),),)
        self.say("#record", *lines)
        self._say_hits()

    def tick(self) -> None:
        """Go to the hit that is looked for, once it is certain; tell how far the search is."""
        if self._hits is not None:
            self._arrive(self._hits)
            self._say_hits()

    def _say_hits(self) -> None:
        told = self._told
        if not told and self._hits is not None:
            told = hits_line(self._hits, self._cursor.n, looking=self._looking is not None)
        self.say("#said", told)

    def on_record_list_moved(self, message: RecordList.Moved) -> None:
        """Go there."""
        self._cursor.go(message.n)
        self.show_state()

    def on_record_list_chosen(self, message: RecordList.Chosen) -> None:
        """A click on the selected record is the enter key."""
        self.action_whole()

    @property
    def shown_component(self) -> str:
        """That of the record under the cursor, as far as it has one."""
        return self._cursor.component

    def action_whole(self) -> None:
        """Open the record in full."""
        from sealwright_console.screens.record import RecordScreen  # noqa: PLC0415 - after the first paint

        self.app.push_screen(RecordScreen(self.feed, self._cursor))

    def action_stage(self) -> None:
        """Take the next stage, or all."""
        self._want(replace(self._wanted, stage=_after(_STAGES, self._wanted.stage)))

    def action_severity(self) -> None:
        """Take the next severity, or all."""
        self._want(replace(self._wanted, least=_after(tuple(Severity), self._wanted.least)))

    def action_kind(self) -> None:
        """Take the next kind, or all."""
        self._want(replace(self._wanted, kind=_after(_KINDS, self._wanted.kind)))

    def _want(self, wanted: Wanted) -> None:
        self._stop()
        self._wanted = wanted
        self.show_state()

    def _stop(self) -> None:
        self.workers.cancel_group(self, "search")
        self._hits, self._looking, self._told = None, None, ()

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
            self._told = (Part(f"no component has “{message.value.strip()}” in its name", Tone.WARNED),)
            self._say_hits()

    def _close(self) -> bool:
        field = self.query_one("#asked", Input)
        was_open = field.has_class("open")
        field.remove_class("open")
        self.query_one(RecordList).focus()
        return was_open

    def action_back(self) -> None:
        """Close the field first, then stop a search, then take the filters away."""
        if self._close():
            return
        if self._hits is not None or self._told:
            self._stop()
            self.show_state()
        elif self._wanted != Wanted(self._wanted.text):
            self._want(Wanted(self._wanted.text))
        else:
            super().action_back()

    def action_hit(self, forward: bool) -> None:
        """Go to the next hit, or the one before."""
        self._look(forward=forward, here=False)

    def _look(self, *, forward: bool, here: bool) -> None:
        if not self._wanted.text:
            return
        if self._hits is None or self._hits.trouble is not None:
            self._hits = Hits(self._cursor.past, self._wanted, self._cursor.n)
            self._run(self._hits)
        self._looking, self._told = (forward, here), ()
        self._arrive(self._hits)
        self._say_hits()

    @work(thread=True, group="search", exclusive=True)
    def _run(self, hits: Hits) -> None:
        worker = get_current_worker()
        hits.run(lambda: worker.is_cancelled)

    def _arrive(self, hits: Hits) -> None:
        """Go to what is looked for, if that is certain by now."""
        if self._looking is None:
            return
        forward, here = self._looking
        found = hits.next(self._cursor.n, forward=forward, here=here)
        if found.certain:
            self._looking = None
            if found.n is not None:
                self._cursor.go(found.n)
            self.show_state()


def _after(every: tuple[T, ...], one: T) -> T:
    return every[(every.index(one) + 1) % len(every)]
