"""`--batch`: the same engine without a screen, progress on stderr, events as JSON on stdout if asked.

- It never imports textual; on a terminal it shows a live block below its lines, elsewhere lines alone.
- What takes long to load is loaded while the log authority starts and the sandbox is tried.
- A JUnit report is there from the start and says that the run did not end, until it says how it did.
- A report that can't be written is an error, where nothing worse was to be told.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sealwright_console.signals import stopped_by_signals
from sealwright_stages.errors import Exit, MachineError, SealwrightError
from sealwright_stages.reading import subject_of

if TYPE_CHECKING:
    from sealwright_stages.ahead import Ahead
    from sealwright_stages.engine import Ended
    from sealwright_stages.release import Opened
    from sealwright_stages.sign.signing import SigningRequest, Typed
    from sealwright_stages.stage import Stage
    from sealwright_stages.state import State
    from sealwright_stages.wish import Wish

_NOT_ENDED = ("the run did not end", "it was killed, or is still under way", "run again to resume")


@dataclass(frozen=True)
class Telling:
    """How a run is told: events as JSON, lines in ASCII, annotations for `github`, a JUnit report."""

    as_json: bool = False
    ascii_only: bool = False
    annotations: str = ""
    junit: Path | None = None


def run_batch(wish: Wish, until: Stage, telling: Telling, ahead: Ahead) -> int:
    """Run a release to its end or a closed gate; gives the exit code. Raises SealwrightError before it begins."""
    with _reported(telling.junit) as report:
        subject = subject_of(wish)
        ahead.try_sandbox()
        from sealwright_console.batch_face import Face, live_block  # noqa: PLC0415 - see above
        from sealwright_console.recent import remember  # noqa: PLC0415
        from sealwright_stages.release import walked  # noqa: PLC0415

        block = live_block(as_json=telling.as_json, ascii_only=telling.ascii_only)
        face = Face(telling.as_json, block, ascii_only=telling.ascii_only)
        with (
            walked(subject, wish, _policy_decides, face.take, face.say, ahead) as release,
            stopped_by_signals(release.cancel.set),
        ):
            remember(wish.manifest, wish.work)
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
    from sealwright_stages.state import State  # noqa: PLC0415

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


def _policy_decides(request: SigningRequest) -> Typed:
    """Nobody is here to type: the signer's own policy says yes or no."""
    from sealwright_stages.sign.signing import Typed  # noqa: PLC0415 - release.py loads it

    return Typed("", "")
