"""One builder's evidence, audited, and what of it is compared with the others'.

- What the audit says no to is put aside with its first reason, and never counted. That fewer have signed it than the
  release wants is no such reason: persons are counted over all builders.
- What is good by its own keys, and nothing by the reviewer's, is kept, and counts for nobody.
- What was published as somebody's is put aside unless that person signed all of it.
- A saved checkpoint is held against the log that it is of.
- Of a joined release the products lie once, and are hashed once for all who share them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sealwright_appendlog import layout
from sealwright_appendlog.saved import Saved
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import Policy, load_policy
from sealwright_stages.audit import Audit, audit
from sealwright_stages.audit_products import products
from sealwright_stages.audit_signatures import Required, required
from sealwright_stages.errors import JoinError, ManifestError, SigningError
from sealwright_stages.files import read_small
from sealwright_stages.findings import Finding
from sealwright_stages.join.judge import Release, Voice
from sealwright_stages.join.sources import SUMS, Aside, Source
from sealwright_stages.manifest import Manifest, load
from sealwright_stages.publish.facts import Signature, signatures_in, signers_in
from sealwright_stages.reviewer import Reviewer
from sealwright_stages.sign.release_signatures import SIGNED
from sealwright_stages.state import State

MAX_SUMS = 64 << 20


@dataclass(frozen=True)
class Entry:
    """Evidence that an audit found good, of one builder: `by` are its signers by the release's own keys, `sealed` is when
    its log says that it was. `wants` is who must have signed, for the reviewer; a yes holds `provided` that. `audit` is
    there if it was to be kept; `unknown` is why nobody of it counts for the reviewer."""

    source: Source
    voice: Voice
    by: tuple[str, ...]
    sealed: str
    records: int
    products: int
    origin: str
    manifest: Manifest = field(repr=False)
    policy: Policy = field(repr=False)
    wants: Required = field(repr=False)
    provided: str = ""
    findings: tuple[Finding, ...] = field(default=(), repr=False)
    unknown: str = ""
    audit: Audit | None = field(default=None, repr=False)

    def sums(self) -> bytes:
        """Its `SHA256SUMS`, as it was audited.

        Raises:
            JoinError: it is another by now, or can't be read.
        """
        try:
            data = read_small(self.source.evidence / SUMS, MAX_SUMS)
        except OSError as error:
            raise _changed(self.source, error.strerror or str(error)) from error
        if hashlib.sha256(data).hexdigest() != self.voice.sums:
            raise _changed(self.source, "its SHA256SUMS is another")
        return data


@dataclass
class Looking:
    """Looks at evidence for one reviewer; `used` are the saved checkpoints that one of the logs was held against.

    Audits are kept only if `keep`: one of a large release takes much room.
    """

    reviewer: Reviewer
    keep: bool = False
    used: set[str] = field(default_factory=set)
    _hashed: dict[tuple[Path, str], list[Finding]] = field(default_factory=dict)

    def look(self, source: Source) -> Entry | Aside:
        """Audit it; what is bad is put aside."""
        try:
            return self._look(source)
        except (OSError, ValueError) as error:
            return Aside(source.said, f"it can't be read: {error}")
        except (KeyringError, ManifestError, SigningError) as error:
            return Aside(source.said, f"{error.what}: {error.because}")

    def _look(self, source: Source) -> Entry | Aside:
        saved = self._saved(source.evidence)
        asked = replace(_part(self.reviewer), saved=saved)
        if source.products is not None:
            asked = replace(asked, without_products=True)
        found, unknown = self._audited(source.evidence, asked)
        findings = list(found.findings)
        if source.products is not None and not self.reviewer.without_products and found.passed:
            findings = [each for each in findings if each.what != "products"]
            findings += self._products(source.products, source.evidence, found.state)
        if wrong := [each for each in findings if each.ok == "bad"]:
            return Aside(source.said, f"{wrong[0].what}: {wrong[0].detail}")
        return self._entry(source, found, findings, unknown)

    def _audited(self, evidence: Path, asked: Reviewer) -> tuple[Audit, str]:
        """The audit by the reviewer's keys; or by its own, and why it is nothing by the reviewer's."""
        found = audit(evidence, asked)
        if found.passed or not _own_keys(asked):
            return found, ""
        again = audit(evidence, replace(asked, keyring=None, signers=(), trusted=None))
        wrong = next(each for each in found.findings if each.ok == "bad")
        return (again, f"{wrong.what}: {wrong.detail}") if again.passed else (found, "")

    def _entry(self, source: Source, found: Audit, findings: Sequence[Finding], unknown: str) -> Entry | Aside:
        evidence, state, report = source.evidence, found.state, found.report
        manifest, own = load(evidence / "policy/release.toml"), load_policy(evidence / "policy")
        mine, _ = required(Reviewer(), manifest, own)
        mine_now = replace(
            self.reviewer, policy=found.policy
        )  # what the reviewer's keyring leads to for this release
        wants, _ = required(mine_now, manifest, own)
        part, _ = required(_part(mine_now), manifest, own)
        if report is None or mine is None or wants is None or part is None:
            return Aside(source.said, "nothing says who must have signed it")
        signed = tuple(signatures_in(evidence, mine))
        by = tuple(signers_in(evidence, mine, signed))
        if source.signer and source.signer not in by:
            return Aside(source.said, f"it is called after {source.signer}, who did not sign it")
        ours = tuple(signatures_in(evidence, wants)) if _own_keys(self.reviewer) else signed
        ours = () if unknown else ours
        sums = hashlib.sha256(read_small(evidence / SUMS, MAX_SUMS)).hexdigest()
        voice = Voice(
            Release(state.release, state.version, manifest.sha256, own.sha256),
            report.vkey,
            report.checkpoint.root.hex(),
            sums,
            _both(signed),
            _both(ours),
        )
        return Entry(
            source=source,
            voice=voice,
            by=by,
            sealed=state.last_t,
            records=report.records,
            products=len(state.products),
            origin=report.checkpoint.origin,
            manifest=manifest,
            policy=own,
            wants=wants,
            provided="" if unknown else _provided(found.provided, part.provided, wants.provided),
            findings=tuple(findings),
            unknown=unknown,
            audit=found if self.keep else None,
        )

    def _products(self, top: Path, evidence: Path, state: State) -> list[Finding]:
        sums = hashlib.sha256(read_small(evidence / SUMS, MAX_SUMS)).hexdigest()
        if (top, sums) not in self._hashed:
            self._hashed[top, sums] = products(top, state)
        return self._hashed[top, sums]

    def _saved(self, evidence: Path) -> tuple[Saved, ...]:
        """The checkpoints that were saved of this log, by the origin in their first line."""
        if not self.reviewer.saved:
            return ()
        origin = read_small(evidence / "log" / layout.VKEY, 4096).partition(b"+")[0]
        found = tuple(each for each in self.reviewer.saved if each.note.partition(b"\n")[0] == origin)
        self.used |= {each.name for each in found}
        return found


def _own_keys(reviewer: Reviewer) -> bool:
    """Whether the reviewer has said whose keys count: by a keyring, or by fingerprints that were given or pinned."""
    return reviewer.keyring is not None or reviewer.trusted is not None


def _part(reviewer: Reviewer) -> Reviewer:
    """Whoever asks about one builder: one person is enough, the others are counted over all builders."""
    return replace(reviewer, part=True, threshold=None)


def _provided(said: str, part: str, whole: str) -> str:
    """What the audit of one builder `said` that a yes hangs on, with the `whole` demand for that of its `part`."""
    return ", ".join(filter(None, (whole, said.removeprefix(part).removeprefix(", "))))


def _changed(source: Source, because: str) -> JoinError:
    return JoinError(
        source.said, f"it changed while it was joined: {because}", "find out who changes it, then join again"
    )


def _both(signed: Sequence[Signature]) -> frozenset[str]:
    """Who signed both sums."""
    over = [{each.person for each in signed if each.over == name} for name in SIGNED]
    return frozenset(set.intersection(*over))
