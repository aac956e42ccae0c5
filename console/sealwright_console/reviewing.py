"""The commands of somebody who looks at a sealed release: review and audit, and how they say what they found."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealwright_console.complaints import print_json
from sealwright_console.looks import add_looks
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
    command.add_argument(
        "--attestation-key",
        action="append",
        default=[],
        metavar="FILE|FINGERPRINT",
        help="a machine's key that you vouch for: its TPM must have quoted the seal",
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
    keys = tuple(_attestation_key(text) for text in options.attestation_key)
    return Reviewer(
        options.keyring,
        names,
        options.threshold,
        witnesses,
        saved,
        options.without_products,
        attestation_keys=keys,
    )


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


def _attestation_key(text: str) -> str:
    """The fingerprint that `text` is, or that of the public key (PEM) in the file that it names."""
    if re.fullmatch(r"(sha256:)?[0-9a-f]{64}", text):
        return f"sha256:{text[-64:]}"
    from sealwright_stages.attestation.judge import LIMIT, fingerprint, read_key  # noqa: PLC0415
    from sealwright_stages.files import read_small  # noqa: PLC0415

    try:
        return fingerprint(read_key(read_small(Path(text), LIMIT, follow=True)))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        told = "name the file of a public key in PEM, or its fingerprint: sha256: and 64 hex digits"
        raise ManifestError("--attestation-key", f"{text}: {why or error}", told) from error


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
