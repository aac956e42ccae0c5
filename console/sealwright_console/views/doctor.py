"""What the doctor says as rows: the machine's word on top, each part with what it is for and its cure.

- A cure that is a package to install is a command; what is no command is said as it is.
- The attempts of the selftest stand in their groups, a line each, in the order in which they are numbered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sealwright_console.lines import Line, Part, Row, Tone, blank, fit, heading, word
from sealwright_stages.doctor import Finding
from sealwright_stages.selftest.attempts import ATTEMPTS, Attempt, Result, Tried
from sealwright_stages.verdict import Status

_STATUS = {"good": Status.PASSED, "advice": Status.WARNED, "bad": Status.FAILED}
_WORDS = {"good": "✓ good", "advice": "! advice", "bad": "✗ bad"}
_PACKAGE = r"[a-z0-9][a-z0-9.+-]+"
_INSTALL = re.compile(
    rf"(?:.*: )?(?:apt )?install (?!an? )({_PACKAGE}(?: {_PACKAGE})*?)(?: again| [0-9.]+ or newer|: .*)?"
)
_RESULTS = {
    Result.HELD: ("✓ held", Tone.PASSED),
    Result.GOT_OUT: ("✗ GOT OUT", Tone.FAILED),
    Result.BROKEN: ("✗ broken", Tone.FAILED),
}
_FOR = {
    "python": "runs Sealwright",
    "gpg": "checks and makes OpenPGP signatures",
    "git": "fetches repositories",
    "curl": "fetches files",
    "ssh": "checks SSH signatures, fetches over ssh, reaches a log elsewhere",
    "minisign": "checks minisign signatures",
    "rpmkeys": "checks RPM packages",
    "mmdebstrap": "makes Debian build roots",
    "dpkg-source": "unpacks Debian source packages",
    "xz": "unpacks archives",
    "zstd": "unpacks archives",
    "diffoscope": "tells how products differ",
    "gpg's fixes": "whether gpg's word can be taken",
    "sandbox": "holds fetchers and builds",
    "seccomp": "refuses system calls in the sandbox",
    "limits": "hold a build's processes and memory",
    "tmpfs": "room of the sandbox that is gone afterwards",
    "disk": "room for roots, sources and products",
    "clock": "times in the log, and whether keys have expired",
    "time service": "keeps that clock right",
    "log-out": "whether a run that was left running goes on",
    "terminal": "the console",
    "separation": "keeps the parts from each other",
    "subuid": "Debian build roots without root",
    "log authority": "keeps the log elsewhere",
}


def verdict_line(findings: Sequence[Finding] | None) -> Line:
    """`✓ FIT` or `✗ NOT FIT`, and how much was looked at."""
    if findings is None:
        return (Part("DOCTOR  ", Tone.HEAD), word(Status.RUNNING), Part("  looks at this machine", Tone.DIM))
    bad = sum(finding.ok == "bad" for finding in findings)
    advice = sum(finding.ok == "advice" for finding in findings)
    fit_ = Part("✗ NOT FIT", Tone.FAILED) if bad else Part("✓ FIT", Tone.PASSED)
    counts = f"{len(findings)} parts: {bad} bad, {advice} with advice"
    return (
        Part("DOCTOR  ", Tone.HEAD),
        fit_,
        Part("  for an official build   ", Tone.DIM),
        Part(counts, Tone.DIM),
    )


def cure(finding: Finding) -> str:
    """The command that mends a part, or what to do in words; empty if it is good."""
    found = _INSTALL.fullmatch(finding.next)
    return f"apt-get install {found[1].strip()}" if found else finding.next


def finding_rows(findings: Sequence[Finding]) -> list[Row]:
    """What is bad first, then advice, then what is good."""
    ordered = sorted(findings, key=lambda finding: ("bad", "advice", "good").index(finding.ok))
    return [_row(finding) for finding in ordered]


def _row(finding: Finding) -> Row:
    tone = Tone(_STATUS[finding.ok].value)
    head = Part(f"  {_WORDS[finding.ok]:<12}{fit(finding.name, 13)}  ", tone)
    use = _FOR.get(finding.name, "")
    if finding.ok == "good":
        return Row(
            f"part {finding.name}", ((head, Part(finding.found), Part(f"   {use}" if use else "", Tone.DIM)),)
        )
    lines: tuple[Line, ...] = (
        (head, Part(use, Tone.DIM)),
        (Part(f"{'':14}{'found':<15}", Tone.DIM), Part(finding.found)),
        (Part(f"{'':14}{'cure':<15}", Tone.DIM), Part(cure(finding), Tone.KEY)),
    )
    return Row(f"part {finding.name}", lines)


def attempt_rows(tried: Mapping[Attempt, Tried]) -> list[Row]:
    """The attempts that have ended, below the headings of their groups."""
    rows: list[Row] = []
    group = ""
    for number, attempt in enumerate(ATTEMPTS, 1):
        found = tried.get(attempt)
        if found is None:
            continue
        if attempt.group != group:
            group = attempt.group
            rows += [blank(), heading(group)]
        text, tone = _RESULTS[found.result]
        lines: list[Line] = [(Part(f"  {text:<9}  {number:3}  ", tone), Part(attempt.tries))]
        if found.result is Result.HELD:
            lines[0] = (*lines[0], Part(f"   {attempt.held_by}", Tone.DIM))
        else:
            lines.append((Part(f"{'':18}", Tone.DIM), Part(found.why or f"should be held by {attempt.held_by}")))
        rows.append(Row(f"attempt {number}", tuple(lines)))
    return rows
