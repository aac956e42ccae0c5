"""The persons of a `signers.toml`, read strictly beside the key files that it names.

- An unknown key, a wrong type, a key that belongs to two persons: an error with its line.
- An OpenPGP key is named by its full fingerprint and lies in some certificate of `keys/`; any other key is named by
  its file, which holds that one key, of that kind, and nothing else.
- An Ed25519 key by itself makes nobody a signer: it signs a second time what the person has signed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from sealwright_keyring import ed25519_keys, minisign_keys, ssh_keys
from sealwright_keyring.certificates import certificates
from sealwright_keyring.errors import MalformedError, PolicyError, RefusedError
from sealwright_keyring.person import Person
from sealwright_keyring.toml_lines import line_of

FINGERPRINT = re.compile(r"(?:[0-9A-F]{40}|[0-9A-F]{64})\Z")
NO_CERTIFICATE = (".pub", ".pem")
"""How the names of key files end that hold no OpenPGP certificates."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_FIELDS = frozenset(
    {"openpgp", "ssh", "minisign", "ed25519", "not_before", "not_after", "components", "rotate_by"}
)
_Key = TypeVar("_Key")


class PersonsReader:
    """Reads the persons of the file `path`; `files` are those of `keys/` by their names."""

    def __init__(self, path: Path, text: str, files: Mapping[str, bytes]) -> None:
        self.path, self.text, self.files = path, text, files
        self.held = _held(path.parent / "keys", files)

    def fail(self, where: tuple[str | int, ...], because: str, next_step: str) -> PolicyError:
        return PolicyError(self.path, line_of(self.text, where), because, next_step)

    def persons(self, raw: Mapping[str, Any]) -> dict[str, Person]:
        for key in raw:
            if key != "person":
                raise self.fail((key,), f"unknown key {key!r}", "only [person.NAME] tables stand here")
        tables = raw.get("person", {})
        if not isinstance(tables, dict) or not tables:
            raise self.fail(("person",), "it names no person", "add a [person.NAME] table")
        persons = {name: self._person(name, table) for name, table in tables.items()}
        owners: dict[str, str] = {}
        for person in persons.values():
            for fingerprint in person.fingerprints:
                if fingerprint in owners:
                    raise self.fail(
                        ("person", person.name, _kind(fingerprint)),
                        f"{fingerprint} belongs to {owners[fingerprint]} already",
                        "a key belongs to one person, and is named once",
                    )
                owners[fingerprint] = person.name
        return persons

    def _person(self, name: str, table: Any) -> Person:
        where = ("person", name)
        if not isinstance(table, dict) or not _NAME.match(name):
            raise self.fail(where, f"{name!r} is no plain name with a table", "write [person.NAME]")
        for key in table:
            if key not in _FIELDS:
                raise self.fail((*where, key), f"unknown key {key!r}", "remove it, or mend its spelling")
        openpgp = tuple(word.replace(" ", "").upper() for word in self._texts(where, table, "openpgp"))
        for fingerprint in openpgp:
            if not FINGERPRINT.match(fingerprint):
                raise self.fail(
                    (*where, "openpgp"),
                    f"{fingerprint!r} is not a full fingerprint",
                    "give all 40 hex digits (`gpg --fingerprint`); short key ids can be forged",
                )
            if fingerprint not in self.held:
                raise self.fail(
                    (*where, "openpgp"),
                    f"no file of keys/ holds the key {fingerprint}",
                    "add it: `sealwright keyring add`",
                )
        person = Person(
            name,
            openpgp,
            self._keys(where, table, "ssh", ssh_keys.parse_key_file),
            self._keys(where, table, "minisign", minisign_keys.parse_key_file),
            self._texts(where, table, "components"),
            self._date(where, table, "not_before"),
            self._date(where, table, "not_after"),
            self._date(where, table, "rotate_by"),
            self._keys(where, table, "ed25519", ed25519_keys.parse_key_file, ".pem"),
        )
        if not (person.openpgp or person.ssh or person.minisign):
            raise self.fail(where, f"{name} has no key", 'add openpgp = ["<full fingerprint>"]')
        return person

    def _texts(self, where: tuple[str, str], table: Mapping[str, Any], key: str) -> tuple[str, ...]:
        values = table.get(key, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise self.fail((*where, key), f"{key!r} must be a list of texts", f'write {key} = ["..."]')
        if len(set(values)) != len(values):
            raise self.fail((*where, key), f"{key!r} names one thing twice", "name each once")
        return tuple(values)

    def _keys(
        self,
        where: tuple[str, str],
        table: Mapping[str, Any],
        kind: str,
        parse: Callable[[bytes], _Key],
        end: str = ".pub",
    ) -> tuple[_Key, ...]:
        """The keys of one kind, each out of its file."""
        found: list[_Key] = []
        for name in self._texts(where, table, kind):
            if not name.endswith(end) or name not in self.files:
                raise self.fail((*where, kind), f"keys/ has no file {name!r}", f"name a {end} file of keys/")
            try:
                found.append(parse(self.files[name]))
            except (MalformedError, RefusedError) as error:
                because = f"it is no {kind} key that counts here: {error.because}"
                next_step = "put the one public key there, as its tool wrote it; see docs/reference/signers.md"
                raise PolicyError(self.path.parent / "keys" / name, 1, because, next_step) from error
        return tuple(found)

    def _date(self, where: tuple[str, str], table: Mapping[str, Any], key: str) -> date | None:
        value = table.get(key)
        if value is not None and type(value) is not date:
            raise self.fail((*where, key), f"{key!r} must be a date", f"write {key} = 2026-01-31, without quotes")
        return value


def _kind(fingerprint: str) -> str:
    if fingerprint.startswith("SHA256:"):
        return "ssh"
    others = {"minisign": minisign_keys.PREFIX, "ed25519": ed25519_keys.PREFIX}
    return next((kind for kind, prefix in others.items() if fingerprint.startswith(prefix)), "openpgp")


def _held(folder: Path, files: Mapping[str, bytes]) -> frozenset[str]:
    """The primary fingerprints of all certificates in the key files."""
    held: set[str] = set()
    for name, content in files.items():
        if not name.endswith(NO_CERTIFICATE):
            try:
                held.update(certificate.fingerprint for certificate in certificates(content))
            except MalformedError as error:
                raise PolicyError(folder / name, 1, error.because, "export the key anew") from error
    return frozenset(held)
