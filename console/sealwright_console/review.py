"""`sealwright review`: a past release, in the console, or as text or JSON at any of its records.

- As text, the log is audited first, in one reading; what is shown of it afterwards is what was audited.
- In the console it is shown while it is audited: see `review_opening`.
- Events and hits are printed as they are found, however long the log is; nothing is collected.
- What was asked for wrongly is said before anything is shown.
- With `--events` the verdict goes to stderr, or into the last line of JSON: stdout holds records and nothing else.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sealwright_console.auditing import MARK, verdict
from sealwright_console.complaints import print_json
from sealwright_console.looks import looks_of, shows_screens
from sealwright_console.reviewing import told
from sealwright_console.sanitise import clean
from sealwright_console.words import record_line
from sealwright_stages.errors import Exit, ManifestError
from sealwright_stages.events import Stage
from sealwright_stages.review.meaning import Kind, Severity
from sealwright_stages.review.past import Past
from sealwright_stages.review.search import Hit, Wanted, hits
from sealwright_stages.verdict import Status

if TYPE_CHECKING:
    from sealwright_stages.audit import Audit
    from sealwright_stages.reviewer import Reviewer

_NAMED = 8
_AT_ONCE = 0.05
"""Seconds of reading before the console opens: a small log is whole in its first picture."""


def run_review(options: argparse.Namespace, reviewer: Reviewer) -> int:
    """Audit the evidence, and show what was asked for; gives the exit code.

    Raises:
        ManifestError: what was asked for is not there, or makes no sense.
        LogError: the log was changed since it was audited.
    """
    wanted = _wanted(options)
    if not (options.batch or options.events or options.json) and sys.stdout.isatty() and shows_screens():
        return _console(options, reviewer)
    return _text(options, reviewer, wanted)


def _text(options: argparse.Namespace, reviewer: Reviewer, wanted: Wanted) -> int:
    from sealwright_stages.audit import audit  # noqa: PLC0415 - a console has it done beside it

    past = Past(options.evidence / "log")
    result = audit(options.evidence, reviewer, past.take)
    try:
        if not past.size:
            return _nothing(options, result)
        n = _place(past, options.at)
        if options.events:
            return _events(past, wanted, n, result, as_json=options.json)
        return _state(past, n, result, as_json=options.json)
    finally:
        past.close()


def _wanted(options: argparse.Namespace) -> Wanted:
    chosen = {"--component": options.component, "--stage": options.stage}
    chosen |= {"--severity": options.severity, "--kind": options.kind, "--search": options.search}
    given = [name for name, value in chosen.items() if value]
    if given and not options.events:
        raise ManifestError(given[0], "it chooses among events, which were not asked for", "add --events")
    if options.search == "":
        raise ManifestError("--search", "there is no text to look for", "name one")
    severity = Severity[options.severity.upper()] if options.severity else Severity.INFO
    stage = Stage(options.stage) if options.stage else None
    kind = Kind[options.kind.upper()] if options.kind else None
    return Wanted(options.search or "", options.component, stage, severity, kind)


def _place(past: Past, at: str | None) -> int:
    if at is None:
        return past.size - 1
    try:
        return past.place(at)
    except ValueError as error:
        raise ManifestError(f"--at {at}", str(error), "name a record's number, or a time in UTC") from None


def _nothing(options: argparse.Namespace, result: Audit) -> int:
    """No record could be read, so there is nothing to show but why."""
    if options.json:
        print_json(_result(result))
    elif options.events:
        _say(result)
    else:
        told(result.findings, result.provided)
    return _code(result)


def _console(options: argparse.Namespace, reviewer: Reviewer) -> int:
    from sealwright_console.app import run_console  # noqa: PLC0415 - text needs no terminal
    from sealwright_console.cursor import Cursor  # noqa: PLC0415
    from sealwright_console.review_feed import ReviewFeed  # noqa: PLC0415
    from sealwright_console.review_opening import Opening  # noqa: PLC0415

    looks = looks_of(options)
    opening = Opening(options.evidence, reviewer)
    past = opening.past
    try:
        if not opening.read(_AT_ONCE):
            if not past.size:
                return _text(options, reviewer, Wanted())
            n = _place(past, options.at)
        else:
            n = past.size - 1
            opening.go_to(options.at or "")
        cursor = Cursor(past, n, Status.RUNNING)
        run_console(ReviewFeed(cursor, opening=opening), looks)
    finally:
        opening.close()
    if opening.code == Exit.INTERRUPTED:
        print("left before the audit had ended: there is no verdict", file=sys.stderr)
    return opening.code


def _state(past: Past, n: int, result: Audit, *, as_json: bool) -> int:
    from sealwright_console.summary import summary  # noqa: PLC0415

    state = past.state(n)
    if as_json:
        items = {
            item.id: {"status": item.status, "code": item.code, "reason": item.reason}
            for item in state.items.values()
        }
        where = {"n": state.last_n, "t": state.last_t, "records": past.size}
        shown = {"release": state.release, "version": state.version, "sealed": state.sealed, "items": items}
        print_json({**where, **shown, "audit": _findings(result)})
        return _code(result)
    if n < past.size - 1:
        print(f"record {n} of {past.size}, {clean(state.last_t)}: as it stood then")
    print("\n".join(summary(state)))
    return told(result.findings, result.provided)


def _events(past: Past, wanted: Wanted, last: int, result: Audit, *, as_json: bool) -> int:
    known = past.end.components
    if wanted.component and wanted.component not in known:
        some = ", ".join([*known][:_NAMED]) + (", ..." if len(known) > _NAMED else "")
        raise ManifestError(
            f"--component {wanted.component}", "this release has no such component", f"one of {some}"
        )
    for hit in hits(past, wanted, record_line, (0, last)):
        for line in _json_lines(hit) if as_json else _text_lines(hit):
            sys.stdout.write(line + "\n")
    if as_json:
        print_json(_result(result))
    else:
        sys.stdout.flush()
        _say(result)
    return _code(result)


def _say(result: Audit) -> None:
    """What is bad, and the verdict, on stderr."""
    for found in result.findings:
        if found.ok == "bad":
            print(f"{MARK[found.ok]} {clean(found.what)}: {clean(found.detail)}", file=sys.stderr)
    print(clean(verdict(result.findings, result.provided)), file=sys.stderr)


def _text_lines(hit: Hit) -> Iterator[str]:
    entry, what = hit.entry, hit.meaning
    whose = f"{what.stage or '-':11} {clean(what.component) or '-':22}"
    head = f"{entry.n:>8}  {entry.t[:19]}Z  {what.severity.word:6}  {whose} {entry.stream}"
    for words in hit.lines or (record_line(entry),):
        yield f"{clean(head)}  {clean(words)}"


def _json_lines(hit: Hit) -> Iterator[str]:
    entry, what = hit.entry, hit.meaning
    said = {
        "event": entry.body.get("e") if entry.kind == "ev" else entry.kind,
        "n": entry.n,
        "t": entry.t,
        "stream": entry.stream,
        "component": what.component,
        "stage": what.stage,
        "severity": what.severity.word,
        "kind": what.kind.word,
        "body": entry.body if entry.kind == "ev" else {},
    }
    for words in hit.lines or (record_line(entry),):
        yield json.dumps({**said, "words": clean(words)}, sort_keys=True)


def _findings(result: Audit) -> dict[str, object]:
    found = [{"ok": each.ok, "what": each.what, "detail": each.detail} for each in result.findings]
    return {"passed": result.passed, "provided": result.provided, "findings": found}


def _result(result: Audit) -> dict[str, object]:
    return {"event": "result", "exit": _code(result), **_findings(result)}


def _code(result: Audit) -> int:
    return int(Exit.DONE if result.passed else Exit.CLOSED)
