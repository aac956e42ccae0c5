"""Makes evidence as a forger could who holds every key: each part fits the others, whatever the log says.

A `Story` is a lawful release of one component; a test changes what it wants changed before it is sealed and signed.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appendlog.log_making import Times
from sealwright_appendlog.store import Store
from sealwright_keyring.policy import load_policy
from sealwright_stages import events as ev
from sealwright_stages.declared import declared
from sealwright_stages.events import Stage
from sealwright_stages.fold import apply, fold
from sealwright_stages.gate import decide
from sealwright_stages.log.entries import read_entries
from sealwright_stages.manifest import load
from sealwright_stages.ports import ItemSpec
from sealwright_stages.seal.evidence import published_path, verifier
from sealwright_stages.seal.pages import how_to_verify, index_page
from sealwright_stages.seal.proofs import write_proofs
from sealwright_stages.sign.provenance import envelope, pae, statement
from sealwright_stages.state import State
from support.release_folder import HEAD, component
from support.small_release import Key
from support.stories import Entry

LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PRODUCT = b"built\n"
SUBJECT = hashlib.sha256(b"sources").hexdigest()
STREAM = "build/xen/1-1"
DIGEST = hashlib.sha256(PRODUCT).hexdigest()


@dataclass(frozen=True)
class Eof:
    """A stream ends."""

    stream: str
    clean: bool = True
    exit: int | None = 0


Step = ev.Event | Eof
Change = Callable[[list[Step]], list[Step]]


def lawful(specs: list[ItemSpec], manifest_sha256: str, policy_sha256: str, tool: str) -> list[Step]:
    """What a lawful run says, up to the seal."""
    begun = ev.RunStarted("example", "1.0", tool, manifest_sha256, policy_sha256, False, True)
    steps: list[Step] = [begun]
    steps += [ev.ItemDeclared(s.id, s.component, s.stage, s.kind, s.title) for s in specs]
    steps += [ev.StageStarted(Stage.GET_SOURCES), ev.StageStarted(Stage.VERIFY)]
    steps += [passed(spec.id) for spec in specs if spec.stage is not Stage.BUILD]
    steps += [ev.SourcesPromoted("xen", SUBJECT, 1, 7, "", "", "")]
    steps += [ev.GateDecided(Stage.BUILD, True, 0, 0, 0, 0), ev.StageStarted(Stage.BUILD)]
    steps += [ev.BuildStarted("xen", "xen/build", STREAM, "commands", "host", "", SUBJECT, 0), Eof(STREAM)]
    steps += [ev.BuildEnded("xen", 0, 1, ""), ev.ProductCollected("xen", "xen.tar", DIGEST, len(PRODUCT))]
    steps += [passed("xen/build"), ev.StageEnded(Stage.BUILD, True)]
    return [*steps, ev.GateDecided(Stage.SEAL, True, 0, 0, 0, 0), ev.StageStarted(Stage.SEAL)]


def passed(item: str) -> ev.ItemVerdict:
    """It is green."""
    return ev.ItemVerdict(item, "passed", "ok", "good", "", SUBJECT, "", "", "")


def counted(steps: list[Step]) -> Iterator[Step]:
    """The steps, with gates that count what the steps before them said."""
    state = State()
    for n, step in enumerate(steps):
        told = step
        if isinstance(step, ev.GateDecided):
            told = replace(decide(Stage(step.stage), state).event(), open=True)
        if not isinstance(told, Eof):
            apply(state, Entry(n, "", "ev", json.loads(json.dumps(ev.to_body(told)))))
        yield told


@dataclass
class Forger:
    """Holds a keyring folder, and the keys to sign with."""

    folder: Path
    signers: tuple[Key, ...]
    head: str = HEAD
    tool: str = field(default_factory=lambda: version("sealwright"))
    made: int = 0

    @property
    def manifest(self) -> Path:
        """Where the release.toml of the next evidence lies."""
        return self.folder / "release.toml"

    def evidence(self, change: Change = list, at: str = "") -> Path:
        """Evidence of the lawful release, changed; signed at a time that gpg is told, if at all."""
        self.made += 1
        folder = self.folder / f"evidence-{self.made}"
        self.manifest.write_text(self.head + component("xen"))
        manifest, policy = load(self.manifest), load_policy(self.folder / "keyring")
        specs = list(declared(manifest).values())
        steps = change(lawful(specs, manifest.sha256, policy.sha256, self.tool))
        write_log(folder / "log", list(counted(steps)))
        state = fold(read_entries(folder / "log"))
        products = sorted(state.products.values(), key=published_path)
        for product in products:
            path = folder / published_path(product)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(PRODUCT)
        write_proofs(folder / "log", products)
        sums = "".join(f"{product.sha256}  {published_path(product)}\n" for product in products)
        said = statement(state, manifest, products)
        (folder / "policy" / "keys").mkdir(parents=True)
        for name, data in {
            "SHA256SUMS": sums.encode(),
            "HOW-TO-VERIFY.txt": how_to_verify(manifest).encode(),
            "index.html": index_page(state, manifest).encode(),
            "verify.py": verifier().read_bytes(),
            "policy/release.toml": manifest.data,
            **{f"policy/{name}": data for name, data in policy.files.items()},
            "provenance.manager-a.dsse.json": envelope(said, self.signed(pae(said), at)),
        }.items():
            (folder / name).write_bytes(data)
        for name in ("SHA256SUMS", "log/SHA256SUMS"):
            (folder / f"{name}.asc").write_bytes(self.signed((folder / name).read_bytes(), at))
        return folder

    def signed(self, data: bytes, at: str = "") -> bytes:
        """One armor block with a signature of each signer over `data`."""
        words = ["gpg", "--homedir", str(self.signers[0].home), "--batch", "--yes", "--armor", "--detach-sign"]
        words += ["--faked-system-time", at] if at else []
        return subprocess.run([*words, "-"], input=data, check=True, capture_output=True).stdout


def write_log(folder: Path, steps: list[Step]) -> None:
    """A sealed log of these steps, with each build's output."""
    folder.mkdir(parents=True)
    store = Store(LOG_KEY, "example.org/log/forged", folder, Times().clock())
    for step in steps:
        if isinstance(step, Eof):
            store.data(step.stream, "D", b"making\n", "uid:0")
            store.eof(step.stream, clean=step.clean, exit_status=step.exit, src="uid:0")
        else:
            store.event("engine", ev.to_body(step), "uid:0")
    store.eof("engine", clean=True, exit_status=0, src="uid:0")
    store.commit()
    store.seal("uid:0", store.hash_segments())
