"""Proposals for a signer, made of a real sealed log: of a release with some products, and whatever is to be wrong."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appendlog.log_making import Times
from sealwright_appendlog import layout
from sealwright_appendlog.note import Checkpoint, VerifierKey, split_note
from sealwright_appendlog.proof import make_proof
from sealwright_appendlog.store import Store

PATH = "products/xen/xen.tar.gz"
ORIGIN = "log.example.org/example-1.0/1"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
DIGEST = hashlib.sha256(b"a product").hexdigest()
Record = Mapping[str, Any]


def collected(path: str, sha256: str) -> Record:
    """The event that a product was collected."""
    _, component, name = path.split("/", 2)
    return {"e": "product.collected", "component": component, "name": name, "sha256": sha256, "size": 9}


@dataclass
class Shown:
    """A release as a console shows it. Change what is to be wrong, then ask for `proposal()`."""

    folder: Path
    release: str = "example-1.0"
    products: Mapping[str, str] = field(default_factory=lambda: {PATH: DIGEST})
    inputs: Mapping[str, str] = field(default_factory=lambda: {"verify:xen": "e" * 64})
    warned: Sequence[str] = ()
    waivers: Sequence[Mapping[str, str]] = ()
    manifest: str = "1" * 64
    policy: str = "2" * 64
    origin: str = ORIGIN
    key: Ed25519PrivateKey = KEY
    events: Sequence[Record] | None = None
    seals: bool = True
    change: Callable[[dict[str, Any]], None] = lambda statement: None
    sums: bytes | None = None
    log_sums: bytes | None = None
    statement: bytes | None = None

    def __post_init__(self) -> None:
        if not (self.folder / layout.INDEX).exists():
            self._write_log()
        note = (
            (self.folder / layout.SEALED).read_text()
            if self.seals
            else (self.folder / layout.CHECKPOINT).read_text()
        )
        self.note = note
        self.sealed = Checkpoint.parse(split_note(note)[0])
        self.vkey = (self.folder / layout.VKEY).read_text()

    def documents(self) -> list[tuple[str, str, bytes]]:
        """Name, kind and bytes of each."""
        listed = "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(self.products.items())).encode()
        return [
            ("SHA256SUMS", "sha256sums", listed if self.sums is None else self.sums),
            ("log/SHA256SUMS", "log-sha256sums", self._log_sums() if self.log_sums is None else self.log_sums),
            ("provenance", "dsse-payload", self._statement() if self.statement is None else self.statement),
        ]

    def log(self) -> dict[str, Any]:
        """The proposal's `log`."""
        return {
            "vkey": self.vkey,
            "checkpoint": self.note,
            "consistency": [],
            "seal": self.proof(self.sealed.size - 1),
            "proofs": {path: self.proof(n) for n, path in enumerate(sorted(self.products), 1)},
        }

    def proof(self, n: int) -> str:
        """The proof of record `n`, also where the log has no seal."""
        if self.seals:
            return make_proof(self.folder, n).decode()
        (self.folder / layout.SEALED).write_text(self.note)
        try:
            return make_proof(self.folder, n).decode()
        finally:
            (self.folder / layout.SEALED).unlink()

    def proposal(self, **changes: Any) -> dict[str, Any]:
        """The request; `changes` replace its fields, those of `log` one by one."""
        shown = [
            {"name": name, "kind": kind, "base64": base64.b64encode(data).decode()}
            for name, kind, data in self.documents()
        ]
        log = {**self.log(), **changes.pop("log", {})}
        return {"op": "propose", "release": self.release, "documents": shown, "log": log, **changes}

    def digest(self) -> str:
        """The digest over all documents, as the signer must find it."""
        lines = sorted((name, hashlib.sha256(data).hexdigest()) for name, _, data in self.documents())
        return hashlib.sha256("".join(f"{sha256}  {name}\n" for name, sha256 in lines).encode()).hexdigest()

    def _write_log(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        store = Store(self.key, self.origin, self.folder, Times().clock())
        told = [collected(path, sha256) for path, sha256 in sorted(self.products.items())]
        for event in told if self.events is None else self.events:
            store.event("engine", dict(event), "uid:0")
        store.data("build/xen/1", "D", b"made\n", "uid:0")
        store.eof("build/xen/1", clean=True, exit_status=0, src="uid:0")
        store.eof("engine", clean=True, exit_status=0, src="uid:0")
        store.commit()
        store.publish()
        if self.seals:
            store.seal("uid:0", store.hash_segments())
        store.close()

    def _log_sums(self) -> bytes:
        if self.seals:
            return (self.folder / layout.SUMS).read_bytes()
        names = {layout.SEALED: self.note, layout.VKEY: self.vkey, layout.INDEX: "x"}
        hashed = sorted((name, hashlib.sha256(text.encode()).hexdigest()) for name, text in names.items())
        return "".join(f"{sha256}  {name}\n" for name, sha256 in hashed).encode()

    def _builder(self) -> str:
        public = VerifierKey.parse(self.vkey.strip()).public
        return f"https://sealwright.invalid/builder/{hashlib.sha256(public).hexdigest()}"

    def _statement(self) -> bytes:
        internal = {
            "components": 1,
            "items": 3,
            "warned": list(self.warned),
            "waivers": [dict(waiver) for waiver in self.waivers],
            "log": {"origin": self.sealed.origin, "size": self.sealed.size, "root": self.sealed.root.hex()},
        }
        body: dict[str, Any] = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [
                {"name": path, "digest": {"sha256": sha256}} for path, sha256 in sorted(self.products.items())
            ],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {
                    "buildType": "https://sealwright.invalid/release/v1",
                    "externalParameters": {
                        "release": self.release,
                        "manifest": {"sha256": self.manifest},
                        "policy": {"sha256": self.policy},
                    },
                    "internalParameters": internal,
                    "resolvedDependencies": [
                        {"name": name, "digest": {"sha256": sha256}} for name, sha256 in self.inputs.items()
                    ],
                },
                "runDetails": {
                    "builder": {"id": self._builder(), "version": {"sealwright": "1"}},
                    "metadata": {
                        "invocationId": f"{self.sealed.origin}#{self.sealed.root.hex()}",
                        "startedOn": "2026-01-01T00:00:00.000Z",
                        "finishedOn": "2026-01-01T01:00:00.000Z",
                    },
                    "byproducts": [{"name": "sbom.cdx.json", "digest": {"sha256": "3" * 64}}],
                },
            },
        }
        self.change(body)
        return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
