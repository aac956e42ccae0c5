"""The release manager's choice of keys: `signers.toml`, read strictly.

- A person has OpenPGP keys by full fingerprint (40 or 64 hex digits); a short key id is refused.
- A key belongs to one person only, so that a threshold counts persons.
- An unknown key, a wrong type, a duplicate is an error with file and line; nothing is guessed.
- Each fingerprint must be in a certificate of `keys/`, each ssh and minisign file must be there; else an error.
- Key files are regular files of bounded size, and are read once: what was hashed is what is used and kept.
- A person may be limited to components (and is then no release signer), and to a time; the key may have a day by
  which it is to be replaced.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sealwright_keyring.certificates import certificates
from sealwright_keyring.errors import MalformedError, PolicyError
from sealwright_keyring.toml_lines import line_of

_FINGERPRINT = re.compile(r"(?:[0-9A-F]{40}|[0-9A-F]{64})\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_MAX_FILE = 16 << 20
_FIELDS = frozenset({"openpgp", "ssh", "minisign", "not_before", "not_after", "components", "rotate_by"})


@dataclass(frozen=True)
class Person:
    """A person who may vouch: keys by kind, the components (empty: all), and from when to when (inclusive).

    After `rotate_by` a new key is overdue: what the old one signs later counts, as weak.
    """

    name: str
    openpgp: tuple[str, ...]
    ssh: tuple[str, ...] = ()
    minisign: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    not_before: date | None = None
    not_after: date | None = None
    rotate_by: date | None = None

    def covers(self, component: str | None) -> bool:
        """Whether the person's scope covers `component` (None: the release itself)."""
        return not self.components or component in self.components

    def may_vouch(self, component: str | None, today: date) -> bool:
        """Whether the person's scope and time cover `component` (None: the release itself) on `today`."""
        return self.covers(component) and self.in_time(today)

    def in_time(self, day: date) -> bool:
        """Whether `day` (UTC) lies within the person's time."""
        begun = self.not_before is None or self.not_before <= day
        return begun and (self.not_after is None or day <= self.not_after)


@dataclass(frozen=True)
class Policy:
    """All persons of a keyring folder; `sha256` is of signers.toml and every key file, in order of their names.

    `files` holds those files as they were read, by their path below the folder.
    """

    folder: Path
    sha256: str
    persons: Mapping[str, Person]
    certificates: tuple[bytes, ...]
    files: Mapping[str, bytes]

    def persons_for(
        self, component: str | None, names: Collection[str], today: date | None = None
    ) -> tuple[Person, ...]:
        """The named persons who may vouch for `component` (None: the release itself) today (UTC).

        Raises:
            PolicyError: a name that is no person.
        """
        day = today or datetime.now(UTC).date()
        return tuple(person for person in self._named(names) if person.may_vouch(component, day))

    def release_signers(self, names: Collection[str]) -> tuple[Person, ...]:
        """The named persons whose scope is the release itself; their time is judged by their signatures.

        Raises:
            PolicyError: a name that is no person.
        """
        return tuple(person for person in self._named(names) if person.covers(None))

    def _named(self, names: Collection[str]) -> Iterator[Person]:
        for name in names:
            if name not in self.persons:
                raise PolicyError(
                    self.folder / "signers.toml", 1, f"no person is called {name!r}", "add the person"
                )
            yield self.persons[name]

    def person_of(self, fingerprint: str) -> Person | None:
        """Whose primary key this is."""
        return next((p for p in self.persons.values() if fingerprint.upper() in p.openpgp), None)


def load_policy(folder: Path) -> Policy:
    """Read `signers.toml` and `keys/` of a keyring folder.

    Raises:
        PolicyError: with file, line, what is wrong and what to do.
    """
    path = folder / "signers.toml"
    files = read_files(folder)
    data = files["signers.toml"]
    try:
        text = data.decode("utf-8")
        raw = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyError(path, line, "it is not UTF-8 text", "mend that line") from error
    except (ValueError, RecursionError) as error:  # tomllib lets both out for numbers and nests without end
        place = re.search(r"\(at line (\d+)", str(error))
        line = int(place[1]) if place else data.count(b"\n") + 1
        raise PolicyError(path, line, f"not valid TOML: {error}", "mend that line") from error
    contents = {name.removeprefix("keys/"): held for name, held in files.items() if name != "signers.toml"}
    held = _held(folder / "keys", contents)
    persons = _Reader(path, text, frozenset(contents), held).persons(raw)
    digest = hashlib.sha256(hashlib.sha256(data).digest())
    for name, content in contents.items():
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0" + hashlib.sha256(content).digest())
    keys = tuple(content for name, content in contents.items() if not name.endswith(".pub"))
    return Policy(folder, digest.hexdigest(), persons, keys, files)


def read_files(folder: Path) -> dict[str, bytes]:
    """The files that make a policy, by their path below the folder: `signers.toml`, then `keys/<name>` by name.

    Raises:
        PolicyError: one is missing, is no regular file, or is too large.
    """
    data = _read(folder / "signers.toml", "make it with `sealwright new`")
    return {"signers.toml": data, **{f"keys/{name}": held for name, held in _key_files(folder / "keys").items()}}


def _read(path: Path, next_step: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise PolicyError(path, 1, "it is not a regular file", next_step)
            data = stream.read(_MAX_FILE + 1)
    except OSError as error:
        raise PolicyError(path, 1, error.strerror or "it can't be read", next_step) from error
    if len(data) > _MAX_FILE:
        raise PolicyError(path, 1, f"it has more than {_MAX_FILE} bytes", "keep just the keys that are wanted")
    return data


def _key_files(folder: Path) -> dict[str, bytes]:
    try:
        names = sorted(path.name for path in folder.iterdir() if path.suffix in (".asc", ".gpg", ".pub"))
    except OSError as error:
        raise PolicyError(folder, 1, error.strerror or "it can't be read", "make the folder") from error
    return {name: _read(folder / name, "put the key file itself here, not a link") for name in names}


def _held(folder: Path, contents: Mapping[str, bytes]) -> frozenset[str]:
    """The primary fingerprints of all certificates in the key files."""
    held: set[str] = set()
    for name, content in contents.items():
        if not name.endswith(".pub"):
            try:
                held.update(certificate.fingerprint for certificate in certificates(content))
            except MalformedError as error:
                raise PolicyError(folder / name, 1, error.because, "export the key anew") from error
    return frozenset(held)


class _Reader:
    def __init__(self, path: Path, text: str, files: frozenset[str], held: frozenset[str]) -> None:
        self.path, self.text, self.files, self.held = path, text, files, held

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
            for fingerprint in person.openpgp:
                if fingerprint in owners:
                    raise self.fail(
                        ("person", person.name, "openpgp"),
                        f"{fingerprint} belongs to {owners[fingerprint]} already",
                        "a key belongs to one person",
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
            if not _FINGERPRINT.match(fingerprint):
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
            self._files(where, table, "ssh"),
            self._files(where, table, "minisign"),
            self._texts(where, table, "components"),
            self._date(where, table, "not_before"),
            self._date(where, table, "not_after"),
            self._date(where, table, "rotate_by"),
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

    def _files(self, where: tuple[str, str], table: Mapping[str, Any], key: str) -> tuple[str, ...]:
        names = self._texts(where, table, key)
        for name in names:
            if not name.endswith(".pub") or name not in self.files:
                raise self.fail((*where, key), f"keys/ has no file {name!r}", "name a .pub file of keys/")
        return names

    def _date(self, where: tuple[str, str], table: Mapping[str, Any], key: str) -> date | None:
        value = table.get(key)
        if value is not None and type(value) is not date:
            raise self.fail((*where, key), f"{key!r} must be a date", f"write {key} = 2026-01-31, without quotes")
        return value
