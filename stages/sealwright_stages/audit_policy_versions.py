"""The versions of the keyring, checked again offline, and where the reviewer's own keyring stands among them.

- A keyring of version 2 or later lies there with all before it; each step counts, and the log says the same of it.
- A reviewer whose keyring is an older version is led to the release's by the steps; it is that which counts then. A
  chain that does not hold, or that is not of this keyring, is a no.
- A reviewer whose keyring is newer has the release's version in its history, by steps that count; else it is a no. Of
  the release's signers only those count whom the newer version has still, with the keys that both name: what was taken
  out since may have been stolen, and a signature says by itself when it was made.
- A keyring without a version, on either side, is held against the other by its persons alone, as ever.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import Person, Policy, load_policy
from sealwright_keyring.rotation import Clock, Step, in_words
from sealwright_stages.findings import Finding, advice, bad, good
from sealwright_stages.policy_chain import PolicyChain, read_chain
from sealwright_stages.reviewer import Reviewer
from sealwright_stages.state import State

_RULE = "policy-rotated"


@dataclass(frozen=True)
class Versions:
    """What is found of them. `files` are those in the folder that they consist of; `theirs` is the policy that the
    reviewer's keyring leads to (None: no keyring, or one that can't be read); `accepted` as of a `PolicyChain`."""

    findings: list[Finding]
    files: Collection[str] = ()
    theirs: Policy | None = None
    accepted: frozenset[str] = frozenset()


def policy_versions(own: Policy, state: State, logged: tuple[str, ...], reviewer: Reviewer) -> Versions:
    """Check the versions of `own`, the keyring in the evidence folder; `logged` are their SHA-256, as the log has them."""
    try:
        clock = Clock(datetime.fromisoformat(state.first_t))
        chain = read_chain(own, clock)
    except (KeyringError, ValueError) as error:
        told = f"{error.what}: {error.because}" if isinstance(error, KeyringError) else str(error)
        return Versions([bad("policy", told, _RULE)])
    findings = [_as_logged(chain, logged)] if chain else []
    theirs, more = _theirs(own, chain, reviewer.keyring, clock)
    if chain is None:
        return Versions([*findings, *more], (), theirs)
    return Versions([*findings, *more], chain.files, theirs, chain.accepted)


def _as_logged(chain: PolicyChain, logged: tuple[str, ...]) -> Finding:
    """That the log says the same; the rules have held what it says against itself."""
    if logged != tuple(step.policy_sha256 for step in chain.steps):
        return bad("policy", f"the log does not say that these {chain.number} versions led to it", _RULE)
    return good("policy", f"version {chain.number} of its keyring, {_led(chain.steps)}", _RULE)


def _led(steps: Collection[Step]) -> str:
    count = len(steps)
    return f"by {count} signed step{'' if count == 1 else 's'}: {'; '.join(map(in_words, steps))}"


def _theirs(
    own: Policy, chain: PolicyChain | None, keyring: Path | None, clock: Clock
) -> tuple[Policy | None, list[Finding]]:
    """Whose keys count for the reviewer, and what there is to say of it."""
    if keyring is None:
        return None, []
    try:
        theirs = load_policy(keyring)
    except KeyringError:
        return None, []  # said of all signatures, and a no
    if theirs.version is None or own.version is None or theirs.sha256 == own.sha256:
        return theirs, []
    mine, its = theirs.version.number, own.version.number
    try:
        if mine > its:
            return _newer(own, theirs, clock)
        if chain is None:
            raise KeyringError("the keyring", f"it is another version {its} than yours", "")
        steps = chain.way_from(theirs)
    except KeyringError as error:
        told = f"your keyring (version {mine}) and the release's (version {its}): {error.because}"
        return theirs, [bad("keyring", told, _RULE)]
    return own, [good("keyring", f"your keyring (version {mine}) leads to version {its} {_led(steps)}", _RULE)]


def _newer(own: Policy, theirs: Policy, clock: Clock) -> tuple[Policy, list[Finding]]:
    """The reviewer's keyring is newer: what of it counts for a release of back then.

    Raises:
        KeyringError: the release's version does not lead to it.
    """
    assert own.version is not None and theirs.version is not None  # noqa: S101 - the caller looked
    chain = read_chain(theirs, clock)
    if chain is None:
        raise KeyringError("the keyring", "yours has no history to find the release's in", "")
    steps = chain.way_from(own)
    known = {
        name: still for name, person in theirs.persons.items() if (still := _still(person, own.persons.get(name)))
    }
    mine, its = theirs.version.number, own.version.number
    told = f"the release's (version {its}) is in the history of yours (version {mine}), which it leads to {_led(steps)}"
    findings = [good("keyring", told, _RULE), *_gone(own, known, mine)]
    return replace(theirs, persons=known), findings


def _still(now: Person, then: Person | None) -> Person | None:
    """A person with the keys that both versions name."""
    if then is None:
        return None
    both = replace(
        now,
        openpgp=tuple(key for key in now.openpgp if key in then.openpgp),
        ssh=tuple(key for key in now.ssh if key.fingerprint in then.fingerprints),
        minisign=tuple(key for key in now.minisign if key.fingerprint in then.fingerprints),
        ed25519=tuple(key for key in now.ed25519 if key.fingerprint in then.fingerprints),
    )
    return both if both.openpgp or both.ssh or both.minisign else None


def _gone(own: Policy, known: Collection[str], mine: int) -> Iterator[Finding]:
    """Who signed for the release's version, and counts no more."""
    assert own.version is not None  # noqa: S101 - the caller looked
    for name, person in own.persons.items():
        if person.covers(None) and name not in known:
            told = (
                f"{name}, or each key of {name}'s, was taken out of your keyring by version {mine}: not counted. To "
                f"judge this release by its own version, name that: --keyring DIR/history/{own.version.number}"
            )
            yield advice("keyring", told, _RULE)
