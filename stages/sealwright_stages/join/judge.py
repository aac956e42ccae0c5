"""Whether several builders of one release agree: grouped by identical `SHA256SUMS`, counted, and never by order.

- All must be of one release: name, version, manifest and keyring, each by its SHA-256. Of two releases nothing counts.
- What one log sealed once is one voice, however often it lies there; who signed any copy of it has signed it.
- Two builders are two logs and two persons: each is given a log and a signer of its own, or it isn't counted. One
  person with two machines is one builder, and so is a copied folder with two signers.
- A group counts that has enough persons and enough builders. Two such groups contradict each other, and it is a no.
- Who contradicts oneself counts nowhere: a log that was sealed twice, a person who signed two different `SHA256SUMS`.
- A voice that differs from the rest is never counted with it, so it can't make anything final.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, order=True)
class Release:
    """What is to be the same for all: the hashes are SHA-256 in hex."""

    name: str
    version: str
    manifest_sha256: str
    policy_sha256: str


@dataclass(frozen=True)
class Voice:
    """What one sealed log and its signers say: `vkey` and `root` are the log's, `sums` is the SHA-256 of `SHA256SUMS`.

    `own` have signed both sums by the release's own keys, `persons` by those of the reviewer.
    """

    release: Release
    vkey: str
    root: str
    sums: str
    own: frozenset[str]
    persons: frozenset[str]


@dataclass(frozen=True)
class Needs:
    """How many persons and builders the reviewer wants, and how many the release's own manifest."""

    persons: int
    builders: int
    own: int
    own_builders: int


@dataclass(frozen=True)
class Group:
    """The voices with identical `SHA256SUMS`, sorted; who of their signers count, and as how many builders.

    `own` and `own_builders` are counted by the release's own keys.
    """

    sums: str
    voices: tuple[Voice, ...]
    persons: frozenset[str]
    builders: int
    own: frozenset[str]
    own_builders: int

    @property
    def signers(self) -> frozenset[str]:
        """Who counts, by the keys by which fewer do."""
        return self.own if len(self.own) < len(self.persons) else self.persons

    @property
    def alike(self) -> int:
        """As how many builders they count, by the keys by which it is fewer."""
        return min(self.builders, self.own_builders)

    def counts(self, needs: Needs) -> bool:
        """Whether it has the persons and the builders that the release's own manifest wants, by the release's own keys."""
        return len(self.own) >= needs.own and self.own_builders >= needs.own_builders

    def enough(self, needs: Needs) -> bool:
        """Whether it has those, and what the reviewer wants, by the reviewer's keys."""
        return self.counts(needs) and len(self.persons) >= needs.persons and self.builders >= needs.builders


@dataclass(frozen=True)
class Judged:
    """What came of it. `counting` are the groups that have all that the release's own manifest wants."""

    releases: tuple[Release, ...]
    groups: tuple[Group, ...]
    counting: tuple[Group, ...]
    forked: frozenset[str]
    faithless: frozenset[str]
    needs: Needs

    @property
    def agreed(self) -> Group | None:
        """The group whose word is the release's: the only one that counts, and enough for the reviewer."""
        return self.counting[0] if len(self.counting) == 1 and self.counting[0].enough(self.needs) else None

    @property
    def contradiction(self) -> bool:
        """Two groups have all that the release asks for."""
        return len(self.counting) > 1


def judge(voices: Iterable[Voice], needs: Needs) -> Judged:
    """Group and count `voices`, of which several may be copies; in whatever order they come."""
    every = united(voices)
    releases = tuple(sorted({voice.release for voice in every}))
    forked = frozenset(_twice((voice.vkey, voice.root) for voice in every))
    faithless = frozenset(_twice((name, voice.sums) for voice in every for name in voice.persons))
    own_faithless = frozenset(_twice((name, voice.sums) for voice in every for name in voice.own))
    groups = []
    for sums in sorted({voice.sums for voice in every}):
        members = tuple(voice for voice in every if voice.sums == sums)
        counted = [voice for voice in members if voice.vkey not in forked]
        seen = {voice.vkey: voice.persons - faithless for voice in counted}
        own = {voice.vkey: voice.own - own_faithless for voice in counted}
        groups.append(Group(sums, members, _all(seen), len(paired(seen)), _all(own), len(paired(own))))
    counting = tuple(group for group in groups if group.counts(needs)) if len(releases) == 1 else ()
    return Judged(releases, tuple(groups), counting, forked, faithless | own_faithless, needs)


def united(voices: Iterable[Voice]) -> tuple[Voice, ...]:
    """One voice for each log as it was sealed, sorted; with all who signed any copy of it."""
    found: dict[tuple[Release, str, str, str], Voice] = {}
    for voice in voices:
        key = voice.release, voice.vkey, voice.root, voice.sums
        held = found.get(key, voice)
        found[key] = replace(held, own=held.own | voice.own, persons=held.persons | voice.persons)
    return tuple(found[key] for key in sorted(found))


def paired(signers: Mapping[str, Collection[str]]) -> Mapping[str, str]:
    """As many of the logs as can be, each with a person who signed it, each person with one log at most.

    It is a maximum matching in a bipartite graph, by augmenting paths (Kuhn 1955), and the same for the same logs.
    """
    log_of: dict[str, str] = {}

    def placed(log: str, tried: set[str]) -> bool:
        for name in sorted(signers[log]):
            if name in tried:
                continue
            tried.add(name)
            if name not in log_of or placed(log_of[name], tried):
                log_of[name] = log
                return True
        return False

    for log in sorted(signers):
        placed(log, set())
    return {log: name for name, log in log_of.items()}


def _twice(pairs: Iterable[tuple[str, str]]) -> Collection[str]:
    """Whatever stands beside two different things."""
    beside: dict[str, set[str]] = {}
    for one, other in pairs:
        beside.setdefault(one, set()).add(other)
    return [one for one, others in beside.items() if len(others) > 1]


def _all(signers: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*signers.values())
