"""The sign stage: show the signer what it is to sign, and believe nothing of it before it is verified.

- What is signed: `SHA256SUMS`, the log's `SHA256SUMS`, and the provenance statement in its DSSE envelope.
- The signer's digest is that of these very documents, or nobody is asked.
- A person types the first digits of the digest and the release's name, or the signer's own policy speaks.
- Each signature is verified, strictly and in a clean home, before it is written; then persons are counted.
- Signatures appear under their names whole; none is ever written that did not verify.
- Fewer persons than the release demands is no success: it says who has signed, who may, and what to do next.
- Where several builders must agree, what one of them signed is not final, however many persons signed it.
- A release that has its signatures already is verified again, and not signed twice.
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
from datetime import UTC, datetime

from sealwright_keyring.openpgp import Good
from sealwright_stages.context import Context
from sealwright_stages.errors import InterruptedRunError, NotFinalError, SigningError
from sealwright_stages.files import write_whole
from sealwright_stages.finish import Act, Check, Thing, digest_over
from sealwright_stages.finish import Signer as Signing
from sealwright_stages.ports import ED25519, Proposal, Signer
from sealwright_stages.seal.evidence import PUT_BACK, EvidenceFolder, policy_changed
from sealwright_stages.sign.dsse import envelope, opened, pae, raw_by
from sealwright_stages.sign.release_signatures import SIGNED, SKEW, ahead_of_seal, signatures_by, signed_pairs


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
    if evidence.signed:
        with finishing.step(Act.ROOT) as say:
            _still_whole(context, evidence)
            say(f"{evidence.log_that_was_checked()}; nothing was changed since it was signed")
    else:
        _go_on(context)
        documents = _documents(evidence)
        signatures = _asked(context, evidence, confirm, documents)
        with finishing.step(Act.VERIFY, "what the signer gave is good, and is written"):
            evidence.check_untouched()
            _write(context, evidence, documents, signatures)
    with finishing.step(Act.COUNT) as say:
        counted = _counted(context, evidence)
        say(counted)
    return counted


def _asked(
    context: Context, evidence: EvidenceFolder, confirm: Confirm, documents: Mapping[str, tuple[str, bytes]]
) -> Mapping[str, bytes]:
    """What the signer signs, if the person agrees."""
    finishing, things = context.finishing, _things(documents)
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


def _things(documents: Mapping[str, tuple[str, bytes]]) -> tuple[Thing, ...]:
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


def _documents(evidence: EvidenceFolder) -> dict[str, tuple[str, bytes]]:
    return {
        "SHA256SUMS": ("sha256sums", (evidence.folder / "SHA256SUMS").read_bytes()),
        "log/SHA256SUMS": ("log-sha256sums", (evidence.folder / "log" / "SHA256SUMS").read_bytes()),
        "provenance": ("dsse-payload", evidence.provenance()),
    }


def _request(context: Context, proposal: Proposal, things: tuple[Thing, ...]) -> SigningRequest:
    state = context.journal.state
    warnings = tuple(f"{w.item}: {w.reason} ({w.person})" for w in state.waivers)
    return SigningRequest(context.plan.manifest.release, proposal, len(state.products), warnings, things)


def _write(
    context: Context,
    evidence: EvidenceFolder,
    documents: Mapping[str, tuple[str, bytes]],
    signatures: Mapping[str, bytes],
) -> None:
    if set(signatures) - {ED25519} != set(documents):
        raise SigningError("the signer's answer", "it did not sign all that it was shown", "look at its record")
    policy, signers = context.plan.policy, context.plan.manifest.signers
    payload = documents["provenance"][1]
    by: list[frozenset[str]] = []
    shown = {name: data for name, (_, data) in documents.items()} | {"provenance": pae(payload)}
    for name, data in shown.items():
        found = signatures_by(signatures[name], data, policy, signers)
        if not found:
            because = "it does not verify as one by any of the release's signers"
            raise SigningError(f"the signature over {name}", because, "look at the signer's key and its record")
        _in_time(context, name, found)
        by.append(frozenset(person for person, _ in found))
    if not (all_three := frozenset.intersection(*by)):
        because = "no person has signed all that was shown"
        raise SigningError("the signer's answer", because, "look at the signer's keys and its record")
    person = min(all_three)
    enveloped = _enveloped(context, person, payload, signatures)
    write_whole(evidence.folder / f"provenance.{person}.dsse.json", enveloped)
    for name in SIGNED:
        write_whole(evidence.folder / f"{name}.asc", signatures[name])


def _enveloped(context: Context, person: str, payload: bytes, signatures: Mapping[str, bytes]) -> bytes:
    """The provenance with its signature by `person`, and a raw one if the signer gave one: as it can be read again."""
    try:
        raw = None
        if (given := signatures.get(ED25519)) is not None:
            raw = raw_by(context.plan.policy.persons[person].ed25519, given, payload)
        enveloped = envelope(payload, signatures["provenance"], raw)
        opened(enveloped)
    except ValueError as error:
        next_step = "look at the signer's keys and at signers.toml; nothing was signed"
        raise SigningError("the signature over provenance", str(error), next_step) from error
    return enveloped


def _in_time(context: Context, name: str, found: Sequence[tuple[str, Good]]) -> None:
    """Refuse what says that it was signed long before there was anything to sign: no audit would let it pass."""
    sealed = context.journal.state.last_t
    for person, good in found:
        if ahead_of_seal(good.created, sealed) > SKEW:
            told = f"{person} signed it at {_stamp(good.created)}, more than a day before the log was sealed, {sealed}"
            raise SigningError(f"the signature over {name}", told, "set the clocks right, then sign again")


def _counted(context: Context, evidence: EvidenceFolder) -> str:
    manifest = context.plan.manifest
    per_document: list[set[str]] = []
    checks: list[Check] = []
    for name, (signature, data) in zip(SIGNED, signed_pairs(evidence.folder), strict=True):
        found = signatures_by(signature, data, context.plan.policy, manifest.signers)
        _in_time(context, name, found)
        per_document.append({person for person, _ in found})
        checks += [_check(name, person, good) for person, good in found]
    context.finishing.know(checks=tuple(checks))
    persons = set.intersection(*per_document)
    if not persons:
        raise SigningError("the evidence folder's signatures", "they do not verify", "remove them, sign again")
    signed = f"signed by {', '.join(sorted(persons))}: {len(persons)} of {manifest.threshold} needed"
    if manifest.builders > 1:
        what = f"signed, not final: 1 of {manifest.builders} builders"
        raise NotFinalError(
            what, signed, f"publish {evidence.folder}, and join it with the others': sealwright join"
        )
    if len(persons) < manifest.threshold:
        others = " or ".join(name for name in manifest.signers if name not in persons)
        raise SigningError(
            "the release is not final yet",
            f"{signed}; the signatures that are there were kept",
            f"have {others} sign too, put the signatures together, then run again: "
            "docs/how-to/use-your-own-release-key.md",
        )
    return f"{signed}, final"


def _check(name: str, person: str, good: Good) -> Check:
    """What was found of a good signature, in the words of the evidence."""
    tool, second = (str(good.evidence.get(word, "")) for word in ("tool", "second_check"))
    return Check(name, person, good.fingerprint, _stamp(good.created), tool, second)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
