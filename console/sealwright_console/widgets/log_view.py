"""The live log of one build: the line API over its files, so that size and speed of the log don't matter.

- Only the lines in the window are read and rendered; ten times a second at most.
- A log that is long shows its end at once; its lines have their numbers as soon as it is indexed.
- Following keeps the newest line in sight; any step upwards ends it, `f` or the end key begins it again.
- Each line is cleaned before it is shown; tabs become blanks; a line that was cut says so.
- Indexing and searching run in a thread: keys answer while a gigabyte is read, and `esc` gives a search up.
- A hit that lies far to the right in its line is brought into sight.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import work
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.worker import get_current_worker

from sealwright_console.lines import Line, Part, Tone, plain
from sealwright_console.log_marks import Marks
from sealwright_console.log_text import CAP, REFUSED, LogText, Open
from sealwright_console.sanitise import clean
from sealwright_console.views.log import LogPlace, log_line, place_line
from sealwright_stages.errors import LogError

_AT_ONCE = 1 << 20
"""Bytes that are indexed in the event loop; more goes to a thread."""
_SLICE = 2 << 20
"""Bytes that the thread indexes before it asks whether it is still wanted: an end of the console waits for that."""
_RATE_OVER = 20
"""Looks over which the speed of the log is told."""


class LogView(ScrollView, can_focus=True):
    """A window onto a log."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_lines(1)", "Down", show=False, tooltip="a line down"),
        Binding(
            "up,k", "scroll_lines(-1)", "Up", show=False, tooltip="a line up; the log is not followed any more"
        ),
        Binding("pagedown,space", "scroll_pages(1)", "Page down", show=False, tooltip="a window down"),
        Binding("pageup", "scroll_pages(-1)", "Page up", show=False, tooltip="a window up"),
        Binding(
            "right,greater_than_sign", "shift(20)", "Right", show=False, tooltip="further right in long lines"
        ),
        Binding("left,less_than_sign", "shift(-20)", "Left", show=False, tooltip="back left in long lines"),
        Binding("home", "to_top", "First", show=False, tooltip="the first line"),
        Binding("end", "follow", "Last", show=False, tooltip="the last line, and those that come"),
        Binding("f", "follow", "Follow", tooltip="the last line, and those that come"),
        Binding("e", "mark('errors', True)", "Error", show=False, tooltip="the next line of errors"),
        Binding("E", "mark('errors', False)", "Error before", show=False, tooltip="the line of errors before"),
        Binding("w", "mark('warnings', True)", "Warning", show=False, tooltip="the next line of warnings"),
        Binding(
            "W", "mark('warnings', False)", "Warning before", show=False, tooltip="the line of warnings before"
        ),
        Binding("n", "search_next(True)", "Next hit", show=False, tooltip="the next hit of the search"),
        Binding("N", "search_next(False)", "Hit before", show=False, tooltip="the hit before"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log-view--hit",
        "log-view--cut",
        "log-view--error",
        "log-view--warning",
        "log-view--refused",
    }
    DEFAULT_CSS = """
    LogView { height: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden; }
    LogView .log-view--hit { text-style: bold reverse; }
    LogView .log-view--cut { color: $warning; }
    LogView .log-view--error { color: $error; text-style: bold; }
    LogView .log-view--refused { color: $error; text-style: bold reverse; }
    LogView .log-view--warning { color: $warning; text-style: bold; }
    """

    class Stepped(Message):
        """What the status line says has changed."""

        def __init__(self, said: Line) -> None:
            """Carry what it says now."""
            super().__init__()
            self.said = said

    def __init__(self, *, id: str | None = None, clock: Callable[[], float] = monotonic) -> None:
        """Make one that shows nothing yet; `clock` gives seconds."""
        super().__init__(id=id)
        self._whole = self._source = LogText()
        self._clock = clock
        self._busy = False
        self._hit: tuple[int, int] | None = None
        self._awaited = False
        self._shift = 0
        self._searched: float | None = None
        self._speed: deque[tuple[float, int]] = deque(maxlen=_RATE_OVER)
        self.needle = ""
        self.said = ""
        self.following = True
        self._make: Open = LogText
        self._trouble = ""

    def look_at(self, paths: Sequence[Path], limit: int | None = None, make: Open = LogText) -> None:
        """Show another log from its end, or from the end of its first `limit` bytes; `make` opens it."""
        self.stop_search()
        self._close()
        self._make, self._trouble = make, ""
        self._whole = self._source = make(paths)
        self._whole.limit_to(limit)
        self._hit, self._awaited, self.said, self.following = None, False, "", True
        self._speed.clear()
        self._show_end()
        self._resize(0)
        self.grow(paths)

    def limit_to(self, limit: int) -> None:
        """Show the first `limit` bytes of the same log."""
        for log in {self._whole, self._source}:
            log.limit_to(limit)
        if self._source is not self._whole and limit <= self._source.begin:
            self._show_end()
        self._grown()

    def _show_end(self) -> None:
        """Have the end of the log at hand, though it may not be indexed as far as that."""
        whole = self._whole
        if whole.until - whole.indexed <= _AT_ONCE:
            self._use(whole)
            return
        self._use(self._make(whole.paths, whole.tail()))
        self._source.limit_to(whole.limit)
        self._source.extend()

    def _use(self, source: LogText) -> None:
        if self._source is not self._whole:
            self._source.close()
        self._source = source

    def on_resize(self, event: Resize) -> None:
        """Keep the newest line in sight, where the log is followed."""
        self._resize(self.scroll_offset.y)

    def grow(self, paths: Sequence[Path]) -> None:
        """Take up what was appended, and segments that are new."""
        for log in {self._whole, self._source}:
            log.follow_files(paths)
        grown = self._source is not self._whole and self._source.extend(_AT_ONCE)
        backlog = self._whole.size - self._whole.indexed
        if backlog > _AT_ONCE:
            if not self._busy:
                self._busy = True
                self._index(self._whole)
        elif backlog > 0 and not self._busy:
            grown = self._whole.extend()
        self._speed.append((self._clock(), self._source.lines))
        if grown:
            self._grown()
        elif self._busy or self._searched is not None or self._rate:
            self._step()

    @work(thread=True, group="index")
    def _index(self, log: LogText) -> None:
        worker = get_current_worker()
        try:
            while not worker.is_cancelled and log is self._whole and log.extend(_SLICE):
                self.app.call_from_thread(self._grown)
        finally:
            self._busy = False

    def _grown(self) -> None:
        whole, tail = self._whole, self._source
        if tail is not whole and whole.shown >= tail.shown:
            top = self.scroll_offset.y + whole.line_at(tail.begin)
            self._use(whole)
            self._speed.clear()
            self._resize(top)
        if self._awaited and self._hit is not None and whole.indexed > self._hit[0]:
            self._show_hit()
        self._resize(self.scroll_offset.y)

    def _resize(self, top: int) -> None:
        """Have as many lines as there are, and `top` as the uppermost, or the last in sight."""
        self.virtual_size = Size(self.size.width, self._source.lines)
        goal = self.max_scroll_y if self.following else min(top, self.max_scroll_y)
        if goal != self.scroll_offset.y:
            self.scroll_to(y=goal, animate=False, immediate=True, force=True)
        self.refresh()
        self._step()

    def _step(self) -> None:
        self.post_message(self.Stepped(self.status_line()))

    @property
    def _rate(self) -> int:
        """Lines a second, over the last looks."""
        (since, before), (now, lines) = self._speed[0], self._speed[-1]
        return round((lines - before) / (now - since)) if now > since and lines > before else 0

    def status_line(self) -> Line:
        """Where in the log we are, what there is in it, and what the search says."""
        whole, log = self._whole, self._source
        if trouble := self._trouble or whole.trouble:
            return (Part(f"✗ {trouble}", Tone.ALARM),)
        errors, warnings = whole.counts()
        read = 100 if whole.shown >= whole.until or not self._busy else whole.indexed * 100 // max(1, whole.until)
        numbered = log is whole
        said = self.said if self._searched is None else f"searching {self._searched:.0%}, esc ends it"
        return place_line(
            LogPlace(
                following=self.following,
                line=min(log.lines, self.scroll_offset.y + self.size.height) if numbered else 0,
                lines=log.lines if numbered else 0,
                column=self._shift,
                read=read,
                rate=self._rate if len(self._speed) > 1 and numbered else 0,
                errors=errors,
                warnings=warnings,
                said=said,
            ),
            max(20, self.app.size.width - 2),
        )

    def status(self) -> str:
        """The text of `status_line`."""
        return plain(self.status_line())

    def render_line(self, y: int) -> Strip:
        """Render the line at `y` of the window."""
        log, number = self._source, y + self.scroll_offset.y
        width = self.scrollable_content_region.width
        style = self.rich_style
        if number >= log.lines:
            return Strip.blank(width, style)
        within = self._hit_in(number)
        skip = max(0, within - width // 3) if within is not None and not self._shift else 0
        skip = skip if within is not None and within + self._hit_length + 2 > width else 0
        try:
            data, cut = log.line(number, skip)
        except LogError as error:
            return self._refused(error, width)
        hit = (within - skip, self._hit_length) if within is not None else None
        line = log_line(data, width, self._shift, hit)
        mark = ">" if hit is not None else line.mark
        segments = [Segment(f"{mark} ", style + self._mark_style(mark))]
        if skip:
            segments.append(Segment("…", style))
        found = self.get_component_rich_style("log-view--hit", partial=True)
        segments += [Segment(line.before, style), Segment(line.hit, style + found), Segment(line.after, style)]
        strip = Strip(segments)
        if cut:
            more = f" … cut after {CAP} bytes"
            tail = Segment(more, style + self.get_component_rich_style("log-view--cut", partial=True))
            strip = Strip([*strip.crop(0, max(0, width - len(more))).adjust_cell_length(width - len(more)), tail])
        return strip.adjust_cell_length(width, style)

    def _refused(self, error: LogError, width: int) -> Strip:
        """A line that is not what was recorded: none of its bytes, in a block that can't be overlooked."""
        trouble = f"{REFUSED}: {error.because}"
        if trouble != self._trouble:
            self._trouble = trouble
            self._step()
        style = self.rich_style + self.get_component_rich_style("log-view--refused", partial=True)
        return Strip([Segment(f"  ✗ {clean(trouble)} ", style)]).adjust_cell_length(width, style)

    def _mark_style(self, mark: str) -> Style:
        name = {"e": "log-view--error", "w": "log-view--warning"}.get(mark)
        return self.get_component_rich_style(name, partial=True) if name else Style.null()

    @property
    def _hit_length(self) -> int:
        return self._hit[1] if self._hit is not None else 0

    def _hit_in(self, number: int) -> int | None:
        """Where the hit is in this line, in bytes; None if it is in another."""
        if self._hit is None:
            return None
        start, after = self._source.start_of(number), self._source.start_of(number + 1)
        if start is None or self._hit[0] < start or (after is not None and self._hit[0] >= after):
            return None
        return self._hit[0] - start

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
        self._step()

    def action_to_top(self) -> None:
        """Go to the first line."""
        self._use(self._whole)
        self.following = False
        self._resize(0)

    def action_follow(self) -> None:
        """Go to the end, and stay there."""
        self.following = True
        if self._source is self._whole:
            self._show_end()
        self._grown()

    def on_mouse_scroll_up(self) -> None:
        """The wheel ends following, as the keys do."""
        self.following = False
        self._step()

    def search(self, needle: str) -> None:
        """Look for `needle` downwards from the top of the window."""
        self.needle, self._hit = needle, None
        self.action_search_next(True)

    @property
    def searching(self) -> bool:
        """Whether a search is at work."""
        return self._searched is not None

    def stop_search(self) -> None:
        """Give the search up."""
        if self._searched is not None:
            self._searched, self.said = None, "search given up"
            self.workers.cancel_group(self, "search")
            self._step()

    def action_search_next(self, forward: bool) -> None:
        """Go to the next hit, or to the one before."""
        if self.needle:
            self._searched = 0.0
            self._search(self._whole, self.needle, self._here(forward), forward)
            self._step()

    def _here(self, forward: bool) -> int:
        """The offset from which to go on: that of the hit while it is in sight, or else of the window's first line."""
        top = self.scroll_offset.y
        if self._hit is not None and top <= self._line_of(self._hit[0]) < top + self.size.height:
            return self._hit[0]
        start = self._source.start_of(top)
        return (self._source.begin if start is None else start) - forward

    def _line_of(self, offset: int) -> int:
        known = self._source.begin <= offset < self._source.indexed
        return self._source.line_at(offset) if known else -1

    @work(thread=True, group="search", exclusive=True)
    def _search(self, log: LogText, needle: str, here: int, forward: bool) -> None:
        worker = get_current_worker()

        def told(part: float) -> None:
            if not worker.is_cancelled:
                self._searched = part

        stop = lambda: worker.is_cancelled or log is not self._whole  # noqa: E731 - asked thousands of times
        hit = log.find(needle, here, forward, stop, told)
        if not worker.is_cancelled and log is self._whole:
            self.app.call_from_thread(self._found, hit, len(needle.encode("utf-8", "surrogateescape")))

    def _found(self, hit: int | None, length: int) -> None:
        self._searched = None
        if hit is None:
            self.said = f"not found: {clean(self.needle, 40)}"
            self.refresh()
            self._step()
        else:
            self._hit = hit, length
            self._show_hit()

    def _show_hit(self) -> None:
        """Go to the hit, now or as soon as it is known in which line it is."""
        assert self._hit is not None  # noqa: S101 - whoever calls has just found it
        offset = self._hit[0]
        self.following = False
        if self._line_of(offset) < 0 and offset < self._whole.indexed:
            self._use(self._whole)
        line = self._line_of(offset)
        self._awaited = line < 0
        if self._awaited:
            self.said = "hit found, reading as far as that"
            self._step()
            return
        numbered = self._source is self._whole
        self.said = f"hit in line {line + 1:,}" if numbered else "hit near the end"
        self._shift = 0
        self._resize(max(0, line - self.size.height // 3))

    def action_mark(self, kind: str, forward: bool) -> None:
        """Go to the next line of errors or of warnings, or to the one before; around the end if need be."""
        log = self._source
        marks: Marks = log.errors if kind == "errors" else log.warnings
        here = self._here(False)
        line = self._line_of(here)
        at_hit = self._hit is not None and self._hit[0] == here
        start = log.start_of(line + at_hit if forward else max(0, line))
        start = log.shown if start is None else start
        if forward:
            found = marks.after(log.read, start, log.shown)
            again = found is None
            found = marks.after(log.read, log.begin, log.shown) if found is None else found
        else:
            found = marks.before(log.read, start)
            again = found is None
            found = marks.before(log.read, log.shown) if found is None else found
        if found is None:
            self.said = (
                f"no {kind}" if log is self._whole else f"no {kind} near the end, and the rest is being read"
            )
            self._step()
            return
        self._hit = found, marks.length_at(log.read, found)
        self._show_hit()
        self.said += (", around the end" if forward else ", around the beginning") if again else ""
        self._step()

    def _go_to(self, line: int, upwards: bool) -> None:
        self.following = self.following and not upwards
        self._resize(min(max(0, line), self.max_scroll_y))

    def _close(self) -> None:
        for log in {self._whole, self._source}:
            log.close()

    def on_unmount(self) -> None:
        """Let go of the files."""
        self._close()
