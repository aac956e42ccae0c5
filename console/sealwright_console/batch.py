"""`--batch`: the same engine without a screen, progress on stderr, events as JSON on stdout if asked.

- It never imports textual; on a terminal it shows a live block below its lines, elsewhere lines alone.
- Each line is cleaned whole where it leaves, so that no field of it can be forgotten, and is no build service's command.
- It ends with a summary: what blocks the gate, why, what to do, and how its warnings could be waived.
- A JUnit report is there from the start and says that the run did not end, until it says how it did.
- A report that can't be written is an error, where nothing worse was to be told.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sealwright_console.batch_ahead import said_often
from sealwright_console.closed_gate import reasons, waivers
from sealwright_console.complaints import print_json, print_result, say, to_stderr
from sealwright_console.sanitise import clean
from sealwright_console.signals import stopped_by_signals
from sealwright_console.summary import summary
from sealwright_console.words import event_line
from sealwright_stages import events as ev
from sealwright_stages.errors import Exit, MachineError, SealwrightError
from sealwright_stages.events import BadEventError, Stage
from sealwright_stages.release import Opened, opened
from sealwright_stages.state import Record, State

if TYPE_CHECKING:
    from sealwright_console.batch_block import Block
    from sealwright_stages.engine import Ended
    from sealwright_stages.sign.signing import SigningRequest, Typed
    from sealwright_stages.wish import Wish

_QUIET = (ev.ItemDeclared, ev.ItemStarted, ev.ItemProgress, ev.BuildSample, ev.RunEnded)
_NOT_ENDED = ("the run did not end", "it was killed, or is still under way", "run again to resume")


@dataclass(frozen=True)
class Telling:
    """How a run is told: events as JSON, lines in ASCII, annotations for `github`, a JUnit report."""

    as_json: bool = False
    ascii_only: bool = False
    annotations: str = ""
    junit: Path | None = None


def run_batch(wish: Wish, until: Stage, telling: Telling) -> int:
    """Run a release to its end or a closed gate; gives the exit code. Raises SealwrightError before it begins."""
    face = Face(telling.as_json, _block(telling), ascii_only=telling.ascii_only)
    with (
        _reported(telling.junit) as report,
        opened(wish, _policy_decides, face.take, face.say) as release,
        stopped_by_signals(release.cancel.set),
    ):
        with face.watching(release):
            ended = release.engine.run(until)
        ended = report(release.engine.journal.state, ended)
        face.end(ended, release)
        if telling.annotations:
            _annotate(ended, release, telling)
        face.result(ended)
        return int(ended.exit)


@contextlib.contextmanager
def _reported(path: Path | None) -> Iterator[Callable[[State, Ended], Ended]]:
    """Gives what writes the report: it gives back how the run ended, which is an error where it can't be written."""
    if path is None:
        yield lambda state, ended: ended
        return
    from sealwright_console.junit import require_place, write_report  # noqa: PLC0415 - who asks for none pays nothing

    def report(state: State, ended: Ended) -> Ended:
        try:
            write_report(path, state, ended.exit, (ended.what, ended.because, ended.next_step))
        except MachineError as error:
            if ended.exit is not Exit.DONE:
                return replace(ended, what=f"{ended.what} (and {error}, so the report is not written)")
            because = f"{error.because}; {ended.what}"
            return replace(
                ended, exit=error.exit_code, what=error.what, because=because, next_step=error.next_step
            )
        return ended

    require_place(path)
    write_report(path, State(), Exit.ENVIRONMENT, _NOT_ENDED)
    try:
        yield report
    except SealwrightError as error:  # nothing was begun
        with contextlib.suppress(MachineError):
            write_report(path, State(), error.exit_code, (error.what, error.because, error.next_step))
        raise


def _annotate(ended: Ended, release: Opened, telling: Telling) -> None:
    """Print annotations where the runner looks for them: on stdout, or beside the words where JSON stands there."""
    from sealwright_console.workflow_commands import commands  # noqa: PLC0415 - who asks for none pays nothing

    stream = sys.stderr if telling.as_json else sys.stdout
    for line in commands(release.engine.journal.state, release.manifest, ended):
        print(line, file=stream, flush=True)


def _block(telling: Telling) -> Block | None:
    """The live block, where stderr is a terminal that one can live on, and its lines come from nobody else."""
    if not sys.stderr.isatty() or os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        return None
    if telling.as_json and sys.stdout.isatty():
        return None
    from sealwright_console.batch_block import Block  # noqa: PLC0415 - only a terminal needs rich

    return Block(ascii_only=telling.ascii_only or not _utf8())


def _utf8() -> bool:
    """Whether stderr takes every character."""
    return "utf" in (sys.stderr.encoding or "utf-8").lower()


def _policy_decides(request: SigningRequest) -> Typed:
    """Nobody is here to type: the signer's own policy says yes or no."""
    from sealwright_stages.sign.signing import Typed  # noqa: PLC0415 - release.py loads it

    return Typed("", "")


class Face:
    """Progress on stderr, and each record as JSON on stdout if asked."""

    def __init__(self, as_json: bool, block: Block | None = None, *, ascii_only: bool = False) -> None:
        self._json = as_json
        self._block = block
        self._ascii = ascii_only or not _utf8()

    @contextlib.contextmanager
    def watching(self, release: Opened) -> Iterator[None]:
        """Say now and then how it goes on, until the block ends."""
        journal = release.engine.journal
        if self._block is None:
            with said_often(self.say, lambda: journal.state, release.outlook):
                yield
        else:
            with self._block.show(journal.state, release.outlook, release.cancel.is_set):
                yield

    def take(self, record: Record) -> None:
        """Tell of one record of the log."""
        if self._block is not None:
            self._block.take(record)
        if record.kind != "ev":
            self._print_json({"event": record.kind, "n": record.n, "t": record.t})
            self.say(f"log: {record.kind}, record {record.n}")
            return
        self._print_json({"event": record.body.get("e"), "n": record.n, "t": record.t, **record.body})
        try:
            event = ev.from_body(record.body)
        except BadEventError:
            return
        if not isinstance(event, _QUIET):
            self.say(event_line(event))

    def end(self, ended: Ended, release: Opened) -> None:
        """Tell how the run ended."""
        state = release.engine.journal.state
        for line in summary(state):
            self.say(line)
        if release.work.root.is_dir():
            where = release.work.root / ("evidence" if state.sealed else "log")
            self.say(f"  {'evidence' if state.sealed else 'log     '} {where}")
        if ended.exit == Exit.DONE:
            self.say(f"done: {ended.what}")
            self.say(f"next: {ended.next_step}")
        elif ended.decision:
            for line in waivers(ended.decision, state):
                self.say(line or " ")
            say(ended.what, reasons(ended.decision, state), put=self.say)
        else:
            say(ended.what, [(ended.because, ended.next_step)], ended.exhibits, put=self.say)

    def result(self, ended: Ended) -> None:
        """Print the last line of `--json`."""
        if self._json:
            print_result(int(ended.exit), ended.what, ended.because, ended.next_step, ended.exhibits)

    def _print_json(self, value: dict[str, object]) -> None:
        if self._json:
            print_json(value)

    def say(self, line: str) -> None:
        """Say a line, in whatever form it is."""
        if not line:
            return
        if self._block is not None:
            self._block.say(line)
        elif self._ascii:
            from sealwright_console.ascii_text import as_ascii  # noqa: PLC0415 - only who asks for it needs rich

            to_stderr(as_ascii(clean(line)))
        else:
            to_stderr(clean(line))
