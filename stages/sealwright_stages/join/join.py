"""Join evidence of several builders: each audited, all held beside each other, and what came of it.

- Nothing hangs on the order of what was named: builders are sorted, and named by who signed them.
- The reviewer may ask for more builders than the manifest, and not for fewer.
- Final is what has enough persons and builders by the release's own manifest and keys, and by the reviewer's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sealwright_stages.errors import ManifestError
from sealwright_stages.join.compare import Compared, compare
from sealwright_stages.join.entry import Entry, Looking
from sealwright_stages.join.judge import Group, Judged, Needs, Voice, judge, paired, united
from sealwright_stages.join.sources import Aside, Source, behind
from sealwright_stages.reviewer import Reviewer

_ROOT = 16  # hex digits of a root, where a name alone does not tell two builders apart


class Stand(StrEnum):
    """Where a builder stands to the group that counts."""

    AGREES = "agrees"
    DIFFERS = "differs"
    FORKED = "forked"
    OPEN = "open"


@dataclass(frozen=True)
class Builder:
    """One log as it was sealed, by the name of a person who signed it, and each copy of its evidence that was named."""

    name: str
    stand: Stand
    voice: Voice
    copies: tuple[Entry, ...]


@dataclass(frozen=True)
class Joined:
    """What came of joining: who agrees, who differs and in what, and what was put aside.

    `compared` has the SHA-256 of each `SHA256SUMS` for its keys.
    """

    judged: Judged
    builders: tuple[Builder, ...]
    asides: tuple[Aside, ...]
    compared: Compared
    provided: str = ""

    @property
    def agreed(self) -> Group | None:
        """The group that counts: the release is final."""
        return self.judged.agreed

    @property
    def any(self) -> Entry | None:
        """The evidence of a builder, the first who agrees if there is one: for what is the same in all of them."""
        return self.builders[0].copies[0] if self.builders else None

    def of(self, stand: Stand) -> tuple[Builder, ...]:
        """The builders who stand so."""
        return tuple(builder for builder in self.builders if builder.stand is stand)

    def sharing(self, sums: str) -> tuple[Builder, ...]:
        """The builders with this `SHA256SUMS`."""
        return tuple(builder for builder in self.builders if builder.voice.sums == sums)


def join(named: Sequence[Path], reviewer: Reviewer | None = None, builders: int = 0) -> Joined:
    """Join what was named: folders of evidence, publications, a version's folder of a site, joined releases.

    Raises:
        ManifestError: one is not there, or less is asked for than the manifest does.
        JoinError: what was audited can't be read any more.
    """
    sources, asides = behind(named)
    return weigh(sources, asides, reviewer or Reviewer(), builders)


def weigh(
    sources: Iterable[Source],
    asides: Iterable[Aside],
    reviewer: Reviewer,
    builders: int = 0,
    *,
    keep: bool = False,
) -> Joined:
    """Audit these and hold them beside each other; the audits are kept only if `keep`.

    Raises:
        ManifestError: less is asked for than the manifest does, or a checkpoint is of no log here.
        JoinError: what was audited can't be read any more.
    """
    looking = Looking(reviewer, keep)
    seen = [looking.look(source) for source in sources]
    entries, strange = _of_one_release([each for each in seen if isinstance(each, Entry)])
    away = [*asides, *strange, *(each for each in seen if isinstance(each, Aside))]
    for saved in reviewer.saved:
        if saved.name not in looking.used:
            raise ManifestError("--checkpoint", f"{saved.name} is of none of these logs", "name one of these")
    needs = _needs(entries, builders)
    judged = judge((entry.voice for entry in entries), needs)
    told = tuple(sorted(set(away), key=lambda each: (each.said, each.because)))
    provided = ", ".join(sorted({entry.provided for entry in entries if entry.provided}))
    return Joined(judged, _builders(entries, judged), told, _compared(entries), provided)


def _of_one_release(entries: Sequence[Entry]) -> tuple[list[Entry], list[Aside]]:
    """The entries without those of other releases that nobody signed whom the reviewer knows: these are put aside."""
    known = {entry.voice.release for entry in entries if entry.voice.persons}
    strange = [
        entry for entry in entries if known and not entry.voice.persons and entry.voice.release not in known
    ]
    because = "it is of another release, by nobody whom you know"
    asides = [Aside(entry.source.said, f"{because}: {entry.unknown}") for entry in strange]
    return [entry for entry in entries if entry not in strange], asides


def _needs(entries: Sequence[Entry], asked: int) -> Needs:
    """What the reviewer and the manifest want; of several releases, whose word counts nowhere, the most."""
    persons = max((entry.wants.threshold for entry in entries), default=1)
    own = max((entry.manifest.threshold for entry in entries), default=1)
    declared = max((entry.manifest.builders for entry in entries), default=1)
    if asked and asked < declared:
        because = f"the manifest asks for {declared}, and you can ask for more, not for fewer"
        raise ManifestError(f"--builders {asked}", because, "leave it out")
    return Needs(persons, max(declared, asked), own, declared)


def _builders(entries: Sequence[Entry], judged: Judged) -> tuple[Builder, ...]:
    copies: dict[str, list[Entry]] = {}
    for entry in entries:
        copies.setdefault(_key(entry.voice), []).append(entry)
    names = _names(copies)
    made = [
        Builder(names[key], _stand(voice, judged), voice, tuple(sorted(copies[key], key=lambda e: e.source.said)))
        for voice in united(entry.voice for entry in entries)
        for key in [_key(voice)]
    ]
    return tuple(sorted(made, key=lambda each: (list(Stand).index(each.stand), each.name)))


def _names(copies: dict[str, list[Entry]]) -> dict[str, str]:
    """Each builder's name: a person who signed it, and no other builder's; with its root where none is left."""
    signers = {key: sorted({name for entry in held for name in entry.by}) for key, held in copies.items()}
    given = paired(signers)
    return {
        key: given.get(key) or f"{names[0] if names else 'nobody'}.{copies[key][0].voice.root[:_ROOT]}"
        for key, names in signers.items()
    }


def _stand(voice: Voice, judged: Judged) -> Stand:
    if voice.vkey in judged.forked:
        return Stand.FORKED
    if judged.agreed is None:
        return Stand.OPEN
    return Stand.AGREES if voice.sums == judged.agreed.sums else Stand.DIFFERS


def _key(voice: Voice) -> str:
    return "\n".join((voice.vkey, voice.root, *_words(voice)))


def _words(voice: Voice) -> tuple[str, ...]:
    release = voice.release
    return release.name, release.version, release.manifest_sha256, release.policy_sha256, voice.sums


def _compared(entries: Sequence[Entry]) -> Compared:
    """Each different `SHA256SUMS` against the others."""
    held = {entry.voice.sums: entry for entry in entries}
    return compare({sums: held[sums].sums() for sums in sorted(held)})
