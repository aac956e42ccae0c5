"""A source and a builder that do as a script says, and note what they were asked to do."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sealwright_stages.errors import BuildError
from sealwright_stages.events import Stage
from sealwright_stages.manifest_build import VARIATIONS
from sealwright_stages.plan import environment_component
from sealwright_stages.ports import (
    BuildJob,
    BuildResult,
    Collected,
    Deleted,
    ItemSpec,
    Outcome,
    OutputStream,
    Prepared,
    Reference,
    Report,
    Sampled,
    Side,
    Surroundings,
    Varied,
    Workshop,
)
from sealwright_stages.verdict import Failed, Green, Passed, Verdict, Warned


def sha_of(data: bytes) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(data).hexdigest()


def good(data: bytes) -> Verdict:
    """A good signature over `data`."""
    return Passed("good signature of release-key-a", sha_of(data), {"signer": "release-key-a"})


def imperfect(data: bytes) -> Verdict:
    """A genuine signature by a key that has expired since."""
    evidence = {"signer": "release-key-a"}
    return Warned("key-expired-since", "the key expired since", "waive it", sha_of(data), evidence)


def bad(data: bytes) -> Verdict:
    """A bad signature."""
    return Failed("bad-signature", "the signature is bad", "get it from elsewhere", sha_of(data))


Check = Callable[[bytes], Verdict]


@dataclass
class ScriptedSource:
    """Implements `ports.Source`: `checks` says how each attempt is judged, the last one for all that follow."""

    component: str
    checks: list[Check] = field(default_factory=lambda: [good])
    content: bytes = b""
    on_fetch: Callable[[Workshop], None] = lambda workshop: None
    fetches: int = 0

    @property
    def fetch_item(self) -> ItemSpec:
        return ItemSpec(f"{self.component}/fetch", self.component, Stage.GET_SOURCES, "git", "source has arrived")

    @property
    def verify_items(self) -> tuple[ItemSpec, ...]:
        return (
            ItemSpec(f"{self.component}/tag", self.component, Stage.VERIFY, "git-tag", "signature of the tag"),
        )

    def fetch(self, workshop: Workshop) -> Verdict:
        self.fetches += 1
        self.on_fetch(workshop)
        data = self.content or f"sources of {self.component}\n".encode()
        (workshop.quarantine / "payload").write_bytes(data)
        workshop.progress(len(data), len(data), "")
        return Passed("it has arrived", sha_of(data))

    def verify(self, workshop: Workshop) -> Outcome:
        data = (workshop.quarantine / "payload").read_bytes()
        check = self.checks.pop(0) if len(self.checks) > 1 else self.checks[0]
        verdict, item = check(data), f"{self.component}/tag"
        if not isinstance(verdict, Failed):
            return Outcome({item: verdict}, facts={"epoch": 1_700_000_000, "references": {}})
        (workshop.quarantine / "payload").unlink()
        gone = Deleted(item, "payload", sha_of(data), len(data), verdict.reason)
        return Outcome({item: verdict}, (gone,))

    def stage(self, workshop: Workshop, green: Mapping[str, Green], destination: Path) -> None:
        assert set(green) == {f"{self.component}/fetch", f"{self.component}/tag"}
        folder = destination / "source"
        folder.mkdir()
        (folder / "payload").write_bytes((workshop.quarantine / "payload").read_bytes())
        (folder / "payload").chmod(0o644)


@dataclass
class ScriptedBuilder:
    """Implements `ports.Builder`: a build turns its sources into one product."""

    on_run: Callable[[BuildJob], None] = lambda job: None
    exits: dict[str, list[int]] = field(default_factory=dict)
    root: Callable[[str], Verdict | None] = lambda name: Passed(
        "packages verified", sha_of(name.encode()), {"packages": []}
    )
    with_items: bool = True
    own_roots: bool = False
    wishes: list[tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)
    refuses: dict[str, BuildError] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    spare: int = 1 << 40
    references: list[Verdict | BuildError] = field(default_factory=list)
    compared: list[Reference] = field(default_factory=list)
    leaks: Callable[[BuildJob], bytes] = lambda job: b""
    """What of its surroundings a build writes into its product."""

    def environment_items(self, name: str) -> tuple[ItemSpec, ...]:
        component = environment_component(name)
        spec = ItemSpec(f"{component}/apt", component, Stage.VERIFY, "apt", "packages of the build root")
        return (spec,) if self.with_items else ()

    def root_item(self, name: str, component: str) -> ItemSpec | None:
        title = f"build root of {component}"
        spec = ItemSpec(f"{component}/environment", environment_component(name), Stage.VERIFY, "apt", title)
        return spec if self.own_roots else None

    def prepare(
        self,
        name: str,
        packages: Sequence[str],
        build_depends: Sequence[str],
        workshop: Workshop,
        *,
        own: bool = False,
    ) -> Prepared:
        if "prepare" in self.refuses:
            raise self.refuses["prepare"]
        self.wishes.append((tuple(packages), tuple(build_depends)))
        verdict = self.root(name)
        sha256 = verdict.subject_sha256 if verdict is not None else ""
        return Prepared(name, None, sha256 or sha_of(name.encode()), (), verdict)

    def run(
        self,
        job: BuildJob,
        out: Path,
        output: OutputStream,
        on_sample: Callable[[Sampled], None],
        stop: Callable[[], str],
    ) -> BuildResult:
        self.runs.append(job.component)
        self.on_run(job)
        if "run" in self.refuses:
            raise self.refuses["run"]
        output.write("D", b"making\n")
        on_sample(Sampled(100, 1 << 20, 2, 0, 0))
        if reason := stop():
            return BuildResult(-9, 5, reason)
        data = (job.sources / "source" / "payload").read_bytes()
        (out / f"{job.component}.tar").write_bytes(b"built from " + data + self.leaks(job))
        exits = self.exits.get(job.component, [])
        return BuildResult(exits.pop(0) if exits else 0, 1200)

    def spare_memory(self) -> int:
        return self.spare

    def collect(self, job: BuildJob, out: Path, destination: Path) -> tuple[Collected, ...]:
        if "collect" in self.refuses:
            raise self.refuses["collect"]
        destination.mkdir()
        name = f"{job.component}.tar"
        data = (out / name).read_bytes()
        (destination / name).write_bytes(data)
        return (Collected(name, sha_of(data), len(data)),)

    def compare(self, asked: Reference, subject: str, workshop: Workshop, stop: Callable[[], str]) -> Outcome:
        self.compared.append(asked)
        (workshop.quarantine / "official.deb").write_bytes(b"a stranger's")
        said = self.references.pop(0) if self.references else Passed("as in the archive", subject)
        if isinstance(said, BuildError):
            raise said
        rows: dict[str, object] = {}
        for name, sha256 in asked.products.items():
            other = sha256 if isinstance(said, Passed) else "0" * 64
            rows[name] = {
                "result": "identical" if other == sha256 else "differs",
                "built": sha256,
                "published": other,
            }
        archive = {"suite": asked.suite, "date": "2023-11-01T10:00:00+00:00", "valid_until": ""}
        evidence = {"archive": {**archive, "inrelease_sha256": "1" * 64}, "compared": rows}
        return Outcome({asked.item: replace(said, subject_sha256=subject, evidence=evidence)})

    def vary(self, job: BuildJob, asked: Sequence[str] | None, out: Path, since: str = "") -> Varied:
        assert out.is_dir()
        names = [name for name in VARIATIONS if asked is None or name in asked]
        around = Surroundings(hostname="rebuild" if "hostname" in names else "build")
        kept = {name: "the manifest leaves it out" for name in VARIATIONS if name not in names}
        return Varied(around, dict.fromkeys(names, ("one", "two")), kept)

    def report(
        self, sides: tuple[Side, Side], names: Collection[str], folder: Path, stop: Callable[[], str]
    ) -> Report:
        texts = [(side.label, sorted(p.name for p in side.folder.iterdir() if p.name in names)) for side in sides]
        return Report(f"{texts[0]} differs from {texts[1]}\n", "240")


class NoSandbox:
    """Implements `ports.FetchSandbox` for sources that run nothing."""

    def run(self, argv: Sequence[str], **_options: object) -> object:
        raise AssertionError(f"nothing is run here: {argv}")
