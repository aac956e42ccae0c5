"""What came of a join, as text for eighty columns: who is there, what differs, who counts, and the verdict last.

- Every hash by which somebody is to compare stands whole, on a line of its own.
- A builder who differs, whatever was put aside and whoever contradicts oneself have words of their own, never a colour.
- Every text of the evidence passes `clean`; a line that would be too long is folded.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from sealwright_console.sanitise import clean
from sealwright_stages.join.join import Builder, Joined, Stand
from sealwright_stages.join.judge import Group

WIDTH = 80
_MOST = 20
_HEAD = ("BUILDER", "SIGNED BY", "SEALED (UTC)", "RECORDS", "PRODUCTS", "SHA256SUMS")
_RIGHT = (3, 4)
_WORD = {Stand.AGREES: "agrees", Stand.DIFFERS: "DIFFERS", Stand.FORKED: "FORKED", Stand.OPEN: ""}


def lines(joined: Joined) -> Iterator[str]:
    """The whole report."""
    if entry := joined.any:
        release = entry.voice.release
        yield f"{clean(f'{release.name}-{release.version}')}: evidence of {_many(len(joined.builders), 'builder')}"
        yield ""
        yield from _table(joined.builders)
    yield from _unknown(joined)
    yield from _asides(joined)
    if len(joined.judged.releases) > 1:
        yield from _releases(joined)
    else:
        yield from _products(joined)
        yield from _contradicting(joined)
        yield from _groups(joined)
    yield ""
    yield from _verdict(joined)


def _table(builders: Sequence[Builder]) -> Iterator[str]:
    rows = [_row(builder) for builder in builders]
    widths = [max(len(row[place]) for row in (_HEAD, *rows)) for place in range(len(_HEAD))]
    for row, word in zip((_HEAD, *rows), ("", *(_WORD[builder.stand] for builder in builders)), strict=True):
        cells = [
            cell.rjust(width) if place in _RIGHT else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield f"  {'  '.join([*cells, word])}".rstrip()


def _row(builder: Builder) -> tuple[str, ...]:
    entry, voice = builder.copies[0], builder.voice
    sealed = entry.sealed[:16].replace("T", " ")
    by = ", ".join(sorted(voice.persons)) or f"({', '.join(sorted(voice.own)) or 'nobody'})"
    words = (builder.name, by, sealed, f"{entry.records:,}", f"{entry.products:,}", f"{voice.sums[:8]}…")
    return tuple(clean(word, 40) for word in words)


def _unknown(joined: Joined) -> Iterator[str]:
    """Who is good by the release's own keys, and counts for nobody by the reviewer's."""
    for builder in joined.builders:
        if why := builder.copies[0].unknown:
            told = f"! {clean(builder.name)} is nobody by your keyring, and not counted: {clean(why)}"
            yield from ("", *_folded(told, "  "))


def _asides(joined: Joined) -> Iterator[str]:
    if joined.asides:
        yield from ("", "put aside, never counted")
    for aside in joined.asides[:_MOST]:
        yield from _folded(f"  ✗ {clean(aside.said)}", "    ")
        yield from _folded(f"    {clean(aside.because)}", "    ")
    if len(joined.asides) > _MOST:
        yield f"  and {len(joined.asides) - _MOST} more"


def _releases(joined: Joined) -> Iterator[str]:
    yield from ("", f"✗ these are {len(joined.judged.releases)} releases, and only one can be joined")
    for release in joined.judged.releases:
        of = [builder.name for builder in joined.builders if builder.voice.release == release]
        yield from _folded(f"  {clean(f'{release.name}-{release.version}')}: {clean(', '.join(of))}", "    ")
        yield f"    manifest {release.manifest_sha256}"
        yield f"    keyring  {release.policy_sha256}"


def _products(joined: Joined) -> Iterator[str]:
    compared = joined.compared
    if not joined.builders:
        return
    yield ""
    if not compared.unlike:
        yield f"{_many(compared.products, 'product')}: the same bytes from everybody"
        return
    yield f"not the same from everybody: {compared.unlike:,} of {_many(compared.products, 'product')}"
    for each in compared.differences[:_MOST]:
        yield from _folded(f"  {clean(each.path)}", "    ")
        agreed = each.sha256[joined.agreed.sums] if joined.agreed is not None else None
        for digest in sorted(set(each.sha256.values()), key=lambda held: (held != agreed, not held, held)):
            names = [b.name for sums, held in each.sha256.items() if held == digest for b in joined.sharing(sums)]
            yield f"    {digest or 'it is missing'}"
            word = " (agreed)" if digest == agreed else ""
            yield from _folded(f"      {clean(', '.join(sorted(names)))}{word}", "      ")
    if compared.unlike > _MOST:
        yield f"  and {compared.unlike - _MOST:,} more; --json names {len(compared.differences):,}"


def _contradicting(joined: Joined) -> Iterator[str]:
    judged = joined.judged
    if judged.faithless or judged.forked:
        yield ""
    for name in sorted(judged.faithless):
        yield from _folded(
            f"✗ {clean(name)} signed two different SHA256SUMS of this release: counts for neither", "  "
        )
    for builder in joined.of(Stand.FORKED):
        yield from _folded(
            f"✗ {clean(builder.name)}: its log was sealed twice, with different roots: not counted", "  "
        )


def _groups(joined: Joined) -> Iterator[str]:
    needs = joined.judged.needs
    for group in sorted(joined.judged.groups, key=lambda each: (each is not joined.agreed, each.sums)):
        yield from ("", f"SHA256SUMS {group.sums}")
        names = [builder.name for builder in joined.sharing(group.sums)]
        builders = group.alike
        yield from _count(builders, needs.builders, "builder", names)
        persons = group.signers
        yield from _count(len(persons), max(needs.persons, needs.own), "person", sorted(persons))


def _count(count: int, needed: int, what: str, names: Iterable[str]) -> Iterator[str]:
    mark = "✓" if count >= needed else "✗"
    yield from _folded(
        f"  {mark} {_many(count, what)} of {needed} needed: {clean(', '.join(names) or 'nobody')}", "    "
    )


def _verdict(joined: Joined) -> Iterator[str]:
    judged, group = joined.judged, joined.agreed
    if judged.contradiction:
        yield from _folded(
            f"✗ CONTRADICTION: {len(judged.counting)} different SHA256SUMS have all that the release asks for, and they "
            "can't all be it.",
            "  ",
        )
        yield "verdict: NO"
        yield "next: use nothing of any of them, and ask the persons named, by a second channel"
    elif group is not None:
        yield from _folded(f"verdict: FINAL{_provided(joined)}", "  ")
        yield from _next_of_final(joined, group)
    elif len(judged.releases) > 1:
        yield "verdict: NO"
        yield from _folded("next: name evidence of one release only; another manifest or keyring is another", "  ")
    elif not judged.releases:
        yield "verdict: NO"
        yield from _folded("next: get the evidence again, whole; what was put aside is never counted", "  ")
    else:
        yield "verdict: NOT FINAL"
        yield from _folded("next: " + _lacking(joined), "  ")


def _provided(joined: Joined) -> str:
    return f", {clean(joined.provided)}" if joined.provided else ""


def _next_of_final(joined: Joined, group: Group) -> Iterator[str]:
    if away := [builder.name for builder in joined.builders if builder.voice.sums != group.sums]:
        told = f"next: find out why {clean(', '.join(away))} got other bytes: sealwright diff, and reproduce"
        yield from _folded(told, "  ")


def _lacking(joined: Joined) -> str:
    needs = joined.judged.needs
    best = max(joined.judged.groups, key=lambda each: (len(each.persons), each.builders))
    if best.alike < needs.builders:
        return "have another person build it on another machine, sign and publish, then join again"
    return "have more of the release's signers sign the same SHA256SUMS, then join again"


def _folded(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False) or [text]


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
