"""A stranger's manifest, of which nothing is left that reaches into this machine.

- What it says of the builder's own machine counts nowhere else: the log's and the signer's commands, homes and files,
  its TPM, earlier evidence, how fresh something was to be. None of it is read, and no command of it is run outside a build.
- A local path, by whatever name, is refused; with a folder of sources it must lie in that, links resolved.
- A keyring of the machine is the one of that name below /usr/share/keyrings, as packages install it; any other is a
  local path. That of the archive is one that Debian ships for it, and no other that the machine has. An ssh server's
  keys are the rebuilder's, or it is not asked.
- A warning counts as accepted only where the release's own log accepted it, for these very bytes; nothing red does.
- What a build is held against in the release (a second build, the archive's packages) is left out: the rebuild is the
  comparison.
- Each field of a manifest has its place here: a test holds the two against each other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sealwright_keyring.policy import Policy
from sealwright_stages.errors import ManifestError, RebuildError
from sealwright_stages.manifest import Manifest
from sealwright_stages.manifest_component import ComponentSpec, DscSource
from sealwright_stages.manifest_git import GitSource
from sealwright_stages.manifest_memory import MemorySpec
from sealwright_stages.verdict import Waiver
from sealwright_stages.verify.codes import shown

KEYRINGS = Path("/usr/share/keyrings")
"""Where packages put the keyrings that anybody may read."""

_ARCHIVE_KEYRING = KEYRINGS / "debian-archive-keyring.gpg"
_OF_THE_ARCHIVE = re.compile(
    r"debian-archive-(keyring|[a-z]+-(automatic|security-automatic|stable))\.(gpg|pgp|asc)"
)
"""Keyrings that Debian ships for its archive. Who holds a key of one has his programs run as root on this machine."""
_NAME_IT = "get what lies there, and name the folder that stands for the manifest's: --sources FOLDER"


@dataclass(frozen=True)
class Brought:
    """What a rebuilder brings and decides, each left out where None or empty.

    `sources`: the folder that stands for the manifest's own. `mirror`: the archive's address. `archive_keyring`: whose
    signature on its index counts. `source_keyring`: a keyring folder by which the sources are judged. `known_hosts`: keys
    of ssh servers. `only`: the one component that is wanted. `waivers`: what the release accepted is accepted.
    """

    sources: Path | None = None
    mirror: str | None = None
    archive_keyring: Path | None = None
    source_keyring: Path | None = None
    known_hosts: Path | None = None
    only: str = ""
    waivers: bool = True


def tamed(manifest: Manifest, brought: Brought, policy: Policy, accepted: Iterable[Waiver]) -> Manifest:
    """The manifest as it is walked here: sources and builds as declared, and all else the rebuilder's.

    `policy` is the one by which the sources are judged, `accepted` the waivers that stood in the release.

    Raises:
        RebuildError: a path that reaches into this machine, an ssh server whose key nobody gave, a person that is not there.
        ManifestError: there is no component of that name.
    """
    door = _Door(manifest.path.parent, brought.sources)
    components = tuple(_component(each, door) for each in wanted(manifest, brought.only))
    _check_persons(components, policy)
    _check_ssh(components, brought)
    return replace(
        manifest,
        keyring=policy.folder,
        policy_signers=(),
        policy_threshold=1,
        known_hosts=brought.known_hosts,
        log_transport=(),
        log_key=None,
        signer_transport=(),
        signer_home=None,
        signer_policy=None,
        mirror=_mirror(manifest, components, door, brought),
        archive_keyring=_archive_keyring(manifest, components, door, brought),
        tars=_tars(manifest.tars, components, door),
        components=components,
        waivers=tuple(replace(each, policy_sha256=policy.sha256) for each in accepted) if brought.waivers else (),
        memory=MemorySpec(),
        attestation=None,
    )


def wanted(manifest: Manifest, only: str) -> tuple[ComponentSpec, ...]:
    """The components that are wanted: all, or one with all that it needs, in the manifest's order.

    Raises:
        ManifestError: there is none of that name.
    """
    if not only:
        return manifest.components
    needs = {component.name: component.needs for component in manifest.components}
    if only not in needs:
        names = ", ".join(list(needs)[:10])
        raise ManifestError(f"--only {only}", "the release has no component of that name", f"name one: {names}")
    found, waiting = {only}, [only]
    while waiting:
        new = set(needs[waiting.pop()]) - found
        found |= new
        waiting += new
    return tuple(component for component in manifest.components if component.name in found)


def hosts(manifest: Manifest) -> tuple[str, ...]:
    """Where a tamed manifest lets us fetch from, sorted; `this machine` for a folder of sources."""
    found = set()
    if manifest.mirror is None and _uses_archive(manifest.components):
        found.add("the machine's own apt sources")
    for url in _addresses(manifest):
        parts = urlsplit(url)
        found.add(f"{parts.scheme}://{parts.netloc}" if parts.netloc and not local(url) else "this machine")
    return tuple(sorted(found))


def _addresses(manifest: Manifest) -> Iterator[str]:
    if manifest.mirror:
        yield manifest.mirror
    yield from manifest.tars.values()
    for component in manifest.components:
        yield from (git.url for git in component.repositories())
        for file in component.files:
            yield from (file.url, *file.signatures)
        yield from (rpm.url for rpm in component.rpms)


def local(url: str) -> Path | None:
    """The path of this machine that an address means; None if it means another one."""
    if url.startswith("/"):
        return Path(url)
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme in ("file", "") else None


@dataclass(frozen=True)
class _Door:
    """Lets local paths through that lie below `folder`; `manifest` is the folder that they are told from."""

    manifest: Path
    folder: Path | None

    def address(self, what: str, url: str) -> str:
        path = local(url)
        return url if path is None else str(self._below(what, path))

    def keyring(self, what: str, path: Path) -> Path:
        """A keyring as a package installs it here, or one below the folder."""
        return path if path.parent == KEYRINGS else self._below(what, path)

    def _below(self, what: str, path: Path) -> Path:
        if self.folder is None:
            told = path.relative_to(self.manifest) if path.is_relative_to(self.manifest) else path
            because = f"{shown(str(told))} is a path of the builder's machine, and here would be one of yours"
            raise RebuildError(f"{what} is refused", because, _NAME_IT)
        base, found = Path(os.path.realpath(self.folder)), Path(os.path.realpath(path))
        if not found.is_relative_to(base) or found == base:
            because = f"{shown(str(path))} leads out of {self.folder}"
            raise RebuildError(
                f"{what} is refused", because, "do not rebuild it, or put what it wants below there"
            )
        return found


def _component(component: ComponentSpec, door: _Door) -> ComponentSpec:
    name = component.name
    return replace(
        component,
        git=_git(component.git, name, door) if component.git else None,
        submodules=tuple(
            replace(each, git=_git(each.git, f"{name}/{each.path}", door)) for each in component.submodules
        ),
        dsc=_dsc(component.dsc, name, door) if component.dsc else None,
        files=tuple(
            replace(
                each,
                url=door.address(f"{name}: {each.name}", each.url),
                signatures=tuple(door.address(f"{name}: a signature of {each.name}", s) for s in each.signatures),
            )
            for each in component.files
        ),
        rpms=tuple(replace(each, url=door.address(f"{name}: {each.name}", each.url)) for each in component.rpms),
        fresh_days=None,
        build=replace(component.build, reproduce=1, vary=None, reference="") if component.build else None,
    )


def _git(git: GitSource, what: str, door: _Door) -> GitSource:
    return replace(git, url=door.address(f"{what}: its repository", git.url))


def _dsc(dsc: DscSource, name: str, door: _Door) -> DscSource:
    rights = door.keyring(f"{name}: its uploader_rights", dsc.rights) if dsc.rights else None
    return replace(dsc, uploaders=door.keyring(f"{name}: its uploaders", dsc.uploaders), rights=rights)


def _uses_archive(components: Iterable[ComponentSpec]) -> bool:
    return any(
        each.dsc or each.debs or (each.build and each.build.environment.startswith("debian:"))
        for each in components
    )


def _mirror(manifest: Manifest, components: Iterable[ComponentSpec], door: _Door, brought: Brought) -> str | None:
    if brought.mirror or not manifest.mirror or not _uses_archive(components):
        return brought.mirror
    try:
        found = door.address("the archive's mirror", manifest.mirror)
    except RebuildError as error:
        raise RebuildError(error.what, error.because, "name your own: --mirror URL") from error
    return Path(found).as_uri() if found.startswith("/") else found


def _archive_keyring(
    manifest: Manifest, components: Iterable[ComponentSpec], door: _Door, brought: Brought
) -> Path:
    if brought.archive_keyring or not _uses_archive(components):
        return brought.archive_keyring or _ARCHIVE_KEYRING
    what, path = "the archive's keyring", manifest.archive_keyring
    try:
        found = door.keyring(what, path)
        if found.parent == KEYRINGS and not _OF_THE_ARCHIVE.fullmatch(found.name):
            because = f"{shown(str(path))} holds keys that your machine trusts for something else"
            raise RebuildError(f"{what} is refused", because, _NAME_IT)
        return found
    except RebuildError as error:
        raise RebuildError(error.what, error.because, "name your own: --archive-keyring FILE") from error


def _tars(tars: Mapping[str, str], components: Iterable[ComponentSpec], door: _Door) -> dict[str, str]:
    used = {each.build.environment.removeprefix("tar:") for each in components if each.build}
    return {
        sha256: door.address(f"the build root {sha256[:16]}…", url)
        for sha256, url in tars.items()
        if sha256 in used
    }


def _check_persons(components: Iterable[ComponentSpec], policy: Policy) -> None:
    for component in components:
        others = [each.signers for each in component.files]
        others += [each.signers for each in component.rpms]
        others += [each.signers for each in component.submodules]
        for name in (*component.signers, *(name for several in others for name in several)):
            if name not in policy.persons:
                raise RebuildError(
                    f"{component.name} can't be judged",
                    f"the keyring {policy.folder} has no person called {name}, whose signature it wants",
                    "add the person, or leave --source-keyring out",
                )


def _check_ssh(components: Iterable[ComponentSpec], brought: Brought) -> None:
    for component in components:
        if brought.known_hosts is None and any(git.url.startswith("ssh://") for git in component.repositories()):
            raise RebuildError(
                f"{component.name} is not fetched",
                "it comes over ssh, and you did not say which key its server must have",
                "compare its key by a second channel, then name a file of it: --known-hosts FILE",
            )
