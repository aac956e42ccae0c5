"""`sealwright sign`: the second and the third person sign evidence, on a copy or in place.

- What is wrong with the evidence is told as `audit` tells it, and nothing is signed: exit 1.
- What will be signed is shown before anything is asked: digests, counts, warnings, waivers, who has signed.
- The person types digits and name on the terminal; with --batch nobody is asked here, and the signer's own policy or
  its own terminal decides.
- With --json all that is for people goes to stderr, and one JSON object to stdout.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealwright_console.complaints import print_json
from sealwright_console.reviewing import add_reviewer, require_evidence, reviewer_of
from sealwright_console.sanitise import clean
from sealwright_stages.errors import Exit, ManifestError

if TYPE_CHECKING:
    from sealwright_stages.sign.another import Question, Signed
    from sealwright_stages.sign.client import SignerProcess
    from sealwright_stages.sign.signing import Typed

_DIGITS = 8
_MOST = 20  # warnings or waivers that are shown one by one


def add_signing(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the command line's parser."""
    sign = commands.add_parser(
        "sign",
        help="add your signature to evidence that another person made, on a copy or in place",
        epilog="What follows --transport is the signer's argument list, so it comes last. exit codes: 0 signed, or "
        "signed already, also while others must sign too; 1 the evidence is not as it must be; 2 usage; 5 refused",
    )
    sign.add_argument("evidence", type=Path, metavar="EVIDENCE_DIR")
    sign.add_argument("--home", type=Path, metavar="DIR", help="the GnuPG home with your release key")
    sign.add_argument("--key", default="", metavar="FINGERPRINT", help="with --home: which of its keys")
    sign.add_argument("--policy", type=Path, metavar="FILE", help="with --home: the signer's own policy")
    sign.add_argument(
        "--record",
        type=Path,
        metavar="DIR",
        help="with --home: where the signer keeps its record; default: "
        "sealwright/signer in $XDG_STATE_HOME, or in ~/.local/state",
    )
    sign.add_argument("--as", dest="person", default="", metavar="NAME", help="refuse any key but this person's")
    sign.add_argument(
        "--batch", action="store_true", help="ask nobody here: the signer's policy or terminal decides"
    )
    sign.add_argument("--json", action="store_true")
    add_reviewer(sign)
    sign.add_argument(
        "--transport", nargs=argparse.REMAINDER, default=[], metavar="ARG", help="reach a signer elsewhere by this"
    )
    sign.set_defaults(run=_sign)


def _sign(options: argparse.Namespace) -> int:
    if bool(options.home) == bool(options.transport):
        raise ManifestError("sign", "it wants one signer", "name --home DIR, or --transport and what reaches it")
    if options.transport and (options.key or options.policy or options.record):
        raise ManifestError("--transport", "key, policy and record are its own there", "leave out those options")
    require_evidence(options.evidence)
    if options.home and not options.home.is_dir():
        raise ManifestError("--home", f"there is no folder {options.home}", "name the home with your release key")
    if not options.batch and not sys.stdin.isatty():
        raise ManifestError("sign", "nobody can be asked without a terminal", "use one, or --batch")
    reviewer = reviewer_of(options)
    from sealwright_stages.sign.another import sign_evidence, subject_of  # noqa: PLC0415 - quick help needs none of it

    audited, subject = subject_of(options.evidence.absolute(), reviewer)
    if subject is None:
        return _refused(audited, as_json=options.json)
    with _signer(options) as signer:
        ask = _nobody if options.batch else _person
        done = sign_evidence(subject, signer, ask, options.person)
    _say(done, options.evidence, audited.provided)
    if options.json:
        print_json(_table(done, audited.provided))
    return int(Exit.DONE)


def _refused(audited: Any, *, as_json: bool) -> int:
    if as_json:
        from sealwright_stages.audit_report import report  # noqa: PLC0415

        print_json({"signed": False, "audit": report(audited)})
    from sealwright_console.auditing import lines  # noqa: PLC0415

    _tell(*lines(audited.findings, audited.provided), "nothing was signed")
    return int(Exit.CLOSED)


@contextlib.contextmanager
def _signer(options: argparse.Namespace) -> Iterator[SignerProcess]:
    from sealwright_stages.sandbox.identity import Identities  # noqa: PLC0415
    from sealwright_stages.sign.client import SignerProcess, open_home  # noqa: PLC0415

    if options.transport:
        with contextlib.closing(SignerProcess(options.transport)) as signer:
            yield signer
        return
    identities = Identities.choose()
    try:
        record = (options.record or _state()).absolute()
        policy = options.policy.absolute() if options.policy else None
        with contextlib.closing(
            open_home(options.home.absolute(), record, policy, identities, options.key)
        ) as signer:
            yield signer
    finally:
        identities.release()


def _state() -> Path:
    try:
        base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    except RuntimeError:
        raise ManifestError("no folder for the record", "this user has no home", "give --record DIR") from None
    return Path(base) / "sealwright" / "signer"


def _nobody(question: Question) -> Typed:
    from sealwright_stages.sign.signing import Typed  # noqa: PLC0415

    _tell(*_shown(question))
    return Typed("", "")


def _person(question: Question) -> Typed | None:
    from sealwright_stages.sign.signing import Typed  # noqa: PLC0415

    _tell(*_shown(question))
    digits = _typed(f"first {_DIGITS} digits of the digest: ")
    name = _typed("name of the release: ") if digits else ""
    return Typed(digits, name) if digits and name else None


def _typed(prompt: str) -> str:
    print(prompt, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline(400).strip()


def _shown(question: Question) -> Iterator[str]:
    subject, proposal = question.subject, question.proposal
    state = subject.state
    yield f"release:  {clean(subject.manifest.release)}"
    yield f"signer:   {clean(question.person)}, key {clean(', '.join(proposal.keys))}"
    over = f", over all of {subject.manifest.builders} builders" if subject.manifest.builders > 1 else ""
    needed = f"{subject.manifest.threshold} needed{over}"
    yield f"signed:   by {clean(', '.join(question.signed)) or 'nobody'} so far; {needed}"
    yield f"products: {len(state.products)}, of {len(state.components)} components; {len(state.items)} items verified"
    yield f"warnings: {len(subject.warned)}, waivers: {len(state.waivers)}"
    yield from (f"  warning: {clean(item)}" for item in subject.warned[:_MOST])
    yield from (f"  waived: {clean(f'{w.item}: {w.reason} ({w.person})')}" for w in list(state.waivers)[:_MOST])
    yield "the signer says:"
    yield from (f"  {clean(line)}" for line in proposal.summary)
    yield f"digest:   {' '.join(proposal.digest[at : at + 4] for at in range(0, 64, 4))}"


def _say(done: Signed, evidence: Path, provided: str) -> None:
    from sealwright_stages.sign.another import command_for  # noqa: PLC0415
    from sealwright_stages.sign.outside import told  # noqa: PLC0415

    _tell(
        f"signed by {clean(done.person)}"
        if done.new
        else f"{clean(done.person)} has signed already; nothing was asked",
        *(f"  {each.tool}: {clean(each.file)}: {clean(each.said)}" for each in done.said),
        clean(told(done.said)),
        f"signed by {clean(', '.join(done.persons))}: {len(done.persons)} of {done.threshold} needed",
    )
    if provided:
        _tell(clean(f"this holds {provided}"))
    if done.builders > 1:
        _tell(
            f"next: one builder's evidence, and {done.builders} must agree: publish it, and join it with the others': "
            "sealwright join EVIDENCE..."
        )
    elif done.final:
        _tell("next: the release is final; publish it, or `sealwright audit` it with your own --keyring")
    else:
        others = clean(" or ".join(done.others)) or "somebody"
        _tell(f"next: not final yet: have {others} sign too: {clean(command_for(evidence))}")


def _table(done: Signed, provided: str) -> dict[str, object]:
    return {
        "signed": True,
        "person": done.person,
        "new": done.new,
        "persons": list(done.persons),
        "threshold": done.threshold,
        "builders": done.builders,
        "final": done.final,
        "provided": provided,
        "signatures": [
            {"file": c.file, "person": c.person, "fingerprint": c.fingerprint, "made": c.made} for c in done.checks
        ],
        "outside": [{"tool": s.tool, "file": s.file, "said": s.said} for s in done.said],
    }


def _tell(*lines: str) -> None:
    print(*lines, sep="\n", file=sys.stderr, flush=True)
