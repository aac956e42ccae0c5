"""The products in an evidence folder: as many as the log says, with the bytes and sizes that it says, each proved.

- `SHA256SUMS` names the products of the log, all of them and no others, sorted.
- A size is looked at before a hash: what is larger than it should be is not read.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from sealwright_appendlog.note import VerifierKey
from sealwright_appendlog.proof import check_proof, parse_proof
from sealwright_appendlog.tree import ProofError
from sealwright_stages.files import read_small, sha256_file
from sealwright_stages.findings import Finding, bad, good, unchecked
from sealwright_stages.seal.evidence import published_path
from sealwright_stages.seal.proofs import proof_name
from sealwright_stages.state import Product, State

_SUM = re.compile(r"([0-9a-f]{64})  (products/[^/\n]+/[^/\n]+)\Z")
_MAX_SUMS = 64 << 20
_MAX_PROOF = 1 << 20


def products(evidence: Path, state: State, *, absent: bool = False) -> list[Finding]:
    """Whether the folder has the products of the log; `absent`: none of them is to lie there."""
    named = _sums(evidence, state)
    if isinstance(named, Finding):
        return [named]
    if absent:
        told = "no product was looked at, as you asked: only their names and SHA-256 agree with the log"
        return [unchecked("products", told)]
    found = [finding for product in state.products.values() if (finding := _product(evidence, product))]
    return found or [good("products", f"{len(named)} files have the bytes that the log says", "products")]


def _sums(evidence: Path, state: State) -> Mapping[str, str] | Finding:
    wanted = {published_path(product): product.sha256 for product in state.products.values()}
    try:
        text = read_small(evidence / "SHA256SUMS", _MAX_SUMS).decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        return bad("SHA256SUMS", str(error), "sums")
    named: dict[str, str] = {}
    for line in text.splitlines():
        match = _SUM.match(line)
        if match is None:
            return bad("SHA256SUMS", f"a malformed line: {line[:80]!r}", "sums")
        named[match.group(2)] = match.group(1)
    if text != "".join(f"{named[name]}  {name}\n" for name in sorted(named)) or named != wanted:
        return bad("SHA256SUMS", "it does not name exactly the products of the log, sorted", "sums")
    return named


def _product(evidence: Path, product: Product) -> Finding | None:
    name = published_path(product)
    try:
        held = os.lstat(evidence / name)
        if not stat.S_ISREG(held.st_mode) or held.st_size != product.size:
            what = f"{name} has {held.st_size} bytes, and the log says {product.size}"
            return bad("products", what, "products", product.n)
        found = sha256_file(evidence / name)
    except (OSError, ValueError):
        return bad("products", f"{name} is missing", "products", product.n)
    if found != product.sha256:
        return bad("products", f"{name} has other bytes than the log says", "products", product.n)
    return None


def proofs(log: Path, lines: Mapping[int, bytes], state: State, vkey: str) -> list[Finding]:
    """Whether each product's record is proved to be in the sealed log."""
    key = VerifierKey.parse(vkey)
    for product in state.products.values():
        name = proof_name(product)
        try:
            proof = read_small(log / "proofs" / name, _MAX_PROOF)
            line = lines[product.n]
            check_proof(proof, line, key)
            if parse_proof(proof).extra not in (b"", line):
                raise ProofError("it carries another record than the one that it proves")
        except (OSError, ValueError, ProofError, KeyError) as error:
            return [bad("proofs", f"{name}: {error}", "proofs", product.n)]
    return [good("proofs", f"{len(state.products)} products are proved to be in the sealed log", "proofs")]


def proof_of(evidence: Path, product: Product) -> tuple[str, str]:
    """A product's proof, as the file has it, and what it says in words; after an audit that found it good.

    Raises:
        OSError: it can't be read.
        ProofError: it is none.
    """
    name = f"log/proofs/{proof_name(product)}"
    data = read_small(evidence / name, _MAX_PROOF)
    proof = parse_proof(data)
    size, root = proof.note.split("\n")[1:3]
    told = (
        f"record {proof.index} of {size}: {len(proof.path)} hashes lead from it to the sealed root {root} ({name})"
    )
    return data.decode("utf-8"), told
