"""The policy's own signature, checked again offline from what lies in the evidence folder.

- Where the manifest wants it, the list, its signatures and the log must agree: who signed, over which list.
- A signature is judged as of when the log began. Revoked keys count nothing, whenever they signed.
- A person whom the reviewer's keyring has counts by the keys there, and within the limits there, only. For one whom it
  doesn't have the folder's own keys count, and that is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import Policy, load_policy
from sealwright_stages.findings import Finding, advice, bad, good
from sealwright_stages.manifest import Manifest
from sealwright_stages.policy_signature import SUMS, as_of, judged_again
from sealwright_stages.reviewer import Reviewer
from sealwright_stages.state import State

_WHAT = "policy"


def policy_signature(
    folder: Path,
    manifest: Manifest,
    own: Policy,
    state: State,
    reviewer: Reviewer,
    beside: Collection[str] = (),
) -> tuple[Collection[str], list[Finding]]:
    """What is found of it, and the names of the files in `folder` that it consists of; none if none is wanted.

    `beside` are good signatures by which the keyring's versions count.
    """
    names, threshold = manifest.policy_signers, manifest.policy_threshold
    if not names:
        return (), []
    trusted, told = _keys(own, reviewer, names)
    try:
        purpose = as_of(datetime.fromisoformat(state.first_t))
        files, persons = judged_again(folder, own, trusted, names, threshold, purpose, beside)
    except (KeyringError, ValueError) as error:
        because = error.because if isinstance(error, KeyringError) else str(error)
        return (), [*told, bad(_WHAT, f"its own signature: {because}", "policy-signed")]
    logged = state.policy_signed
    said = hashlib.sha256(files[SUMS]).hexdigest(), threshold
    if logged is None or (logged.sums_sha256, logged.threshold) != said:
        return files, [
            *told,
            bad(_WHAT, "the log does not say that this list over it was signed", "policy-signed"),
        ]
    if strange := sorted(set(logged.persons.split()) ^ set(persons)):
        return files, [
            *told,
            bad(_WHAT, f"log and signatures disagree on whether {strange[0]} signed it", "policy-signed"),
        ]
    return files, [
        *told,
        good(_WHAT, f"signed itself by {', '.join(persons)}; {threshold} needed", "policy-signed"),
    ]


def _keys(own: Policy, reviewer: Reviewer, names: Collection[str]) -> tuple[Policy, list[Finding]]:
    """Whose keys count, with what a reviewer must know of that."""
    if reviewer.keyring is None:
        return own, []  # that the keys are the folder's is said once, of all signatures
    try:
        theirs = reviewer.policy or load_policy(reviewer.keyring)
    except KeyringError:
        return own, []  # said of all signatures too, and a no
    strange = [name for name in names if name not in theirs.persons]
    told = [
        advice(_WHAT, f"your keyring has no {name}: such a signature is judged by the folder's own keys")
        for name in strange
    ]
    persons = {name: (theirs if name in theirs.persons else own).persons.get(name) for name in names}
    known = {name: person for name, person in persons.items() if person is not None}
    return replace(theirs, persons=known, certificates=(*theirs.certificates, *own.certificates)), told
