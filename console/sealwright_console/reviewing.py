"""The commands of somebody who looks at a sealed release: review, audit and check, and how they say what they found."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealwright_console.complaints import print_json
from sealwright_console.looks import add_looks
from sealwright_console.sanitise import clean
from sealwright_stages.errors import Exit, ManifestError
from sealwright_stages.stage import STAGES

if TYPE_CHECKING:
    from sealwright_appendlog.cosignature import WitnessKey
    from sealwright_appendlog.saved import Saved
    from sealwright_stages.findings import Finding
    from sealwright_stages.reviewer import Reviewer

_MAX_NOTE = 1 << 20


def add_reviewing(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands to the command line's parser."""
    review = commands.add_parser("review", help="a past release, in the console or as text")
    review.add_argument("evidence", type=Path, metavar="EVIDENCE_DIR")
    add_reviewer(review)
    review.add_argument("--batch", action="store_true")
    add_looks(review)
    _add_looking(review)
    review.set_defaults(run=_review)
    audit = commands.add_parser("audit", help="check a sealed release offline: log, rules, products, signatures")
    audit.add_argument("evidence", type=Path, metavar="EVIDENCE_DIR")
    add_reviewer(audit)
    audit.add_argument("--json", action="store_true")
    audit.set_defaults(run=_audit)
    check = commands.add_parser("check", help="was this file an output of the sealed release?")
    check.add_argument("files", type=Path, nargs="+", metavar="FILE")
    check.add_argument("--evidence", type=Path, required=True, metavar="EVIDENCE_DIR")
    add_reviewer(check)
    check.add_argument("--json", action="store_true", help="one JSON object a file, with the proof itself")
    check.set_defaults(run=_check)


def add_reviewer(
    command: argparse._ActionsContainer, without: str = "only the log was published: do not look for products"
) -> None:
    """Add the options by which a reviewer says whose word counts, and what else there is to compare."""
    command.add_argument("--keyring", type=Path, metavar="DIR", help="your own keyring folder with signers.toml")
    command.add_argument("--signers", default="", metavar="NAME,NAME", help="who of it must have signed")
    command.add_argument("--threshold", type=int, metavar="N", help="how many of them; default: all")
    command.add_argument(
        "--witness", action="append", default=[], metavar="VKEY", help="a witness whose cosignature is checked"
    )
    command.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a checkpoint that was saved of this log earlier: the log must continue it",
    )
    command.add_argument("--without-products", action="store_true", help=without)


def _add_looking(review: argparse.ArgumentParser) -> None:
    """What of a past release is shown."""
    only = "with --events: "
    review.add_argument("--at", metavar="RECORD|TIME", help="as it stood after this record, or at this time (UTC)")
    review.add_argument("--events", action="store_true", help="its records as text, a line each")
    review.add_argument("--component", default="", metavar="NAME", help=f"{only}of this component")
    review.add_argument("--stage", choices=[str(stage) for stage in STAGES], metavar="STAGE", help=f"{only}of it")
    review.add_argument(
        "--severity", choices=("red", "warned", "info"), metavar="red|warned|info", help=f"{only}at least so grave"
    )
    kinds = ("run", "gate", "check", "waiver", "build", "product", "log", "output")
    review.add_argument("--kind", choices=kinds, metavar="|".join(kinds), help=f"{only}of this kind")
    review.add_argument("--search", metavar="TEXT", help=f"{only}with this text; builds' output is searched too")
    review.add_argument("--json", action="store_true", help="JSON; with --events one object a line")


def reviewer_of(options: argparse.Namespace) -> Reviewer:
    """What the reviewer brings."""
    from sealwright_appendlog.note import NoteError  # noqa: PLC0415
    from sealwright_stages.reviewer import Reviewer  # noqa: PLC0415

    names = tuple(dict.fromkeys(name.strip() for name in options.signers.split(",") if name.strip()))
    if options.keyring is None and (names or options.threshold is not None):
        raise ManifestError(
            "--signers", "without --keyring the keys are not yours", "name your own: --keyring DIR"
        )
    if options.threshold is not None and not 1 <= options.threshold <= (len(names) or options.threshold):
        raise ManifestError("--threshold", f"{options.threshold} of {len(names)} signers", "1 to that many")
    try:
        witnesses = _witnesses(options.witness)
    except NoteError as error:
        raise ManifestError("--witness", str(error), "sealwright-appendlog witness-key prints it") from None
    saved = tuple(_saved(path) for path in options.checkpoint)
    return Reviewer(options.keyring, names, options.threshold, witnesses, saved, options.without_products)


def _witnesses(texts: Sequence[str]) -> tuple[WitnessKey, ...]:
    if not texts:
        return ()
    from sealwright_appendlog.cosignature import WitnessKey  # noqa: PLC0415

    return tuple(WitnessKey.parse(text) for text in texts)


def require_evidence(*folders: Path, joined: bool = False) -> None:
    """Refuse evidence that is not there: nothing was looked at, so there is neither a yes nor a no.

    Raises:
        ManifestError: one is no folder, or is a joined release where that isn't meant.
    """
    from sealwright_stages.join.sources import inside, is_joined  # noqa: PLC0415

    for folder in folders:
        if not folder.is_dir():
            raise ManifestError(f"the evidence {folder}", "there is no such folder", "name one that is there")
        if not joined and is_joined(folder):
            several = ", ".join(each.said for each in inside(folder))
            next_step = f"name one builder's, with --without-products where they lie above: {several}"
            raise ManifestError(f"{folder} is a joined release", "it has evidence of several builders", next_step)


def _saved(path: Path) -> Saved:
    from sealwright_appendlog.layout import whole  # noqa: PLC0415
    from sealwright_appendlog.saved import Saved  # noqa: PLC0415

    try:
        return Saved(str(path), whole(path, _MAX_NOTE))
    except OSError as error:
        why = error.strerror or str(error)
        raise ManifestError("--checkpoint", f"{path}: {why}", "name the file of a signed note") from error


def _review(options: argparse.Namespace) -> int:
    from sealwright_console.review import run_review  # noqa: PLC0415

    require_evidence(options.evidence)
    return run_review(options, reviewer_of(options))


def _audit(options: argparse.Namespace) -> int:
    from sealwright_stages.join.joined import audited  # noqa: PLC0415

    require_evidence(options.evidence, joined=True)
    _, result = audited(options.evidence, reviewer_of(options))
    if options.json:
        from sealwright_stages.audit_report import report  # noqa: PLC0415

        print_json(report(result))
        return int(Exit.DONE if result.passed else Exit.CLOSED)
    return told(result.findings, result.provided)


def told(findings: Iterable[Finding], provided: str) -> int:
    """Print findings and the verdict over them, with what it hangs on."""
    from sealwright_console.auditing import lines  # noqa: PLC0415

    findings = list(findings)
    print("\n".join(lines(findings, provided)))
    return int(Exit.CLOSED if any(finding.ok == "bad" for finding in findings) else Exit.DONE)


def _check(options: argparse.Namespace) -> int:
    from sealwright_stages.audit import check_file  # noqa: PLC0415
    from sealwright_stages.audit_report import told as as_table  # noqa: PLC0415
    from sealwright_stages.join.joined import audited  # noqa: PLC0415

    require_evidence(options.evidence, joined=True)
    worst, (evidence, done) = 0, audited(options.evidence, reviewer_of(options))
    for path in options.files:
        found = check_file(path, evidence, done=done)
        if not options.json:
            print(f"{clean(str(path))}: sha256 {found.sha256 or 'unknown'}")
            worst = max(worst, told(found.findings, found.provided))
            continue
        passed = all(finding.ok != "bad" for finding in found.findings)
        words = {"file": str(path), "sha256": found.sha256, "passed": passed, "provided": found.provided}
        print_json({**words, "proof": found.proof, "findings": [as_table(each) for each in found.findings]})
        worst = max(worst, int(Exit.DONE if passed else Exit.CLOSED))
    return worst
