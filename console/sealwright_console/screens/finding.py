"""Looking for a text in the list of a screen: `/` asks, `n` and `N` go on, `esc` ends it.

- The cursor goes to the first row that has the text while it is typed, and round the end; the text is underlined.
- Enter keeps the search, and gives the keys back to the list. `esc` takes the search away before it goes anywhere.
- What is searched is what the list can show, also what is folded in it: `places` says where, `go_to` unfolds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from sealwright_console.lines import Part, Tone
from sealwright_console.widgets.ledger import Ledger, Place
from sealwright_console.widgets.texts import Texts

if TYPE_CHECKING:
    from textual.screen import Screen

    _Screen = Screen[None]
else:
    _Screen = object  # a screen has one base whose style sheet it takes over, and this is not it


class FindField(Input):
    """The field of a search; it is there only while it is typed into."""

    DEFAULT_CSS = """
    FindField { display: none; height: 1; border: none !important; padding: 0 1; background: $panel; }
    """

    def __init__(self) -> None:
        """Hidden."""
        super().__init__(id="find", placeholder="search this page", select_on_focus=False)


class Found(Texts):
    """What was found, as long as the search holds."""

    DEFAULT_CSS = """
    Found { display: none; height: 1; padding: 0 1; background: $panel; text-wrap: nowrap; text-overflow: ellipsis; }
    """


FIND_KEYS: list[BindingType] = [
    Binding("slash", "search", "Search", key_display="/", show=False, tooltip="search this page for a text"),
    Binding("n", "hit(True)", "Next hit", show=False, tooltip="the next place that has the text"),
    Binding("N", "hit(False)", "Hit before", show=False, tooltip="the place before that has the text"),
]
"""The keys of a screen that can be searched, which it binds beside its own."""


class Searched(_Screen):
    """What a screen with one list is made of, besides, to be searched."""

    _needle = ""
    _from: Place | None = None

    def below(self) -> Iterable[Widget]:
        """The field, and what was found: between the list and the notices."""
        yield FindField()
        yield Found(id="found")

    def places(self, needle: str) -> Sequence[Place]:
        """Where the text is, from the top."""
        return self.query_one(Ledger).places(needle)

    def go_to(self, place: Place) -> None:
        """Put the cursor there."""
        self.query_one(Ledger).go_to(place)

    def action_search(self) -> None:
        """Ask for a text."""
        field = self.query_one(FindField)
        self._from = self.query_one(Ledger).place
        field.value = self._needle
        field.display = True
        self.query_one(Found).display = False
        self.set_focus(field)

    def action_hit(self, forward: bool) -> None:
        """Go to the next place, or the one before; round the end."""
        if not self._needle:
            self.app.notify("nothing is searched for: / asks", markup=False, timeout=3)
            return
        found, here = self.places(self._needle), self.query_one(Ledger).place
        if here in found:
            at = (found.index(here) + (1 if forward else -1)) % len(found)
        else:
            at = next((number for number, place in enumerate(found) if _after(place, here)), 0) - (not forward)
        if found:
            self.go_to(found[at])
        self._tell(found)

    def on_input_changed(self, message: Input.Changed) -> None:
        """Go to the first place from where the search began."""
        if not isinstance(message.input, FindField) or not message.input.display:
            return
        self._seek(message.value)
        found = self.places(self._needle) if self._needle else ()
        if found:
            order = self.query_one(Ledger).places("")
            begin = order.index(self._from) if self._from in order else 0
            later = [place for place in found if place not in order or order.index(place) >= begin]
            self.go_to(next(iter(later), found[0]))

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Keep the search, and give the keys back to the list."""
        if isinstance(message.input, FindField):
            self._shut()
            if self._needle:
                self._tell(self.places(self._needle))

    def _seek(self, needle: str) -> None:
        self._needle = needle
        ledger = self.query_one(Ledger)
        ledger.needle = needle
        ledger.refresh()

    def _shut(self) -> bool:
        field = self.query_one(FindField)
        was_open = bool(field.display)
        field.display = False
        if was_open:
            self.set_focus(self.query_one(Ledger))
        return was_open

    def _tell(self, found: Sequence[Place]) -> None:
        here = self.query_one(Ledger).place
        at = f"{found.index(here) + 1} of {len(found)}" if here in found else f"{len(found)} places"
        said = Part(at if found else "not found", Tone.HEAD if found else Tone.WARNED)
        texts = self.query_one(Found)
        texts.show((Part("/ ", Tone.KEY), Part(self._needle), Part("   "), said, Part("   esc ends it", Tone.DIM)))
        texts.display = True

    def end_search(self) -> bool:
        """Take the search away, field and all; False if there was none."""
        was_open, was = self._shut(), self._needle
        if was_open and self._from is not None:
            self.go_to(self._from)
        self._seek("")
        self.query_one(Found).display = False
        return was_open or bool(was)

    def action_back(self) -> None:
        """End the search first."""
        if not self.end_search():
            above = getattr(super(), "action_back", None)
            if above is not None:
                above()


def _after(place: Place, here: Place) -> bool:
    return isinstance(place, int) and isinstance(here, int) and place >= here
