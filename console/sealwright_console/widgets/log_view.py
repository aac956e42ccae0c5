"""The live log of one build: the line API over its files, so that size and speed of the log don't matter.

- Only the lines in the window are read and rendered; ten times a second at most.
- Following keeps the newest line in sight; any step upwards ends it, `f` or the end key begins it again.
- Each line is cleaned before it is shown; tabs become blanks; a line that was cut says so.
- Indexing and searching run in a thread: keys answer while a gigabyte is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from rich.segment import Segment
from textual import work
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.worker import get_current_worker

from sealwright_console.log_text import CAP, LogText
from sealwright_console.sanitise import clean
from sealwright_stages.errors import LogError

_AT_ONCE = 4 << 20
"""Bytes that are indexed in the event loop; more goes to a thread."""


class LogView(ScrollView, can_focus=True):
    """A window onto a log."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_lines(1)", "Down", show=False),
        Binding("up,k", "scroll_lines(-1)", "Up", show=False),
        Binding("pagedown,space", "scroll_pages(1)", "Page down", show=False),
        Binding("pageup", "scroll_pages(-1)", "Page up", show=False),
        Binding("right,greater_than_sign", "shift(20)", "Right", show=False),
        Binding("left,less_than_sign", "shift(-20)", "Left", show=False),
        Binding("home", "to_line(0)", "First", show=False),
        Binding("end", "follow(True)", "Last", show=False),
        Binding("f", "follow(True)", "Follow"),
        Binding("n", "search_next(True)", "Next hit", show=False),
        Binding("N", "search_next(False)", "Hit before", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"log-view--hit", "log-view--cut", "log-view--refused"}
    DEFAULT_CSS = """
    LogView { height: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden; }
    LogView .log-view--hit { background: $accent 40%; text-style: bold; }
    LogView .log-view--cut { color: $warning; }
    LogView .log-view--refused { color: $error; text-style: bold reverse; }
    """

    class Stepped(Message):
        """What the status line says has changed."""

        def __init__(self, said: str) -> None:
            """Carry what it says now."""
            super().__init__()
            self.said = said

    def __init__(self, *, id: str | None = None) -> None:
        """Make one that shows nothing yet."""
        super().__init__(id=id)
        self._source = LogText()
        self._busy = False
        self._hit = -1
        self._shift = 0
        self.needle = ""
        self.said = ""
        self.following = True
        self.trouble = ""

    def look_at(
        self, paths: Sequence[Path], limit: int | None = None, make: Callable[[Sequence[Path]], LogText] = LogText
    ) -> None:
        """Show another log from its end, or from the end of its first `limit` bytes; `make` opens it."""
        self._source.close()
        self._source = make(paths)
        self._hit, self.said, self.following, self.trouble = -1, "", True, ""
        self._source.limit_to(limit)
        self.grow(paths)

    def limit_to(self, limit: int) -> None:
        """Show the first `limit` bytes of the same log."""
        self._source.limit_to(limit)
        self._grown()

    def grow(self, paths: Sequence[Path]) -> None:
        """Take up what was appended, and segments that are new."""
        self._source.follow_files(paths)
        backlog = self._source.size - self._source.indexed
        if backlog > _AT_ONCE:
            if not self._busy:
                self._busy = True
                self._index(self._source)
        elif backlog > 0 and not self._busy:
            self._source.extend()
            self._grown()

    @work(thread=True, group="index")
    def _index(self, log: LogText) -> None:
        worker = get_current_worker()
        try:
            while not worker.is_cancelled and log is self._source and log.extend(16 << 20):
                self.app.call_from_thread(self._grown)
        except OSError:  # the view was closed or turned to another log, which took the files with it
            return
        finally:
            self._busy = False

    def _grown(self) -> None:
        self.virtual_size = Size(self.size.width, self._source.lines)
        if self.following:
            self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True, force=True)
        self.refresh()
        self.post_message(self.Stepped(self.status()))

    def status(self) -> str:
        """`FOLLOW  line 204 of 204`, and what the search says."""
        lines = self._source.lines
        bottom = min(lines, self.scroll_offset.y + self.size.height)
        mode = "FOLLOW" if self.following else "PAUSED"
        reading = f", reading {self._source.indexed * 100 // max(1, self._source.size)}%" if self._busy else ""
        said = f"   {self.said}" if self.said else ""
        shift = f", column {self._shift + 1}" if self._shift else ""
        trouble = self.trouble or (f"✗ {self._source.trouble}" if self._source.trouble else "")
        if trouble:
            return f"{trouble}   line {bottom:,} of {lines:,}"
        return f"{mode}  line {bottom:,} of {lines:,}{shift}{reading}{said}"

    def render_line(self, y: int) -> Strip:
        """Render the line at `y` of the window."""
        number = y + self.scroll_offset.y
        width = self.scrollable_content_region.width
        if number >= self._source.lines:
            return Strip.blank(width, self.rich_style)
        try:
            data, cut = self._source.line(number)
        except LogError as error:
            return self._refused(error, width)
        text = clean(data.rstrip(b"\r").decode("utf-8", "surrogateescape").expandtabs(8))
        style = self.rich_style
        if number == self._hit:
            style += self.get_component_rich_style("log-view--hit", partial=True)
        segments = [Segment("> " if number == self._hit else "  ", style), Segment(text[self._shift :], style)]
        strip = Strip(segments)
        if cut:
            more = f" … cut after {CAP} bytes"
            tail = Segment(more, style + self.get_component_rich_style("log-view--cut", partial=True))
            strip = Strip([*strip.crop(0, max(0, width - len(more))), tail])
        return strip.adjust_cell_length(width, style)

    def _refused(self, error: LogError, width: int) -> Strip:
        """A line that is not what was recorded: none of its bytes, in a block that can't be overlooked."""
        trouble = f"✗ NOT WHAT WAS RECORDED: {clean(error.because)}"
        if trouble != self.trouble:
            self.trouble = trouble
            self.post_message(self.Stepped(self.status()))
        style = self.rich_style + self.get_component_rich_style("log-view--refused", partial=True)
        return Strip([Segment(f"  {trouble} ", style)]).adjust_cell_length(width, style)

    def action_scroll_lines(self, step: int) -> None:
        """Go some lines up or down."""
        self._go_to(self.scroll_offset.y + step, upwards=step < 0)

    def action_scroll_pages(self, pages: int) -> None:
        """Go some windows up or down."""
        self._go_to(self.scroll_offset.y + pages * max(1, self.size.height - 1), upwards=pages < 0)

    def action_shift(self, step: int) -> None:
        """Look further right or left in long lines."""
        self._shift = min(max(0, self._shift + step), CAP)
        self.refresh()
        self.post_message(self.Stepped(self.status()))

    def action_to_line(self, line: int) -> None:
        """Go to a line."""
        self._go_to(line, upwards=True)

    def action_follow(self, on: bool) -> None:
        """Follow the end, or stay."""
        self.following = on
        self._grown()

    def on_mouse_scroll_up(self) -> None:
        """The wheel ends following, as the keys do."""
        self.following = False
        self.post_message(self.Stepped(self.status()))

    def search(self, needle: str) -> None:
        """Look for `needle` downwards from the top of the window."""
        self.needle, self._hit = needle, self.scroll_offset.y - 1
        self.action_search_next(True)

    def action_search_next(self, forward: bool) -> None:
        """Go to the next hit, or to the one before."""
        if self.needle:
            self.said = "searching"
            self._search(self._source, self.needle, self._hit, forward)
            self.post_message(self.Stepped(self.status()))

    @work(thread=True, group="search", exclusive=True)
    def _search(self, log: LogText, needle: str, line: int, forward: bool) -> None:
        worker = get_current_worker()
        try:
            hit = log.find(needle, line, forward, stop=lambda: worker.is_cancelled or log is not self._source)
        except OSError:  # as in _index
            return
        if not worker.is_cancelled and log is self._source:
            self.app.call_from_thread(self._found, hit)

    def _found(self, hit: int | None) -> None:
        if hit is None:
            self.said = f"not found: {clean(self.needle, 40)}"
        else:
            self.said, self._hit = f"hit in line {hit + 1:,}", hit
            self._go_to(hit - self.size.height // 3, upwards=True)
        self.refresh()
        self.post_message(self.Stepped(self.status()))

    def _go_to(self, line: int, upwards: bool) -> None:
        goal = min(max(0, line), self.max_scroll_y)
        self.following = self.following and not upwards
        self.scroll_to(y=goal, animate=False, immediate=True, force=True)
        self.refresh()
        self.post_message(self.Stepped(self.status()))

    def on_unmount(self) -> None:
        """Let go of the files."""
        self._source.close()
