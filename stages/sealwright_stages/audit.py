"""Audit an evidence folder offline: log, seal, signatures, products, provenance, and that the rules were kept.

- Who must have signed comes from the policy in the folder, or from a keyring that the reviewer names: keys are never
  believed because they lie there, so without one the report says so.
- Each finding is good, bad, or advice (what could not be checked); one bad finding is a no.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealwright_appendlog.audit import LogBroken, LogReport, check_log
from sealwright_appendlog.note import VerifierKey
from sealwright_appendlog.proof import check_proof
from sealwright_appendlog.tree import ProofError
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import load_policy
from sealwright_stages.errors import ManifestError, SigningError
from sealwright_stages.files import sha256_file
from sealwright_stages.log.entries import entry_from
from sealwright_stages.manifest import Manifest, load
from sealwright_stages.replay import Replay
from sealwright_stages.seal.evidence import published_path
from sealwright_stages.seal.proofs import proof_name
from sealwright_stages.sign.provenance import opened, pae, statement
from sealwright_stages.sign.release_signatures import persons_of, signed_pairs
from sealwright_stages.state import Product, State

_SUM = re.compile(r"([0-9a-f]{64})  (products/[^/\n]+/[^/\n]+)\Z")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `ok` is good, bad or advice."""

    ok: str
    what: str
    detail: str


@dataclass(frozen=True)
class Audit:
    """What an audit found, and the state at the log's end."""

    findings: tuple[Finding, ...]
    state: State
    report: LogReport | None

    @property
    def passed(self) -> bool:
        """Nothing is bad."""
        return all(finding.ok != "bad" for finding in self.findings)


def audit(evidence: Path, keyring: Path | None = None) -> Audit:
    """Audit the evidence folder; `keyring` is the reviewer's own, with a signers.toml."""
    findings: list[Finding] = []
    log = evidence / "log"
    replay = Replay(lambda stream: _stream(log, stream))
    lines: dict[int, bytes] = {}

    def on_record(fields: Mapping[str, Any], line: bytes) -> None:
        if fields["k"] == "ev" and fields["body"].get("e") == "product.collected":
            lines[fields["n"]] = line
        replay.take(entry_from(fields, line))

    try:
        report = check_log(log, on_record)
    except (LogBroken, OSError) as error:
        findings.append(Finding("bad", "log", str(error)))
        return Audit(tuple(findings), replay.state, None)
    findings.append(
        Finding("good", "log", f"{report.records} records, sealed, root {report.checkpoint.root.hex()}")
    )
    for line in replay.broken:
        findings.append(Finding("bad", "rules", line))
    if not replay.broken:
        findings.append(Finding("good", "rules", "every stage began after its gate was open"))
    findings += [Finding("advice", "log", notice) for notice in report.notices]
    findings += [
        Finding("advice", "log", f"stream {name} ended unclean") for name in report.unclean if name != "engine"
    ]
    findings += _products(evidence, replay.state)
    findings += _proofs(log, replay.state, lines, report.vkey)
    manifest, judged = _policy(evidence, replay.state)
    findings += judged
    if manifest is not None:
        findings += _signatures(evidence, keyring, manifest)
        findings += _provenance(evidence, keyring or evidence / "policy", replay.state, manifest)
    return Audit(tuple(findings), replay.state, report)


def check_file(path: Path, evidence: Path, keyring: Path | None = None) -> tuple[str, list[Finding]]:
    """Was this file a product of the sealed release? Gives its SHA-256 and the way from it to the signatures."""
    try:
        digest = sha256_file(path)
    except OSError as error:
        return "", [Finding("bad", "file", f"{path}: {error.strerror or error}")]
    result = audit(evidence, keyring)
    products = [product for product in result.state.products.values() if product.sha256 == digest]
    findings = [finding for finding in result.findings if finding.ok == "bad"]
    if not products:
        return digest, [Finding("bad", "product", "no product of this release has these bytes"), *findings]
    findings += [
        Finding("good", "product", f"{published_path(product)}, record {product.n} of the sealed log")
        for product in products
    ]
    findings += _inputs(result.state, products[0])
    return digest, findings + [finding for finding in result.findings if finding.ok != "bad"]


def _inputs(state: State, product: Product) -> list[Finding]:
    """What went into a product: each verified item of its component, and each waiver."""
    found = []
    for name in state.components[product.component].items:
        item = state.items[name]
        waived = f" (waived by {item.waiver.person}: {item.waiver.reason})" if item.waiver else ""
        found.append(Finding("good" if item.green else "bad", item.title, f"{item.status}: {item.reason}{waived}"))
    return found


def _stream(log: Path, stream: str) -> bytes:
    if ".." in stream or stream.startswith("/"):
        raise OSError("no stream is called that")
    return b"".join(path.read_bytes() for path in sorted((log / "data" / stream).glob("*.log")))


def _products(evidence: Path, state: State) -> list[Finding]:
    wanted = {published_path(product): product.sha256 for product in state.products.values()}
    try:
        text = (evidence / "SHA256SUMS").read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        return [Finding("bad", "SHA256SUMS", str(error))]
    named: dict[str, str] = {}
    for line in text.splitlines():
        match = _SUM.match(line)
        if match is None:
            return [Finding("bad", "SHA256SUMS", f"a malformed line: {line[:80]!r}")]
        named[match.group(2)] = match.group(1)
    if named != wanted:
        return [Finding("bad", "SHA256SUMS", "it does not name exactly the products of the log")]
    lying = {p.relative_to(evidence).as_posix() for p in (evidence / "products").rglob("*") if not p.is_dir()}
    findings = [Finding("bad", "products", f"{name} is in no list") for name in sorted(lying - set(wanted))]
    for name, sha256 in wanted.items():
        try:
            found = sha256_file(evidence / name)
        except OSError:
            findings.append(Finding("bad", "products", f"{name} is missing"))
            continue
        if found != sha256:
            findings.append(Finding("bad", "products", f"{name} has other bytes than the log says"))
    return findings or [Finding("good", "products", f"{len(wanted)} files have the bytes that the log says")]


def _proofs(log: Path, state: State, lines: Mapping[int, bytes], vkey: str) -> list[Finding]:
    key = VerifierKey.parse(vkey)
    for product in state.products.values():
        name = proof_name(product)
        try:
            check_proof((log / "proofs" / name).read_bytes(), lines[product.n], key)
        except (OSError, ProofError, KeyError) as error:
            return [Finding("bad", "proofs", f"{name}: {error}")]
    return [Finding("good", "proofs", f"{len(state.products)} products are proved to be in the sealed log")]


def _policy(evidence: Path, state: State) -> tuple[Manifest | None, list[Finding]]:
    """The manifest in the folder, and whether it and the keyring beside it are those of the log."""
    try:
        manifest: Manifest = load(evidence / "policy" / "release.toml")
        policy = load_policy(evidence / "policy")
    except (KeyringError, ManifestError) as error:
        return None, [Finding("bad", "policy", f"{error.what}: {error.because}")]
    findings = []
    if manifest.sha256 != state.manifest_sha256:
        findings.append(Finding("bad", "policy", "the manifest in policy/ is not the one in the log"))
    if policy.sha256 != state.policy_sha256:
        findings.append(Finding("bad", "policy", "signers.toml or a key in policy/ is not the one in the log"))
    return manifest, findings


def _signatures(evidence: Path, keyring: Path | None, manifest: Manifest) -> list[Finding]:
    try:
        counted = [
            persons_of(signature, data, keyring or evidence / "policy", manifest.signers)
            for signature, data in signed_pairs(evidence)
        ]
    except SigningError as error:
        return [Finding("bad", "signatures", f"{error.what}: {error.because}")]
    persons = frozenset.intersection(*counted)
    ok = "good" if len(persons) >= manifest.threshold else "bad"
    names = ", ".join(sorted(persons)) or "nobody"
    findings = [Finding(ok, "signatures", f"signed by {names}; {manifest.threshold} needed")]
    if keyring is None:
        findings.append(
            Finding("advice", "signatures", "the keys are those in the folder itself: compare their fingerprints")
        )
    return findings


def _provenance(evidence: Path, keyring: Path, state: State, manifest: Manifest) -> list[Finding]:
    """Each provenance says just what the log says, and a release's signer signed it."""
    products = sorted(state.products.values(), key=published_path)
    said = statement(state, manifest, products)
    paths = sorted(evidence.glob("provenance.*.dsse.json"))
    for path in paths:
        try:
            payload, signature = opened(path.read_bytes())
            who = persons_of(signature, pae(payload), keyring, manifest.signers)
        except (OSError, ValueError, SigningError) as error:
            return [Finding("bad", "provenance", f"{path.name}: {error}")]
        if payload != said:
            return [Finding("bad", "provenance", f"{path.name} says something else than the log")]
        if not who:
            return [Finding("bad", "provenance", f"{path.name} is signed by none of the release's signers")]
    if not paths:
        return [Finding("bad", "provenance", "there is none")]
    return [Finding("good", "provenance", "it says what the log says, and is signed")]
