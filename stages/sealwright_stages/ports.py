"""Where the engine meets the world: the log, the sandbox, sources, builds and the signer as interfaces.

- Tests put fakes here and nowhere else; the engine never learns which it has.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from sealwright_keyring.policy import Person
from sealwright_stages.errors import Exhibit
from sealwright_stages.events import Stage
from sealwright_stages.state import Record
from sealwright_stages.verdict import Green, Verdict


class OutputStream(Protocol):
    """One stream of raw bytes into the log, with its own connection."""

    def write(self, channel: Literal["D", "E"], data: bytes) -> None:
        """Send output; blocks while too much is unacknowledged. Raises LogLost."""

    def finish(self, exit_status: int) -> Record:
        """End the stream cleanly; returns the durable `eof` record. Raises LogLost."""

    def abort(self) -> None:
        """Drop the connection; the log records an unclean end."""


class EventLog(Protocol):
    """The log authority as the engine sees it. Every method raises LogLost when it is dead or frozen.

    `exhibits` are what was kept of a log that contradicted itself; empty while it does not.
    """

    lost: threading.Event
    why_lost: str
    log_dir: Path | None

    @property
    def exhibits(self) -> tuple[Exhibit, ...]:
        """What contradicts what."""

    def append(self, event: Mapping[str, object]) -> Record:
        """Append an event; returns its stamped record once that is durable. Thread-safe."""

    def open_stream(self, name: str) -> OutputStream:
        """Open a stream of raw bytes."""

    def seal(self) -> Record:
        """Close the log for good; returns the `seal` record."""

    def export(self, destination: Path) -> None:
        """Put the sealed log's files below `destination`, whole or not at all."""

    def close(self) -> None:
        """Let go of the authority, which ends if nobody else holds it."""


@dataclass(frozen=True)
class ItemSpec:
    """An item as the manifest declares it, before anything was fetched."""

    id: str
    component: str
    stage: Stage
    kind: str
    title: str


Progress = Callable[[int, int, str], None]
"""Called with bytes done, bytes in all (0: unknown) and a short note."""


@dataclass(frozen=True)
class Trust:
    """Whom a source is checked against: certificates, chosen persons, and how many of them must have signed."""

    certificates: tuple[bytes, ...]
    persons: tuple[Person, ...]
    threshold: int = 1


@dataclass(frozen=True)
class Archive:
    """A Debian archive: its address (without a trailing slash) and the file of keys that may sign its index."""

    mirror: str
    keyring: Path


@dataclass(frozen=True)
class Workshop:
    """What a source gets to work with: a fresh quarantine folder of its own, a cache, and a way to stop."""

    quarantine: Path
    cache: Path
    cancel: threading.Event
    progress: Progress
    sandbox: FetchSandbox


class FetchSandbox(Protocol):
    """Runs what meets strangers' bytes where it sees one writable folder, perhaps the network, and nothing else."""

    def run(
        self,
        argv: Sequence[str],
        *,
        writable: Path,
        readable: Sequence[Path] = (),
        files: Mapping[str, bytes] | None = None,
        timeout: float,
        env: Mapping[str, str] | None = None,
        cancel: threading.Event | None = None,
        on_stderr: Callable[[bytes], None] | None = None,
        network: bool = True,
    ) -> FetchRun:
        """Run `argv`; `writable` is /quarantine inside, each of `readable` has its own path, `files` give contents."""


class FetchRun(Protocol):
    """How a program in the fetch sandbox ended."""

    @property
    def returncode(self) -> int: ...
    @property
    def stdout(self) -> bytes: ...
    @property
    def stderr(self) -> bytes: ...
    def complaint(self, limit: int = 400) -> str: ...


@dataclass(frozen=True)
class Deleted:
    """Bytes that a source removed because they failed."""

    item: str
    name: str
    sha256: str
    size: int
    because: str


@dataclass(frozen=True)
class Outcome:
    """What checking a source gave: a verdict per item, what was deleted, and facts that later stages want.

    `facts` for a Debian source: `build_depends` (the field's text), `epoch` (seconds, of the changelog or
    signature), `references` (product file name -> SHA-256 in the archive's verified index).
    """

    verdicts: Mapping[str, Verdict]
    deleted: tuple[Deleted, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)


class Source(Protocol):
    """One source of a component: a git ref, a file, a Debian source package."""

    @property
    def component(self) -> str:
        """The component's name."""

    @property
    def fetch_item(self) -> ItemSpec:
        """The item of get-sources: it has arrived."""

    @property
    def verify_items(self) -> tuple[ItemSpec, ...]:
        """The items of verify."""

    def fetch(self, workshop: Workshop) -> Verdict:
        """Bring the bytes into the quarantine; raises FetchError."""

    def verify(self, workshop: Workshop) -> Outcome:
        """Judge what lies in the quarantine; what failed is deleted before this returns."""

    def stage(self, workshop: Workshop, green: Mapping[str, Green], destination: Path) -> None:
        """Write the verified bytes below `destination` (in the quarantine), given a `Green` per verify item."""


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


@dataclass(frozen=True)
class Sampled:
    """A look at a running build: percent of one core, bytes, counts.

    `disk` and `files` are what it takes of its disk, `said` the bytes of its output; `elapsed_ms` is since it began,
    `cpu_ms` the processor time that it took until now.
    """

    cpu: int
    memory: int
    processes: int
    read: int
    written: int
    disk: int = 0
    files: int = 0
    said: int = 0
    elapsed_ms: int = 0
    cpu_ms: int = 0


@dataclass(frozen=True)
class Used:
    """What a build took, all in all: milliseconds, bytes, counts; the peaks are those of the looks at it.

    `cpu_by` says who counted the time: `cgroup` (exact), or `looks` (what the last one saw). `charged` is the most
    memory that its control group was charged with, 0 where there is none: files that it read count in it.
    """

    cpu_ms: int = 0
    cpu_by: str = ""
    memory: int = 0
    charged: int = 0
    processes: int = 0
    disk: int = 0
    files: int = 0
    read: int = 0
    written: int = 0
    said: int = 0


@dataclass(frozen=True)
class BuildResult:
    """How a build ended: its exit status (negative: a signal), milliseconds, and why it was killed, if it was.

    `last_line` is the last that a build said that failed; it is a stranger's text.
    `limited_by` says what held its `processes` and its `memory`, `used` what it took.
    """

    exit: int
    wall_ms: int
    killed_because: str = ""
    last_line: str = ""
    limited_by: Mapping[str, str] = field(default_factory=dict)
    used: Used = Used()


@dataclass(frozen=True)
class Collected:
    """A product as stored: plain name, SHA-256, bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Report:
    """How two products differ, as a tool tells it: a stranger's text, perhaps cut; or why there is none, and the cure."""

    text: str = ""
    version: str = ""
    cut: bool = False
    why_none: str = ""
    cure: str = ""
    tool: str = "diffoscope"

    def evidence(self) -> dict[str, object]:
        """The same as JSON."""
        told = {"tool": self.tool, "version": self.version}
        if self.why_none:
            return {**told, "why_none": self.why_none, "cure": self.cure}
        return {**told, "cut": self.cut, "text": self.text}


@dataclass(frozen=True)
class Reference:
    """What is set beside the archive's packages: for which item, of which suite; products by name, and their folder."""

    item: str
    suite: str
    products: Mapping[str, str]
    folder: Path


@dataclass(frozen=True)
class Side:
    """One of two folders of plain files that are compared, and what it is called in the report."""

    label: str
    folder: Path


class Builder(Protocol):
    """Runs builds in the sandbox."""

    def environment_items(self, name: str) -> tuple[ItemSpec, ...]:
        """The items of environment `name` itself; component is `environment NAME`."""

    def root_item(self, name: str, component: str) -> ItemSpec | None:
        """The item of the root that environment `name` has for this component alone, if it has one for each."""

    def prepare(
        self,
        name: str,
        packages: Sequence[str],
        build_depends: Sequence[str],
        workshop: Workshop,
        *,
        own: bool = False,
    ) -> Prepared:
        """Make or take from the cache a build root with these packages; raises BuildError.

        Without any it is the environment's own root, of which those of its components are made. With `own` it is judged
        as a component's: what the environment's items say already is not judged again.
        """

    def run(
        self,
        job: BuildJob,
        out: Path,
        output: OutputStream,
        on_sample: Callable[[Sampled], None],
        stop: Callable[[], str],
    ) -> BuildResult:
        """Build into `out` (a fresh folder). `stop()` is asked often; a sentence from it kills the build."""

    def vary(self, job: BuildJob, asked: Sequence[str] | None, out: Path, since: str = "") -> Varied:
        """Other surroundings for a second build of `job` below `out`; `asked` names what (None: all that can be), `since`
        when the first began (ISO 8601, UTC; empty: today)."""

    def spare_memory(self) -> int:
        """Bytes of memory that builds may take, as it is now."""

    def collect(self, job: BuildJob, out: Path, destination: Path) -> tuple[Collected, ...]:
        """Store the products below `destination`, strictly; raises BuildError and leaves nothing."""

    def compare(self, asked: Reference, subject: str, workshop: Workshop, stop: Callable[[], str]) -> Outcome:
        """Set products beside the archive's packages; `subject` names them all. Raises FetchError."""

    def report(
        self, sides: tuple[Side, Side], names: Collection[str], folder: Path, stop: Callable[[], str]
    ) -> Report:
        """How the files of these names differ between two folders; `folder` is a new one to work in."""


class Signer(Protocol):
    """The signer, wherever it runs."""

    def propose(
        self, release: str, documents: Mapping[str, tuple[str, bytes]], context: Mapping[str, object]
    ) -> Proposal:
        """Show it what is to be signed: name -> (kind, bytes). Raises SigningError."""

    def sign(self, proposal: Proposal, typed_digest: str, typed_release: str) -> Mapping[str, bytes]:
        """Signatures by document name (empty typed words: by its own policy). Raises SigningError."""

    def close(self) -> None:
        """End it."""


@dataclass(frozen=True)
class Proposal:
    """What the signer understood: its own summary, the digest over all, and which keys it would use."""

    id: str
    digest: str
    summary: tuple[str, ...]
    needs: str
    keys: tuple[str, ...]
