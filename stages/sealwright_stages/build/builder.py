"""The engine's builder on this machine: build roots, sandboxed runs, collected products.

- A build sees its own verified sources and the products of what it needs, read-only; a folder to work in and a
  folder for products; nothing else.
- Nobody but us can enter the folder around them, while it runs and afterwards.
- It has no network, and a uid that no other build has at that time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sealwright_stages.build import diffoscope, reference, runner
from sealwright_stages.build.collector import collect
from sealwright_stages.build.environments import Environments
from sealwright_stages.build.recipes import NEEDS, Recipe, recipe
from sealwright_stages.build.spare import spare_memory
from sealwright_stages.build.variation import OTHER_UID, Machine, vary
from sealwright_stages.errors import BuildError
from sealwright_stages.files import read_small
from sealwright_stages.ports import (
    BuildJob,
    BuildResult,
    Collected,
    ItemSpec,
    Outcome,
    OutputStream,
    Prepared,
    Reference,
    Report,
    Sampled,
    Side,
    Varied,
    Workshop,
)
from sealwright_stages.sandbox.bwrap import Bind, Sandbox
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.sandbox.ownership import hand_over, take_back

_OTHER = f"builder:x:{OTHER_UID}:{OTHER_UID}:builder:/nonexistent:/bin/sh\n".encode()
_PASSWD = b"root:x:0:0:root:/nonexistent:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n" + _OTHER
_GROUP = f"root:x:0:\nnogroup:x:65534:\nbuilder:x:{OTHER_UID}:\n".encode()
_DPKG = Path("/var/lib/dpkg")
_SCRATCH = 2 << 30
_LARGEST = 1 << 20  # bytes of a root's list of users
_HOSTS = b"127.0.0.1 localhost\n::1 localhost\n"


@dataclass(frozen=True)
class SandboxBuilder:
    """Implements `ports.Builder`."""

    identities: Identities
    environments: Environments

    def environment_items(self, name: str) -> tuple[ItemSpec, ...]:
        """The items of environment `name` itself."""
        return self.environments.items(name)

    def root_item(self, name: str, component: str) -> ItemSpec | None:
        """The item of the root that environment `name` has for this component alone."""
        return self.environments.root_item(name, component)

    def prepare(
        self,
        name: str,
        packages: Sequence[str],
        build_depends: Sequence[str],
        workshop: Workshop,
        *,
        own: bool = False,
    ) -> Prepared:
        """Make or take from the cache a build root with these packages; raises BuildError."""
        return self.environments.prepare(name, packages, build_depends, workshop, own=own)

    def run(
        self,
        job: BuildJob,
        out: Path,
        output: OutputStream,
        on_sample: Callable[[Sampled], None],
        stop: Callable[[], str],
    ) -> BuildResult:
        """Build into `out` (a fresh folder). `stop()` is asked often; a sentence from it kills the build.

        Raises:
            BuildError: there is no such recipe.
            MachineError: the sandbox can't be made or ended.
            LogLost: `output` or `on_sample` raised it; the build is dead.
        """
        how = recipe(job)
        out.chmod(0o700)  # a build may leave programs that run as its uid: nobody else is to reach them
        folders = (out / "build", out / "products")
        for folder in folders:
            folder.mkdir(mode=0o755)
        with self.identities.builder() as uid:
            for folder in folders:
                hand_over(folder, uid)
            try:
                box = _box(job, how, out, uid)
                watched = runner.Watched(output, on_sample, stop)
                return runner.run(box, how.argv, job.limits, out, watched)
            finally:
                for folder in folders:
                    take_back(folder, uid)

    def vary(self, job: BuildJob, asked: Sequence[str] | None, out: Path, since: str = "") -> Varied:
        """Other surroundings for a second build of `job`, as far as its recipe and this machine go."""
        return vary(job, asked, Machine.of(job.environment.root, out, since))

    def spare_memory(self) -> int:
        """Bytes of memory that builds may take on this machine, as it is now."""
        return spare_memory()

    def collect(self, job: BuildJob, out: Path, destination: Path) -> tuple[Collected, ...]:
        """Store the products below `destination`, strictly; raises BuildError and leaves nothing."""
        patterns = job.products or recipe(job).products
        return collect(out / "products", patterns, job.limits.disk, destination)

    def compare(self, asked: Reference, subject: str, workshop: Workshop, stop: Callable[[], str]) -> Outcome:
        """Set products beside the archive's packages; `subject` names them all. Raises FetchError."""
        archive = self.environments.archive(asked.suite)
        return reference.compare(asked, subject, archive, workshop, partial(self.report, stop=stop))

    def report(
        self, sides: tuple[Side, Side], names: Collection[str], folder: Path, stop: Callable[[], str]
    ) -> Report:
        """How the files of these names differ between two folders; waits for a uid that no build has."""
        mine, other = sides
        labels = (mine.label, other.label)
        with self.identities.builder() as uid:
            return diffoscope.report(
                mine.folder, other.folder, folder=folder, uid=uid, labels=labels, only=names, stop=stop
            )


def _box(job: BuildJob, how: Recipe, out: Path, uid: int | None) -> Sandbox:
    if not job.sources.is_dir():
        raise BuildError(
            f"{job.component} can't be built", "its sources are not there", "verify again", "sources-missing"
        )
    return Sandbox(
        uid=uid,
        inside_uid=job.around.uid,
        root=job.environment.root,
        binds=(
            Bind(job.sources, "/sources"),
            Bind(out / "build", "/build", writable=True),
            Bind(out / "products", "/out", writable=True),
            *_needs(job, out),
            *_dpkg(job),
        ),
        files=_files(job),
        environment=how.environment,
        folder="/build",
        hostname=job.around.hostname,
        processors=job.around.processors,
        processes=job.limits.processes,
        memory=job.limits.memory,
        file_size=job.limits.disk,
        scratch=min(_SCRATCH, job.limits.memory),
        grouped=True,
    )


def _files(job: BuildJob) -> dict[str, bytes]:
    """Files that the root lacks: of the host's /usr all, of another just a name for the uid, where that has none."""
    root = job.environment.root
    if root is None:
        return {"/etc/passwd": _PASSWD, "/etc/group": _GROUP, "/etc/hosts": _HOSTS}
    if job.around.uid == 0:
        return {}
    with contextlib.suppress(OSError):
        known = read_small(root / "etc" / "passwd", _LARGEST)
        if all(line.split(b":")[2:3] != [b"%d" % job.around.uid] for line in known.splitlines()):
            return {"/etc/passwd": known + _OTHER}
    return {}


def _dpkg(job: BuildJob) -> Iterator[Bind]:
    """For a Debian package on the host's /usr, what dpkg knows of that: its tools ask which package a file is of."""
    if job.recipe == "deb" and job.environment.root is None and _DPKG.is_dir():
        yield Bind(_DPKG, str(_DPKG))


def _needs(job: BuildJob, out: Path) -> Iterator[Bind]:
    """A folder of places, read-only, and in each the products of a component."""
    if not job.needs:
        return
    places = out / "needs"
    places.mkdir()
    yield Bind(places, NEEDS)
    for need in job.needs:
        (places / need.component).mkdir()
        for folder in (places, places / need.component, need.folder):
            folder.chmod(0o755)  # another uid is to read it, whatever our umask is
        yield Bind(need.folder, f"{NEEDS}/{need.component}")
