"""`sealwright reproduce`: somebody else's release, built again here, and whether its bytes are the same.

- The audit of the evidence is told first, whatever follows.
- Progress goes to stderr; what was found goes to stdout, as text or as one JSON object.
- What ended before there was anything to compare is an error like that of a run, and leaves no result.
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealwright_console.complaints import print_json, print_result, say
from sealwright_console.reviewing import add_reviewer, require_evidence, reviewer_of
from sealwright_stages import VERSION
from sealwright_stages.errors import Exit, ManifestError

if TYPE_CHECKING:
    from sealwright_stages.rebuild.strangers import Brought

_EPILOG = """exit codes: 0 every product has the same bytes; 1 one has not, is missing or surplus, or the evidence is
refused; 2 usage; 3 a tool, permission or service is missing; 4 our own log failed; 130 interrupted, run again to resume"""
_MIRROR = re.compile(r"(https?|file)://[^\s\x00-\x1f-][^\s\x00-\x1f]*\Z")


def add_reproducing(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the command line's parser."""
    parser = commands.add_parser(
        "reproduce",
        help="build somebody else's release again from its evidence: are the bytes the same?",
        epilog=_EPILOG,
    )
    parser.add_argument("evidence", type=Path, metavar="EVIDENCE_DIR")
    parser.add_argument("--work", type=Path, metavar="DIR", help="default: ./<name>-<version>.rebuild")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--only", default="", metavar="COMPONENT", help="this one, and what it needs")
    parser.add_argument("--json", action="store_true", help="what was found as one JSON object on stdout")
    yours = parser.add_argument_group("what is yours instead of the release's")
    yours.add_argument("--sources", type=Path, metavar="DIR", help="local paths of the manifest lie below this")
    yours.add_argument("--mirror", default=None, metavar="URL", help="the Debian archive, as a snapshot of then")
    yours.add_argument("--archive-keyring", type=Path, metavar="FILE", help="keys that may sign that archive")
    yours.add_argument("--source-keyring", type=Path, metavar="DIR", help="judge the sources by this keyring")
    yours.add_argument("--known-hosts", type=Path, metavar="FILE", help="keys of ssh servers")
    yours.add_argument("--no-waivers", action="store_true", help="a warning that the release accepted stops you")
    audit = parser.add_argument_group("the audit of the evidence")
    add_reviewer(audit)
    audit.add_argument("--despite-audit", action="store_true", help="build it although its audit says no")
    parser.set_defaults(run=_reproduce)


def _reproduce(options: argparse.Namespace) -> int:
    from sealwright_console.auditing import lines as audit_lines  # noqa: PLC0415
    from sealwright_console.batch_face import Face  # noqa: PLC0415 - quick help and errors need none of this
    from sealwright_console.reproduce_text import lines  # noqa: PLC0415
    from sealwright_console.signals import stopped_by_signals  # noqa: PLC0415
    from sealwright_stages.audit import as_part, audit  # noqa: PLC0415
    from sealwright_stages.rebuild.rebuild import rebuilding, walk, write  # noqa: PLC0415
    from sealwright_stages.rebuild.report import report  # noqa: PLC0415
    from sealwright_stages.rebuild.taken import take  # noqa: PLC0415

    brought, reviewer = _brought(options), reviewer_of(options)
    require_evidence(options.evidence)
    result = audit(options.evidence, as_part(options.evidence, reviewer))
    if not options.json:
        print("\n".join(audit_lines(result.findings, result.provided)), flush=True)
    taken = take(options.evidence, result, reviewer, brought, despite=options.despite_audit)
    face = Face(False)
    with (
        rebuilding(taken, options.work, options.jobs, VERSION, face.take, face.say) as release,
        stopped_by_signals(release.cancel.set),
    ):
        ended, rebuilt = walk(taken, release)
        if rebuilt is None:
            say(ended.what, [(ended.because, ended.next_step)], ended.exhibits)
            if options.json:
                print_result(int(ended.exit), ended.what, ended.because, ended.next_step, ended.exhibits)
            return int(ended.exit)
        found = report(rebuilt)
        write(rebuilt, found, release)
    if options.json:
        print_json(found)
    else:
        for line in lines(rebuilt):
            print(line)
    return int(Exit.DONE if rebuilt.results.same else Exit.CLOSED)


def _brought(options: argparse.Namespace) -> Brought:
    """What the rebuilder brings, as far as it can be refused at once."""
    from sealwright_stages.rebuild.strangers import Brought  # noqa: PLC0415

    if options.jobs < 1:
        raise ManifestError("--jobs", "it must be at least 1", "name a number of builds at a time")
    for name, folder in (("EVIDENCE_DIR", options.evidence), ("--sources", options.sources)):
        if folder is not None and not folder.is_dir():
            raise ManifestError(f"{name} {folder}", "there is no such folder", "name a folder that is there")
    if options.mirror is not None and not _MIRROR.match(options.mirror):
        raise ManifestError(
            "--mirror", f"{options.mirror!r} is no archive's address", "use https://, http:// or file://"
        )
    return Brought(
        sources=options.sources and options.sources.absolute(),
        mirror=options.mirror,
        archive_keyring=options.archive_keyring and options.archive_keyring.absolute(),
        source_keyring=options.source_keyring,
        known_hosts=options.known_hosts and options.known_hosts.absolute(),
        only=options.only,
        waivers=not options.no_waivers,
    )
