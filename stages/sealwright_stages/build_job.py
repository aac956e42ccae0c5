"""What is built: a component's sources in a build root, how, within which limits, and with what around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.verdict import Verdict


@dataclass(frozen=True)
class Package:
    """A stock package of a build root, as the verified index names it."""

    name: str
    version: str
    architecture: str
    sha256: str


@dataclass(frozen=True)
class Prepared:
    """A build root that stands ready: its folder (None: the host's /usr), its identity and how it was judged.

    Without a `verdict` nothing vouches for it.
    """

    name: str
    root: Path | None
    sha256: str
    packages: tuple[Package, ...]
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Limits:
    """What a build may use: seconds, bytes, bytes, processes."""

    wall: int = 7200
    memory: int = 8 << 30
    disk: int = 20 << 30
    processes: int = 512

    @property
    def figures(self) -> tuple[int, int, int, int]:
        """As `build.started` tells them: seconds, bytes of memory, bytes of disk, processes."""
        return self.wall, self.memory, self.disk, self.processes


@dataclass(frozen=True)
class Need:
    """A component whose products a build sees, and the folder that holds them and nothing else."""

    component: str
    folder: Path


@dataclass(frozen=True)
class Surroundings:
    """What a build finds around it and should leave no trace of; as it stands here, that of every first build.

    `uid` is the one inside, `place` the folder below which it works, `processors` those that it may run on (empty: all),
    `order` in which order the entries of its folders are made anew (empty: they are left as they came).
    """

    hostname: str = "build"
    locale: str = "C.UTF-8"
    timezone: str = "UTC"
    uid: int = 0
    place: str = "/build"
    processors: tuple[int, ...] = ()
    order: str = ""


@dataclass(frozen=True)
class Varied:
    """The surroundings of a second build: what is another, with both values, and what is not, with the reason."""

    around: Surroundings
    changed: Mapping[str, tuple[str, str]]
    kept: Mapping[str, str]

    def told(self) -> dict[str, object]:
        """As evidence has it."""
        return {"varied": {name: list(both) for name, both in self.changed.items()}, "kept": dict(self.kept)}


@dataclass(frozen=True)
class BuildJob:
    """One component's build: what goes in, how, and within which limits."""

    component: str
    recipe: str
    commands: tuple[str, ...]
    environment: Prepared
    sources: Path
    epoch: int
    limits: Limits
    products: tuple[str, ...]
    needs: tuple[Need, ...] = ()
    spec: str = ""
    around: Surroundings = Surroundings()
