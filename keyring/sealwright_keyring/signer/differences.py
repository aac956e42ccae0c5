"""What a proposal differs in from the last release of the same name that this signer signed.

- Each product and each input that came, went or changed is a line of its own: nothing is left out.
- The first release of a name says that it is the first; a version that goes back says so in capitals.
- What is short and weighs most, version, manifest, keyring, log's key and warnings, comes before what may be long.
- Versions are compared as Debian does (deb-version(7)): a tilde sorts before everything, digits by their value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sealwright_keyring.signer.documents import Release
from sealwright_keyring.signer.history import Signed, split_release

_PIECES = re.compile(r"([^0-9]*)([0-9]*)")


def differences(release: Release, vkey: str, before: Signed | None) -> tuple[list[str], list[str]]:
    """In lines for a person, the few that weigh most and the many; `before` is the last release of the same name,
    `vkey` the key of this one's log."""
    name, version = split_release(release.name)
    if before is None:
        return [f"first release: this signer's record knows none of the name {name}"], []
    old, said = before.statement, release.statement
    few = [
        f"last signed: {old.release} at {before.t}",
        _version(split_release(old.release)[1], version, same=before.digest == release.digest),
        *_other("manifest", old.manifest, said.manifest),
        *_other("policy (whom to trust)", old.policy, said.policy),
        *_other("log's key", _key(before.vkey), _key(vkey)),
    ]
    many = [
        *_changed("warning", dict.fromkeys(old.warned, ""), dict.fromkeys(said.warned, "")),
        *_changed("input", old.inputs, said.inputs),
        *_changed("product", before.products, release.products.files),
    ]
    return few, many


def _version(old: str, new: str, *, same: bool) -> str:
    if old == new:
        return f"version {new} was signed before: " + (
            "the very same documents" if same else "with OTHER documents"
        )
    if _order(new) < _order(old):
        return f"the version GOES BACK, from {old} to {new}"
    return f"version {old} -> {new}"


def _changed(what: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    came, went = sorted(new.keys() - old.keys()), sorted(old.keys() - new.keys())
    others = sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
    yield f"{what}s: {len(came)} added, {len(went)} gone, {len(others)} changed, {len(new)} in all"
    for sign, names in (("+", came), ("-", went), ("~", others)):
        yield from (f"  {sign} {what} {name}" for name in names)


def _other(what: str, old: str, new: str) -> Iterator[str]:
    if old != new:
        yield f"another {what}: {old}"
        yield f"{'now':>{len(what) + 8}}: {new}"


def _key(vkey: str) -> str:
    """The key's own part: the name before it is another one for every log."""
    return vkey.rpartition("+")[2]


def _order(version: str) -> list[tuple[list[int], int]]:
    pieces = _PIECES.findall(version)
    return [([_weight(each) for each in text] + [0], int(digits or 0)) for text, digits in pieces]


def _weight(character: str) -> int:
    """A tilde before the end, the end before letters, letters before all else."""
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256
