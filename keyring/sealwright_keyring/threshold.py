"""Count who has signed: persons, not keys and not signatures.

- A person with two keys, of whatever kinds, two subkeys or two signatures counts once.
- A key of nobody, or of a person who was not asked for, counts nothing.
- A signature made outside the person's time counts nothing; its own time of creation decides.
- A signature made after the day by which its person's key was to be replaced is Weak.
- What is Bad counts nothing; what is Weak counts, and whoever asks decides whether to hand it in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from sealwright_keyring.policy import Person
from sealwright_keyring.verdicts import CODES, Good, Verdict, Weak


def count_persons(verdicts: Sequence[Verdict], persons: Collection[Person]) -> frozenset[str]:
    """The names, out of `persons`, of those by whose keys there is a good or weak signature of their time."""
    return frozenset(person.name for person, in_time in _made_by(verdicts, persons) if in_time)


def out_of_time(verdicts: Sequence[Verdict], persons: Collection[Person]) -> frozenset[str]:
    """The names of those who signed outside of their time."""
    return frozenset(person.name for person, in_time in _made_by(verdicts, persons) if not in_time)


def rotated(verdicts: Sequence[Verdict], persons: Collection[Person]) -> list[Verdict]:
    """The verdicts, weak where the key that made a signature was to be replaced before that day (UTC)."""
    owners = _owners(persons)
    return [_rotated(verdict, owners.get(getattr(verdict, "fingerprint", ""))) for verdict in verdicts]


def _rotated(verdict: Verdict, person: Person | None) -> Verdict:
    if person is None or person.rotate_by is None or not isinstance(verdict, (Good, Weak)):
        return verdict
    if verdict.created.date() <= person.rotate_by:
        return verdict
    sentence = f"{CODES['rotation-overdue']} ({person.name}, {person.rotate_by})"
    next_step = f"ask {person.name} for a signature by a new key, or waive this by name"
    if isinstance(verdict, Weak):
        code, sentence = f"{verdict.reason_code}+rotation-overdue", f"{verdict.sentence}; {sentence}"
        return replace(verdict, reason_code=code, sentence=sentence)
    return Weak("rotation-overdue", sentence, verdict.fingerprint, verdict.created, next_step, verdict.evidence)


def _owners(persons: Collection[Person]) -> dict[str, Person]:
    return {fingerprint: person for person in persons for fingerprint in person.fingerprints}


def _made_by(verdicts: Sequence[Verdict], persons: Collection[Person]) -> Iterator[tuple[Person, bool]]:
    owners = _owners(persons)
    for verdict in verdicts:
        if isinstance(verdict, (Good, Weak)) and verdict.fingerprint in owners:
            person = owners[verdict.fingerprint]
            yield person, person.in_time(verdict.created.date())
