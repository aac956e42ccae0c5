"""Makes evidence as a forger could who holds every key: each part fits the others, whatever the log says.

A story is what a lawful release says, step by step; a test changes what it wants changed before it is sealed and signed.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appendlog.log_making import Times
from sealwright_appendlog.store import Store
from sealwright_keyring.policy import Policy, load_policy
from sealwright_stages import events as ev
from sealwright_stages.declared import Declaration, declaration
from sealwright_stages.errors import MachineError, SealwrightError
from sealwright_stages.events import BadEventError, Stage
from sealwright_stages.fold import apply
from sealwright_stages.gate import decide
from sealwright_stages.log.entries import read_entries
from sealwright_stages.manifest import Manifest, load
from sealwright_stages.seal.evidence import published_path, verifier
from sealwright_stages.seal.pages import how_to_verify, index_page
from sealwright_stages.seal.proofs import write_proofs
from sealwright_stages.sign.provenance import Told, envelope, pae, sealed_log
from sealwright_stages.sign.provenance import told as told_of
from sealwright_stages.state import Product, State
from support.release_folder import HEAD, component
from support.small_release import Key
from support.stories import Entry

LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PRODUCT = b"built\n"
SUBJECT = hashlib.sha256(b"sources").hexdigest()
ROOT = hashlib.sha256(b"the host").hexdigest()
STREAM = "build/xen/1-1"
DIGEST = hashlib.sha256(PRODUCT).hexdigest()
EPOCH = 1_700_000_000
TAG = {"url": "https://example.org/xen.git", "tag": "v1", "persons": ["release-key-a"], "object_sha256": SUBJECT,
       "committed": EPOCH}  # fmt: skip


@dataclass(frozen=True)
class Eof:
    """A stream says something and ends; that of the events (`engine`) just ends."""

    stream: str
    clean: bool = True
    exit: int | None = 0
    data: bytes = b"making\n"


Step = ev.Event | Eof
Change = Callable[[list[Step]], list[Step]]
Tale = Callable[[Declaration, str], list[Step]]
"""From what a manifest declares, and the name of the tool, to what a lawful run says."""


def lawful(declared: Declaration, tool: str) -> list[Step]:
    """What a lawful run over one component says, up to the seal."""
    manifest, specs = declared.manifest, list(declared.items.values())
    steps: list[Step] = [begun(declared, tool)]
    steps += [ev.ItemDeclared(s.id, s.component, s.stage, s.kind, s.title) for s in specs]
    steps += [ev.StageStarted(Stage.GET_SOURCES), ev.StageStarted(Stage.VERIFY)]
    for spec in specs:
        if spec.stage is not Stage.BUILD:
            steps += judged(spec.id, TAG if spec.stage is Stage.VERIFY else {})
    steps += [ev.SourcesPromoted("xen", SUBJECT, 1, 7, *placed({"epoch": EPOCH}))]
    steps += [ev.StageEnded(Stage.GET_SOURCES, True), ev.StageEnded(Stage.VERIFY, True)]
    steps += [ev.GateDecided(Stage.BUILD, True, 0, 0, 0, 0), ev.StageStarted(Stage.BUILD)]
    steps += [ev.ItemStarted("xen/build")]
    steps += [ev.BuildStarted("xen", "xen/build", STREAM, "commands", "host", ROOT, SUBJECT, EPOCH), Eof(STREAM)]
    steps += [ev.BuildEnded("xen", 0, 1, ""), ev.ProductCollected("xen", "xen.tar", DIGEST, len(PRODUCT))]
    steps += [built("xen", {"xen.tar": DIGEST}), ev.StageEnded(Stage.BUILD, True)]
    assert manifest.name == "example"
    return [*steps, ev.GateDecided(Stage.SEAL, True, 0, 0, 0, 0), ev.StageStarted(Stage.SEAL)]


def begun(declared: Declaration, tool: str, *, resumed: bool = False) -> ev.RunStarted:
    """A run begins."""
    manifest = declared.manifest
    words = manifest.name, manifest.version, tool, manifest.sha256, declared.policy_sha256
    return ev.RunStarted(*words, resumed, True)


def placed(evidence: Mapping[str, object]) -> tuple[str, str, str]:
    """Evidence as it stands in an event."""
    text = json.dumps(evidence, sort_keys=True) if evidence else ""
    return text, hashlib.sha256(text.encode()).hexdigest() if text else "", ""


def passed(item: str, evidence: Mapping[str, object] | None = None, subject: str = SUBJECT) -> ev.ItemVerdict:
    """It is green."""
    return ev.ItemVerdict(item, "passed", "ok", "good", "", subject, *placed(evidence or {}))


def judged(item: str, evidence: Mapping[str, object], subject: str = SUBJECT) -> list[Step]:
    """It ran, and is green."""
    return [ev.ItemStarted(item), passed(item, evidence, subject)]


def built(name: str, products: Mapping[str, str]) -> ev.ItemVerdict:
    """A build is green for its products."""
    lines = "".join(f"{sha256}  {product}\n" for product, sha256 in sorted(products.items()))
    subject = hashlib.sha256(lines.encode()).hexdigest()
    return passed(f"{name}/build", {"products": dict(products)}, subject)


def counted(steps: Sequence[Step]) -> Iterator[Step]:
    """The steps, with gates that count what the steps before them said, and are open or not as they say."""
    state = State()
    for n, step in enumerate(steps):
        told = step
        if isinstance(step, ev.GateDecided):
            told = replace(decide(Stage(step.stage), state).event(), open=step.open)
        if not isinstance(told, Eof):
            apply(state, Entry(n, "", "ev", json.loads(json.dumps(ev.to_body(told)))))
        yield told


@dataclass
class Forger:
    """Holds a keyring folder, and the keys to sign with. `text` is the manifest of the `tale`, if it is not of one
    component; `bytes` are the products' by their SHA-256, `more` are further files.
    `key` is the log's; `notes` are the checkpoints that the log made last had on its way."""

    folder: Path
    signers: tuple[Key, ...]
    head: str = HEAD
    text: str = ""
    tale: Tale = lawful
    bytes: dict[str, bytes] = field(default_factory=lambda: {DIGEST: PRODUCT})
    key: Ed25519PrivateKey = LOG_KEY
    notes: list[bytes] = field(default_factory=list)
    more: dict[str, bytes] = field(default_factory=dict)
    tool: str = field(default_factory=lambda: version("sealwright"))
    made: int = 0

    @property
    def manifest(self) -> Path:
        """Where the release.toml of the next evidence lies."""
        return self.folder / "release.toml"

    def declared(self) -> tuple[Declaration, Policy]:
        """What the manifest declares, and the keyring."""
        self.manifest.write_text(self.text or self.head + component("xen"))
        policy = load_policy(self.folder / "keyring")
        return declaration(load(self.manifest), policy.sha256), policy

    def evidence(self, change: Change = list, at: str = "") -> Path:
        """Evidence of the lawful release, changed; signed at a time that gpg is told, if at all."""
        declared, _ = self.declared()
        folder = self.unsigned(list(counted(change(self.tale(declared, self.tool)))))
        state = told(folder / "log")
        said = says(state, declared.manifest, folder / "log").statement
        signed = {f"{name}.asc": self.signed((folder / name).read_bytes(), at) for name in SUMS}
        signed["provenance.manager-a.dsse.json"] = envelope(said, self.signed(pae(said), at))
        for name, data in signed.items():
            (folder / name).write_bytes(data)
        return folder

    def unsigned(self, steps: Sequence[Step]) -> Path:
        """Evidence of a log that says just these steps, before anybody signed it."""
        self.made += 1
        folder = self.folder / f"evidence-{self.made}"
        declared, policy = self.declared()
        self.notes = write_log(folder / "log", steps, self.key)
        state = told(folder / "log")
        products = sorted(state.products.values(), key=published_path)
        for product in products:
            self._publish(folder, product)
        (folder / "policy" / "keys").mkdir(parents=True)
        sums = "".join(f"{product.sha256}  {published_path(product)}\n" for product in products)
        for name, data in {
            "SHA256SUMS": sums.encode(),
            "sbom.cdx.json": says(state, declared.manifest, folder / "log").sbom,
            "HOW-TO-VERIFY.txt": how_to_verify(declared.manifest).encode(),
            "index.html": index_page(state, declared.manifest).encode(),
            "verify.py": verifier().read_bytes(),
            "policy/release.toml": declared.manifest.data,
            **{f"policy/{name}": data for name, data in policy.files.items()},
            **self.more,
        }.items():
            (folder / name).write_bytes(data)
        return folder

    def _publish(self, folder: Path, product: Product) -> None:
        """A product and its proof, if its name allows them."""
        path = folder / published_path(product)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.bytes.get(product.sha256, PRODUCT))
            write_proofs(folder / "log", [product])
        except (OSError, ValueError, MachineError):
            return

    def signed(self, data: bytes, at: str = "") -> bytes:
        """One armor block with a signature of each signer over `data`."""
        words = ["gpg", "--homedir", str(self.signers[0].home), "--batch", "--yes", "--armor", "--detach-sign"]
        words += ["--faked-system-time", at] if at else []
        return subprocess.run([*words, "-"], input=data, check=True, capture_output=True).stdout


SUMS = ("SHA256SUMS", "log/SHA256SUMS")


def says(state: State, manifest: Manifest, log: Path) -> Told:
    """What is told of a build, if its log has the evidence for that."""
    try:
        return told_of(state, manifest, sealed_log(log))
    except (SealwrightError, ValueError):
        return Told(b"{}", b"")


def told(log: Path) -> State:
    """The state that a log makes, as far as it makes one."""
    state = State()
    for entry in read_entries(log):
        try:
            apply(state, entry)
        except (BadEventError, ValueError):
            continue
    return state


def write_log(folder: Path, steps: Sequence[Step], key: Ed25519PrivateKey) -> list[bytes]:
    """A sealed log of these steps, with each build's output; gives a checkpoint of some of its earlier states."""
    folder.mkdir(parents=True)
    store, notes = Store(key, "example.org/log/forged", folder, Times().clock()), []
    for number, step in enumerate(steps):
        if number % 10 == 9:
            store.commit()
            notes.append(store.publish().encode())
        if not isinstance(step, Eof):
            store.event("engine", ev.to_body(step), "uid:0")
            continue
        if step.stream != "engine" and step.data:
            store.data(step.stream, "D", step.data, "uid:0")
        store.eof(step.stream, clean=step.clean, exit_status=step.exit, src="uid:0")
    store.eof("engine", clean=True, exit_status=0, src="uid:0")
    store.commit()
    store.seal("uid:0", store.hash_segments())
    store.close()
    return notes
