"""What the manifest declares of a component, as sources that can be fetched and judged.

- An auditor's items and a run's sources are made by the same function.
- Each source gets just the keys that were chosen for it.
- A suite of the Debian archive is one object, however many sources and roots come from it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sealwright_keyring.policy import Policy
from sealwright_stages.get_sources.apt_sources import mirror_from_machine
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.manifest import ComponentSpec, GitSource, Manifest
from sealwright_stages.ports import Archive, Source, Trust
from sealwright_stages.verify.deb_source import DebSource
from sealwright_stages.verify.file_source import Inside, file_source
from sealwright_stages.verify.git_repository import repository
from sealwright_stages.verify.git_source import GitRefSource
from sealwright_stages.verify.rpm_source import rpm_source
from sealwright_stages.verify.source_debian import DebianSource

Trusting = Callable[[tuple[str, ...], int], Trust]
"""From the persons whose signature counts, and how many of them, to whom a source is checked against."""


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


def make_sources(
    component: ComponentSpec, policy: Policy, archives: Archives, known_hosts: bytes | None = None
) -> list[Source]:
    """The sources of a component, each with just the keys that were chosen for it."""
    return sources_of(component, partial(trust_for, policy, component.name), archives.of, known_hosts)


def sources_of(
    component: ComponentSpec,
    trust: Trusting,
    archive: Callable[[str], DebianArchive],
    known_hosts: bytes | None = None,
) -> list[Source]:
    """The sources of a component in the manifest's order of kinds; `trust` says whom each is checked against."""
    name, dsc = component.name, component.dsc
    sources: list[Source] = []
    if component.git:
        sources.append(_git(component, component.git, trust, known_hosts))
    if dsc:
        sources.append(DebianSource(name, dsc.package, archive(dsc.suite), dsc.uploaders, dsc.rights))
    for file in component.files:
        of_file = trust(file.signers, file.threshold) if file.signatures else None
        inside = Inside(file.signed_uncompressed, file.unpack)
        sources.append(
            file_source(
                name, file.url, sha256=file.sha256, signature=file.signatures, trust=of_file, inside=inside
            )
        )
    for deb in component.debs:
        sources.append(DebSource(name, deb.package, deb.version, deb.architecture, archive(deb.suite)))
    for rpm in component.rpms:
        signers = trust(rpm.signers, rpm.threshold)
        sources.append(rpm_source(name, rpm.url, sha256=rpm.sha256, trust=signers))
    return sources


def _git(component: ComponentSpec, git: GitSource, trust: Trusting, known_hosts: bytes | None) -> GitRefSource:
    declared = [("", git, component.signers, component.threshold)]
    declared += [(each.path, each.git, each.signers, each.threshold) for each in component.submodules]
    repositories = [
        repository(
            where,
            each.url,
            tag=each.tag,
            commit=each.commit,
            branch=each.branch,
            trust=trust(signers, threshold),
            root=each.trust_root,
        )
        for where, each, signers, threshold in declared
    ]
    return GitRefSource(component.name, tuple(repositories), known_hosts)


def trust_for(policy: Policy, component: str, signers: tuple[str, ...], threshold: int) -> Trust:
    """The chosen persons' keys for one component."""
    return Trust(policy.certificates, policy.persons_for(component, signers), threshold)
