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
from sealwright_stages.make_sources import sources_of
from sealwright_stages.manifest import Manifest
from sealwright_stages.plan import Plan
from sealwright_stages.ports import Archive, ItemSpec, Trust
from sealwright_stages.sandbox.identity import Identities

_NOBODY = Trust((), (), 1)
_NO_POLICY = Policy(Path(), "", {}, (), {})


def declared(manifest: Manifest) -> dict[str, ItemSpec]:
    """The items by their ids, with titles as the log holds them.

    Raises:
        ManifestError: it names something that no release can have.
    """
    builder = SandboxBuilder(Identities(None, None, None, ()), Environments(_archive))
    try:
        sources = {
            component.name: sources_of(component, lambda *_: _NOBODY, _archive)
            for component in manifest.components
        }
        items = Plan(manifest, _NO_POLICY, sources, builder).items()
    except (SealwrightError, ValueError) as error:
        raise ManifestError(f"{manifest.path}", str(error), "it can't be the manifest of a release") from error
    return {spec.id: ItemSpec(spec.id, spec.component, spec.stage, spec.kind, clip(spec.title)) for spec in items}


def _archive(suite: str) -> DebianArchive:
    return DebianArchive(Archive("", Path()), suite)
