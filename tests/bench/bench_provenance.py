"""What the provenance and the SBOM of a large release cost, and how large they get: 5,000 inputs, 1,000 products."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from audit.forge import LOG_KEY
from bench.report import Line, timed
from sealwright_appendlog.note import Checkpoint, VerifierKey
from sealwright_stages.events import Stage
from sealwright_stages.manifest import load
from sealwright_stages.sign.dsse import Raw, envelope, read
from sealwright_stages.sign.provenance import SealedLog, Told, told
from sealwright_stages.state import Component, Item, Product, State
from support.release_folder import HEAD, component
from support.stories import sha

_INPUTS, _PRODUCTS = 5_000, 1_000
_T = "2026-01-01T00:00:00.000000Z"


def lines(folder: Path) -> Iterator[Line]:
    """Both documents, made once, beside making them with a tenth of everything."""
    folder.mkdir(parents=True)
    (folder / "release.toml").write_text(HEAD + component("xen"))
    small, large = release(_INPUTS // 10, _PRODUCTS // 10), release(_INPUTS, _PRODUCTS)
    made: list[Told] = []
    tenth = min(timed(lambda: made.append(_told(folder, small))) for _ in range(3))
    ours = min(timed(lambda: made.append(_told(folder, large))) for _ in range(3))
    things = _INPUTS + _PRODUCTS
    first, last = made[0], made[-1]
    sizes = ", ".join(
        f"{name} {len(b):,} bytes, {len(b) / things:.0f} for each (of a tenth {len(a) / things * 10:.0f})"
        for name, a, b in (("provenance", first.statement, last.statement), ("SBOM", first.sbom, last.sbom))
    )
    what = f"provenance and SBOM of {_INPUTS:,} inputs and {_PRODUCTS:,} products"
    yield Line(what, ours, tenth * 10, "ten times a tenth of it", sizes)
    packet = Raw("0" * 64, bytes(64))
    enveloped = envelope(last.statement, _packet(), packet)
    yield Line(
        "open that provenance's envelope, strictly",
        min(timed(lambda: read(enveloped)) for _ in range(3)),
        min(timed(lambda: json.loads(enveloped)) for _ in range(3)),
        "json.loads alone",
        f"{len(enveloped):,} bytes",
    )


def release(inputs: int, products: int) -> State:
    """A state of that many verified inputs, half of them git tags and half files, and products of as many components."""
    state = State("example", "1.0", "0.1.0", sha("manifest"), sha("policy"), first_t=_T, last_t=_T)
    names = [f"c{n:05}" for n in range(products)]
    for number in range(inputs):
        owner, subject = names[number % products], sha(str(number))
        git = number % 2 == 0
        item = f"{owner}/git/v{number}" if git else f"{owner}/file/part-{number}.tar.gz"
        url = f"https://example.org/{owner}/{number}"
        commit = {"tag": f"v{number}", "commit": subject[:40], "tree": subject[24:], "tag_object": subject[:40]}
        text = json.dumps({"url": url, "object_base64": "x" * 400, **(commit if git else {})}, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        state.items[item] = Item(
            item, owner, Stage.VERIFY, "git-tag" if git else "digest", "", subject_sha256=subject, evidence=text,
            evidence_sha256=digest,
        )  # fmt: skip
    for name in names:
        state.components[name] = Component(name, environment="host", environment_sha256=sha("host"), build_exit=0)
        state.products[name, "out.tar"] = Product(name, "out.tar", sha(name), 1, 1)
    return state


def _told(folder: Path, state: State) -> Told:
    key = VerifierKey("example.org/log", LOG_KEY.public_key().public_bytes_raw())
    log = SealedLog(folder, key, Checkpoint("example.org/log", 7, bytes(32)))
    return told(state, load(folder / "release.toml"), log)


def _packet() -> bytes:
    """An OpenPGP signature packet by Ed25519, of made-up numbers."""
    issuer = bytes([22, 33, 4]) + bytes(20)
    hashed = bytes([5, 2]) + bytes(4) + issuer
    body = bytes([4, 0, 22, 8]) + len(hashed).to_bytes(2, "big") + hashed + bytes(2) + bytes(2)
    body += b"\x01\x00\xff" + bytes(31) + b"\x00\xff\x7f" + bytes(31)
    return b"\xc2\xff" + len(body).to_bytes(4, "big") + body
