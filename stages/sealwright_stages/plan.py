"""What a release consists of, before anything is fetched: sources, builds and their items.

- Everything that must pass is declared from the manifest alone, so that the gate knows what is still to come.
- A component's item of the build is declared with it: no gate can open past a build that was forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sealwright_keyring.policy import Policy
from sealwright_stages.events import Stage
from sealwright_stages.manifest import ComponentSpec, Manifest
from sealwright_stages.policy_chain import PolicyChain
from sealwright_stages.policy_signature import PolicySignature
from sealwright_stages.ports import Builder, ItemSpec, Source


@dataclass(frozen=True)
class Plan:
    """Manifest and policy as they were read when the run began, with the sources made, ready to be walked."""

    manifest: Manifest
    policy: Policy
    sources: Mapping[str, Sequence[Source]]
    builder: Builder
    policy_signature: PolicySignature | None = None
    policy_chain: PolicyChain | None = None

    @property
    def policy_sha256(self) -> str:
        """The policy, as it is named in the log."""
        return self.policy.sha256

    def components(self) -> tuple[ComponentSpec, ...]:
        """The components, each after what it needs."""
        return self.manifest.in_order()

    def environments(self) -> dict[str, list[ComponentSpec]]:
        """Environment name -> the components that are built in it."""
        found: dict[str, list[ComponentSpec]] = {}
        for component in self.components():
            if component.build:
                found.setdefault(component.build.environment, []).append(component)
        return found

    def items(self) -> list[ItemSpec]:
        """Every item of the release."""
        items: list[ItemSpec] = []
        for component in self.components():
            for source in self.sources[component.name]:
                items += items_of(source)
        for environment, components in self.environments().items():
            items += self.builder.environment_items(environment)
            own = (self.builder.root_item(environment, component.name) for component in components)
            items += [item for item in own if item is not None]
        for component in self.components():
            items += build_items(component)
        return items


def items_of(source: Source) -> tuple[ItemSpec, ...]:
    """The items of one source: that it has arrived, and each of its checks."""
    return (source.fetch_item, *source.verify_items)


def build_item(component: ComponentSpec) -> ItemSpec:
    """The item that a component's build must turn green."""
    recipe = component.build.recipe if component.build else ""
    return ItemSpec(f"{component.name}/build", component.name, Stage.BUILD, "build", f"build ({recipe})")


def build_items(component: ComponentSpec) -> tuple[ItemSpec, ...]:
    """The items of the stage build that a component has: its build, and what that is compared with."""
    if component.build is None:
        return ()
    again = (reproduce_item(component),) if component.build.reproduce == 2 else ()
    compared = (reference_item(component),) if component.build.reference else ()
    return (build_item(component), *again, *compared)


def reference_item(component: ComponentSpec) -> ItemSpec:
    """The item that the comparison with the archive's packages must turn green."""
    suite = component.build.suite if component.build else ""
    title = f"its packages beside those of Debian {suite}"
    return ItemSpec(f"{component.name}/reference", component.name, Stage.BUILD, "reference", title)


def reproduce_item(component: ComponentSpec) -> ItemSpec:
    """The item that a component's second build must turn green, where the manifest asks for one."""
    return ItemSpec(
        f"{component.name}/reproduce", component.name, Stage.BUILD, "reproduce", "built again, the same"
    )


def environment_component(name: str) -> str:
    """Under which name the items of a build root stand in the state."""
    return f"environment {name}"
