"""The console in a terminal: one app over a feed, ten looks a second, one stack of screens.

- The app keeps no state of the release; it polls the feed and lets the top screen show it.
- A showing that took long (a release of thousands of components) is followed by a rest, so that keys are answered.
- Quitting while the release runs asks first, stops the run, and leaves when the run has ended.
- Every line that any widget renders passes the output filter; see `output_filter`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import Screen

from sealwright_console.feed import Feed
from sealwright_console.lines import Part, Tone
from sealwright_console.output_filter import AsciiFilter, DeadFilter
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.screens.overview import OverviewScreen
from sealwright_console.theme import DARK, THEMES
from sealwright_stages.events import STAGES, Stage

INTERRUPTED = 130
_PERIOD = 0.1
_REST = 4
"""How many times as long as the last showing took the keys have the machine for themselves."""


class ConsoleApp(App[int]):
    """The console; its result is the exit code."""

    ENABLE_COMMAND_PALETTE = True
    TITLE = "Sealwright"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(f"{number}", f"stage({number})", stage.value, show=False)
            for number, stage in enumerate(STAGES, 1)
        ),
        Binding("g,G", "gate", "Gate", key_display="g"),
        Binding("l,L", "log", "Log", key_display="l"),
        Binding("t", "turn_theme", "Theme", show=False),
        Binding("colon", "command_palette", "Palette", show=False),
        Binding("question_mark", "keys", "Help", key_display="?"),
        Binding("q,ctrl+q,ctrl+c", "leave", "Quit", key_display="q"),
    ]

    def __init__(self, feed: Feed, *, ascii_only: bool = False, clock: Callable[[], float] = monotonic) -> None:
        """Show `feed`; `ascii_only` says everything in ASCII; `clock` gives seconds."""
        self._last_filters: tuple[LineFilter, ...] = (
            (DeadFilter(), AsciiFilter()) if ascii_only else (DeadFilter(),)
        )
        super().__init__()
        self.feed = feed
        self._stopping = False
        self._notices: Sequence[str] = ()
        self._clock = clock
        self._stale = False
        self._rested = 0.0
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = DARK.name

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's own filters, and ours after them."""
        return (*super().get_line_filters(), *self._last_filters)

    def on_mount(self) -> None:
        """Paint first, then begin to poll."""
        self.push_screen(OverviewScreen(self.feed))
        self.set_interval(_PERIOD, self.look)

    def look(self) -> None:
        """Take new entries and show them."""
        if not self.is_running:  # it is being taken down
            return
        changed = self.feed.poll()
        notices = tuple(self.feed.notices())
        top = next((screen for screen in reversed(self.screen_stack) if isinstance(screen, ConsoleScreen)), None)
        if top is not None and top.whole:
            self._stale = self._stale or changed or notices != self._notices
            if self._stale and self._clock() >= self._rested:
                self._show(top)
            top.tick()
        self._notices = notices
        if self._stopping and self.feed.finished is not None:
            self.exit(self.feed.finished)

    def _show(self, top: ConsoleScreen) -> None:
        begun = self._clock()
        top.show_state()
        self._stale = False
        ended = self._clock()
        self._rested = ended + _REST * (ended - begun)

    def open_screen(self, screen: ConsoleScreen) -> None:
        """Put a screen right above the overview."""
        while len(self.screen_stack) > 2:
            self.pop_screen()
        self.push_screen(screen)

    def action_stage(self, number: int) -> None:
        """Show the view of a stage."""
        from sealwright_console.screens.build import BuildScreen  # noqa: PLC0415 - after the first paint
        from sealwright_console.screens.seal import SealScreen  # noqa: PLC0415
        from sealwright_console.screens.sign import SignScreen  # noqa: PLC0415

        stage = STAGES[number - 1]
        views: dict[Stage, type[ConsoleScreen]] = {
            Stage.BUILD: BuildScreen,
            Stage.SEAL: SealScreen,
            Stage.SIGN: SignScreen,
        }
        if stage in views:
            self.open_screen(views[stage](self.feed))
            return
        while len(self.screen_stack) > 2:
            self.pop_screen()
        base = self.screen
        if isinstance(base, OverviewScreen):
            base.show_stage(stage)

    def action_gate(self) -> None:
        """Show the gate panel."""
        from sealwright_console.screens.gate import GateScreen  # noqa: PLC0415 - after the first paint

        self.open_screen(GateScreen(self.feed))

    def action_log(self) -> None:
        """Show the log of the component that is being looked at."""
        from sealwright_console.screens.build import BuildScreen  # noqa: PLC0415 - after the first paint

        name = self.screen.shown_component if isinstance(self.screen, ConsoleScreen) else ""
        self.open_screen(BuildScreen(self.feed, name))

    def action_keys(self) -> None:
        """Show all keys."""
        from sealwright_console.screens.help import HelpScreen  # noqa: PLC0415 - after the first paint

        self.push_screen(HelpScreen(self.feed))

    def action_doctor(self) -> None:
        """Show whether the machine is fit."""
        from sealwright_console.screens.doctor import DoctorScreen  # noqa: PLC0415 - after the first paint

        self.push_screen(DoctorScreen())

    def action_turn_theme(self) -> None:
        """Take the next theme."""
        names = [theme.name for theme in THEMES]
        here = names.index(self.theme) if self.theme in names else 0
        self.theme = names[(here + 1) % len(names)]

    def action_leave(self) -> None:
        """Leave; while the release runs, ask first."""
        from sealwright_console.screens.asking import AskScreen  # noqa: PLC0415 - after the first paint

        if self.feed.finished is not None:
            self.exit(self.feed.finished)
        elif self._stopping:
            self.exit(INTERRUPTED)
        elif not any(isinstance(screen, AskScreen) for screen in self.screen_stack):
            question = (
                (Part("Quit while the release runs?", Tone.HEAD),),
                (Part("Running builds are stopped and their products thrown away."),),
                (Part("Nothing that was verified is lost: the next run resumes from the log."),),
            )
            self.push_screen(AskScreen(question, yes="Stop and quit", no="Stay"), self._answered)

    def _answered(self, yes: bool | None) -> None:
        if yes:
            self._stopping = True
            if self.feed.finished is None:
                self.feed.stop()
                self.notify("stopping; q again leaves at once", markup=False, timeout=30)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What the palette offers: our own views, nothing that writes files."""
        for number, stage in enumerate(STAGES, 1):
            yield SystemCommand(
                f"Stage {number}: {stage}", "show this stage", lambda n=number: self.action_stage(n)
            )
        yield SystemCommand("Gate", "each reason why the gate is closed", self.action_gate)
        yield SystemCommand("Log", "the log of a build", self.action_log)
        yield SystemCommand("Doctor", "is this machine fit, with cures and the selftest", self.action_doctor)
        yield SystemCommand("Theme", "light or dark", self.action_turn_theme)
        yield SystemCommand("Help", "all keys", self.action_keys)
        yield SystemCommand("Quit", "leave the console", self.action_leave)


def app_for(feed: Feed, *, ascii_only: bool = False) -> ConsoleApp:
    """The app over `feed`: that of a review has a cursor, and keys for it."""
    if feed.cursor is None:
        return ConsoleApp(feed, ascii_only=ascii_only)
    from sealwright_console.review_app import ReviewApp  # noqa: PLC0415 - a live release needs none of it

    return ReviewApp(feed, feed.cursor, ascii_only=ascii_only)


def run_console(feed: Feed, *, ascii: bool = False) -> int:
    """Show `feed` until the person leaves; gives the exit code of the run.

    Both stdin and stdout must be a terminal; the caller has checked that before this module was imported.
    """
    code = app_for(feed, ascii_only=ascii).run()
    if code is not None:
        return code
    return feed.finished if feed.finished is not None else INTERRUPTED
