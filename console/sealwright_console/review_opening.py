"""Opening a review: the log is read here, a little at a time, while a process beside it audits the evidence.

- What was read is shown at once, as what the log claims; nothing of it counts as proved.
- It counts as proved when the audit has said yes, and what it read is, byte for byte, the index that was read here.
- A no counts at once. An audit that ends without a verdict is a no.
- Closing it ends the audit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from sealwright_appendlog.audit import LogBroken, read_records
from sealwright_console.aside import Aside, Audited
from sealwright_console.auditing import MARK, verdict
from sealwright_console.cursor import Cursor
from sealwright_console.sanitise import clean
from sealwright_stages.errors import Exit
from sealwright_stages.findings import Finding, bad
from sealwright_stages.review.past import Past
from sealwright_stages.verdict import Status

if TYPE_CHECKING:
    from sealwright_stages.reviewer import Reviewer

_STEP = 32
_SLICE = 0.001
"""Seconds of reading between two looks at the keys: a key takes some ten turns of the loop to be shown."""
_OTHER = "the index that was audited is another than the one that was read: it was changed meanwhile"


class Opening:
    """Reads a past release, and waits for its audit."""

    def __init__(self, evidence: Path, reviewer: Reviewer, start: Callable[..., Aside[Audited]] = Aside) -> None:
        """Begin both; `start` starts the audit.

        Raises:
            OSError: the audit can't be started.
        """
        self.evidence, self.reviewer = evidence, reviewer
        self.past = Past(evidence / "log")
        self.notices: Sequence[str] = ()
        self.result: Audited | None = None
        self.read_whole = False
        self._goal = ""
        self._judged = False
        self._records = read_records(self.past.log)
        self._audit: Aside[Audited] = start("audit", evidence, reviewer)

    def read(self, seconds: float = _SLICE) -> bool:
        """Read on for about that long; False once there is nothing more to read."""
        until = monotonic() + seconds
        while not self.read_whole:
            self._read_some()
            if monotonic() >= until:
                break
        return not self.read_whole

    def _read_some(self) -> None:
        taken = 0
        try:
            for fields, line in islice(self._records, _STEP):
                self.past.take(fields, line)
                taken += 1
        except LogBroken as error:
            self.past.broken = self.past.broken or str(error)
        self.read_whole = taken < _STEP or bool(self.past.broken)

    def go_to(self, place: str) -> None:
        """Go there once all is read."""
        self._goal = place

    def look(self, cursor: Cursor) -> bool:
        """Take over what was read and what came of the audit; whether anything did."""
        seen = cursor.last, cursor.signed, cursor.proved, self.notices, cursor.reading
        cursor.reading = not self.read_whole
        cursor.keep_up()
        if self._goal and self.read_whole:
            self._arrive(cursor)
        if self._audit.ended and self.result is None:
            self.result = self._audit.result or Audited(
                (bad("audit", f"it gave no verdict: {self._audit.failed}"),), "", ""
            )
        if not self._judged:
            self._judge(cursor)
        return seen != (cursor.last, cursor.signed, cursor.proved, self.notices, cursor.reading)

    def _arrive(self, cursor: Cursor) -> None:
        goal, self._goal = self._goal, ""
        try:
            cursor.typed(goal)
        except ValueError as error:
            cursor.trouble = f"! {goal}: {error}"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the audit found, and whether that is about what was read."""
        if self.result is None:
            return ()
        found = self.result.findings
        if not self.read_whole or any(each.ok == "bad" for each in found):
            return found
        same = self.result.index_sha256 == self.past.index.sha256
        return found if same else (*found, bad("log", _OTHER, "log-whole"))

    @property
    def passed(self) -> bool | None:
        """What the audit came to; None as long as it runs, or what it audited is still being read."""
        if self.result is None:
            return None
        if any(finding.ok == "bad" for finding in self.findings):
            return False
        return True if self.read_whole else None

    def _judge(self, cursor: Cursor) -> None:
        passed = self.passed
        cursor.proved = passed is True
        if passed is None or self.result is None:
            cursor.signed = Status.RUNNING
            share = self._audit.progress if self.result is None else self._share
            what = "the audit runs" if self.result is None else "the audit is done, and the log is being read"
            self.notices = (f"… {what}, {share:.0%}: nothing that is shown here is proved yet",)
            return
        self._judged = self.read_whole
        cursor.signed = signed_as(self.findings, self.result.provided)
        mark = {None: "·", Status.PASSED: "✓", Status.WARNED: "!", Status.FAILED: "✗"}[cursor.signed]
        worst = sorted(self.findings, key=lambda found: found.ok != "bad")
        said = (clean(f"{MARK[found.ok]} {found.what}: {found.detail}") for found in worst)
        self.notices = (f"{mark} {verdict(self.findings, self.result.provided)}", *said)

    @property
    def _share(self) -> float:
        try:
            size = (self.past.log / "index.jsonl").stat().st_size
        except OSError:
            size = 0
        return min(0.99, self.past.index.length / size) if size else 0.0

    @property
    def code(self) -> int:
        """The exit code: the audit's, 130 if it was left before it said anything."""
        if self.passed is None:
            return int(Exit.INTERRUPTED)
        return int(Exit.DONE if self.passed else Exit.CLOSED)

    def close(self) -> None:
        """End the audit if it still runs, and let go of the files."""
        self._audit.stop()
        self.past.close()


def signed_as(findings: Sequence[Finding], provided: str) -> Status | None:
    """How a release is signed, as far as its audit goes: good signatures are no more than the rest that it found."""
    if any(found.ok == "bad" for found in findings):
        return Status.FAILED
    if not any(found.ok == "good" and found.what == "signatures" for found in findings):
        return None
    return Status.WARNED if provided else Status.PASSED
