"""What the manifest declares of a component, as sources that can be fetched and judged.

- Each source gets just the keys that were chosen for it.
- A suite of the Debian archive is one object, however many sources and roots come from it.
"""

from __future__ import annotations

from sealwright_keyring.policy import Policy
from sealwright_stages.get_sources.apt_sources import mirror_from_machine
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.manifest import ComponentSpec, Manifest
from sealwright_stages.ports import Archive, Source, Trust
from sealwright_stages.verify.file_source import file_source
from sealwright_stages.verify.git_source import git_source
from sealwright_stages.verify.source_debian import DebianSource


class Archives:
    """The Debian archives of a run, one object for each suite."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._known: dict[str, DebianArchive] = {}

    def archive(self, suite: str) -> Archive:
        """Where a suite is, and whose signature counts; raises MachineError."""
        mirror = self._manifest.mirror or mirror_from_machine(suite)
        return Archive(mirror.rstrip("/"), self._manifest.archive_keyring)

    def of(self, suite: str) -> DebianArchive:
        """The archive of a suite; raises MachineError."""
        if suite not in self._known:
            self._known[suite] = DebianArchive(self.archive(suite), suite)
        return self._known[suite]


def make_sources(component: ComponentSpec, policy: Policy, archives: Archives) -> list[Source]:
    """The sources of a component, each with just the keys that were chosen for it."""
    sources: list[Source] = []
    if component.git:
        git = component.git
        trust = trust_for(policy, component.name, component.signers, component.threshold)
        sources.append(
            git_source(component.name, git.url, tag=git.tag, commit=git.commit, branch=git.branch, trust=trust)
        )
    if component.dsc:
        dsc = component.dsc
        sources.append(DebianSource(component.name, dsc.package, archives.of(dsc.suite), dsc.uploaders))
    for file in component.files:
        file_trust = trust_for(policy, component.name, file.signers, file.threshold) if file.signature else None
        sources.append(
            file_source(component.name, file.url, sha256=file.sha256, signature=file.signature, trust=file_trust)
        )
    return sources


def trust_for(policy: Policy, component: str, signers: tuple[str, ...], threshold: int) -> Trust:
    """The chosen persons' keys for one component."""
    return Trust(policy.certificates, policy.persons_for(component, signers), threshold)
