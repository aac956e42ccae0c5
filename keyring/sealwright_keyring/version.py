"""The `[policy]` table of a `signers.toml`: which version of the keyring it is, and who must sign it and the next one.

- `version` counts up from 1; `signers` are persons of the same file, `threshold` is how many of them. All three are
  written out: nothing is guessed where a new choice of keys hangs on it.
- A signer may vouch for the whole, and shares no key with another one: of the same numbers, whatever kind of key and
  name they go by, so that a threshold counts persons.
- `since` is the day when the version was made. It is what signatures without a time of their own are judged by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sealwright_keyring.certificates import Certificate
from sealwright_keyring.errors import MalformedError, PolicyError
from sealwright_keyring.packets import Reader, packets
from sealwright_keyring.person import Person
from sealwright_keyring.ssh_keys import Wire

HISTORY = "history"
"""The folder of earlier versions below a keyring's."""
MOST = 1000
"""Versions that a keyring can have (the X of TUF's section 5.3.2)."""
_FIELDS = ("version", "signers", "threshold", "since")
_KEYS = (6, 14)  # OpenPGP packets: primary key and subkey
_SIGN = (1, 3, 19, 22)  # OpenPGP algorithms that sign
Fail = Callable[[tuple[str | int, ...], str, str], PolicyError]


@dataclass(frozen=True)
class Version:
    """Which version of a keyring it is, who signs for it, how many of them must, and since when it is."""

    number: int
    signers: tuple[str, ...]
    threshold: int
    since: date | None = None


def read_version(
    table: Any, persons: Mapping[str, Person], certificates: Sequence[Certificate], fail: Fail
) -> Version:
    """The version that a `[policy]` table says; `fail` makes the error of a place in the file.

    Raises:
        PolicyError: it is not exactly right.
    """
    if not isinstance(table, dict):
        raise fail(("policy",), "'policy' is no table", "write [policy]")
    for key in table:
        if key not in _FIELDS:
            raise fail(("policy", key), f"unknown key {key!r}", "remove it, or mend its spelling")
    number, threshold, since = table.get("version"), table.get("threshold"), table.get("since")
    if type(number) is not int or not 1 <= number <= MOST:
        raise fail(("policy", "version"), f"'version' is no number from 1 to {MOST}", "count up from 1")
    signers = _signers(table.get("signers"), persons, fail)
    if type(threshold) is not int or not 1 <= threshold <= len(signers):
        because = f"'threshold' is no number from 1 to {len(signers)}"
        raise fail(("policy", "threshold"), because, "say how many of the signers must sign")
    if since is not None and type(since) is not date:
        raise fail(("policy", "since"), "'since' must be a date", "write since = 2026-01-31, without quotes")
    _apart([persons[name] for name in signers], certificates, fail)
    return Version(number, signers, threshold, since)


def _signers(value: Any, persons: Mapping[str, Person], fail: Fail) -> tuple[str, ...]:
    where = ("policy", "signers")
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise fail(where, "'signers' must be a list of persons, one at least", 'write signers = ["..."]')
    for name in value:
        if name not in persons:
            raise fail(where, f"no person is called {name!r}", "add a [person.NAME] table")
        if not persons[name].covers(None):
            raise fail(where, f"{name} may vouch for components only", "name persons who may vouch for all")
    if len(set(value)) != len(value):
        raise fail(where, "'signers' names one person twice", "name each once")
    return tuple(value)


def _apart(signers: Sequence[Person], certificates: Sequence[Certificate], fail: Fail) -> None:
    owners: dict[str, str] = {}
    for person in signers:
        for numbers in set(_numbers(person, certificates)):
            if numbers in owners:
                because = f"{owners[numbers]} and {person.name} have a key of the same numbers, and would be one"
                raise fail(("policy", "signers"), because, "give each a key of their own")
            owners[numbers] = person.name


def _numbers(person: Person, certificates: Sequence[Certificate]) -> Iterator[str]:
    """Each key of a person by its public numbers alone, as a hash: what two keys share that one secret signs for."""
    for mini in person.minisign:
        yield _named("ed25519", mini.public)
    for ssh in person.ssh:
        wire = Wire(ssh.blob)
        kind, *values = wire.name(), wire.string()
        while wire.position < len(wire.data):
            values.append(wire.string())
        if kind == "ssh-rsa":
            yield _named("rsa", values[1].lstrip(b"\0"))
        else:
            yield _named("ed25519" if "ed25519" in kind else "ec", values[1 if "ecdsa" in kind else 0])
    for certificate in certificates:
        if certificate.fingerprint in person.openpgp:
            yield from (_openpgp(packet.body) for packet in packets(certificate.raw) if packet.tag in _KEYS)


def _openpgp(body: bytes) -> str:
    """An OpenPGP key by its numbers (RFC 9580, section 5.5.5); one that can't sign here by all its bytes."""
    try:
        reader = Reader(body)
        reader.take(5)
        algorithm = reader.number(1)
        if algorithm in (1, 3):
            return _named("rsa", reader.take((reader.number(2) + 7) // 8).lstrip(b"\0"))
        if algorithm in _SIGN:
            reader.take(reader.number(1))
            point = reader.take((reader.number(2) + 7) // 8)
            return _named("ed25519", point[1:]) if point[:1] == b"\x40" else _named("ec", point)
    except MalformedError:
        pass
    return _named("other", body)


def _named(kind: str, numbers: bytes) -> str:
    return hashlib.sha256(kind.encode() + b"\0" + numbers).hexdigest()
