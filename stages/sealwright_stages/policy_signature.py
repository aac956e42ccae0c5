"""The policy's own signature: who agreed to this choice of keys, over the list of every file that it is read from.

- Where the manifest demands it, the keyring folder holds `SHA256SUMS`, which names exactly the policy's files, and
  signatures by that many of the named persons; else nothing begins.
- Persons are counted over all kinds of signatures. One who is limited to components can't vouch for the whole.
- Nothing about it can be waived: a signature that is merely weak is refused like a bad one.
- When it is checked again, each signature is judged as of when the run began, as the log says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import Person, Policy
from sealwright_keyring.policy_sums import MAKE, SIGNATURES, SUMS, check_sums, read_sums
from sealwright_stages.errors import ManifestError
from sealwright_stages.policy_chain import PolicyChain
from sealwright_stages.ports import Trust
from sealwright_stages.verdict import Passed, Verdict
from sealwright_stages.verify.signatures import FILE, Purpose, judge_signatures

__all__ = ["SIGNATURES", "SUMS", "PolicySignature", "judged_again", "signed_policy"]


@dataclass(frozen=True)
class PolicySignature:
    """Who signed the policy, over which list; `files` are the list and the signatures as they were read."""

    files: Mapping[str, bytes]
    persons: tuple[str, ...]
    threshold: int
    evidence: Mapping[str, object]

    @property
    def sums_sha256(self) -> str:
        """The SHA-256 of the list."""
        return hashlib.sha256(self.files[SUMS]).hexdigest()


def signed_policy(
    names: Collection[str], threshold: int, policy: Policy, chain: PolicyChain | None = None
) -> PolicySignature | None:
    """Check the signature of the policy by `threshold` of the persons `names`; None if it needs none.

    Signatures by which `chain` counts may lie beside theirs.

    Raises:
        ManifestError: it is missing, does not cover the policy, or is not good enough.
    """
    if not names:
        return None
    try:
        files = chain.versions[-1].beside if chain else read_sums(policy.folder)
        check_sums(policy.folder, files[SUMS], policy.files)
        persons = policy.persons_for(None, names)
    except KeyringError as error:
        raise ManifestError(error.what, error.because, error.next_step) from error
    beside = chain.accepted if chain else ()
    verdict = _judged(files, Trust(policy.certificates, persons, threshold), FILE, beside)
    if not isinstance(verdict, Passed):
        raise ManifestError(f"{policy.folder / SUMS}", verdict.reason, f"{verdict.next_step}; or {MAKE}")
    return PolicySignature(files, _persons(verdict), threshold, verdict.evidence)


def judged_again(
    folder: Path,
    own: Policy,
    trusted: Policy,
    names: Collection[str],
    threshold: int,
    purpose: Purpose,
    beside: Collection[str] = (),
) -> tuple[Mapping[str, bytes], tuple[str, ...]]:
    """Check the signature that lies in an evidence folder over the policy `own` there, by the keys of `trusted`.

    Gives the files that it consists of, and who signed. `beside` are good signatures of others.

    Raises:
        KeyringError: it is missing, does not cover the policy, or is not good enough.
    """
    files = read_sums(folder)
    check_sums(folder, files[SUMS], own.files)
    persons: tuple[Person, ...] = trusted.release_signers(names)
    verdict = _judged(files, Trust(trusted.certificates, persons, threshold), purpose, beside)
    if not isinstance(verdict, Passed):
        raise KeyringError(SUMS, verdict.reason, verdict.next_step)
    return files, _persons(verdict)


def as_of(began: datetime) -> Purpose:
    """How it is judged once more, of a run that began then."""
    return Purpose("file", signed_at=began, judged_at_signing=True)


def _judged(files: Mapping[str, bytes], trust: Trust, purpose: Purpose, beside: Collection[str]) -> Verdict:
    signatures = [data for name, data in files.items() if name != SUMS]
    what = "the policy's own signature"
    return judge_signatures(signatures, files[SUMS], trust, what, purpose=purpose, beside=beside)


def _persons(verdict: Passed) -> tuple[str, ...]:
    found = verdict.evidence["persons"]
    return tuple(str(name) for name in found) if isinstance(found, list) else ()
