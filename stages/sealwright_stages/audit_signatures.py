"""Who must have signed a release, by whose word, and who has.

- With a keyring of the reviewer only its keys count, and only persons whom it does not limit to components.
- Who must sign is the reviewer's word. Where the reviewer names nobody it is the release's own, and a yes says so.
- Without a keyring the keys are those of the folder itself, and a yes says so too; unless the reviewer has their full
  fingerprints, which alone count then.
- A person counts who signed the products' sums and the log's sums.
- What was signed more than a day before the log says that it was sealed is a no; less is told.
"""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.keyring_files import fingerprints_in
from sealwright_keyring.policy import Person, Policy, load_policy
from sealwright_stages.errors import SigningError
from sealwright_stages.findings import Finding, advice, bad, good, unchecked
from sealwright_stages.manifest import Manifest
from sealwright_stages.reviewer import Reviewer, Trusted
from sealwright_stages.sign.release_signatures import SIGNED, SKEW, ahead_of_seal, signed_at, signed_pairs

NOBODY = "none is signed by a person who counts"
"""What an audit says of provenances while nobody has signed."""
_COUNTED = re.compile(r"signed by [^;:]*; [0-9]+ needed")


@dataclass(frozen=True)
class Required:
    """Who counts, and how many must have signed; a yes holds `provided` that (empty: without a proviso)."""

    policy: Policy
    names: tuple[str, ...]
    threshold: int
    provided: str


def required(reviewer: Reviewer, manifest: Manifest, own: Policy) -> tuple[Required | None, list[Finding]]:
    """Who must have signed; `own` is the policy in the evidence folder. None: nothing can be counted."""
    if reviewer.trusted is not None:
        return by_fingerprint(reviewer.trusted, own, _enough(reviewer, reviewer.trusted.threshold)), []
    if reviewer.keyring is None:
        names = tuple(name for name in manifest.signers if name in own.persons and own.persons[name].covers(None))
        told = "the keys are those in the folder itself: compare their fingerprints, or name your own --keyring"
        wants = Required(own, names, _enough(reviewer, manifest.threshold), "as far as the folder's own keys go")
        return wants, [unchecked("signatures", told)]
    try:
        policy = reviewer.policy or load_policy(reviewer.keyring)
    except KeyringError as error:
        return None, [bad("keyring", f"{error.what}: {error.because}", "signers")]
    if reviewer.signers:
        return _named(reviewer, policy)
    return _by_the_release(reviewer, policy, manifest)


def by_fingerprint(trusted: Trusted, own: Policy, threshold: int) -> Required:
    """Who counts by fingerprint; a person whom `own`, the policy in the folder, limits is limited."""
    persons = {}
    held = {each for name, data in own.files.items() if name.startswith("keys/") for each in _certificates(data)}
    for name, keys in trusted.persons.items():
        known = next(filter(None, map(own.person_of, keys)), None) or Person(name, keys)
        persons[name] = replace(known, name=name, openpgp=tuple(held.intersection(keys)), ssh=(), minisign=())
    return Required(replace(own, persons=persons), tuple(persons), threshold, "")


def _certificates(data: bytes) -> tuple[str, ...]:
    """The fingerprints in a key file; none if it is of another kind."""
    try:
        return fingerprints_in(data)
    except KeyringError:
        return ()


def _enough(reviewer: Reviewer, asked: int) -> int:
    """How many persons must have signed; of one builder's part, one: the others are counted over all builders."""
    return 1 if reviewer.part else asked


def _named(reviewer: Reviewer, policy: Policy) -> tuple[Required | None, list[Finding]]:
    strange = [name for name in reviewer.signers if name not in policy.persons]
    scoped = [name for name in reviewer.signers if name not in strange and not policy.persons[name].covers(None)]
    findings = [bad("keyring", f"it has no person called {name}", "signers") for name in strange]
    findings += [
        bad("keyring", f"{name} may vouch for components only, not for a release", "signers") for name in scoped
    ]
    names = tuple(name for name in reviewer.signers if name not in (*strange, *scoped))
    return Required(policy, names, reviewer.threshold or _enough(reviewer, len(reviewer.signers)), ""), findings


def _by_the_release(
    reviewer: Reviewer, policy: Policy, manifest: Manifest
) -> tuple[Required | None, list[Finding]]:
    names = tuple(n for n in manifest.signers if n in policy.persons and policy.persons[n].covers(None))
    findings = [
        advice("signatures", f"the release names {name}, who is no release signer in your keyring: not counted")
        for name in manifest.signers
        if name not in names
    ]
    own = f"{manifest.threshold} of {', '.join(manifest.signers)}"
    told = f"the release itself says that {own} must sign; say it yourself: --signers NAME,NAME --threshold N"
    threshold = reviewer.threshold or _enough(reviewer, manifest.threshold)
    provided = f"if {threshold} of {', '.join(names) or 'nobody'} is who must sign it"
    return Required(policy, names, threshold, provided), [*findings, unchecked("signatures", told)]


def only_lacks(finding: Finding) -> bool:
    """Whether a bad finding says no more than that persons have not signed yet."""
    if finding.what == "provenance":
        return finding.detail == NOBODY
    absent = (f"{name}.asc: {os.strerror(errno.ENOENT)}" for name in SIGNED)
    return finding.what == "signatures" and (
        _COUNTED.fullmatch(finding.detail) is not None or finding.detail.endswith(tuple(absent))
    )


def signatures(evidence: Path, wants: Required, sealed: str) -> list[Finding]:
    """Whether enough persons have signed both sums, after the log was sealed (when, as its seal says)."""
    try:
        counted = [
            signed_at(signature, data, wants.policy, wants.names) for signature, data in signed_pairs(evidence)
        ]
    except SigningError as error:
        return [bad("signatures", f"{error.what}: {error.because}", "signers")]
    persons = sorted(set.intersection(*(set(each) for each in counted)))
    told = f"signed by {', '.join(persons) or 'nobody'}; {wants.threshold} needed"
    if len(persons) < wants.threshold:
        return [bad("signatures", told, "signers")]
    late = [finding for each in counted for name in persons if (finding := _too_early(name, each[name], sealed))]
    late.sort(key=lambda finding: finding.ok != "bad")
    return late[:1] if late and late[0].ok == "bad" else [good("signatures", told, "signers"), *late[:1]]


def _too_early(name: str, signed: datetime, sealed: str) -> Finding | None:
    """What was signed before there was anything to sign: a clock is wrong, or a time is made up."""
    before = ahead_of_seal(signed, sealed)
    if before <= timedelta(0):
        return None
    told = f"{name} signed at {signed:%Y-%m-%dT%H:%M:%SZ}, and the log says that it was sealed at {sealed}"
    if before > SKEW:
        return bad("signatures", f"{told}: nobody signs what is not there yet", "signers")
    return advice("signatures", f"{told}: one of the two clocks is wrong", "signers")
