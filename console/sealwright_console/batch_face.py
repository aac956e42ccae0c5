"""How `--batch` tells of a run: lines and a live block on stderr, records as JSON on stdout, a summary at the end.

- Each line is cleaned whole where it leaves, so that no field of it can be forgotten, and is no build service's command.
- On a terminal a live block stands below the lines, elsewhere there are lines alone.
- The summary says what blocks the gate, why, what to do, and how its warnings could be waived.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sealwright_console.complaints import print_json, print_result, say, to_stderr
from sealwright_console.sanitise import clean
from sealwright_console.words import event_line
from sealwright_stages import events as ev
from sealwright_stages.errors import Exit
from sealwright_stages.events import BadEventError

if TYPE_CHECKING:
    from sealwright_console.batch_block import Block
    from sealwright_stages.engine import Ended
    from sealwright_stages.release import Opened
    from sealwright_stages.state import Record

_QUIET = (ev.ItemDeclared, ev.ItemStarted, ev.ItemProgress, ev.BuildSample, ev.RunEnded)


def live_block(*, as_json: bool, ascii_only: bool) -> Block | None:
    """The live block, where stderr is a terminal that one can live on, and its lines come from nobody else."""
    if not sys.stderr.isatty() or os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        return None
    if as_json and sys.stdout.isatty():
        return None
    from sealwright_console.batch_block import Block  # noqa: PLC0415 - only a terminal needs rich

    return Block(ascii_only=ascii_only or not _utf8())


def _utf8() -> bool:
    """Whether stderr takes every character."""
    return "utf" in (sys.stderr.encoding or "utf-8").lower()


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
            from sealwright_console.batch_ahead import said_often  # noqa: PLC0415 - the first event need not wait for it

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
        from sealwright_console.closed_gate import reasons, waivers  # noqa: PLC0415 - when all else is done
        from sealwright_console.summary import summary  # noqa: PLC0415

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
