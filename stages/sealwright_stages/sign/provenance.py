"""The provenance of a build: an in-toto Statement v1 with a SLSA provenance v1 predicate.

Sources: https://in-toto.io/Statement/v1 and https://slsa.dev/provenance/v1. Inputs are every verified item with
its SHA-256; subjects are the products. The bytes are canonical JSON, so that the same facts sign the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sealwright_stages.events import Stage
from sealwright_stages.manifest import Manifest
from sealwright_stages.state import Product, State

PAYLOAD_TYPE = "application/vnd.in-toto+json"


def statement(state: State, manifest: Manifest, products: Sequence[Product]) -> bytes:
    """The statement about `products`, as bytes."""
    inputs = [
        {"name": item.id, "digest": {"sha256": item.subject_sha256}}
        for item in state.items.values()
        if item.stage is Stage.VERIFY and len(item.subject_sha256) == 64
    ]
    body = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": f"products/{p.component}/{p.name}", "digest": {"sha256": p.sha256}} for p in products
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://sealwright.invalid/release/v1",
                "externalParameters": {
                    "release": manifest.release,
                    "manifest": {"sha256": state.manifest_sha256},
                    "policy": {"sha256": state.policy_sha256},
                },
                "resolvedDependencies": inputs,
            },
            "runDetails": {
                "builder": {
                    "id": "https://sealwright.invalid/builder/embedded",
                    "version": {"sealwright": state.tool},
                },
                "metadata": {"startedOn": state.first_t, "finishedOn": state.last_t},
            },
        },
    }
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
