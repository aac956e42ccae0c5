"""Audit an evidence folder offline: log, seal, signatures, products, provenance, and that the rules were kept.

- The folder holds exactly the files of a release, each a plain file, before anything else is believed.
- The manifest and the keys in it are those of the log, signed themselves if the manifest wants that, and led to by
  signed steps if the keyring has versions; and the log declared what that manifest declares.
- If the manifest names earlier evidence, the log says which releases were remembered.
- Keys are never believed because they lie there: whose word a yes hangs on is part of the verdict.
- Each finding is good, bad, advice (what a person should know) or unchecked; one bad finding is a no. It names the
  rule that it is about, and the first record where that was broken.
- Whatever the evidence makes the audit itself raise is one bad finding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sealwright_appendlog.audit import LogBroken, LogReport, OnRecord, check_log
from sealwright_appendlog.note import VerifierKey
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import Policy, load_policy
from sealwright_stages.audit_attestation import attestation
from sealwright_stages.audit_folder import irregular, listed, pages, strangers
from sealwright_stages.audit_log import Reading, broken, rules, told
from sealwright_stages.audit_policy import policy_signature
from sealwright_stages.audit_policy_versions import policy_versions
from sealwright_stages.audit_products import products, proofs
from sealwright_stages.audit_provenance import told_files
from sealwright_stages.audit_signatures import required, signatures
from sealwright_stages.audit_unchecked import not_checked, root_packages
from sealwright_stages.declared import Declaration, declaration
from sealwright_stages.errors import ManifestError
from sealwright_stages.findings import Finding, bad, good, unchecked
from sealwright_stages.manifest import Manifest, load
from sealwright_stages.reviewer import Reviewer
from sealwright_stages.sign.provenance import SealedLog
from sealwright_stages.state import State, remembered_release

__all__ = ["Audit", "Finding", "Reviewer", "as_part", "audit"]


@dataclass(frozen=True)
class Audit:
    """What an audit found, and the state at the log's end; a yes holds only `provided` that (empty: plainly).

    `policy` is what the reviewer's keyring led to; None if there is none, or nothing came of it.
    """

    findings: tuple[Finding, ...]
    state: State
    report: LogReport | None
    provided: str = ""
    policy: Policy | None = None

    @property
    def passed(self) -> bool:
        """Nothing is bad."""
        return all(finding.ok != "bad" for finding in self.findings)

    @property
    def first(self) -> Finding | None:
        """The first offending record, or else the first thing that is bad."""
        wrong = [finding for finding in self.findings if finding.ok == "bad"]
        return min(wrong, key=lambda finding: finding.n if finding.n >= 0 else 1 << 60, default=None)


def audit(evidence: Path, reviewer: Reviewer | None = None, watch: OnRecord | None = None) -> Audit:
    """Audit the evidence folder, with what the reviewer brings.

    `watch` is given each record as `check_log` gives it: nothing of it is proved before this returns.
    """
    try:
        return _audit(evidence, reviewer or Reviewer(), watch)
    except Exception as error:  # noqa: BLE001 - evidence that breaks the audit is no good evidence
        why = f"the audit itself failed on it: {type(error).__name__}: {error}"
        return Audit((bad("evidence", why, "evidence-read"),), State(), None)


def _audit(evidence: Path, reviewer: Reviewer, watch: OnRecord | None) -> Audit:
    if found := irregular(evidence):
        return Audit(
            (*found, unchecked("the rest", "nothing is opened while something is no plain file")), State(), None
        )
    declared, own, findings = _policy(evidence / "policy")
    reading = Reading(evidence / "log", declared, watch)
    state = reading.replay.state
    try:
        report = check_log(reading.log, reading.take, witnesses=reviewer.witnesses, saved=reviewer.saved)
    except (LogBroken, OSError) as error:
        rest = unchecked(
            "the rest", "rules, products, signatures and pages mean nothing while the log is not whole"
        )
        return Audit((broken(error), *findings, rest), state, None)
    findings = [*told(report), *rules(reading.replay), *findings]
    findings += products(evidence, state, absent=reviewer.without_products)
    findings += proofs(reading.log, reading.product_lines, state, report.vkey)
    provided = ""
    if declared is not None and own is not None:
        manifest = declared.manifest
        findings += _as_logged(manifest, own, state)
        findings += _authority(manifest, VerifierKey.parse(report.vkey))
        rotated = policy_versions(own, state, reading.replay.story.versions, reviewer)
        findings += rotated.findings
        reviewer = replace(reviewer, policy=rotated.theirs)
        wants, more = required(reviewer, manifest, own)
        findings += more
        signed, more = policy_signature(evidence / "policy", manifest, own, state, reviewer, rotated.accepted)
        findings += more
        findings += _builders(manifest, reviewer)
        if wants is not None:
            provided = ", ".join(filter(None, (wants.provided, _without(reviewer, report))))
            log = SealedLog(reading.log, VerifierKey.parse(report.vkey), report.checkpoint)
            findings += signatures(evidence, wants, state.last_t)
            if reading.replay.story.lost:
                findings.append(
                    unchecked("provenance", "too much is wrong with the log: nothing is told out of it")
                )
            else:
                findings += told_files(evidence, state, manifest, log, wants, own)
        findings += attestation(evidence, manifest, reviewer)
        segments = [name for names in reading.segments.values() for name in names]
        findings += strangers(
            evidence, listed(manifest, [*own.files, *signed, *rotated.files], state, segments, report.records)
        )
        findings += pages(evidence, manifest, state)
        findings += root_packages(manifest, reading.replay.story.roots)
        findings += not_checked(state, manifest, reviewer, report)
    else:
        findings.append(
            unchecked("the rest", "without the policy nobody knows who must have signed, or what may lie here")
        )
    return Audit(tuple(findings), state, report, provided, reviewer.policy)


def _without(reviewer: Reviewer, report: LogReport) -> str:
    """Which of the witnesses that the reviewer named have not cosigned: a yes says so, since whoever hands the folder on
    can take a cosignature away."""
    by = {cosigned.witness for cosigned in report.cosigned}
    names = [witness.name for witness in reviewer.witnesses if witness not in by]
    return f"though {', '.join(names)} has not cosigned it" if names else ""


def _authority(manifest: Manifest, log: VerifierKey) -> list[Finding]:
    """Whether the log is one of the authority that the manifest names, if it names one."""
    host = manifest.log_key
    if host is None:
        return []
    if log.public == host.public and log.name.startswith(f"{host.name}/"):
        return [good("log", f"kept by {host.name}", "log-kept")]
    return [bad("log", f"it is not one that {host.name} kept, which the manifest names", "log-kept")]


def _builders(manifest: Manifest, reviewer: Reviewer) -> list[Finding]:
    """One builder's word is no release where several must agree."""
    if reviewer.part or manifest.builders == 1:
        return []
    told = f"this is one builder's evidence, and {manifest.builders} must agree before it is final"
    return [bad("builders", f"{told}: sealwright join", "builders")]


def as_part(evidence: Path, reviewer: Reviewer) -> Reviewer:
    """The reviewer who asks about one builder's evidence, and not whether the release is final, where by its own manifest
    several builders must agree; else the reviewer as before."""
    try:
        several = load(evidence / "policy/release.toml").builders > 1
    except (ManifestError, OSError):
        several = False
    return replace(reviewer, part=True) if several else reviewer


def _policy(folder: Path) -> tuple[Declaration | None, Policy | None, list[Finding]]:
    """What the manifest in the evidence declares, and the keyring there."""
    try:
        own = load_policy(folder)
        number = own.version.number if own.version else 0
        return declaration(load(folder / "release.toml"), own.sha256, number), own, []
    except (KeyringError, ManifestError) as error:
        return None, None, [bad("policy", f"{error.what}: {error.because}", "policy-read")]


def _as_logged(manifest: Manifest, policy: Policy, state: State) -> list[Finding]:
    findings = []
    if manifest.sha256 != state.manifest_sha256:
        findings.append(bad("policy", "the manifest in policy/ is not the one in the log", "policy-logged"))
    if policy.sha256 != state.policy_sha256:
        what = "signers.toml or a key in policy/ is not the one in the log"
        findings.append(bad("policy", what, "policy-logged"))
    if (manifest.name, manifest.version) != (state.release, state.version):
        findings.append(bad("policy", "the log is of another release than the manifest", "policy-logged"))
    return [*findings, *_memory(manifest, state)]


def _memory(manifest: Manifest, state: State) -> list[Finding]:
    """What the release remembered: its own word, since the earlier evidence is not in the folder."""
    if manifest.memory.evidence and not state.memory:
        what = "the manifest names earlier evidence, and the log does not say that it was read"
        return [bad("memory", what, "memory")]
    return [
        good("memory", f"it was held against {remembered_release(m)}", "memory") for m in state.memory.values()
    ]
