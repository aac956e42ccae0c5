"""What a release of a manifest must declare: every item, from the manifest alone.

- Nothing is fetched and no key is read: an auditor derives the items from the manifest as the engine does.
"""

from __future__ import annotations

from pathlib import Path

from sealwright_keyring.policy import Policy
from sealwright_stages.build.builder import SandboxBuilder
from sealwright_stages.build.environments import Environments
from sealwright_stages.errors import ManifestError, SealwrightError
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.journal import clip
from sealwright_stages.manifest import ComponentSpec, Manifest
from sealwright_stages.plan import Plan
from sealwright_stages.ports import Archive, ItemSpec, Source, Trust
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.verify.file_source import Inside, file_source
from sealwright_stages.verify.git_source import git_source
from sealwright_stages.verify.source_debian import DebianSource

_NOBODY = Trust((), (), 1)
_NO_POLICY = Policy(Path(), "", {}, (), {})


def declared(manifest: Manifest) -> dict[str, ItemSpec]:
    """The items by their ids, with titles as the log holds them.

    Raises:
        ManifestError: it names something that no release can have.
    """
    builder = SandboxBuilder(Identities(None, None, None, ()), Environments(_archive))
    try:
        sources = {component.name: _sources(component) for component in manifest.components}
        items = Plan(manifest, _NO_POLICY, sources, builder).items()
    except (SealwrightError, ValueError) as error:
        raise ManifestError(f"{manifest.path}", str(error), "it can't be the manifest of a release") from error
    return {spec.id: ItemSpec(spec.id, spec.component, spec.stage, spec.kind, clip(spec.title)) for spec in items}


def _archive(suite: str) -> DebianArchive:
    return DebianArchive(Archive("", Path()), suite)


def _sources(component: ComponentSpec) -> list[Source]:
    """The component's sources, with nobody to trust: good for their items only."""
    name, git, dsc = component.name, component.git, component.dsc
    sources: list[Source] = []
    if git:
        sources.append(git_source(name, git.url, tag=git.tag, commit=git.commit, branch=git.branch, trust=_NOBODY))
    if dsc:
        sources.append(DebianSource(name, dsc.package, _archive(dsc.suite), dsc.uploaders))
    for file in component.files:
        inside = Inside(file.signed_uncompressed, file.unpack)
        sources.append(
            file_source(
                name, file.url, sha256=file.sha256, signature=file.signatures, trust=_NOBODY, inside=inside
            )
        )
    return sources
