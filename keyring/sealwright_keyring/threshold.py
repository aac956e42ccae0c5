"""Count who has signed: persons, not keys and not signatures.

- A person with two keys, of whatever kinds, two subkeys or two signatures counts once.
- A key of nobody, or of a person who was not asked for, counts nothing.
- A signature made outside the person's time counts nothing; its own time of creation decides.
- What is Bad counts nothing; what is Weak counts, and whoever asks decides whether to hand it in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from sealwright_keyring.policy import Person
from sealwright_keyring.verdicts import Good, Verdict, Weak


def count_persons(verdicts: Sequence[Verdict], persons: Collection[Person]) -> frozenset[str]:
    """The names, out of `persons`, of those by whose keys there is a good or weak signature of their time."""
    return frozenset(person.name for person, in_time in _made_by(verdicts, persons) if in_time)


def out_of_time(verdicts: Sequence[Verdict], persons: Collection[Person]) -> frozenset[str]:
    """The names of those who signed outside of their time."""
    return frozenset(person.name for person, in_time in _made_by(verdicts, persons) if not in_time)


def _made_by(verdicts: Sequence[Verdict], persons: Collection[Person]) -> Iterator[tuple[Person, bool]]:
    owners = {fingerprint: person for person in persons for fingerprint in person.fingerprints}
    for verdict in verdicts:
        if isinstance(verdict, (Good, Weak)) and verdict.fingerprint in owners:
            person = owners[verdict.fingerprint]
            yield person, person.in_time(verdict.created.date())
