"""What the evidence page checks in the browser: the log's records, sums, keys and signatures, as data for its scripts.

- Of a log of at most 10,000 records all record lines are there. Of a longer one, those that the page reads; of the
  others the leaf's hash, and one hash for 256 leaves none of which is read. The root follows from either.
- Texts of files are there byte for byte, in base64.
- A file that is not in the folder is not in the page, whose scripts say no then.
- The signatures stand in a block of their own, so that two pages of one sealed log differ in nothing else.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from sealwright_appendlog import layout
from sealwright_appendlog.tiles import WIDTH
from sealwright_appendlog.tree import CompactRange, leaf_hash
from sealwright_keyring.certificates import certificates
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import Policy
from sealwright_stages.files import read_small
from sealwright_stages.manifest import Manifest
from sealwright_stages.publish.markup import Html, data_block
from sealwright_stages.sign.release_signatures import SIGNED
from sealwright_stages.state import Product

WHOLE_RECORDS = 10_000
"""Records of the longest log that is in its page as it stands."""
MAX_KEY_FILE = 1 << 20
"""Bytes of a key file that is in the page; of a larger one the page has the hash, and can't count who signed with it."""
_SMALL = 64 << 20
_READ = re.compile(
    rb'"k":"(?:open|seal)"|"e":"(?:run\.started|gate\.decided|product\.collected|item\.waived)"|"verdict":"warned"'
)
"""Marks of a record that the page reads or a reader may want; no text in a record can hold one, since a quotation mark in a
text is escaped."""
_FILES = ("SHA256SUMS", f"log/{layout.SUMS}", f"log/{layout.SEALED}", f"log/{layout.VKEY}")


def evidence_block(
    evidence: Path, manifest: Manifest, policy: Policy, products: list[Product], records: int
) -> Html:
    """The evidence that the page checks; `records` is the log's size.

    Raises:
        OSError: a file is no plain one.
    """
    signers = policy.release_signers([name for name in manifest.signers if name in policy.persons])
    held = _held(evidence, {name: name for name in _FILES})
    held |= {"policy/release.toml": manifest.data, "policy/signers.toml": policy.files["signers.toml"]}
    told = {
        "builders": manifest.builders,
        "files": {name: _text(data) for name, data in held.items()},
        "keys": list(_keys(policy, {fingerprint for person in signers for fingerprint in person.openpgp})),
        "log": list(_chunks(evidence / "log" / layout.INDEX, whole=records <= WHOLE_RECORDS)),
        "products": [product.n for product in products],
        "signers": [
            {
                "name": person.name,
                "openpgp": list(person.openpgp),
                "not_before": str(person.not_before or ""),
                "not_after": str(person.not_after or ""),
            }
            for person in signers
        ],
        "threshold": manifest.threshold,
    }
    return data_block("evidence", told)


def signatures_block(evidence: Path) -> Html:
    """The signatures that lie in the folder now; none if nobody has signed yet.

    Raises:
        OSError: one is no plain file.
    """
    held = _held(evidence, {name: f"{name}.asc" for name in SIGNED})
    return data_block("signatures", {name: _text(data) for name, data in held.items()})


def _held(evidence: Path, names: Mapping[str, str]) -> dict[str, bytes]:
    """The files that are there, by what the page calls them."""
    held: dict[str, bytes] = {}
    for called, name in names.items():
        with contextlib.suppress(FileNotFoundError):
            held[called] = read_small(evidence / name, _SMALL)
    return held


SIGNATURES = re.compile(
    rb'<script type="application/json" id="signatures">'
    rb'\{(?:"(?:log/)?SHA256SUMS":"[A-Za-z0-9+/=]*",?)*\}</script>'
)
"""The block of signatures in a page: whatever they are, it does nothing."""


def _keys(policy: Policy, wanted: set[str]) -> Iterator[Mapping[str, str]]:
    """Each key file in the order in which the policy's hash takes it: whole if a release signer's key is in it."""
    for path, content in policy.files.items():
        if path == "signers.toml":
            continue
        name = path.removeprefix("keys/")
        if not name.endswith(".pub") and len(content) <= MAX_KEY_FILE and wanted & _fingerprints(content):
            yield {"name": name, "base64": _text(content)}
        else:
            yield {"name": name, "sha256": hashlib.sha256(content).hexdigest()}


def _fingerprints(content: bytes) -> set[str]:
    try:
        return {certificate.fingerprint for certificate in certificates(content)}
    except KeyringError:
        return set()


def _chunks(index: Path, *, whole: bool) -> Iterator[str | list[str]]:
    """The log in chunks of 256 records: what stands for each record, or one hash for all."""
    lines: list[bytes] = []
    for line in layout.lines(index):
        lines.append(line)
        if len(lines) == WIDTH:
            yield _chunk(lines, whole=whole)
            lines = []
    if lines:
        yield _chunk(lines, whole=whole)


def _chunk(lines: list[bytes], *, whole: bool) -> str | list[str]:
    read = [whole or _READ.search(line) is not None for line in lines]
    if any(read) or len(lines) < WIDTH:
        return [
            line.decode("utf-8", "replace") if wanted else _text(leaf_hash(line))
            for line, wanted in zip(lines, read, strict=True)
        ]
    tree = CompactRange()
    for line in lines:
        tree.append(leaf_hash(line))
    return _text(tree.root())


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
