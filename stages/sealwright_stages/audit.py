"""Audit an evidence folder offline: log, seal, signatures, products, provenance, and that the rules were kept.

- The folder holds exactly the files of a release, each a plain file, before anything else is believed.
- The manifest and the keys in it are those of the log, signed themselves if the manifest wants that; and the log
  declared what that manifest declares.
- If the manifest names earlier evidence, the log says which releases were remembered.
- Keys are never believed because they lie there: whose word a yes hangs on is part of the verdict.
- Each finding is good, bad, or advice (what could not be checked); one bad finding is a no.
- Whatever the evidence makes the audit itself raise is one bad finding.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealwright_appendlog import layout
from sealwright_appendlog.audit import LogBroken, LogReport, OnRecord, check_log
from sealwright_appendlog.note import VerifierKey
from sealwright_appendlog.proof import check_proof
from sealwright_appendlog.record import stream_name
from sealwright_appendlog.tree import ProofError
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import Policy, load_policy
from sealwright_stages.audit_folder import irregular, listed, pages, strangers
from sealwright_stages.audit_policy import policy_signature
from sealwright_stages.audit_signatures import Reviewer, provenance, required, signatures
from sealwright_stages.declared import declared
from sealwright_stages.errors import ManifestError
from sealwright_stages.files import read_small, sha256_file
from sealwright_stages.findings import Finding, advice, bad, good
from sealwright_stages.log.entries import entry_from
from sealwright_stages.manifest import Manifest, load
from sealwright_stages.needed import seen_by
from sealwright_stages.ports import ItemSpec
from sealwright_stages.replay import Replay
from sealwright_stages.seal.evidence import published_path
from sealwright_stages.seal.proofs import proof_name
from sealwright_stages.sign.provenance import statement
from sealwright_stages.state import Product, State, remembered_release

__all__ = ["Audit", "Finding", "Reviewer", "audit", "check_file"]

_SUM = re.compile(r"([0-9a-f]{64})  (products/[^/\n]+/[^/\n]+)\Z")
_MAX_SUMS = 64 << 20
_MAX_PROOF = 1 << 20


@dataclass(frozen=True)
class Audit:
    """What an audit found, and the state at the log's end; a yes holds only `provided` that (empty: plainly)."""

    findings: tuple[Finding, ...]
    state: State
    report: LogReport | None
    provided: str = ""

    @property
    def passed(self) -> bool:
        """Nothing is bad."""
        return all(finding.ok != "bad" for finding in self.findings)


def audit(evidence: Path, reviewer: Reviewer | None = None, watch: OnRecord | None = None) -> Audit:
    """Audit the evidence folder, with what the reviewer brings.

    `watch` is given each record as `check_log` gives it: nothing of it is proved before this returns.
    """
    try:
        return _audit(evidence, reviewer or Reviewer(), watch)
    except Exception as error:  # noqa: BLE001 - evidence that breaks the audit is no good evidence
        told = f"the audit itself failed on it: {type(error).__name__}: {error}"
        return Audit((bad("evidence", told),), State(), None)


def _audit(evidence: Path, reviewer: Reviewer, watch: OnRecord | None) -> Audit:
    if found := irregular(evidence):
        return Audit(tuple(found), State(), None)
    manifest, own, items, findings = _policy(evidence / "policy")
    reading = _Reading(evidence / "log", items, manifest, watch)
    try:
        report = check_log(reading.log, reading.take, witnesses=reviewer.witnesses)
    except (LogBroken, OSError) as error:
        return Audit((bad("log", str(error)), *findings), reading.replay.state, None)
    state = reading.replay.state
    findings = [*_told(report), *_rules(reading.replay), *findings]
    findings += _products(evidence, state)
    findings += _proofs(reading, report.vkey)
    provided = ""
    if manifest is not None and own is not None:
        findings += _as_logged(manifest, own, state)
        wants, told = required(reviewer, manifest, own)
        findings += told
        signed, told = policy_signature(evidence / "policy", manifest, own, state, reviewer)
        findings += told
        if wants is not None:
            provided = wants.provided
            said = statement(state, manifest, sorted(state.products.values(), key=published_path))
            findings += [*signatures(evidence, wants), *provenance(evidence, wants, said)]
        segments = [name for names in reading.segments.values() for name in names]
        findings += strangers(evidence, listed(manifest, [*own.files, *signed], state, segments, report.records))
        findings += pages(evidence, manifest, state)
    return Audit(tuple(findings), state, report, provided)


def check_file(path: Path, evidence: Path, reviewer: Reviewer | None = None) -> tuple[str, list[Finding], str]:
    """Was this file a product of the sealed release?

    Gives its SHA-256, the way from it to the signatures, and what a yes hangs on.
    """
    try:
        digest = sha256_file(path)
    except OSError as error:
        return "", [bad("file", f"{path}: {error.strerror or error}")], ""
    result = audit(evidence, reviewer)
    products = [product for product in result.state.products.values() if product.sha256 == digest]
    findings = [finding for finding in result.findings if finding.ok == "bad"]
    if not products:
        return digest, [bad("product", "no product of this release has these bytes"), *findings], ""
    findings += [
        good("product", f"{published_path(product)}, record {product.n} of the sealed log") for product in products
    ]
    findings += _inputs(result.state, products[0])
    findings += [finding for finding in result.findings if finding.ok != "bad"]
    return digest, findings, result.provided


def _inputs(state: State, product: Product) -> list[Finding]:
    """What went into a product: each verified item of its component, and each waiver."""
    found = []
    for name in state.components[product.component].items:
        item = state.items[name]
        waived = f" (waived by {item.waiver.person}: {item.waiver.reason})" if item.waiver else ""
        found.append(Finding("good" if item.green else "bad", item.title, f"{item.status}: {item.reason}{waived}"))
    return found


class _Reading:
    """One reading of a log: its records replayed, and what else of it is needed."""

    def __init__(
        self, log: Path, items: Mapping[str, ItemSpec] | None, manifest: Manifest | None, watch: OnRecord | None
    ) -> None:
        self.log = log
        self._watch = watch
        signed_policy = manifest is not None and bool(manifest.policy_signers)
        needs = seen_by(manifest.components) if manifest is not None else {}
        self.replay = Replay(self._sha256, items, signed_policy, needs)
        self.product_lines: dict[int, bytes] = {}
        self.segments: dict[str, list[str]] = {}
        self._hashes: dict[str, str] = {}

    def take(self, fields: Mapping[str, Any], line: bytes) -> None:
        """Take a record that was checked by itself."""
        if fields["k"] == "ev" and fields["body"].get("e") == "product.collected":
            self.product_lines[fields["n"]] = line
        elif fields["k"] == "data" and fields["off"] == 0:
            self.segments.setdefault(fields["s"], []).append(fields["seg"])
        self.replay.take(entry_from(fields, line))
        if self._watch is not None:
            self._watch(fields, line)

    def _sha256(self, stream: str) -> str:
        """SHA-256 of all that a stream said so far, each stream read once."""
        if stream not in self._hashes:
            digest = hashlib.sha256()
            for segment in self.segments.get(stream_name(stream), []):
                with layout.opened(self.log / segment) as file:
                    while part := file.read(1 << 20):
                        digest.update(part)
            self._hashes[stream] = digest.hexdigest()
        return self._hashes[stream]


def _told(report: LogReport) -> list[Finding]:
    whole = good("log", f"{report.records} records, sealed, root {report.checkpoint.root.hex()}")
    unclean = [advice("log", f"stream {name} ended unclean") for name in report.unclean if name != "engine"]
    words = [good("log", f"cosigned by {word.witness.name} at {word.when()}") for word in report.cosigned]
    return [whole, *words, *(advice("log", notice) for notice in report.notices), *unclean]


def _rules(replay: Replay) -> list[Finding]:
    kept = good("rules", "every stage began after its gate was open, with all that the manifest wants before it")
    return [bad("rules", line) for line in replay.broken] or [kept]


def _policy(
    folder: Path,
) -> tuple[Manifest | None, Policy | None, Mapping[str, ItemSpec] | None, list[Finding]]:
    """The manifest and keyring in the evidence, and the items that it declares."""
    try:
        manifest = load(folder / "release.toml")
        return manifest, load_policy(folder), declared(manifest), []
    except (KeyringError, ManifestError) as error:
        return None, None, None, [bad("policy", f"{error.what}: {error.because}")]


def _as_logged(manifest: Manifest, policy: Policy, state: State) -> list[Finding]:
    findings = []
    if manifest.sha256 != state.manifest_sha256:
        findings.append(bad("policy", "the manifest in policy/ is not the one in the log"))
    if policy.sha256 != state.policy_sha256:
        findings.append(bad("policy", "signers.toml or a key in policy/ is not the one in the log"))
    if (manifest.name, manifest.version) != (state.release, state.version):
        findings.append(bad("policy", "the log is of another release than the manifest"))
    return [*findings, *_memory(manifest, state)]


def _memory(manifest: Manifest, state: State) -> list[Finding]:
    """What the release remembered: its own word, since the earlier evidence is not in the folder."""
    if manifest.memory.evidence and not state.memory:
        return [bad("memory", "the manifest names earlier evidence, and the log does not say that it was read")]
    return [good("memory", f"it was held against {remembered_release(each)}") for each in state.memory.values()]


def _products(evidence: Path, state: State) -> list[Finding]:
    wanted = {published_path(product): product.sha256 for product in state.products.values()}
    try:
        text = read_small(evidence / "SHA256SUMS", _MAX_SUMS).decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        return [bad("SHA256SUMS", str(error))]
    named: dict[str, str] = {}
    for line in text.splitlines():
        match = _SUM.match(line)
        if match is None:
            return [bad("SHA256SUMS", f"a malformed line: {line[:80]!r}")]
        named[match.group(2)] = match.group(1)
    if text != "".join(f"{named[name]}  {name}\n" for name in sorted(named)) or named != wanted:
        return [bad("SHA256SUMS", "it does not name exactly the products of the log, sorted")]
    findings = []
    for name, sha256 in wanted.items():
        try:
            found = sha256_file(evidence / name)
        except (OSError, ValueError):
            findings.append(bad("products", f"{name} is missing"))
            continue
        if found != sha256:
            findings.append(bad("products", f"{name} has other bytes than the log says"))
    return findings or [good("products", f"{len(wanted)} files have the bytes that the log says")]


def _proofs(reading: _Reading, vkey: str) -> list[Finding]:
    key, products = VerifierKey.parse(vkey), reading.replay.state.products.values()
    for product in products:
        name = proof_name(product)
        try:
            proof = read_small(reading.log / "proofs" / name, _MAX_PROOF)
            check_proof(proof, reading.product_lines[product.n], key)
        except (OSError, ValueError, ProofError, KeyError) as error:
            return [bad("proofs", f"{name}: {error}")]
    return [good("proofs", f"{len(products)} products are proved to be in the sealed log")]
