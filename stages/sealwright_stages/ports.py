"""Where the engine meets the world: the log, the sandbox, sources, builds and the signer as interfaces.

- Tests put fakes here and nowhere else; the engine never learns which it has.
- What goes to a builder and what comes back is defined in `build_job` and `build_result`, and known by this name too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from sealwright_stages.build_job import BuildJob, Limits, Need, Package, Prepared, Surroundings, Varied
from sealwright_stages.build_result import BuildResult, Collected, Reference, Report, Sampled, Side, Used
from sealwright_stages.stage import Stage

if TYPE_CHECKING:
    from sealwright_appendlog.note import Checkpoint
    from sealwright_keyring.policy import Person
    from sealwright_stages.errors import Exhibit
    from sealwright_stages.state import Record
    from sealwright_stages.verdict import Green, Verdict

__all__ = [
    "Archive", "BuildJob", "BuildResult", "Builder", "Collected", "Deleted", "EventLog", "FetchRun", "FetchSandbox",
    "ItemSpec", "Limits", "Need", "Outcome", "OutputStream", "Package", "Prepared", "Progress", "Proposal",
    "Reference", "Report", "Sampled", "Side", "Signer", "Source", "Surroundings", "Trust", "Used", "Varied", "Workshop",
]  # fmt: skip


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

    `exhibits` are what was kept of a log that contradicted itself; empty while it does not. `all_said` is for who
    appends: while it is False, the stream does not end cleanly.
    """

    all_said: bool
    lost: threading.Event
    why_lost: str
    log_dir: Path | None

    @property
    def exhibits(self) -> tuple[Exhibit, ...]:
        """What contradicts what."""

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest checkpoint, proved to continue all that were seen before."""

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


ED25519 = "provenance.ed25519"
"""Under this name a raw Ed25519 signature over the provenance comes along, if the signer has such a key."""


class Signer(Protocol):
    """The signer, wherever it runs."""

    def propose(self, release: str, documents: Mapping[str, tuple[str, bytes]], log: Path) -> Proposal:
        """Show it what is to be signed, name -> (kind, bytes), and the sealed log. Raises SigningError."""

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
