"""Count who has signed: persons, not keys and not signatures.

- A person with two keys, two subkeys or two signatures counts once.
- A key of nobody, or of a person who was not asked for, counts nothing.
- A signature made outside the person's time counts nothing.
- What is Bad counts nothing; what is Weak counts, and whoever asks decides whether to hand it in.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sealwright_keyring.policy import Policy
from sealwright_keyring.verdicts import Good, Verdict, Weak


def count_persons(verdicts: Sequence[Verdict], policy: Policy, names: Collection[str]) -> frozenset[str]:
    """The names, out of `names`, of the persons by whose keys there is a good or weak signature."""
    found = set()
    for verdict in verdicts:
        if not isinstance(verdict, (Good, Weak)):
            continue
        person = policy.person_of(verdict.fingerprint)
        if person is not None and person.name in names and person.in_time(verdict.created.date()):
            found.add(person.name)
    return frozenset(found)
