"""Count who has signed: persons, not keys and not signatures."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sealwright_keyring.policy import Policy
from sealwright_keyring.verdicts import Good, Verdict, Weak


def count_persons(verdicts: Sequence[Verdict], policy: Policy, names: Collection[str]) -> frozenset[str]:
    """The names, out of `names`, of the persons by whose keys there is a good or weak signature.

    A person with two keys, or with two signatures, counts once.
    """
    found = set()
    for verdict in verdicts:
        if isinstance(verdict, (Good, Weak)):
            person = policy.person_of(verdict.fingerprint)
            if person is not None and person.name in names:
                found.add(person.name)
    return frozenset(found)
