"""Rotation of a keyring as TUF rotates its root role (TUF specification, section 5.3, "Update the root role").

- A version counts when `threshold` of the signers of the version before it have signed the list over it, and
  `threshold` of its own, each by the keys that the version which asks for them names (5.3.4). The first one answers
  for itself.
- Versions are consecutive, and none is passed over (5.3.5).
- Persons are counted, not keys and not signatures. One person of each version can be the same.
- A key is judged by the certificate that the asking version holds, as of when it signed: what expired or was revoked
  later undoes no step (5.3.6), for to replace such keys is what steps are for.
- The newest version's own signers are judged as of now where a release is begun (5.3.10).
- Each signature that lies there is a good one for a person of either version; else nothing counts.
- From a version that is trusted the way leads to newer ones alone, and only if the chain has those very bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from sealwright_keyring.detached import Purpose, Tools, verdicts_of
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import Policy
from sealwright_keyring.policy_sums import MAKE, SUMS, check_sums
from sealwright_keyring.threshold import count_persons, rotated
from sealwright_keyring.verdicts import Bad, Good, Verdict, Weak
from sealwright_keyring.versions import Held, read_versions

_PASSED_OVER = frozenset({"signature-unknown-key", "key-revoked", "key-expired-at-signing"})
"""What one version may say of a signature that is good by the other."""
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Count:
    """Who of a version's signers has signed, and how many of them must."""

    version: int
    signers: tuple[str, ...]
    threshold: int
    persons: tuple[str, ...] = ()

    @property
    def enough(self) -> bool:
        """Whether as many as must have signed."""
        return len(self.persons) >= self.threshold

    @property
    def missing(self) -> tuple[str, ...]:
        """The signers who have not."""
        return tuple(name for name in self.signers if name not in self.persons)


@dataclass(frozen=True)
class Step:
    """How a version came to count: by `old`, the one before it (None: it is the first), and by itself.

    `trouble` is why it does not count; empty if it does. `accepted` are the SHA-256 of the good signatures' packets and
    files.
    """

    version: int
    policy_sha256: str
    old: Count | None
    new: Count
    trouble: str = ""
    accepted: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def counts(self) -> bool:
        """Whether the version counts."""
        return not self.trouble

    def told(self) -> Mapping[str, object]:
        """The step as JSON can say it."""
        halves = {"old": self.old, "new": self.new}
        counts = {
            name: {"persons": list(half.persons), "threshold": half.threshold}
            for name, half in halves.items()
            if half
        }
        return {"version": self.version, "policy_sha256": self.policy_sha256, **counts}


@dataclass(frozen=True)
class Clock:
    """As of when a chain is judged; `fresh` if its newest version's signers must be good now, too."""

    as_of: datetime = field(default_factory=lambda: datetime.now(UTC))
    fresh: bool = False


def follow(trusted: Policy, folder: Path, tools: Tools | None = None, clock: Clock | None = None) -> Policy:
    """The newest policy in the keyring folder `folder` that a chain from `trusted` leads to.

    Raises:
        KeyringError: there is no chain, it goes back, it forks, or a step does not count; with the step and who is
            missing.
    """
    versions = read_versions(folder)
    way_from(trusted, versions, judge(versions, tools, clock, since=_number(trusted)))
    return versions[-1].policy


def judge(
    versions: Sequence[Held], tools: Tools | None = None, clock: Clock | None = None, since: int = 0
) -> tuple[Step, ...]:
    """Each version after number `since` as a step, the oldest first, whether it counts or not."""
    tools, clock = tools or Tools(), clock or Clock()
    before: list[Held | None] = [None, *versions]
    return tuple(
        _step(old, new, tools, Clock(clock.as_of, clock.fresh and new is versions[-1]))
        for old, new in zip(before, versions, strict=False)
        if new.version.number > since
    )


def way_from(trusted: Policy, versions: Sequence[Held], steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps by which `trusted` leads to the last of `versions`, each of which counts.

    Raises:
        KeyringError: as `follow`.
    """
    number = _number(trusted)
    if not versions:
        raise _refused("it says no version, and the keyring that is trusted does", "ask for the whole keyring")
    last = versions[-1].version.number
    if number > last:
        because = f"it goes back: it is version {last}, and version {number} is trusted already"
        raise _refused(because, "ask for the newest keyring; what is older counts no more")
    if versions[number - 1].policy.sha256 != trusted.sha256:
        because = f"its version {number} is another than the version {number} that is trusted"
        raise _refused(because, "find out who made two of them; until then trust neither")
    way = tuple(step for step in steps if step.version > number)
    require(way)
    return way


def require(steps: Sequence[Step]) -> None:
    """Refuse a chain with a step that does not count.

    Raises:
        KeyringError: the first such step, why, and who is missing.
    """
    for step in steps:
        if not step.counts:
            raise KeyringError(
                f"version {step.version} of the keyring",
                step.trouble,
                "have it signed as both versions say; see `sealwright keyring history`",
            )


def in_words(step: Step) -> str:
    """Who signed a version, as a clause."""
    halves = [
        f"{', '.join(half.persons) or 'nobody'} ({half.threshold} of version {half.version} needed)"
        for half in (step.old, step.new)
        if half
    ]
    return f"version {step.version} by {' and '.join(halves)}"


def _number(policy: Policy) -> int:
    if policy.version is None:
        raise _refused("the keyring that is trusted says no version", "compare the two by hand")
    return policy.version.number


def _refused(because: str, next_step: str) -> KeyringError:
    return KeyringError("the keyring", because, next_step)


class _TroubleError(Exception):
    """Inside a step: why it does not count."""


def _step(old: Held | None, new: Held, tools: Tools, clock: Clock) -> Step:
    sides = [held for held in (old, new) if held]
    counts = [Count(s.version.number, s.version.signers, s.version.threshold) for s in sides]
    trouble, accepted = "", frozenset[str]()
    try:
        _in_order(old, new, clock)
        found, accepted = _good_for(sides, new, tools, clock)
        counts = [
            Count(count.version, count.signers, count.threshold, _persons(good, side))
            for count, good, side in zip(counts, found, sides, strict=True)
        ]
        trouble = "; ".join(filter(None, map(_lacking, counts)))
    except _TroubleError as error:
        trouble = str(error)
    except KeyringError as error:
        trouble = f"{error.what}: {error.because}"
    first = counts[0] if old else None
    return Step(new.version.number, new.policy.sha256, first, counts[-1], trouble, accepted)


def _in_order(old: Held | None, new: Held, clock: Clock) -> None:
    if old and new.version.number != old.version.number + 1:
        raise _TroubleError(f"it comes after version {old.version.number}, and passes some over")
    if not old and new.version.number != 1:
        raise _TroubleError("the versions before it are missing")
    since, before = new.version.since, old.version.since if old else None
    if since and before and since < before:
        raise _TroubleError(f"it is since {since}, and the version before it since {before}")
    if since and since > (clock.as_of + _DAY).date():
        raise _TroubleError(f"it is since {since}, and that is still to come")


def _good_for(
    sides: Sequence[Held], new: Held, tools: Tools, clock: Clock
) -> tuple[list[list[Verdict]], frozenset[str]]:
    """The good signatures over the list of `new` for each side, and the SHA-256 of all of them."""
    text = new.beside.get(SUMS)
    if text is None:
        raise _TroubleError(f"the list {SUMS} is missing: {MAKE}")
    check_sums(new.policy.folder, text, new.policy.files)
    since = new.version.since
    signed_at = min(datetime.combine(since, time(), UTC), clock.as_of) if since else clock.as_of
    good: list[list[Verdict]] = [[] for _ in sides]
    accepted: set[str] = set()
    for name, file in new.beside.items():
        if name == SUMS:
            continue
        for row in _rows(file, text, sides, tools, (signed_at, clock.fresh)):
            for verdict in row:
                _demand(verdict, name, text)
            takers = [number for number, verdict in enumerate(row) if isinstance(verdict, Good)]
            if not takers:
                raise _TroubleError(f"{name}: {_worst(row)}")
            for number in takers:
                good[number].append(row[number])
            named = row[takers[0]].evidence
            accepted.add(str(named.get("packet_sha256", named.get("signature_sha256"))))
        accepted.add(hashlib.sha256(file).hexdigest())
    return good, frozenset(accepted)


def _rows(
    file: bytes, text: bytes, sides: Sequence[Held], tools: Tools, when: tuple[datetime, bool]
) -> list[tuple[Verdict, ...]]:
    """For each signature of a file what each side says of it; `when` are the time and whether the last is fresh."""
    signed_at, fresh = when
    columns = []
    for side in sides:
        newest = side is sides[-1]
        purpose = Purpose("file", signed_at, judged_at_signing=not (fresh and newest))
        persons = [person for person in side.policy.persons.values() if person.covers(None)]
        found = verdicts_of(file, text, side.policy.certificates, persons, purpose, tools)
        columns.append(rotated(found, persons) if newest else list(found))
    if len({len(column) for column in columns}) != 1:
        raise _TroubleError("the two versions' keys give different numbers of signatures")
    return list(zip(*columns, strict=True))


def _demand(verdict: Verdict, name: str, text: bytes) -> None:
    """Refuse what no other version's word can make good."""
    if isinstance(verdict, Weak) or (isinstance(verdict, Bad) and verdict.reason_code not in _PASSED_OVER):
        raise _TroubleError(f"{name}: {verdict.sentence}")
    if isinstance(verdict, Good) and verdict.evidence.get("data_sha256") != hashlib.sha256(text).hexdigest():
        raise _TroubleError(f"{name}: the verifier was fed other bytes than those that are meant")


def _worst(row: Sequence[Verdict]) -> str:
    """Why a signature is good for no side; that it is a stranger's goes last."""
    refused = [each for each in row if isinstance(each, Bad)]
    return min(refused, key=lambda each: each.reason_code == "signature-unknown-key").sentence


def _persons(good: Sequence[Verdict], side: Held) -> tuple[str, ...]:
    signers = [side.policy.persons[name] for name in side.version.signers]
    return tuple(sorted(count_persons(good, signers)))


def _lacking(count: Count) -> str:
    if count.enough:
        return ""
    who = ", ".join(count.persons) or "nobody"
    needed = f"{count.threshold} of {', '.join(count.signers)} must sign it, as version {count.version} says"
    return f"{needed}; {who} did, missing: {', '.join(count.missing)}"
