"""The bill of materials of a release's products: CycloneDX 1.6, as JSON, out of the same inputs as the provenance.

- The same log and manifest give the same bytes: the serial number is made of the log's root, the time is that of the
  log's last record, and everything has one order.
- Components are the inputs, with all their SHA-256; the products are parts of the release that the metadata is about.
- A product depends on its component; that on its inputs and on the products that its build saw; a build root on its
  packages.
- Nothing is guessed: no licence, no supplier; a package URL and an address stand where they are exact.

It is written by hand, since the library's time grows with the square of the components (docs/adr); the tests hold it
against the library and the official schema. Source: https://cyclonedx.org/docs/1.6/json/.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from sealwright_stages.manifest import Manifest
from sealwright_stages.sign.inputs import Input, Inputs, of_component
from sealwright_stages.state import Product, State, published_path

SBOM = "sbom.cdx.json"
_TYPES = {
    "git": "library",
    "file": "file",
    "package": "library",
    "source": "file",
    "root": "operating-system",
    "host": "operating-system",
    "index": "data",
    "keyring": "data",
    "policy": "data",
}


def sbom(state: State, manifest: Manifest, products: Sequence[Product], inputs: Inputs, root: bytes) -> bytes:
    """The document's bytes; `root` is that of the sealed log (32 bytes)."""
    import uuid  # noqa: PLC0415 - no run needs it before its end

    body = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, f"https://sealwright.invalid/log/{root.hex()}").urn,
        "version": 1,
        "metadata": {
            "timestamp": state.last_t,
            "tools": {"components": [{"type": "application", "name": "sealwright", "version": state.tool}]},
            "component": {
                "type": "application",
                "bom-ref": "release",
                "name": manifest.name,
                "version": manifest.version,
                "components": [_product(product) for product in products],
            },
            "properties": [{"name": "sealwright:log:root", "value": root.hex()}],
        },
        "components": [*map(_component, _wholes(state)), *map(_input, inputs.all.values())],
        "dependencies": list(_dependencies(state, products, inputs)),
    }
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _wholes(state: State) -> list[str]:
    """The components of the release; build roots stand among the inputs."""
    return [name for name in state.components if not name.startswith("environment ")]


def _component(name: str) -> dict[str, object]:
    return {"type": "application", "bom-ref": of_component(name), "name": name}


def _product(product: Product) -> dict[str, object]:
    path = published_path(product)
    return {"type": "file", "bom-ref": path, "name": path, "hashes": _hashes(product.sha256)}


def _input(made: Input) -> dict[str, object]:
    told: dict[str, object] = {"type": _TYPES[made.kind], "bom-ref": made.ref, "name": made.name}
    if sha256 := made.digest.get("sha256"):
        told["hashes"] = _hashes(sha256)
    if made.version:
        told["version"] = made.version
    if made.purl:
        told["purl"] = made.purl
    if commit := made.digest.get("gitCommit"):
        told["swhid"] = [f"swh:1:rev:{commit}"]
    if made.uri:
        kind = "vcs" if made.kind == "git" else "distribution"
        told["externalReferences"] = [{"type": kind, "url": made.uri}]
    if made.items:
        told["properties"] = [{"name": "sealwright:item", "value": each} for each in made.items]
    return told


def _hashes(sha256: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": sha256}]


def _dependencies(state: State, products: Sequence[Product], inputs: Inputs) -> Iterator[dict[str, object]]:
    paths = [published_path(product) for product in products]
    policies = [made.ref for made in inputs.all.values() if made.kind == "policy"]
    yield {"ref": "release", "dependsOn": sorted({*paths, *policies})}
    for product, path in zip(products, paths, strict=True):
        yield {"ref": path, "dependsOn": [of_component(product.component)]}
    for whole in (*map(of_component, _wholes(state)), *inputs.all):
        if parts := inputs.parts.get(whole):
            yield {"ref": whole, "dependsOn": sorted(parts)}
