"""What a joined release says of itself: `join.json` for programs, `JOINED.txt` for people; by its own keys alone.

- Both are made from the builders' evidence and nothing else, so the same builders give the same bytes for everybody.
- Every text in them is plain ASCII, whatever was in the evidence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from sealwright_keyring.text import printable
from sealwright_stages import VERSION
from sealwright_stages.errors import JoinError
from sealwright_stages.join.compare import Difference
from sealwright_stages.join.join import Builder, Joined, Stand
from sealwright_stages.join.judge import Group
from sealwright_stages.join.sources import BUILDERS, DIFFERING, REPORT, SUMS, TEXT

FORMAT = 1
_TOLD = 20
_HOW = """
HOW TO VERIFY IT BY HAND

You need gpg, sha256sum and python3, and the signers' fingerprints from somewhere other than this folder.

1. Who signed the products' sums, and that these are the files:
     export GNUPGHOME="$(mktemp -d)"
     gpg --import {first}/policy/keys/*.asc
     gpg --fingerprint
     gpg --verify SHA256SUMS.asc SHA256SUMS
     sha256sum -c SHA256SUMS

2. Each builder has a log of its own, and says the same:
     for builder in builders/*; do
       cmp SHA256SUMS "$builder/SHA256SUMS"
       gpg --verify "$builder/log/SHA256SUMS.asc" "$builder/log/SHA256SUMS"
       (cd "$builder/log" && sha256sum --quiet -c SHA256SUMS)
       python3 -I "$builder/verify.py" "$builder/log"
     done
   Each says "Good signature" for another person whom you know, and "whole".

With Sealwright:  sealwright audit .     and     sealwright check FILE --evidence .
"""


def folder_of(builder: Builder) -> str:
    """Where a builder's evidence lies below a joined release."""
    return f"{BUILDERS if builder.stand is Stand.AGREES else DIFFERING}/{builder.name}"


def report(joined: Joined) -> Mapping[str, object]:
    """What `join.json` says.

    Raises:
        JoinError: the release is not final.
    """
    group, manifest = _agreed(joined)
    release = group.voices[0].release
    return {
        "format": FORMAT,
        "tool": VERSION,
        "release": release.name,
        "version": release.version,
        "manifest": release.manifest_sha256,
        "policy": release.policy_sha256,
        "sha256sums": group.sums,
        "needed": {"persons": manifest[0], "of": list(manifest[1]), "builders": manifest[2]},
        "persons": sorted(group.own),
        "builders": [builder_told(builder) for builder in joined.builders],
        "products": joined.compared.products,
        "same": joined.compared.same,
        "differences": [differing(joined, each) for each in joined.compared.differences],
        "more_differences": joined.compared.more,
    }


def builder_told(builder: Builder) -> dict[str, object]:
    """One builder, for a program."""
    entry, voice = builder.copies[0], builder.voice
    return {
        "name": builder.name,
        "stands": str(builder.stand),
        "folder": folder_of(builder),
        "signed_by": sorted(voice.own),
        "sealed": entry.sealed,
        "products": entry.products,
        "sha256sums": voice.sums,
        "log": {"vkey": printable(voice.vkey), "root": voice.root, "records": entry.records},
    }


def differing(joined: Joined, each: Difference) -> dict[str, object]:
    """A product that not all have alike: its SHA-256 by each builder; empty where it lacks it."""
    return {"path": each.path, "sha256": {b.name: each.sha256[b.voice.sums] for b in joined.builders}}


def as_bytes(value: Mapping[str, object]) -> bytes:
    """JSON that is the same for the same value."""
    return json.dumps(value, sort_keys=True, indent=1).encode() + b"\n"


def text(joined: Joined) -> str:
    """What `JOINED.txt` says.

    Raises:
        JoinError: the release is not final.
    """
    return "\n".join(_lines(joined)) + "\n"


def _lines(joined: Joined) -> Iterator[str]:
    group, (threshold, signers, builders) = _agreed(joined)
    release, agree = group.voices[0].release, joined.of(Stand.AGREES)
    name = printable(f"{release.name}-{release.version}")
    title = f"{name}: {len(agree)} builders agree, byte for byte" if len(agree) > 1 else f"{name}: one builder"
    yield from (title, "=" * len(title), "")
    yield f"{_many(agree[0].copies[0].products, 'product')}. The SHA-256 of their SHA256SUMS is"
    yield f"  {group.sums}"
    yield f"Signed by {', '.join(sorted(group.own))}; {threshold} of {', '.join(signers)} must have signed."
    yield f"{_many(len(agree), 'builder')} with these bytes; {builders} must agree."
    for builder in joined.builders:
        entry = builder.copies[0]
        mark = "" if builder.stand is Stand.AGREES else f"  ({builder.stand}: NOT COUNTED)"
        yield from ("", f"{folder_of(builder)}{mark}")
        yield f"  signed by {', '.join(sorted(builder.voice.own)) or 'nobody'}; sealed {entry.sealed}"
        yield f"  log of {entry.records} records, with the root"
        yield f"    {builder.voice.root}"
        if builder.stand is not Stand.AGREES:
            yield f"  SHA256SUMS\n    {builder.voice.sums}"
    yield from _differences(joined, group)
    yield _HOW.format(first=folder_of(agree[0]))


def _differences(joined: Joined, group: Group) -> Iterator[str]:
    if not joined.compared.differences:
        return
    yield from ("", f"not the same everywhere: {_many(joined.compared.unlike, 'product')}")
    for each in joined.compared.differences[:_TOLD]:
        yield f"  {printable(each.path)}"
        yield f"    {each.sha256[group.sums] or 'it is not one of the release':64}  agreed"
        for sums, digest in each.sha256.items():
            if sums != group.sums and digest != each.sha256[group.sums]:
                names = ", ".join(builder.name for builder in joined.sharing(sums))
                yield f"    {digest or 'missing':64}  {names}"
    if joined.compared.unlike > _TOLD:
        yield f"  and {joined.compared.unlike - _TOLD} more; see {REPORT}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _agreed(joined: Joined) -> tuple[Group, tuple[int, tuple[str, ...], int]]:
    """The group that counts, and what the manifest asks for."""
    entry = joined.any
    if joined.agreed is None or entry is None:
        raise JoinError("the release", "it is not final", "join more builders' evidence")
    manifest = entry.manifest
    return joined.agreed, (manifest.threshold, manifest.signers, manifest.builders)


def beside(joined: Joined) -> dict[str, bytes]:
    """What lies at the top of a joined release, but for products and signatures.

    Raises:
        JoinError: the release is not final, or its evidence changed.
    """
    entry = joined.any
    value = as_bytes(report(joined))
    if entry is None:
        raise JoinError("the release", "there is none", "join builders' evidence")
    return {SUMS: entry.sums(), REPORT: value, TEXT: text(joined).encode()}
