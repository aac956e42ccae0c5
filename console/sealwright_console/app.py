"""The console in a terminal: one app over a feed, ten looks a second, one stack of screens.

- The app keeps no state of the release; it polls the feed and lets the top screen show it.
- A showing that took long (a release of thousands of components) is followed by a rest, so that keys are answered.
- Quitting while the release runs asks first: it runs on without this console, or is stopped, and then this one leaves
  when the run has ended. A terminal that is gone, or SIGTERM, leaves it running.
- What stays for the whole run is kept from the garbage collector: in a release of thousands of components it would look
  through all of it while a key waits.
- Every line that any widget renders passes the output filter; see `output_filter`.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import monotonic
from typing import ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from sealwright_console.face import SHARED_KEYS, Face
from sealwright_console.feed import Feed
from sealwright_console.lines import Part, Tone
from sealwright_console.looks import PLAIN, Looks
from sealwright_console.news import News
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.screens.overview import OverviewScreen
from sealwright_stages.events import STAGES, Stage

INTERRUPTED = 130
_PERIOD = 0.1
_FAREWELL = 3  # seconds
_REST = 4
"""How many times as long as the last showing took the keys have the machine for themselves."""


class ConsoleApp(Face[int]):
    """The console; its result is the exit code."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(f"{number}", f"stage({number})", stage.value, show=False)
            for number, stage in enumerate(STAGES, 1)
        ),
        Binding("g,G", "gate", "Gate", key_display="g", tooltip="the gate: each reason why it is closed"),
        Binding("l,L", "log", "Log", key_display="l", tooltip="the log of a build"),
        *SHARED_KEYS,
    ]

    come_back = "sealwright attach"
    """The command that shows a run again that was left running."""

    def __init__(
        self,
        feed: Feed,
        *,
        ascii_only: bool = False,
        theme: str = "",
        clock: Callable[[], float] = monotonic,
        looks: Looks | None = None,
    ) -> None:
        """Show `feed` as `looks` asks; `ascii_only` and `theme` are for short; `clock` gives seconds."""
        super().__init__(looks or Looks(ascii_only, theme))
        self.feed = feed
        self._stopping = False
        self._notices: Sequence[str] = ()
        self._clock = clock
        self._stale = False
        self._rested = 0.0
        self._news = News(clock)
        self._known = -1

    def on_mount(self) -> None:
        """Paint first, then begin to poll."""
        if not self.is_headless:
            for number in (signal.SIGHUP, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, self._hung_up)
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
        self._call()
        if self._stopping and self.feed.finished is not None:
            self.exit(self.feed.finished)

    def _call(self) -> None:
        if self.feed.cursor is not None or self.looks.notify == "off":
            return
        asks = self.feed.signing() is not None
        if told := self._news.hear(self.feed.state, asks=asks, over=self.feed.finished):
            self.call_person(self.feed.title, told)

    def _show(self, top: ConsoleScreen) -> None:
        begun = self._clock()
        top.show_state()
        if (
            len(self.feed.state.components) != self._known
        ):  # declared all at once: so many objects stay as they are
            self._known = len(self.feed.state.components)
            self.call_after_refresh(gc.freeze)
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
        """Show the gate panel, or go back from it."""
        from sealwright_console.screens.gate import GateScreen  # noqa: PLC0415 - after the first paint

        if isinstance(self.screen, GateScreen):
            self.pop_screen()
        else:
            self.open_screen(GateScreen(self.feed))

    def action_log(self) -> None:
        """Show the log of the component that is being looked at."""
        from sealwright_console.screens.build import BuildScreen  # noqa: PLC0415 - after the first paint

        name = self.screen.shown_component if isinstance(self.screen, ConsoleScreen) else ""
        self.open_screen(BuildScreen(self.feed, name))

    def action_doctor(self) -> None:
        """Show whether the machine is fit."""
        from sealwright_console.screens.doctor import DoctorScreen  # noqa: PLC0415 - after the first paint

        self.push_screen(DoctorScreen())

    def action_leave(self) -> None:
        """Leave; while the release runs, ask whether it shall run on."""
        from sealwright_console.screens.asking import ChooseScreen  # noqa: PLC0415 - after the first paint

        if self.feed.finished is not None:
            self.exit(self.feed.finished)
        elif self._stopping:
            self.exit(INTERRUPTED)
        elif not any(isinstance(screen, ChooseScreen) for screen in self.screen_stack):
            question = (
                (Part("Leave while the release runs?", Tone.HEAD),),
                (Part("It runs on without a console; what it asks of you waits."),),
                (Part("Come back with "), Part(self.come_back, Tone.KEY)),
                (Part("Stopping ends its builds; the next run resumes from the log."),),
            )
            answers = {"leave": "Leave it running", "stop": "Stop the run", "stay": "Stay"}
            self.push_screen(ChooseScreen(question, answers, warning="stop"), self._answered)

    def _answered(self, answer: str | None) -> None:
        if answer in ("leave", "stop") and self.feed.finished is not None:
            self.exit(self.feed.finished)
        elif answer == "leave":
            self.exit(INTERRUPTED)
        elif answer == "stop":
            self._stopping = True
            self.feed.stop()
            self.notify("stopping; q again leaves at once", markup=False, timeout=30)

    def _hung_up(self) -> None:
        """The terminal is gone, or somebody ends this console: go, and don't wait for a terminal that takes nothing."""
        signal.alarm(_FAREWELL)
        self.exit(INTERRUPTED)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The stages and the doctor, too."""
        yield from super().get_system_commands(screen)
        for number, stage in enumerate(STAGES, 1):
            show = partial(self.action_stage, number)
            yield SystemCommand(f"Stage {number}: {stage}", "show this stage", show)
        yield SystemCommand("Doctor", "is this machine fit, with cures and the selftest", self.action_doctor)


def app_for(feed: Feed, looks: Looks = PLAIN) -> ConsoleApp:
    """The app over `feed`: that of a review has a cursor, and keys for it."""
    if feed.cursor is None:
        return ConsoleApp(feed, looks=looks)
    from sealwright_console.review_app import ReviewApp  # noqa: PLC0415 - a live release needs none of it

    return ReviewApp(feed, feed.cursor, looks=looks)


def run_console(feed: Feed, looks: Looks = PLAIN, come_back: str = "") -> int:
    """Show `feed` until the person leaves; gives the exit code of the run, 130 while it has none.

    `come_back` is the command that shows a run again that was left running.
    Both stdin and stdout must be a terminal; the caller has checked that before this module was imported.
    """
    app = app_for(feed, looks)
    app.come_back = come_back or app.come_back
    code = app.run()
    signal.alarm(0)
    if code is not None:
        return code
    return feed.finished if feed.finished is not None else INTERRUPTED
