"""The provenance of a build: an in-toto Statement v1 with a SLSA provenance v1 predicate.

Sources: https://in-toto.io/Statement/v1 and https://slsa.dev/provenance/v1. Inputs are every verified item with
its SHA-256; subjects are the products. What a person must know before signing, counts, warnings, waivers and the
sealed log's root, stands among the internal parameters, so that the signer shows what it signs. The bytes are
canonical JSON, so that the same facts sign the same.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from sealwright_appendlog.note import Checkpoint
from sealwright_stages.events import Stage
from sealwright_stages.manifest import Manifest
from sealwright_stages.state import Product, State
from sealwright_stages.verdict import Status

PAYLOAD_TYPE = "application/vnd.in-toto+json"


def statement(state: State, manifest: Manifest, products: Sequence[Product], sealed: Checkpoint) -> bytes:
    """The statement about `products`, as bytes; `sealed` is the log's last checkpoint."""
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
                "internalParameters": _internal(state, sealed),
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


def _internal(state: State, sealed: Checkpoint) -> dict[str, object]:
    """Counts, what was warned of and waived, and the sealed log: what a signer shows before it asks."""
    return {
        "components": sum(1 for each in state.components.values() if each.build_exit == 0),
        "items": len(state.items),
        "warned": sorted(item.id for item in state.items.values() if item.status is Status.WARNED),
        "waivers": [
            {"code": each.code, "item": each.item, "person": each.person, "reason": each.reason}
            for each in state.waivers
        ],
        "log": {"origin": sealed.origin, "size": sealed.size, "root": sealed.root.hex()},
    }


def pae(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding (https://github.com/secure-systems-lab/dsse, protocol.md)."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def envelope(payload: bytes, signature: bytes) -> bytes:
    """A DSSE envelope with one OpenPGP signature."""
    body = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": "", "sig": base64.b64encode(signature).decode()}],
    }
    return json.dumps(body, sort_keys=True, indent=1).encode() + b"\n"


def opened(data: bytes) -> tuple[bytes, bytes]:
    """Payload and signature of an envelope.

    Raises:
        ValueError: it is not one that `envelope` makes, byte for byte.
    """
    try:
        body = json.loads(data)
        payload = base64.b64decode(body["payload"], validate=True)
        signature = base64.b64decode(body["signatures"][0]["sig"], validate=True)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        raise ValueError("it is no DSSE envelope") from None
    if envelope(payload, signature) != data:
        raise ValueError("it is not an envelope of ours, byte for byte")
    return payload, signature
