"""A build as it runs: its sandbox, its curves, its log."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from sealwright_console.feed import Feed
from sealwright_console.log_text import LogText, Open
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.views.build import Figures, build_lines, build_of, builds, busiest, component_of
from sealwright_console.widgets.log_view import LogView
from sealwright_console.widgets.texts import Texts


def opener(feed: Feed, stream: str) -> Open:
    """What opens a build's log: in a review each line is held against its record as it is shown."""
    if feed.cursor is None or not stream:
        return LogText
    from sealwright_console.review_log import CheckedText  # noqa: PLC0415 - a live release needs none of it

    return partial(CheckedText, feed.cursor.past, stream)


class BuildScreen(ConsoleScreen):
    """One component's build and its log."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "slash",
            "search",
            "Search",
            key_display="/",
            priority=True,
            tooltip="search the log; n and N go on, esc gives up",
        ),
        Binding("n", "hit(True)", "Next", show=False, tooltip="the next hit of the search"),
        Binding("N", "hit(False)", "Prev", show=False, tooltip="the hit before"),
        Binding("v", "side_by_side", "All", tooltip="all builds side by side"),
        Binding("left_square_bracket", "turn(-1)", "Other", key_display="[ ]", tooltip="the build before"),
        Binding("right_square_bracket", "turn(1)", "Other", key_display="]", show=False, tooltip="the next build"),
        Binding("enter", "detail", "Evidence", show=False, tooltip="the evidence of its component"),
        Binding("escape", "back", "Back", tooltip="end the search, then go back"),
    ]
    DEFAULT_CSS = """
    BuildScreen #build { height: auto; padding: 0 1; background: $surface; }
    BuildScreen #search { display: none; height: 1; border: none; padding: 0 1; }
    BuildScreen #search.open { display: block; }
    BuildScreen #place { height: 1; padding: 0 1; background: $surface; }
    """

    def __init__(self, feed: Feed, name: str = "") -> None:
        """Show the build of `name`, or of the one that matters most now."""
        super().__init__(feed)
        self._asked = name
        self._shown = ""
        self._stream = ""

    def body(self) -> Iterable[Widget]:
        """Facts, log, search field, place in the log."""
        yield Texts(id="build")
        yield LogView(id="log")
        yield Input(id="search", placeholder="search the log", select_on_focus=False)
        yield Texts(id="place")

    def on_mount(self) -> None:
        """Begin with the keys on the log."""
        super().on_mount()
        self.query_one(LogView).focus()

    def show_state(self) -> None:
        """Show the facts, and turn to the log that belongs to them."""
        super().show_state()
        state = self.feed.state
        names = builds(state)
        name = self._asked if self._asked in names else self._shown or busiest(state)
        known = build_of(state, name)
        stream = known.build_stream if known is not None else ""
        cursor, log = self.feed.cursor, self.query_one(LogView)
        limit = cursor.output(stream) if cursor is not None and stream else None
        if (name, stream) != (self._shown, self._stream):
            self._shown, self._stream = name, stream
            files = self.feed.log_files(stream) if stream else []
            log.look_at(files, limit, opener(self.feed, stream))
        elif limit is not None:
            log.limit_to(limit)
        self._show_build()

    def _show_build(self) -> None:
        name = self._shown
        figures = Figures(self.feed.now(name), self.feed.left(name), self.feed.ahead(name))
        self.say("#build", *build_lines(self.feed.state, name, self.room, figures, self.feed.left()))

    def tick(self) -> None:
        """Take up what was appended to the log."""
        if self._stream:
            self.query_one(LogView).grow(self.feed.log_files(self._stream))

    def on_log_view_stepped(self, message: LogView.Stepped) -> None:
        """Say where in the log we are."""
        for place in self.query("#place").results(Texts):  # none, where the screen is being taken down
            place.show(message.said, layout=False)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Search, and give the keys back to the log."""
        log = self.query_one(LogView)
        log.focus()
        self._close_search()
        log.search(message.value)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A slash that is typed into the field is text. Else it comes first, so that what follows it goes to the field."""
        if action == "search" and isinstance(self.focused, Input):
            return False
        return super().check_action(action, parameters)

    def action_search(self) -> None:
        """Open the search field."""
        field = self.query_one("#search", Input)
        field.value = ""
        field.add_class("open")
        self.set_focus(field)

    def _close_search(self) -> bool:
        field = self.query_one("#search", Input)
        was_open = field.has_class("open")
        field.remove_class("open")
        return was_open

    def action_back(self) -> None:
        """Close the search field first, then give a search up."""
        log = self.query_one(LogView)
        if self._close_search():
            log.focus()
        elif log.searching:
            log.stop_search()
        else:
            super().action_back()

    def action_hit(self, forward: bool) -> None:
        """Go to the next hit, or the one before."""
        self.query_one(LogView).action_search_next(forward)

    def action_turn(self, step: int) -> None:
        """Look at another build."""
        names = builds(self.feed.state)
        if names:
            here = names.index(self._shown) if self._shown in names else 0
            self.turn_to(names[(here + step) % len(names)])

    def turn_to(self, name: str) -> None:
        """Look at build `name`."""
        self._asked = name
        self.show_state()

    def action_side_by_side(self) -> None:
        """Show all builds."""
        from sealwright_console.screens.builds import BuildsScreen  # noqa: PLC0415 - after the first paint

        self.app.push_screen(BuildsScreen(self.feed, self._shown))

    def action_detail(self) -> None:
        """Open the evidence of this component."""
        from sealwright_console.screens.component import ComponentScreen  # noqa: PLC0415 - after the first paint

        if self._shown:
            self.app.push_screen(ComponentScreen(self.feed, component_of(self._shown)))

    def copied(self) -> str:
        """The facts about the build."""
        return "\n".join("".join(part.text for part in line) for line in self.query_one("#build", Texts).lines)
