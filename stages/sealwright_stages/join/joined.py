"""Audit a joined release: each builder in it, what they agree on, and that it is what `join` writes of them.

- It holds what joining its builders anew gives, byte for byte, and nothing else; what another version wrote of it can't be
  compared, and is told.
- Builders who differ are told of, and never counted.
- For whatever else is asked of a release (a product's proof, its inputs), the first builder who agrees stands.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from sealwright_stages import VERSION
from sealwright_stages.audit import Audit, audit
from sealwright_stages.audit_folder import irregular
from sealwright_stages.errors import JoinError, ManifestError, SigningError
from sealwright_stages.files import read_small
from sealwright_stages.findings import Finding, advice, bad, good, unchecked
from sealwright_stages.join.join import Joined, Stand
from sealwright_stages.join.report import beside, folder_of
from sealwright_stages.join.sources import BUILDERS, DIFFERING, PRODUCTS, REPORT, SUMS, TEXT, is_joined
from sealwright_stages.join.write import joined_in, signatures_of
from sealwright_stages.reviewer import Reviewer
from sealwright_stages.state import State

_MAX_REPORT = 64 << 20
_MOST = 20


def audited(folder: Path, reviewer: Reviewer | None = None) -> tuple[Path, Audit]:
    """Audit evidence, or a joined release; gives the folder of the evidence whose log stands for it, too."""
    if not is_joined(folder):
        return folder, audit(folder, reviewer)
    try:
        return _audited(folder, reviewer or Reviewer())
    except ManifestError:
        raise
    except Exception as error:  # noqa: BLE001 - a folder that breaks the audit is no good release
        why = f"the audit itself failed on it: {type(error).__name__}: {error}"
        return folder, Audit((bad("evidence", why, "evidence-read"),), State(), None)


def _audited(folder: Path, reviewer: Reviewer) -> tuple[Path, Audit]:
    if found := irregular(folder):
        told = unchecked("the rest", "nothing is opened while something is no plain file")
        return folder, Audit((*found, told), State(), None)
    joined = joined_in(folder, reviewer, keep=True)
    findings = [*_builders(joined), *verdict(joined)]
    agree = joined.of(Stand.AGREES)
    if not agree:
        return folder, Audit(tuple(findings), State(), None)
    findings += _as_written(joined, folder)
    chosen = agree[0].copies[0]
    first = chosen.audit or Audit((), State(), None)
    findings += _open(chosen.findings)
    return chosen.source.evidence, Audit(tuple(findings), first.state, first.report, joined.provided, first.policy)


def verdict(joined: Joined) -> Iterator[Finding]:
    """What makes a joined release final, or not."""
    judged, needs = joined.judged, joined.judged.needs
    if len(judged.releases) > 1:
        yield bad("release", f"these are {len(judged.releases)} releases, not one: nothing counts", "builders")
    if judged.contradiction:
        told = f"{len(judged.counting)} different SHA256SUMS have all that the release asks for: they contradict each other"
        yield bad("builders", told, "builders")
    for name in sorted(judged.faithless):
        yield advice(
            "signatures", f"{name} signed two different SHA256SUMS of this release, and counts for neither"
        )
    group = judged.agreed
    if group is not None:
        persons = f"{', '.join(sorted(group.persons))} signed the same SHA256SUMS, and each a log's; {needs.persons} needed"
        yield good("signatures", persons, "signers")
        yield good("builders", f"{group.builders} agree, byte for byte; {needs.builders} needed", "builders")
    elif len(judged.releases) == 1 and not judged.contradiction:
        best = max(judged.groups, key=lambda each: (len(each.persons), each.builders, each.sums))
        if min(len(best.persons) - needs.persons, len(best.own) - needs.own) < 0:
            need = max(needs.persons, needs.own)
            persons = f"{', '.join(sorted(best.persons)) or 'nobody'} signed the same SHA256SUMS; {need} needed"
            yield bad("signatures", persons, "signers")
        if best.alike < needs.builders:
            told = f"{best.alike} agree at most; {needs.builders} needed"
            yield bad("builders", told, "builders")
    elif not judged.releases:
        yield bad("builders", "there is no evidence that counts", "builders")


def _builders(joined: Joined) -> Iterator[Finding]:
    for builder in joined.builders:
        entry, voice = builder.copies[0], builder.voice
        by = ", ".join(sorted(voice.persons)) or "nobody"
        told = f"{builder.name}, signed by {by}: {entry.records} records, root {voice.root}"
        if entry.unknown:
            yield advice("builder", f"{told}: nobody who counts for you ({entry.unknown})")
        elif builder.stand in (Stand.AGREES, Stand.OPEN):
            yield good("builder", told, "log-whole")
        elif builder.stand is Stand.FORKED:
            yield advice("builder", f"{told}: its log was sealed twice, and is not counted")
        else:
            yield advice("builder", f"{told}: other SHA256SUMS, not counted")
    for aside in joined.asides:
        yield bad("builder", f"{aside.said}: {aside.because}", "joined")
    if joined.agreed is not None and joined.compared.unlike:
        told = f"{joined.compared.unlike} of {joined.compared.products} not the same everywhere; see {TEXT}"
        yield advice("products", told)


def _open(findings: tuple[Finding, ...]) -> Iterator[Finding]:
    """What the audit of a builder could not check, products apart."""
    return (
        each
        for each in findings
        if each.ok in ("unchecked", "advice") or each.what in ("products", "proofs", "rules")
    )


def _as_written(joined: Joined, folder: Path) -> Iterator[Finding]:
    """Whether the folder is what `join` writes."""
    try:
        expected = {**beside(joined), f"{SUMS}.asc": signatures_of(joined)}
    except (JoinError, ManifestError, SigningError) as error:
        yield bad("joined", f"{error.what}: {error.because}", "joined")
        return
    ours = _maker(folder) == VERSION
    wrong = False
    for name, data in expected.items():
        try:
            same = read_small(folder / name, len(data)) == data
        except OSError:
            same = False
        if not same and name in (REPORT, TEXT) and not ours and (folder / name).exists():
            yield unchecked(name, "another version of Sealwright made it: not compared")
        elif not same:
            wrong = True
            yield bad(name, "it is missing, or not what joining these builders gives", "joined")
    places = {folder_of(builder) for builder in joined.builders}
    held = {
        f"{top}/{name}"
        for top in (BUILDERS, DIFFERING)
        if (folder / top).is_dir()
        for name in _names(folder / top)
    }
    for place in sorted(places ^ held):
        wrong = True
        yield bad("joined", f"{place} is {'in the wrong place' if place in held else 'missing'}", "joined")
    for name in _strange(folder, expected):
        wrong = True
        yield bad("folder", f"{name} is in no list of this release", "folder-listed")
    if not wrong:
        yield good("joined", "it is what joining its builders gives, and holds nothing else", "joined")


def _strange(folder: Path, expected: Mapping[str, bytes]) -> list[str]:
    """What lies there beside the builders, whose own audits have looked at what is theirs; some, if it is much."""
    found = sorted(_names(folder) - {*expected, BUILDERS, DIFFERING, PRODUCTS})
    named = {line[66:] for line in expected[SUMS].decode("ascii").splitlines()}
    folders = {path.rpartition("/")[0] for path in named} | {PRODUCTS}
    for root, below, names in os.walk(folder / PRODUCTS):
        place = os.path.relpath(root, folder)
        found += sorted(
            {f"{place}/{name}" for name in names} - named | {f"{place}/{name}" for name in below} - folders
        )
        if len(found) > _MOST:
            break
    return found[:_MOST]


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _maker(folder: Path) -> str:
    """The version that wrote the report, by its own word."""
    try:
        value = json.loads(read_small(folder / REPORT, _MAX_REPORT))
        return str(value["tool"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
