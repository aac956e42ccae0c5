"""A rich release that went lawfully: three runs, sources of four kinds, a crash, retries, waivers, and every event.

What it says is what the engine says of such a release, in its order; a test that mutates it must find that out.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from audit.forge import Eof, Forger, Step, begun, built, counted, passed, placed
from sealwright_keyring.policy import load_policy
from sealwright_keyring.policy_sums import sums_text
from sealwright_stages import events as ev
from sealwright_stages.declared import Declaration
from sealwright_stages.events import Stage
from sealwright_stages.manifest_build import VARIATIONS

MIRROR = "https://deb.example.org/debian"
SUITE = {"mirror": MIRROR, "suite": "bookworm", "date": "2023-11-01T10:00:00+00:00", "valid_until": ""}


def sha(text: str) -> str:
    """SHA-256 of a made-up thing."""
    return hashlib.sha256(text.encode()).hexdigest()


LIST = {"name": "main/binary-amd64/Packages.xz", "sha256": sha("list"), "size": 77}
RELEASE = f"Codename: bookworm\nSHA256:\n {LIST['sha256']}       77 {LIST['name']}\n"
CLEARSIGNED = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{}\n-----BEGIN PGP SIGNATURE-----\n"
INRELEASE = CLEARSIGNED.format(RELEASE).encode()
ARCHIVE = {**SUITE, "inrelease_sha256": hashlib.sha256(INRELEASE).hexdigest()}
FILE, NOTES, DSC, TAG, ROOT = sha("tallow"), sha("notes"), sha("catdoc.dsc"), sha("tag object"), sha("root")
HELD = ev.SandboxHeld(100, "2023-11-13T23:00:00.000000Z", sha("inputs"))
EARLIER = ev.MemoryRead("example-0.9", "2023-03-02T00:00:00.000000Z", sha("earlier"), 345, 12)
DEBS = ("a_1_all.deb", "a-dbgsym_1_all.deb", "b_1_all.deb", "c_1_all.deb")
CATDOC = (*DEBS, "notes.txt")
BYTES = {name: f"{name}\n".encode() for name in ("xen.tar", "xen-doc.tar", "notes.txt", *DEBS)}
SHA = {name: hashlib.sha256(data).hexdigest() for name, data in BYTES.items()}
MANIFEST = """[release]
name = "example"
version = "1.0"
keyring = "keyring"
signers = ["manager-a"]
[policy]
signers = ["manager-a"]
[memory]
evidence = ["earlier"]
[environment]
mirror = "{mirror}"
[[waiver]]
item = "xen/file-signature/tallow.tar.gz"
code = "key-expired-since"
person = "manager-a"
reason = "the key was extended, the file is as upstream has it"
sha256 = "{file}"
policy_sha256 = "{policy}"
[[waiver]]
item = "catdoc/reference"
code = "differs-from-archive+not-in-archive"
person = "manager-a"
reason = "the archive has another compiler"
sha256 = "{catdoc}"
policy_sha256 = "{policy}"
[[component]]
name = "notes"
[[component.file]]
url = "https://files.example.org/notes.txt"
sha256 = "{notes}"
[[component]]
name = "catdoc"
dsc = "debian:bookworm/catdoc"
uploaders = "debian-keyring"
[component.build]
environment = "debian:bookworm"
recipe = "deb"
reference = "debian"
products = ["*.deb", "*.txt"]
reproduce = 2
vary = ["hostname", "parallel"]
[[component]]
name = "xen"
git = "https://example.org/xen.git"
tag = "v1"
signers = ["release-key-a"]
needs = ["catdoc", "notes"]
[[component.file]]
url = "https://files.example.org/tallow.tar.gz"
sha256 = "{file}"
signature = "https://files.example.org/tallow.tar.gz.asc"
signers = ["release-key-a"]
[component.build]
environment = "debian:bookworm"
packages = ["gcc"]
recipe = "commands"
commands = ["make"]
products = ["*.tar"]
reproduce = 2
"""


@dataclass
class Teller:
    """Writes a story down; `runs` and `spilled` name its streams as the journal does."""

    declared: Declaration
    tool: str
    sums: bytes
    steps: list[Step] = field(default_factory=list)
    runs: int = 0
    spilled: int = 0
    older: bool = False

    def say(self, *steps: Step) -> None:
        """Say it."""
        self.steps += steps

    def spill(self, evidence: Mapping[str, object]) -> tuple[str, str, str]:
        """Evidence on a stream of its own, as it stands in an event."""
        data = json.dumps(evidence, sort_keys=True).encode()
        self.spilled += 1
        name = f"evidence/{self.runs}-{self.spilled}"
        self.say(Eof(name, data=data))
        return "", hashlib.sha256(data).hexdigest(), name

    def run(self) -> None:
        """A run begins."""
        self.say(begun(self.declared, self.tool, resumed=self.runs > 0))
        self.say(HELD)
        self.runs, self.spilled = self.runs + 1, 0
        told = self.spill({"persons": ["manager-a"], "threshold": 1})
        sums = hashlib.sha256(self.sums).hexdigest()
        self.say(ev.PolicySigned(self.declared.policy_sha256, sums, "manager-a", 1, *told))

    def judge(self, item: str, evidence: Mapping[str, object], subject: str, *, spilled: bool = False) -> None:
        """It is green, with its evidence in the event or on a stream."""
        told = self.spill(evidence) if spilled else placed(evidence)
        self.say(ev.ItemVerdict(item, "passed", "ok", "good", "", subject, *told))

    def warn(self, item: str, code: str, evidence: Mapping[str, object], subject: str) -> None:
        """It is yellow."""
        self.say(ev.ItemVerdict(item, "warned", code, "imperfect", "waive it", subject, *placed(evidence)))

    def waive(self, number: int) -> None:
        """It is waived, as the manifest says."""
        waiver = self.declared.manifest.waivers[number]
        words = waiver.person, waiver.reason, waiver.item_sha256, waiver.policy_sha256
        self.say(ev.ItemWaived(waiver.item, waiver.code, *words))

    def arrive(self, item: str, *verify: str) -> None:
        """Something arrived, and is looked at."""
        self.say(ev.ItemStarted(item), ev.ItemProgress(item, 5, 10, "of 10"), passed(item, {"size": 10}, ""))
        self.say(*(ev.ItemStarted(each) for each in verify))

    def promote(self, component: str, facts: Mapping[str, object], *, spilled: bool = False) -> None:
        """It leaves the quarantine."""
        told = self.spill(facts) if spilled else placed(facts)
        self.say(ev.SourcesPromoted(component, sha(f"{component} list"), 3, 300, *told))

    def root(self, name: str, packages: Sequence[str], depends: Sequence[str]) -> None:
        """A component's own root, if this version has them."""
        if self.older:
            return
        told = {"packages": packages, "build_depends": depends, "tree": sha(f"tree of {name}")}
        evidence = {key: value for key, value in OF_BASE.items() if key == "inrelease_sha256"}
        evidence |= {"packages": PACKAGES, "root": {**BASE, **told}}
        self.say(ev.ItemStarted(f"{name}/environment"))
        self.judge(f"{name}/environment", evidence, sha(f"root of {name}"), spilled=name == "catdoc")

    def stages(self, *ok: bool) -> None:
        """The first two stages end."""
        self.say(*(ev.StageEnded(s, o) for s, o in zip((Stage.GET_SOURCES, Stage.VERIFY), ok, strict=True)))

    def build(
        self,
        name: str,
        attempt: int,
        recipe: str,
        epoch: int,
        status: int = 0,
        *,
        spilled: bool = False,
        varied: Mapping[str, object] | None = None,
    ) -> None:
        """A build runs to its end, the second one if something is `varied`; that of xen sees the products of catdoc."""
        second = varied is not None
        stream = f"build/{name}/{self.runs}-{attempt}{'-second' if second else ''}"
        item = f"{name}/{'reproduce' if second else 'build'}"
        self.say(ev.ItemStarted(item))
        root = ROOT if self.older else sha(f"root of {name}")
        words = recipe, "debian:bookworm", root, sha(f"{name} list"), epoch
        seen = {f"catdoc/{each}": SHA[each] for each in CATDOC} if name == "xen" else {}
        told = self.spill(seen) if spilled else placed(seen)
        more = placed(varied) if varied is not None else ()
        self.say(ev.BuildStarted(name, item, stream, *words, *told, *more))
        self.say(ev.BuildSample(name, 90, 1 << 20, 3, 10, 20, second, 4096, 7), Eof(stream, exit=status))
        figures = 900, "cgroup", 1 << 20, 1 << 21, 3, 4096, 7, 10, 20, 30
        self.say(ev.BuildEnded(name, status, 1200, "", second, *figures))


COMMIT, TAG_OBJECT, TREE = (sha(name)[:40] for name in ("commit", "tag object", "tree"))
GIT_EVIDENCE = {
    "url": "https://example.org/xen.git",
    "tag": "v1",
    "tag_object": TAG_OBJECT,
    "commit": COMMIT,
    "tree": TREE,
    "object_sha256": TAG,
    "tagged": 1_690_000_000,
    "committed": 1_690_000_000,
    "signature": {"persons": ["release-key-a"], "threshold": 1},
}
SIGNED = {"url": "https://files.example.org/tallow.tar.gz", "pinned": True, "persons": ["release-key-a"]}
PINNED = {"url": "https://files.example.org/tallow.tar.gz", "pinned": True, "found": FILE}
IN_ARCHIVE = {"archive": ARCHIVE, "package": "catdoc", "version": "0.95-5", "files": {"catdoc.dsc": DSC}}
PACKAGES = [f"gcc 12.2 amd64 {sha('gcc')}", f"make 4.3 amd64 {sha('make')}"]
OLDER = {"archive": ARCHIVE, "packages": PACKAGES}
BASE = {
    "form": 4,
    "suite": "bookworm",
    "architecture": "amd64",
    "base": ["make"],
    "packages": [],
    "build_depends": [],
    "base_sha256": ROOT,
    "inrelease_sha256": ARCHIVE["inrelease_sha256"],
    "index": LIST,
    "tree": sha("tree"),
    "tools": {"apt": "2.6.1", "dpkg": "1.21.22", "mmdebstrap": "1.3.5", "tar": "1.34"},
}
OF_BASE = {
    "archive": ARCHIVE,
    "inrelease_sha256": ARCHIVE["inrelease_sha256"],
    "inrelease_base64": base64.b64encode(INRELEASE).decode(),
    "packages": PACKAGES[1:],
    "root": BASE,
}
NOTES_EVIDENCE = {"url": "https://files.example.org/notes.txt", "pinned": True, "found": NOTES}
REFERENCES = {"a_1_all.deb": SHA["a_1_all.deb"], "b_1_all.deb": sha("another b.deb")}
COMPARED = {
    "a_1_all.deb": {"result": "identical", "built": SHA["a_1_all.deb"], "published": SHA["a_1_all.deb"]},
    "a-dbgsym_1_all.deb": {"result": "debug", "built": SHA["a-dbgsym_1_all.deb"], "published": ""},
    "b_1_all.deb": {"result": "differs", "built": SHA["b_1_all.deb"], "published": sha("another b.deb")},
    "c_1_all.deb": {"result": "absent", "built": SHA["c_1_all.deb"], "published": "", "why": "not there"},
    "notes.txt": {"result": "no-package", "built": SHA["notes.txt"], "published": ""},
}
APT = "environment debian:bookworm/apt"
XEN = ("xen/git/v1", "xen/file/tallow.tar.gz", "xen/file-signature/tallow.tar.gz")


def first_run(teller: Teller) -> None:
    """It declares all, reads the memory, finds bad bytes, and dies while it fetches."""
    teller.run()
    teller.say(EARLIER)
    specs = [s for s in teller.declared.items.values() if not (teller.older and s.id.endswith("/environment"))]
    teller.say(*(ev.ItemDeclared(s.id, s.component, s.stage, s.kind, s.title) for s in specs))
    teller.say(ev.StageStarted(Stage.GET_SOURCES), ev.StageStarted(Stage.VERIFY))
    teller.arrive("notes/fetch/notes.txt", "notes/file/notes.txt")
    red = "failed", "digest-mismatch", "other bytes", "get it elsewhere", sha("evil"), *placed({"found": "evil"})
    teller.say(ev.FileDeleted("notes/file/notes.txt", "notes.txt", sha("evil"), 4, "other bytes"))
    teller.say(ev.ItemVerdict("notes/file/notes.txt", *red), ev.ItemStarted("xen/fetch/v1"))
    teller.say(Eof("evidence/1-9", clean=True, data=b"never named"), Eof("engine", clean=False, exit=None))


def sources(teller: Teller) -> None:
    """The second run fetches all anew, waits at a closed gate, and is given a waiver."""
    teller.run()
    teller.say(ev.ItemReset("xen/fetch/v1", "left half done"))
    teller.say(ev.FileDeleted("xen/fetch/v1", "xen/repository.git", "", 0, "left over"))
    teller.say(ev.StageStarted(Stage.GET_SOURCES), ev.StageStarted(Stage.VERIFY))
    teller.say(
        *(ev.ItemReset(item, "fetched again") for item in ("notes/fetch/notes.txt", "notes/file/notes.txt"))
    )
    teller.arrive("notes/fetch/notes.txt", "notes/file/notes.txt")
    teller.judge("notes/file/notes.txt", NOTES_EVIDENCE, NOTES)
    teller.promote("notes", {})
    teller.arrive("catdoc/fetch/catdoc", "catdoc/archive/catdoc", "catdoc/uploader/catdoc")
    teller.judge("catdoc/archive/catdoc", IN_ARCHIVE, DSC, spilled=True)
    teller.warn("catdoc/uploader/catdoc", "uploader-rights-unproven", {"keyring": "debian-keyring"}, DSC)
    teller.arrive("xen/fetch/v1", XEN[0])
    teller.judge(XEN[0], GIT_EVIDENCE, TAG)
    teller.arrive("xen/fetch/tallow.tar.gz", *XEN[1:])
    teller.judge(XEN[1], PINNED, FILE)
    teller.warn(XEN[2], "key-expired-since", SIGNED, FILE)
    teller.waive(0)
    teller.promote("xen", {"epoch": 1_690_000_000})
    if teller.older:
        teller.say(ev.ItemStarted(APT), ev.ItemReset(APT, "made once all is verified"))
    else:
        teller.say(ev.ItemStarted(APT))
        teller.judge(APT, OF_BASE, ROOT, spilled=True)
        own = "catdoc/environment"
        teller.say(ev.ItemStarted(own), ev.ItemReset(own, "made once what is built in it is verified"))
        teller.root("xen", ["gcc"], [])
    teller.stages(True, False)
    teller.say(ev.GateDecided(Stage.BUILD, False, 0, 0, 0, 0))
    typed = "manager-a", "known to us", DSC, teller.declared.policy_sha256
    teller.say(ev.ItemWaived("catdoc/uploader/catdoc", "uploader-rights-unproven", *typed))
    teller.promote(
        "catdoc", {"epoch": 1_680_000_000, "references": REFERENCES, "build_depends": "gcc"}, spilled=True
    )
    if teller.older:
        teller.say(ev.ItemStarted(APT))
        teller.judge(APT, OLDER, ROOT, spilled=True)
    teller.root("catdoc", [], ["gcc"])
    teller.say(ev.GateDecided(Stage.BUILD, True, 0, 0, 0, 0))


def varied(*names: str) -> dict[str, object]:
    """What a second build says of what it varied."""
    kept = {name: "the manifest leaves it out" for name in VARIATIONS if name not in names}
    return {"varied": {name: ["one", "two"] for name in names}, "kept": kept}


def twice(first: Sequence[str], **others: str) -> dict[str, object]:
    """The products of two builds beside each other; `others` are the second's that differ, by their names."""
    rows = {}
    for name in first:
        own = {"sha256": SHA[name], "size": len(BYTES[name])}
        digest = sha(others[name]) if name in others else SHA[name]
        rows[name] = {**own, "second_sha256": digest, "second_size": len(BYTES[name])}
    return {"twice": rows}


def seconds(teller: Teller) -> None:
    """Both are built again: one gives the same, the other, at the second try, does not, and is waived."""
    red = "failed", "second-build-failed", "exit 2", "read its log", "", "", "", ""
    told = varied("hostname", "parallel")
    teller.build("catdoc", 1, "deb", 1_680_000_000, varied=told)
    teller.judge("catdoc/reproduce", {**told, **twice(CATDOC)}, subject_of(CATDOC), spilled=True)
    told = varied(*VARIATIONS)
    teller.build("xen", 1, "commands", 1_690_000_000, status=2, varied=told)
    teller.say(ev.ItemVerdict("xen/reproduce", *red), ev.StageEnded(Stage.BUILD, False))
    teller.say(ev.GateDecided(Stage.SEAL, False, 0, 0, 0, 0), ev.StageStarted(Stage.BUILD))
    teller.say(ev.ItemReset("xen/reproduce", "again"))
    teller.build("xen", 2, "commands", 1_690_000_000, varied=told)
    tars = ("xen.tar", "xen-doc.tar")
    found = {
        **told,
        **twice(tars, **{"xen.tar": "another"}),
        "report": {"tool": "diffoscope", "text": "- a\n+ b\n"},
    }
    teller.warn("xen/reproduce", "not-reproduced", found, subject_of(tars))
    teller.say(ev.StageEnded(Stage.BUILD, False), ev.GateDecided(Stage.SEAL, False, 0, 0, 0, 0))
    typed = "manager-a", "its host name", subject_of(tars), teller.declared.policy_sha256
    teller.say(ev.ItemWaived("xen/reproduce", "not-reproduced", *typed))


def subject_of(names: Sequence[str]) -> str:
    """The SHA-256 that a build of these products is about."""
    return built("", {name: SHA[name] for name in names}).subject_sha256


def builds(teller: Teller) -> None:
    """Both builds fail at first, the first one before the other can begin, and are built again."""
    red = "failed", "build-failed", "exit 2", "read its log", "", "", "", ""
    teller.say(ev.StageStarted(Stage.BUILD))
    teller.build("catdoc", 1, "deb", 1_680_000_000, status=2)
    teller.say(ev.ItemVerdict("catdoc/build", *red), ev.BuildStopped("xen", "xen/build", "catdoc"))
    teller.say(ev.StageEnded(Stage.BUILD, False), ev.GateDecided(Stage.SEAL, False, 0, 0, 0, 0))
    teller.say(ev.StageStarted(Stage.BUILD), ev.ItemReset("catdoc/build", "it is built again"))
    teller.build("catdoc", 2, "deb", 1_680_000_000)
    for name in CATDOC:
        result = {"a_1_all.deb": "identical", "b_1_all.deb": "differs"}.get(name, "absent")
        teller.say(ev.ProductCollected("catdoc", name, SHA[name], len(BYTES[name])))
        teller.say(ev.ProductCompared("catdoc", name, result, REFERENCES.get(name, ""), "the archive"))
    green = built("catdoc", {name: SHA[name] for name in CATDOC})
    teller.say(green, ev.ItemStarted("catdoc/reference"))
    evidence = {"archive": ARCHIVE, "compared": COMPARED}
    teller.warn("catdoc/reference", "differs-from-archive+not-in-archive", evidence, green.subject_sha256)
    teller.waive(1)
    teller.build("xen", 1, "commands", 1_690_000_000, status=2)
    teller.say(ev.ItemVerdict("xen/build", *red), ev.StageEnded(Stage.BUILD, False))
    teller.say(ev.GateDecided(Stage.SEAL, False, 0, 0, 0, 0))
    teller.say(ev.StageStarted(Stage.BUILD), ev.ItemReset("xen/build", "it is built again"))
    teller.build("xen", 2, "commands", 1_690_000_000, spilled=True)
    for name in ("xen.tar", "xen-doc.tar"):
        teller.say(ev.ProductCollected("xen", name, SHA[name], len(BYTES[name])))
    teller.say(built("xen", {name: SHA[name] for name in ("xen.tar", "xen-doc.tar")}))
    seconds(teller)
    teller.say(ev.GateDecided(Stage.SEAL, True, 0, 0, 0, 0))
    teller.say(ev.RunEnded(130, "it was interrupted", "run again"), Eof("engine"))


def last_run(teller: Teller) -> None:
    """The third run finds all as it was, and seals."""
    teller.run()
    teller.say(ev.StageStarted(Stage.GET_SOURCES), ev.StageStarted(Stage.VERIFY))
    teller.stages(True, True)
    teller.say(ev.StageStarted(Stage.BUILD), ev.StageEnded(Stage.BUILD, True), ev.StageStarted(Stage.SEAL))


def rich(forger: Forger, *, older: bool = False) -> list[Step]:
    """Give the forger the rich release to tell, with its policy signed; gives what it says, gates counted.

    `older` is how a version told it that had one build root for all components of a suite.
    """
    ring = forger.folder / "keyring"
    policy = load_policy(ring)
    forger.text = MANIFEST.format(
        mirror=MIRROR, file=FILE, notes=NOTES, policy=policy.sha256, catdoc=subject_of(CATDOC)
    )
    sums = sums_text(ring, policy.files)
    forger.more = {"policy/SHA256SUMS": sums, "policy/SHA256SUMS.asc": forger.signed(sums)}
    forger.bytes = {SHA[name]: data for name, data in BYTES.items()}

    def tale(declared: Declaration, tool: str) -> list[Step]:
        teller = Teller(declared, tool, sums, older=older)
        for part in (first_run, sources, builds, last_run):
            part(teller)
        return teller.steps

    forger.tale = tale
    return list(counted(tale(forger.declared()[0], forger.tool)))
