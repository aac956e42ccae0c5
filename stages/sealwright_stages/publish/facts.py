"""What is told of a release when it is published, read from evidence that an audit said yes to.

- The release has the signatures that its own manifest asks for, by its own keys, whatever else the reviewer asked.
  Where several builders must agree, one signature is enough here: `join` counts them over all builders.
- `verify.py` and the pages are what this version writes. Those of another version are in no list that anybody
  signed, so they are not put before others.
- The folder of a publication is named after a signer who signed all three: both sums, and a provenance of one's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sealwright_appendlog.audit import LogReport
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.person import Person
from sealwright_keyring.policy import load_policy
from sealwright_keyring.threshold import count_persons
from sealwright_stages.audit import Audit
from sealwright_stages.audit_folder import pages
from sealwright_stages.audit_signatures import Required, required, signatures
from sealwright_stages.errors import ManifestError, PublishError, SigningError
from sealwright_stages.files import read_small
from sealwright_stages.findings import Finding
from sealwright_stages.manifest import Manifest, load
from sealwright_stages.reviewer import Reviewer
from sealwright_stages.sign.provenance import opened, pae
from sealwright_stages.sign.release_signatures import SIGNED, good_signatures, persons_of, signed_pairs
from sealwright_stages.state import State

_MAX_PROVENANCE = 256 << 20
_SIGN = "have it signed: run the release again, and put the signatures together if several must sign"


@dataclass(frozen=True)
class Signature:
    """One good signature: whose, by which key, over which file, and when it was made."""

    person: str
    fingerprint: str
    over: str
    created: datetime


@dataclass(frozen=True)
class Facts:
    """A release that may be published: `names` may sign it, by its own manifest and keyring;
    `signers` are those who signed all of it, sorted."""

    manifest: Manifest
    state: State
    report: LogReport
    names: tuple[str, ...]
    signatures: tuple[Signature, ...]
    signers: tuple[str, ...]


def read_facts(evidence: Path, found: Audit) -> Facts:
    """What `evidence` says, to which `found` was a yes.

    Raises:
        PublishError: it is not fit to be published all the same; the sentence says why.
    """
    try:
        manifest, own = load(evidence / "policy/release.toml"), load_policy(evidence / "policy")
        wants, _ = required(Reviewer(part=manifest.builders > 1), manifest, own)
        if wants is None or found.report is None:
            raise PublishError("the release", "nothing says who must have signed it", _SIGN)
        _refuse_bad(
            signatures(evidence, wants, found.state.last_t), "the release is not final by its own manifest", _SIGN
        )
        _refuse_uncompared(evidence, manifest, found.state)
        signed = tuple(signatures_in(evidence, wants))
        signers = tuple(signers_in(evidence, wants, signed))
        return Facts(manifest, found.state, found.report, wants.names, signed, signers)
    except (KeyringError, ManifestError, SigningError) as error:
        raise PublishError(error.what, error.because, error.next_step) from error
    except (OSError, ValueError) as error:
        raise PublishError("the evidence", str(error), "audit it again; something changes it") from error


def _refuse_bad(findings: list[Finding], what: str, next_step: str) -> None:
    for finding in findings:
        if finding.ok == "bad":
            raise PublishError(what, f"{finding.what}: {finding.detail}", next_step)


def _refuse_uncompared(evidence: Path, manifest: Manifest, state: State) -> None:
    for finding in pages(evidence, manifest, state):
        if finding.ok != "good":
            because = f"{finding.what}: {finding.detail}"
            stale = "run the release again, or `sealwright sign`: both write the page anew"
            other = f"publish it with Sealwright {state.tool}"
            raise PublishError("the evidence's own pages", because, stale if finding.ok == "advice" else other)


def signatures_in(evidence: Path, wants: Required) -> Iterator[Signature]:
    """Each good signature over both sums that counts.

    Raises:
        SigningError: a signature is missing, or the verifier does not work.
    """
    allowed = wants.policy.release_signers(wants.names)
    for name, (signature, data) in zip(SIGNED, signed_pairs(evidence), strict=True):
        for verdict in good_signatures(signature, data, wants.policy, wants.names):
            if count_persons([verdict], allowed):
                person = _owner(allowed, verdict.fingerprint)
                yield Signature(person, verdict.fingerprint, name, verdict.created)


def _owner(persons: tuple[Person, ...], fingerprint: str) -> str:
    return next(person.name for person in persons if fingerprint in person.fingerprints)


def signers_in(evidence: Path, wants: Required, signed: Sequence[Signature]) -> Iterator[str]:
    """Who signed both sums, as `signed` has them, and a provenance of one's own; sorted.

    Raises:
        OSError, ValueError, SigningError: a provenance is none, or can't be judged.
    """
    over = {(signature.person, signature.over) for signature in signed}
    for name in sorted(wants.names):
        path = evidence / f"provenance.{name}.dsse.json"
        if path.exists() and all((name, each) in over for each in SIGNED):
            payload, signature = opened(read_small(path, _MAX_PROVENANCE))
            if name in persons_of(signature, pae(payload), wants.policy, wants.names):
                yield name
