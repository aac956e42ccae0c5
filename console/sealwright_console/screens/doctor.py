"""Is this machine fit: each part with its cure, and on demand the selftest, line by line as it goes on.

- Everything is looked at in threads: no key waits for it.
- Stopping, or going back, ends the selftest after the attempts that run; what was not tried whole vouches for nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from sealwright_console.lines import Line, Part, Row, Tone, blank, heading
from sealwright_console.screens.finding import FIND_KEYS, Searched
from sealwright_console.views.doctor import attempt_rows, cure, finding_rows, verdict_line
from sealwright_console.widgets.keys_line import KeysLine
from sealwright_console.widgets.ledger import Ledger
from sealwright_console.widgets.texts import Texts
from sealwright_stages.doctor import Finding, examine
from sealwright_stages.errors import SealwrightError
from sealwright_stages.release import cache_folder
from sealwright_stages.selftest.attempts import ATTEMPTS, Attempt, Result, Tried
from sealwright_stages.selftest.trial import selftest
from sealwright_stages.selftest.vouch import refusal, remember

Tell = Callable[[Sequence[Tried]], None]


def tried_out(tell: Tell, stop: threading.Event) -> None:
    """The selftest; what it found is kept, as `sealwright doctor --selftest` does."""
    remember(cache_folder(), selftest(tell, stop))


class DoctorScreen(Searched, Screen[None]):
    """The machine."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *FIND_KEYS,
        Binding("escape", "back", "Back", tooltip="go back; a selftest that runs is stopped"),
        Binding("s", "selftest", "Selftest", tooltip="try every known way out of the sandbox"),
        Binding("x", "stop", "Stop it", tooltip="stop the selftest; a stopped one vouches for nothing"),
        Binding("y", "copy", "Copy the cure", tooltip="copy the cure of the part, or what stands there"),
        Binding("r", "again", "Look again", tooltip="look at every part again"),
    ]
    DEFAULT_CSS = """
    DoctorScreen #verdict { height: auto; background: $panel; padding: 0 1; }
    DoctorScreen #notices { height: 1; padding: 0 1; background: $surface; }
    """

    def __init__(
        self,
        look: Callable[[], list[Finding]] = examine,
        trial: Callable[[Tell, threading.Event], None] = tried_out,
    ) -> None:
        """Look by `look`, try by `trial`."""
        super().__init__()
        self._look, self._trial = look, trial
        self._findings: list[Finding] | None = None
        self._tried: dict[Attempt, Tried] = {}  # by all of it: two groups may call an attempt the same
        self._stop: threading.Event | None = None
        self._ended: Line = ()

    def compose(self) -> ComposeResult:
        """The word, the parts, what the selftest does, the keys."""
        yield Texts(verdict_line(None), id="verdict")
        yield Ledger(wrapped=True, id="parts")
        yield from self.below()
        yield Texts(id="notices")
        yield KeysLine()

    def on_mount(self) -> None:
        """Begin to look."""
        self.query_one(Ledger).focus()
        self._examine()

    def on_unmount(self) -> None:
        """Nothing goes on without its screen."""
        if self._stop is not None:
            self._stop.set()

    @work(thread=True, exclusive=True, group="examine", exit_on_error=False)
    def _examine(self) -> None:
        try:
            found = self._look()
        except (SealwrightError, OSError) as error:
            found = [Finding("doctor", "bad", str(error), "see `sealwright doctor`")]
        self.app.call_from_thread(self._take, found)

    def _take(self, found: list[Finding]) -> None:
        self._findings = found
        self._show()

    def _show(self) -> None:
        if not self.is_mounted or not self.query(Ledger):  # it is being taken down
            return
        rows: list[Row] = finding_rows(self._findings or [])
        if self._tried:
            rows += [blank(), heading("ways out of the sandbox, tried here and now"), *attempt_rows(self._tried)]
        self.query_one("#verdict", Texts).show(verdict_line(self._findings))
        self.query_one(Ledger).show(rows)
        self.query_one("#notices", Texts).show(self._notice())

    def _notice(self) -> Line:
        out = sum(each.result is not Result.HELD for each in self._tried.values())
        counts = f"{len(self._tried)} of {len(ATTEMPTS)} ways out tried, {out} not held"
        if self._stop is not None:
            word = "stops" if self._stop.is_set() else "runs"
            return (Part(f"… selftest {word}: {counts}", Tone.RUNNING), Part("   x stops it", Tone.DIM))
        return self._ended or (Part("s tries every known way out of the sandbox, in some seconds", Tone.DIM),)

    def action_again(self) -> None:
        """Look at the parts again."""
        self._findings = None
        self._show()
        self._examine()

    def action_selftest(self) -> None:
        """Try every way out, unless that goes on already."""
        if self._stop is None:
            self._stop, self._tried, self._ended = threading.Event(), {}, ()
            self._show()
            self._try(self._stop)

    @work(thread=True, group="selftest", exit_on_error=False)
    def _try(self, stop: threading.Event) -> None:
        try:
            self._trial(lambda tried: self._from_thread(self._heard, tried), stop)
            ended = ""
        except (SealwrightError, OSError) as error:
            ended = str(getattr(error, "because", error))
        self._from_thread(self._over, ended)

    def _from_thread(self, take: Callable[..., None], *told: object) -> None:
        """Hand over to the screen; nothing if it is gone."""
        if self.is_mounted and self.app.is_running:
            self.app.call_later(take, *told)

    def _heard(self, tried: Sequence[Tried]) -> None:
        self._tried |= {each.attempt: each for each in tried}
        self._show()

    def _over(self, ended: str) -> None:
        self._stop = None
        refused = refusal(list(self._tried.values()))
        if ended:
            self._ended = (Part(f"✗ selftest not whole: {ended}", Tone.WARNED),)
        elif refused is not None:
            self._ended = (Part(f"✗ {refused.because}", Tone.FAILED),)
        elif len(self._tried) < len(ATTEMPTS):
            self._ended = (Part(f"✗ only {len(self._tried)} of {len(ATTEMPTS)} were heard of", Tone.FAILED),)
        else:
            self._ended = (Part(f"✓ {len(self._tried)} of {len(ATTEMPTS)} held", Tone.PASSED),)
        self._show()

    def action_stop(self) -> None:
        """End the selftest."""
        if self._stop is not None:
            self._stop.set()
            self._show()

    def action_back(self) -> None:
        """End a search, or go back; the selftest ends as the screen does."""
        if not self.end_search():
            self.dismiss(None)

    def action_copy(self) -> None:
        """Copy the cure of the part under the cursor, or what stands there."""
        ledger = self.query_one(Ledger)
        cures = {f"part {finding.name}": cure(finding) for finding in self._findings or []}
        text = cures.get(ledger.key) or ledger.selected_text()
        self.app.copy_to_clipboard(text)
