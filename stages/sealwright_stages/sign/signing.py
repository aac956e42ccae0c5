"""The sign stage: show the signer what it is to sign, and believe nothing of it before it is verified.

- What is signed: `SHA256SUMS`, the log's `SHA256SUMS`, and the provenance statement in its DSSE envelope.
- A person types the first digits of the digest and the release's name, or the signer's own policy speaks.
- Each signature is verified, strictly and in a clean home, before it is written; then persons are counted.
- Signatures appear under their names whole; none is ever written that did not verify.
- Fewer persons than the release demands is no success: it says who has signed, who may, and what to do next.
- A release that has its signatures already is verified again, and not signed twice.
- Persons are counted by the policy that the run began with; if manifest or keyring were changed since, nothing is
  signed.
- An interrupted run signs nothing; what the signer gave before is written all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sealwright_stages.context import Context
from sealwright_stages.errors import InterruptedRunError, SigningError
from sealwright_stages.files import write_whole
from sealwright_stages.ports import Proposal, Signer
from sealwright_stages.seal.evidence import PUT_BACK, EvidenceFolder, policy_changed
from sealwright_stages.sign.provenance import envelope, pae
from sealwright_stages.sign.release_signatures import persons_of, signed_pairs
from sealwright_stages.verdict import Status

SUMS = ("SHA256SUMS", "log/SHA256SUMS")


@dataclass(frozen=True)
class SigningRequest:
    """What a person is asked to agree to."""

    release: str
    proposal: Proposal
    products: int
    warnings: tuple[str, ...]


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
    """
    if changed := policy_changed(context.plan):
        raise SigningError("nothing was signed", f"{changed} is not what the run began with", PUT_BACK)
    if evidence.signed:
        _still_whole(context, evidence)
        return _counted(context, evidence)
    _go_on(context)
    documents = _documents(evidence)
    signer = confirm.open_signer()
    try:
        request = _request(context, signer.propose(context.plan.manifest.release, documents, _facts(context)))
        typed = confirm.ask(request)
        _go_on(context)
        if typed is None:
            raise SigningError("nothing was signed", "the release manager said no", "run again to sign")
        signatures = signer.sign(request.proposal, typed.digest, typed.release)
    finally:
        signer.close()
    _write(context, evidence, documents, signatures)
    return _counted(context, evidence)


def _go_on(context: Context) -> None:
    context.check_work()
    if context.cancel.is_set():
        raise InterruptedRunError("nothing was signed", "the run was interrupted", "run again to sign")


def _still_whole(context: Context, evidence: EvidenceFolder) -> None:
    """Refuse evidence that was changed after it was signed; who signed is counted elsewhere."""
    from sealwright_stages.audit import Reviewer, audit  # noqa: PLC0415 - most runs don't come this way

    manifest = context.plan.manifest
    reviewer = Reviewer(manifest.keyring, manifest.signers, manifest.threshold)
    for finding in audit(evidence.folder, reviewer).findings:
        if finding.ok == "bad" and finding.what != "signatures":
            raise SigningError(
                f"{evidence.folder} was changed after it was signed",
                f"{finding.what}: {finding.detail}",
                "find out by whom; move it away and run again to make and sign it anew",
            )


def _documents(evidence: EvidenceFolder) -> dict[str, tuple[str, bytes]]:
    return {
        "SHA256SUMS": ("sha256sums", (evidence.folder / "SHA256SUMS").read_bytes()),
        "log/SHA256SUMS": ("log-sha256sums", (evidence.folder / "log" / "SHA256SUMS").read_bytes()),
        "provenance": ("dsse-payload", evidence.provenance()),
    }


def _facts(context: Context) -> dict[str, object]:
    state = context.journal.state
    warned = [item.id for item in state.items.values() if item.status is Status.WARNED]
    return {
        "components": sum(1 for c in state.components.values() if c.build_exit == 0),
        "products": len(state.products),
        "items": len(state.items),
        "warnings": warned,
        "waivers": [f"{w.item}: {w.reason} ({w.person})" for w in state.waivers],
    }


def _request(context: Context, proposal: Proposal) -> SigningRequest:
    state = context.journal.state
    warnings = tuple(f"{w.item}: {w.reason} ({w.person})" for w in state.waivers)
    return SigningRequest(context.plan.manifest.release, proposal, len(state.products), warnings)


def _write(
    context: Context,
    evidence: EvidenceFolder,
    documents: Mapping[str, tuple[str, bytes]],
    signatures: Mapping[str, bytes],
) -> None:
    if set(signatures) != set(documents):
        raise SigningError("the signer's answer", "it did not sign all that it was shown", "look at its record")
    policy, signers = context.plan.policy, context.plan.manifest.signers
    envelope_name = ""
    for name in SUMS:
        who = persons_of(signatures[name], documents[name][1], policy, signers)
        if not who:
            raise SigningError(
                f"the signature over {name}",
                "it is by none of the release's signers",
                "look at the signer's key",
            )
        envelope_name = f"provenance.{sorted(who)[0]}.dsse.json"
    payload = documents["provenance"][1]
    if not persons_of(signatures["provenance"], pae(payload), policy, signers):
        raise SigningError("the provenance's signature", "it does not verify", "look at the signer's record")
    write_whole(evidence.folder / envelope_name, envelope(payload, signatures["provenance"]))
    for name in SUMS:
        write_whole(evidence.folder / f"{name}.asc", signatures[name])


def _counted(context: Context, evidence: EvidenceFolder) -> str:
    manifest = context.plan.manifest
    per_document = [
        persons_of(signature, data, context.plan.policy, manifest.signers)
        for signature, data in signed_pairs(evidence.folder)
    ]
    persons = frozenset.intersection(*per_document) if per_document else frozenset()
    if not persons:
        raise SigningError("the evidence folder's signatures", "they do not verify", "remove them, sign again")
    signed = f"signed by {', '.join(sorted(persons))}: {len(persons)} of {manifest.threshold} needed"
    if len(persons) < manifest.threshold:
        others = " or ".join(name for name in manifest.signers if name not in persons)
        raise SigningError(
            "the release is not final yet",
            f"{signed}; the signatures that are there were kept",
            f"have {others} sign too, put the signatures together, then run again: "
            "docs/how-to/use-your-own-release-key.md",
        )
    return f"{signed}, final"
