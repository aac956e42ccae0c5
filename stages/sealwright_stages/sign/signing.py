"""The sign stage: show the signer what it is to sign, and believe nothing of it before it is verified.

- What is signed: `SHA256SUMS`, the log's `SHA256SUMS`, and the provenance statement in its DSSE envelope.
- The signer's digest is that of these very documents, or nobody is asked.
- A person types the first digits of the digest and the release's name, or the signer's own policy speaks.
- Each signature is verified, strictly and in a clean home, before it is written; then persons are counted.
- Signatures appear under their names whole; none is ever written that did not verify. They are added to those that lie
  there, and a person who has signed already is not asked again: see `papers`.
- What was written is shown to gpg, gpgv, sqv and sha256sum, as it lies on the disk: see `outside`. If one of them does
  not agree, what was written goes again.
- Fewer persons than the release demands is no success: it says who has signed, who may, and what to do next.
- A release that has enough signatures already is verified again, and no signer is opened.
- The page in the evidence is written anew once the signatures are; if that was cut short, the next run does it.
- Where several builders must agree, what one of them signed is not final, however many persons signed it.
- Persons are counted by the policy that the run began with; if manifest or keyring were changed since, nothing is
  signed.
- An interrupted run signs nothing; what the signer gave before is written all the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sealwright_keyring.policy import Policy
from sealwright_stages.context import Context
from sealwright_stages.errors import InterruptedRunError, NotFinalError, SigningError
from sealwright_stages.finish import Act, Thing, digest_over
from sealwright_stages.finish import Signer as Signing
from sealwright_stages.ports import Proposal, Signer
from sealwright_stages.seal.evidence import PUT_BACK, EvidenceFolder, policy_changed
from sealwright_stages.sign.outside import asked_outside, told
from sealwright_stages.sign.papers import Papers, alone, sweep
from sealwright_stages.sign.release_signatures import SIGNED


@dataclass(frozen=True)
class SigningRequest:
    """What a person is asked to agree to."""

    release: str
    proposal: Proposal
    products: int
    warnings: tuple[str, ...]
    things: tuple[Thing, ...] = ()


@dataclass(frozen=True)
class Typed:
    """What the person typed: the digest's first digits and the release's name; empty for a policy's yes."""

    digest: str
    release: str


@dataclass(frozen=True)
class Confirm:
    """How to reach the signer, and how to ask the person. `ask` gives None for a no."""

    open_signer: Callable[[], Signer]
    ask: Callable[[SigningRequest], Typed | None]


def sign_release(context: Context, evidence: EvidenceFolder, confirm: Confirm) -> str:
    """Sign what lies in the evidence folder; says how many persons have.

    Raises:
        SigningError: refused, unreachable, or what came back does not verify, and nothing was written; or what
            was written is not enough yet.
        NotFinalError: it is signed, and other builders must agree.
    """
    finishing = context.finishing
    finishing.know(**_whose(context), folder=str(evidence.folder))
    with finishing.step(Act.POLICY, "manifest and keyring are those that the run began with"):
        if changed := policy_changed(context.plan):
            raise SigningError("nothing was signed", f"{changed} is not what the run began with", PUT_BACK)
    with alone(evidence.folder):
        sweep(evidence.folder)
        return _signed(context, evidence, confirm)


def _signed(context: Context, evidence: EvidenceFolder, confirm: Confirm) -> str:
    finishing = context.finishing
    signatures: Mapping[str, bytes] | None = None
    if evidence.signed:
        with finishing.step(Act.ROOT) as say:
            evidence.remember()
            _still_whole(context, evidence)
            say(f"{evidence.log_that_was_checked()}; nothing was changed since it was signed")
        papers = _papers(context, evidence)
        manifest = context.plan.manifest
        least = 1 if manifest.builders > 1 else manifest.threshold  # over several builders `join` counts
        if len(papers.signed_by()) < least:
            _go_on(context)
            signatures = _asked(context, evidence, confirm, papers)
    else:
        _go_on(context)
        papers = _papers(context, evidence)
        signatures = _asked(context, evidence, confirm, papers)
    with finishing.step(Act.VERIFY) as say:
        files: Mapping[str, bytes] = papers.tidied() if evidence.signed else {}
        new = ""
        if signatures is not None:
            evidence.check_untouched()
            files, new = papers.answer(signatures).files, "what the signer gave is good, and is written; "
        with papers.written(files):
            say(f"{new}{told(asked_outside(papers.folder, papers.policy, papers.names))}")
    evidence.write_page()
    with finishing.step(Act.COUNT) as say:
        counted = _counted(context, papers)
        say(counted)
    return counted


def _asked(
    context: Context, evidence: EvidenceFolder, confirm: Confirm, papers: Papers
) -> Mapping[str, bytes] | None:
    """What the signer signs, if the person agrees; None if whoever holds its key has signed already."""
    documents = papers.documents()
    finishing, things = context.finishing, things_of(documents)
    finishing.know(things=things)
    with contextlib.ExitStack() as stack:
        with finishing.step(Act.SIGNER) as say:
            signer = confirm.open_signer()
            stack.callback(signer.close)
            proposal = signer.propose(context.plan.manifest.release, documents, evidence.folder / "log")
            finishing.know(asked=proposal.keys)
            if proposal.digest != digest_over(things):
                raise SigningError(
                    "the signer's digest",
                    "it is not that of what it was shown",
                    "look at the signer, and its record",
                )
            say(f"it has read the {len(documents)} documents")
        if again := papers.signed_by() & owners(papers.policy, proposal.keys):
            with finishing.step(Act.ANSWER) as say:
                say(f"nobody is asked: {', '.join(sorted(again))} has signed already")
            return None
        with finishing.step(Act.ANSWER, "a person is asked") as say:
            typed = confirm.ask(_request(context, proposal, things))
            _go_on(context)
            if typed is None:
                raise SigningError("nothing was signed", "the release manager said no", "run again to sign")
            say("yes, with digits and name" if typed.digest else "left to the signer's own policy")
        with finishing.step(Act.KEY) as say:
            evidence.check_untouched()
            signatures = signer.sign(proposal, typed.digest, typed.release)
            say(f"the signer gave {len(signatures)} signatures")
    return signatures


def _whose(context: Context) -> dict[str, object]:
    """Who may sign, and where the signer is, for the faces."""
    manifest, policy = context.plan.manifest, context.plan.policy
    persons = (policy.persons.get(name) for name in manifest.signers)
    signers = tuple(Signing(each.name, each.openpgp) for each in persons if each is not None)
    elsewhere = shlex.join(manifest.signer_transport)
    where = elsewhere or f"on this machine, with the key home {manifest.signer_home}"
    return {"signers": signers, "threshold": manifest.threshold, "signed_files": SIGNED, "where": where}


def owners(policy: Policy, keys: Sequence[str]) -> frozenset[str]:
    """The persons whose keys a signer says that it has."""
    return frozenset(person.name for key in keys if (person := policy.person_of(key)) is not None)


def things_of(documents: Mapping[str, tuple[str, bytes]]) -> tuple[Thing, ...]:
    return tuple(
        Thing(name, kind, hashlib.sha256(data).hexdigest(), len(data)) for name, (kind, data) in documents.items()
    )


def _go_on(context: Context) -> None:
    context.check_work()
    if context.cancel.is_set():
        raise InterruptedRunError("nothing was signed", "the run was interrupted", "run again to sign")


def _still_whole(context: Context, evidence: EvidenceFolder) -> None:
    """Refuse evidence that was changed after it was signed; who signed is counted elsewhere."""
    from sealwright_stages.audit import Reviewer, audit  # noqa: PLC0415 - most runs don't come this way

    manifest = context.plan.manifest
    reviewer = Reviewer(manifest.keyring, manifest.signers, manifest.threshold, part=True)
    for finding in audit(evidence.folder, reviewer).findings:
        if finding.ok == "bad" and finding.what != "signatures":
            raise SigningError(
                f"{evidence.folder} was changed after it was signed",
                f"{finding.what}: {finding.detail}",
                "find out by whom; move it away and run again to make and sign it anew",
            )


def _papers(context: Context, evidence: EvidenceFolder) -> Papers:
    plan = context.plan
    return Papers(
        evidence.folder, evidence.provenance(), plan.policy, plan.manifest.signers, context.journal.state.last_t
    )


def _request(context: Context, proposal: Proposal, things: tuple[Thing, ...]) -> SigningRequest:
    state = context.journal.state
    warnings = tuple(f"{w.item}: {w.reason} ({w.person})" for w in state.waivers)
    return SigningRequest(context.plan.manifest.release, proposal, len(state.products), warnings, things)


def _counted(context: Context, papers: Papers) -> str:
    manifest = context.plan.manifest
    persons, checks = papers.counted()
    context.finishing.know(checks=checks)
    if not persons:
        raise SigningError("the evidence folder's signatures", "they do not verify", "remove them, sign again")
    signed = f"signed by {', '.join(sorted(persons))}: {len(persons)} of {manifest.threshold} needed"
    if manifest.builders > 1:
        what = f"signed, not final: 1 of {manifest.builders} builders"
        raise NotFinalError(
            what, signed, f"publish {papers.folder}, and join it with the others': sealwright join"
        )
    if len(persons) < manifest.threshold:
        others = " or ".join(name for name in manifest.signers if name not in persons)
        raise SigningError(
            "the release is not final yet",
            f"{signed}; the signatures that are there were kept",
            f"have {others} sign too, here or on a copy: sealwright sign "
            f"{shlex.quote(str(papers.folder))} --home DIR; see docs/how-to/sign-with-several-persons.md",
        )
    return f"{signed}, final"
