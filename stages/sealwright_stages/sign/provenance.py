"""The provenance of a build: an in-toto Statement v1 with a SLSA provenance v1 predicate.

- It is a pure function of the sealed log and the manifest: an audit makes it anew and compares the bytes, which are
  canonical JSON (keys sorted, no blanks).
- Subjects are the products; `resolvedDependencies` are all inputs of `inputs.inputs_of`, and the products that a
  build saw of earlier components.
- `internalParameters` say what a signer shows: counts, warnings, waivers, and the log, by origin, size and root.
- The builder's id is made of the log's key, so that two builders of a release are two builders.

Sources: https://in-toto.io/Statement/v1, https://slsa.dev/provenance/v1 and in-toto's ResourceDescriptor and DigestSet.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealwright_appendlog import layout
from sealwright_appendlog.note import Checkpoint, VerifierKey
from sealwright_stages.files import read_small
from sealwright_stages.manifest import Manifest
from sealwright_stages.memory.recall import evidence_of
from sealwright_stages.sign.dsse import PAYLOAD_TYPE, envelope, opened, pae
from sealwright_stages.sign.inputs import Input, Inputs, inputs_of, of_component
from sealwright_stages.sign.sbom import SBOM, sbom
from sealwright_stages.state import Product, State, published_path
from sealwright_stages.verdict import Status

__all__ = ["PAYLOAD_TYPE", "SealedLog", "Told", "envelope", "opened", "pae", "sealed_log", "statement", "told"]
_OURS = "https://sealwright.invalid"
_NOTE = 1 << 20  # bytes of a checkpoint, or of a key


@dataclass(frozen=True)
class SealedLog:
    """The sealed log that a provenance is of: its folder, for evidence on streams; its key, and its last checkpoint."""

    folder: Path
    vkey: VerifierKey
    checkpoint: Checkpoint

    @property
    def builder(self) -> str:
        """What tells this builder from others: a URI with the SHA-256 over the log's public key."""
        return f"{_OURS}/builder/{hashlib.sha256(self.vkey.public).hexdigest()}"


def sealed_log(folder: Path) -> SealedLog:
    """The sealed log in `folder`, as its files say; whether they are right is for an audit.

    Raises:
        OSError: a file can't be read.
        ValueError: it is no checkpoint or no key.
    """
    note = read_small(folder / layout.SEALED, _NOTE).decode("utf-8")
    key = read_small(folder / layout.VKEY, _NOTE).decode("ascii").strip()
    return SealedLog(folder, VerifierKey.parse(key), Checkpoint.parse(note.partition("\n\n")[0] + "\n"))


@dataclass(frozen=True)
class Told:
    """What is told of a build besides its log: the provenance to sign, and the SBOM that it names by SHA-256."""

    statement: bytes
    sbom: bytes


def told(state: State, manifest: Manifest, log: SealedLog) -> Told:
    """What log and manifest tell.

    Raises:
        LogError, OSError, ValueError: evidence in the log can't be read, or does not hash as its verdict says.
    """
    inputs = inputs_of(state, manifest, lambda item: evidence_of(item, log.folder))
    products = sorted(state.products.values(), key=published_path)
    listed = sbom(state, manifest, products, inputs, log.checkpoint.root)
    return Told(_statement(state, manifest, products, log, inputs, listed), listed)


def statement(state: State, manifest: Manifest, log: SealedLog) -> bytes:
    """The statement about all products, as bytes to sign.

    Raises:
        LogError, OSError, ValueError: as `told`.
    """
    return told(state, manifest, log).statement


def _statement(
    state: State, manifest: Manifest, products: Sequence[Product], log: SealedLog, inputs: Inputs, listed: bytes
) -> bytes:
    body = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": published_path(p), "digest": {"sha256": p.sha256}} for p in products],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": f"{_OURS}/release/v1",
                "externalParameters": {
                    "release": manifest.release,
                    "manifest": {"sha256": state.manifest_sha256},
                    "policy": {"sha256": state.policy_sha256},
                },
                "internalParameters": _internal(state, log.checkpoint),
                "resolvedDependencies": [*map(_described, inputs.all.values()), *_seen(inputs, products)],
            },
            "runDetails": {
                "builder": {"id": log.builder, "version": {"sealwright": state.tool}},
                "metadata": {
                    "invocationId": f"{log.checkpoint.origin}#{log.checkpoint.root.hex()}",
                    "startedOn": state.first_t,
                    "finishedOn": state.last_t,
                },
                "byproducts": [{"name": SBOM, "digest": {"sha256": hashlib.sha256(listed).hexdigest()}}],
            },
        },
    }
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def _internal(state: State, checkpoint: Checkpoint) -> dict[str, object]:
    """What a signer shows of the run."""
    waived = sorted((item for item in state.items.values() if item.waiver is not None), key=lambda item: item.n)
    waivers = (item.waiver for item in waived)
    return {
        "components": sum(1 for component in state.components.values() if component.build_exit == 0),
        "items": len(state.items),
        "warned": sorted(item.id for item in state.items.values() if item.status is Status.WARNED),
        "waivers": [
            {"code": each.code, "item": each.item, "person": each.person, "reason": each.reason}
            for each in waivers
            if each is not None
        ],
        "log": {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()},
    }


def _described(made: Input) -> dict[str, object]:
    """An input as a ResourceDescriptor."""
    told: dict[str, object] = {"name": made.ref, "digest": dict(made.digest)}
    if uri := made.uri or made.purl:
        told["uri"] = uri
    if made.items and made.items != (made.ref,):
        told["annotations"] = {"items": list(made.items)}
    return told


def _seen(inputs: Inputs, products: Sequence[Product]) -> Iterator[dict[str, object]]:
    """The products that other components' builds saw, each with theirs."""
    by: dict[str, list[str]] = {}
    for whole, parts in inputs.parts.items():
        for part in parts:
            if part.startswith("products/") and part not in inputs.all:
                by.setdefault(part, []).append(whole.removeprefix(of_component("")))
    for product in products:
        if seers := by.get(name := published_path(product)):
            annotations = {"neededBy": sorted(seers)}
            yield {"name": name, "digest": {"sha256": product.sha256}, "annotations": annotations}
