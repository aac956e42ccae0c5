"""The release manager's choice of keys: `signers.toml`, read strictly.

- A person has OpenPGP keys by full fingerprint (40 or 64 hex digits); a short key id is refused.
- A key belongs to one person only, whatever its kind, so that a threshold counts persons.
- An unknown key, a wrong type, a duplicate is an error with file and line; nothing is guessed.
- Each fingerprint must be in a certificate of `keys/`, each ssh, minisign and ed25519 file must be there and hold one key of
  that kind; else an error.
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

from sealwright_keyring.errors import PolicyError
from sealwright_keyring.person import Person
from sealwright_keyring.policy_reader import FINGERPRINT, NO_CERTIFICATE, PersonsReader

__all__ = ["Person", "Policy", "load_policy", "read_files", "read_key_file"]
_MAX_FILE = 16 << 20


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
        """Whose key this is: an OpenPGP primary key by its hex digits, another by what a verdict calls it."""
        wanted = fingerprint.upper() if FINGERPRINT.match(fingerprint.upper()) else fingerprint
        return next((p for p in self.persons.values() if wanted in p.fingerprints), None)


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
    persons = PersonsReader(path, text, contents).persons(raw)
    digest = hashlib.sha256(hashlib.sha256(data).digest())
    for name, content in contents.items():
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0" + hashlib.sha256(content).digest())
    keys = tuple(content for name, content in contents.items() if not name.endswith(NO_CERTIFICATE))
    return Policy(folder, digest.hexdigest(), persons, keys, files)


def read_files(folder: Path) -> dict[str, bytes]:
    """The files that make a policy, by their path below the folder: `signers.toml`, then `keys/<name>` by name.

    Raises:
        PolicyError: one is missing, is no regular file, or is too large.
    """
    data = read_key_file(folder / "signers.toml", "make it with `sealwright new`")
    return {"signers.toml": data, **{f"keys/{name}": held for name, held in _key_files(folder / "keys").items()}}


def read_key_file(path: Path, next_step: str) -> bytes:
    """The bytes of a file of a policy.

    Raises:
        PolicyError: it is missing, no regular file, or too large.
    """
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
        names = sorted(path.name for path in folder.iterdir() if path.suffix in (".asc", ".gpg", *NO_CERTIFICATE))
    except OSError as error:
        raise PolicyError(folder, 1, error.strerror or "it can't be read", "make the folder") from error
    return {name: read_key_file(folder / name, "put the key file itself here, not a link") for name in names}
