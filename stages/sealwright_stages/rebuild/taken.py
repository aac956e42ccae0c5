"""What is taken of an evidence folder: what to build, and nothing else that it says.

- It is audited first. A folder that does not stand up to that is refused, unless its rebuilder wants it all the same;
  one whose log is not whole tells of no release, and is refused always.
- Manifest and keys count only if they are those that the log names, also where the audit is passed over; what was read
  is what is used.
- Where the audit is passed over, the release's own waivers count for nothing.
- A release without products, or without any in what is wanted, has nothing to rebuild.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import Policy, load_policy
from sealwright_stages.audit import Audit, Reviewer
from sealwright_stages.compare.facts import Release
from sealwright_stages.compare.gather import Gathering
from sealwright_stages.errors import ManifestError, RebuildError
from sealwright_stages.events import Stage
from sealwright_stages.manifest import Manifest, load
from sealwright_stages.reading import read_known_hosts
from sealwright_stages.rebuild.strangers import Brought, tamed
from sealwright_stages.state import State
from sealwright_stages.verdict import Waiver

_AGAIN = "get the evidence again, whole; do not build this"


@dataclass(frozen=True)
class Taken:
    """A release that is to be rebuilt: what its evidence tells, and what of that is walked.

    `theirs` holds the wanted components alone; `accepted` are the release's waivers that count.
    """

    evidence: Path
    audit: Audit
    brought: Brought
    manifest: Manifest
    policy: Policy
    known_hosts: bytes | None
    theirs: Release
    accepted: tuple[Waiver, ...]

    @property
    def root(self) -> str:
        """The root of the log that tells it, in hex."""
        return self.audit.report.checkpoint.root.hex() if self.audit.report else ""


def take(evidence: Path, result: Audit, reviewer: Reviewer, brought: Brought, *, despite: bool = False) -> Taken:
    """What an audited folder gives for a rebuild; `despite` passes over what the audit says no to.

    Raises:
        RebuildError: it must not be rebuilt, or reaches into this machine.
        ManifestError: what the rebuilder brings can't be used.
    """
    _check_audit(result, despite=despite)
    state = result.state
    manifest, policy = _declared(evidence, state, brought.sources)
    if brought.source_keyring is not None:
        policy = _keyring(brought.source_keyring)
    accepted = tuple(_accepted(state)) if result.passed and brought.waivers else ()
    own = tamed(manifest, brought, policy, accepted)
    theirs = _told(evidence, result, reviewer, [component.name for component in own.components])
    if not any(component.products for component in theirs.components.values()):
        what = f"{brought.only or manifest.release} is not rebuilt"
        raise RebuildError(what, "the release has no product of it", "look at it with `sealwright review`")
    return Taken(evidence, result, brought, own, policy, read_known_hosts(own), theirs, accepted)


def _check_audit(result: Audit, *, despite: bool) -> None:
    if result.passed:
        return
    first = result.first
    because = f"{first.what}: {first.detail}" if first else "it does not stand up to its audit"
    if result.report is None or not result.state.release:
        raise RebuildError("the evidence is not rebuilt: its log is not whole", because, _AGAIN)
    if not despite:
        next_step = "run `sealwright audit`; --despite-audit builds it all the same, and says so"
        raise RebuildError("the evidence is not rebuilt: its audit says no", because, next_step)


def _declared(evidence: Path, state: State, base: Path | None) -> tuple[Manifest, Policy]:
    """Manifest and policy, if they are the ones in the log."""
    folder = evidence / "policy"
    try:
        manifest, policy = load(folder / "release.toml", base=base), load_policy(folder)
    except (KeyringError, ManifestError) as error:
        raise RebuildError("the evidence is not rebuilt", f"{error.what}: {error.because}", _AGAIN) from error
    for what, known, found in (
        ("manifest", state.manifest_sha256, manifest.sha256),
        ("keyring", state.policy_sha256, policy.sha256),
    ):
        if known != found:
            because = f"the {what} in policy/ is not the one in the log"
            raise RebuildError("the evidence is not rebuilt", because, _AGAIN)
    if (manifest.name, manifest.version) != (state.release, state.version):
        raise RebuildError("the evidence is not rebuilt", "the log is of another release", _AGAIN)
    return manifest, policy


def _keyring(folder: Path) -> Policy:
    try:
        return load_policy(folder)
    except KeyringError as error:
        raise ManifestError(error.what, error.because, error.next_step) from error


def _accepted(state: State) -> Iterable[Waiver]:
    """The waivers that stood when the release was sealed, of what is fetched and verified."""
    for item in state.items.values():
        if item.waiver is not None and item.stage is not Stage.BUILD:
            yield replace(item.waiver, reason=f"as in the release: {item.waiver.reason}")


def _told(evidence: Path, result: Audit, reviewer: Reviewer, names: Iterable[str]) -> Release:
    """What the evidence tells of the wanted components, and of the roots that they were built in."""
    told = Gathering(evidence, result.state, reviewer).release()
    roots = {told.components[name].environment for name in names if name in told.components}
    kept = {*names, *(f"environment {root}" for root in roots)}
    return replace(told, components={name: each for name, each in told.components.items() if name in kept})
