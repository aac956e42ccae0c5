"""What a release of a manifest must declare: every item, from the manifest alone.

- Nothing is fetched and no key is read: an auditor derives the items from the manifest as the engine does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sealwright_keyring.policy import Policy
from sealwright_stages.build.builder import SandboxBuilder
from sealwright_stages.build.environments import Environments
from sealwright_stages.errors import ManifestError, SealwrightError
from sealwright_stages.events import Stage
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.journal import clip
from sealwright_stages.make_sources import sources_of
from sealwright_stages.manifest import ComponentSpec, Manifest
from sealwright_stages.needed import seen_by
from sealwright_stages.plan import Plan
from sealwright_stages.ports import Archive, ItemSpec, Trust
from sealwright_stages.sandbox.identity import Identities

_NOBODY = Trust((), (), 1)
_NO_POLICY = Policy(Path(), "", {}, (), {})


@dataclass(frozen=True)
class Declaration:
    """What a release declares: its items by id, which fetch each item of verify waits for, under which policy."""

    manifest: Manifest
    policy_sha256: str
    items: Mapping[str, ItemSpec]
    fetch_of: Mapping[str, str]
    policy_version: int = 0

    def component(self, name: str) -> ComponentSpec | None:
        """The component of that name, if the manifest has one."""
        return self._components.get(name)

    def needs(self, name: str) -> frozenset[str]:
        """All that a component needs, also through components that are not built themselves."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            component = self._components.get(waiting.pop())
            new = set(component.needs if component else ()) - found
            found |= new
            waiting += new
        return frozenset(found)

    def sees(self, name: str) -> tuple[str, ...]:
        """The components whose products a component's build sees."""
        return self._sees.get(name, ())

    @cached_property
    def _sees(self) -> Mapping[str, tuple[str, ...]]:
        return seen_by(self.manifest.components)

    @cached_property
    def asked(self) -> dict[str, Any]:
        """Room for what is asked of each item, filled once by `rules.asked`."""
        return {}

    @cached_property
    def sources(self) -> Mapping[str, frozenset[str]]:
        """Component -> its items of get-sources and verify."""
        found: dict[str, set[str]] = {}
        for spec in self.items.values():
            if spec.stage is not Stage.BUILD:
                found.setdefault(spec.component, set()).add(spec.id)
        return {name: frozenset(items) for name, items in found.items()}

    @cached_property
    def _components(self) -> dict[str, ComponentSpec]:
        return {component.name: component for component in self.manifest.components}


def declared(manifest: Manifest) -> dict[str, ItemSpec]:
    """The items by their ids, with titles as the log holds them.

    Raises:
        ManifestError: it names something that no release can have.
    """
    return dict(declaration(manifest).items)


def declaration(manifest: Manifest, policy_sha256: str = "", policy_version: int = 0) -> Declaration:
    """What a release of `manifest` under that policy declares, with titles as the log holds them.

    `policy_version` is that of the keyring, 0 if it says none.

    Raises:
        ManifestError: it names something that no release can have.
    """
    builder = SandboxBuilder(Identities(None, None, None, ()), Environments(_archive))
    try:
        sources = {
            component.name: sources_of(component, lambda *_: _NOBODY, _archive)
            for component in manifest.components
        }
        specs = Plan(manifest, _NO_POLICY, sources, builder).items()
    except (SealwrightError, ValueError) as error:
        raise ManifestError(f"{manifest.path}", str(error), "it can't be the manifest of a release") from error
    items = {spec.id: ItemSpec(spec.id, spec.component, spec.stage, spec.kind, clip(spec.title)) for spec in specs}
    every = [source for several in sources.values() for source in several]
    fetch_of = {spec.id: source.fetch_item.id for source in every for spec in source.verify_items}
    return Declaration(manifest, policy_sha256, items, fetch_of, policy_version)


def _archive(suite: str) -> DebianArchive:
    return DebianArchive(Archive("", Path()), suite)
