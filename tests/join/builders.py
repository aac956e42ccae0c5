"""Evidence of one release by several persons: `a` and `b` got the same bytes, `c` did not; two must sign and agree."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.forge import DIGEST, PRODUCT, Eof, Forger, Step, built
from sealwright_stages import events as ev
from support.small_release import Key, make_key, write_keyring

PERSONS = ("alice", "bob", "carol")
HEAD = """[release]
name = "example"
version = "1.0"
keyring = "keyring"
signers = ["alice", "bob", "carol"]
threshold = 2
builders = 2
"""
OTHER = b"built otherwise\n"
AUTHOR = "release-key-a"


def made_keys(base: Path) -> tuple[Key, ...]:
    """A key for each person."""
    return tuple(make_key(base / name, name) for name in (*PERSONS, AUTHOR))


def log_key(number: int) -> Ed25519PrivateKey:
    """The key of a log."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


def with_other_bytes(steps: list[Step]) -> list[Step]:
    """The same story, of a build that made something else."""
    sha256 = hashlib.sha256(OTHER).hexdigest()
    other = built("xen", {"xen.tar": sha256})
    return [_otherwise(step, sha256, other) for step in steps]


def _otherwise(step: Step, sha256: str, other: Step) -> Step:
    if isinstance(step, ev.ProductCollected):
        return replace(step, sha256=sha256, size=len(OTHER))
    return other if isinstance(step, ev.ItemVerdict) and step.item == "xen/build" else step


def said_more(steps: list[Step]) -> list[Step]:
    """The same story, in which the build said something else."""
    return [replace(step, data=b"making it\n") if isinstance(step, Eof) else step for step in steps]


@dataclass(frozen=True)
class Builders:
    """A folder with the keyring, and evidence called after whoever built it."""

    folder: Path
    keys: tuple[Key, ...]

    def made(self) -> Builders:
        """Make all of it."""
        write_keyring(self.folder / "keyring", self.keys)
        for number, person in enumerate(PERSONS):
            self.build(person, number + 1, person, other=person == "carol")
        return self

    def key(self, person: str) -> Key:
        """A person's key."""
        return next(key for key in self.keys if key.person == person)

    def build(
        self, called: str, log: int, *persons: str, other: bool = False, head: str = HEAD, more: bool = False
    ) -> Path:
        """Evidence with a log of that number, signed by these."""
        forger = Forger(self.folder, tuple(self.key(person) for person in persons), head, key=log_key(log))
        forger.bytes = {DIGEST: PRODUCT, hashlib.sha256(OTHER).hexdigest(): OTHER}
        changes = [change for change, wanted in ((with_other_bytes, other), (said_more, more)) if wanted]
        made = forger.evidence(lambda steps: _changed(steps, changes))
        made.joinpath("provenance.manager-a.dsse.json").rename(made / f"provenance.{persons[0]}.dsse.json")
        return made.rename(self.folder / called)

    def at(self, *called: str) -> list[Path]:
        """Where evidence lies."""
        return [self.folder / name for name in called]

    def copied(self, called: str, to: str) -> Path:
        """A copy of evidence."""
        return Path(shutil.copytree(self.folder / called, self.folder / to))

    def published(self, site: Path, *persons: str) -> Path:
        """Evidence as `publish` lays it out, without its pages; gives the version's folder."""
        for person in persons:
            target = site / "example/1.0" / person
            target.mkdir(parents=True)
            shutil.copytree(self.folder / person, target / "evidence")
        return site / "example/1.0"


def _changed(steps: list[Step], changes: Sequence[object]) -> list[Step]:
    for change in changes:
        assert callable(change)
        steps = change(steps)
    return steps
