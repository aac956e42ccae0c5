"""A long text of the evidence on a page of its own, such as a report of differences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from sealwright_console.feed import Feed
from sealwright_console.lines import Line, Part, Row, Tone
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.screens.finding import FIND_KEYS, Searched
from sealwright_console.widgets.ledger import Ledger
from sealwright_console.widgets.texts import Texts

_MOST = 20_000  # lines
_TONES = {"+": Tone.PASSED, "-": Tone.FAILED, "@": Tone.RUNNING}


def page_lines(text: str) -> list[Line]:
    """The text line by line, as far as it is shown; those of a difference in their tones."""
    *lines, rest = [*text.split("\n", _MOST), ""] if text.count("\n") < _MOST else text.split("\n", _MOST)
    shown: list[Line] = [(Part(line.expandtabs(8), _TONES.get(line[:1], Tone.PLAIN)),) for line in lines]
    more = rest.count("\n") + 1 if rest else 0
    return [*shown, (Part(f"… {more:,} more lines in the log; y copies all", Tone.DIM),)] if more else shown


class PageScreen(Searched, ConsoleScreen):
    """Shows one text; it scrolls."""

    BINDINGS: ClassVar[list[BindingType]] = [*FIND_KEYS]

    def __init__(self, feed: Feed, name: str, text: str) -> None:
        """Show `text`, called `name`."""
        super().__init__(feed)
        self._of, self._text = name, text

    def body(self) -> Iterable[Widget]:
        """The title, and the text."""
        count = self._text.count("\n") + 1
        yield Texts((Part(self._of, Tone.HEAD), Part(f"   {count:,} lines   esc goes back", Tone.DIM)), id="title")
        yield Ledger(wrapped=True, id="page")

    def on_mount(self) -> None:
        """Show all of it, once."""
        super().on_mount()
        ledger = self.query_one(Ledger)
        ledger.show([Row("", tuple(page_lines(self._text)))])
        ledger.focus()

    def copied(self) -> str:
        """The whole text."""
        return self._text
