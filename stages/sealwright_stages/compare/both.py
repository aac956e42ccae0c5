"""Two evidence folders compared: each audited first, then gathered, then set side by side.

- Whatever is compared of a side that is not whole is not to be believed; the side says so, and the caller must.
- A side of which no release can be read is compared with nothing.
- One side is read at a time, and nothing of its log is kept but what is compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from sealwright_stages.audit import Reviewer, as_part, audit
from sealwright_stages.compare.compared import compare
from sealwright_stages.compare.difference import Difference
from sealwright_stages.compare.facts import Release
from sealwright_stages.compare.gather import Gathering
from sealwright_stages.compare.source_files import FileChanges, file_changes
from sealwright_stages.findings import Finding
from sealwright_stages.state import State


@dataclass(frozen=True)
class Side:
    """One release: where it lies, what the audit found but for what is good, and what a yes to it hangs on.

    `sealed` is the time of the seal, `root` the log's root in hex, `records` how many it has; `left_out` names what of it
    is not compared, and why; `state` is that at the end of its log.
    """

    evidence: Path
    passed: bool
    provided: str
    findings: tuple[Finding, ...]
    release: Release
    sealed: str
    root: str
    records: int
    left_out: tuple[str, ...]
    state: State = field(default_factory=State)

    @property
    def readable(self) -> bool:
        """Whether there is a release in it."""
        return bool(self.release.name)


@dataclass(frozen=True)
class Compared:
    """Both sides, and what changed from the one to the other; None if a side can't be read."""

    a: Side
    b: Side
    difference: Difference | None
    files: tuple[FileChanges, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether both sides stood up to the audit, so that what is told can be believed."""
        return self.a.passed and self.b.passed and self.difference is not None


def compare_evidence(a: Path, b: Path, reviewer: Reviewer | None = None) -> Compared:
    """Audit and compare two evidence folders, with what the reviewer brings."""
    reviewer = reviewer or Reviewer()
    return _compared(_side(a, reviewer), _side(b, reviewer))


def compare_by_age(one: Path, other: Path, reviewer: Reviewer | None = None) -> Compared:
    """The same, with the folder as A whose log says that it was sealed first; `one` if neither says so."""
    reviewer = reviewer or Reviewer()
    a, b = sorted((_side(one, reviewer), _side(other, reviewer)), key=lambda side: side.sealed)
    return _compared(a, b)


def _compared(one: Side, other: Side) -> Compared:
    if not (one.readable and other.readable):
        return Compared(one, other, None)
    files, left_out = file_changes(one.release, other.release, one.evidence, other.evidence)
    difference = compare(one.release, other.release)
    return Compared(one, other, difference, tuple(files), tuple(left_out))


def _side(evidence: Path, reviewer: Reviewer) -> Side:
    result = audit(evidence, as_part(evidence, reviewer))
    gathering = Gathering(evidence, result.state, replace(reviewer, policy=result.policy))
    release = gathering.release() if result.state.release else Release("", "")
    report = result.report
    return Side(
        evidence=evidence,
        passed=result.passed,
        provided=result.provided,
        findings=tuple(finding for finding in result.findings if finding.ok != "good"),
        release=release,
        sealed=result.state.last_t if result.state.sealed else "",
        root=report.checkpoint.root.hex() if report else "",
        records=report.records if report else 0,
        left_out=tuple(gathering.problems),
        state=result.state,
    )
