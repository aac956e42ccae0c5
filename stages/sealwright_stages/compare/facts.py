"""What is compared of a release: plain values, without a place on a disk or a moment of now.

- `Release` holds everything that a comparison looks at; `gather` makes one of an evidence folder.
- Texts stand as they were written: a list of the manifest is JSON, a number its digits. Absent is empty.
- What a release declares is None where its manifest could not be read: then declarations are not compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sealwright_stages.memory.facts import Fact

Texts = Mapping[str, str]
"""Fields by name."""

Parts = Mapping[str, Texts]
"""Parts by name, each with its fields. The part without a name is the table itself."""

ROOT = "environment "
"""How the components begin that are build roots, and none of the manifest's."""


@dataclass(frozen=True, order=True)
class Signature:
    """Whose signature counted: a person of signers.toml (empty: nobody of it, as an archive) and the key.

    An OpenPGP key is named by its primary fingerprint where the release's keyring holds it.
    """

    person: str
    key: str


@dataclass(frozen=True)
class Check:
    """One item and its verdict: `told` and `listed` (files, packages) are what its evidence says of the thing."""

    stage: str
    kind: str
    status: str
    code: str
    subject_sha256: str = ""
    waived: str = ""
    signatures: frozenset[Signature] = frozenset()
    told: Texts = field(default_factory=dict)
    listed: Parts = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Product:
    """A file that was built, in bytes, and how it stands beside what was published."""

    sha256: str
    size: int
    beside: str = ""


@dataclass(frozen=True)
class Component:
    """A component: what is declared of it, its checks by their items' ids, its sources, its build and what came out.

    `took` are milliseconds by stage; `output` is how many bytes the build said.
    """

    declared: Parts = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)
    sources_sha256: str = ""
    files: int = 0
    bytes: int = 0
    recipe: str = ""
    environment: str = ""
    environment_sha256: str = ""
    epoch: int = 0
    needs_sha256: str = ""
    products: Mapping[str, Product] = field(default_factory=dict)
    took: Mapping[str, int] = field(default_factory=dict)
    output: int = 0

    @property
    def inputs(self) -> tuple[object, ...]:
        """All that its products are made from. Limits are none of it: they can end a build, and not change it."""
        build = {name: text for name, text in self.declared.get("build", {}).items() if name in _BUILD_INPUTS}
        made_in = self.recipe, self.environment, self.environment_sha256, self.epoch, self.needs_sha256
        return self.sources_sha256, *made_in, tuple(sorted(build.items()))


_BUILD_INPUTS = ("commands", "packages", "products", "spec")


@dataclass(frozen=True)
class Release:
    """A release as its evidence tells it.

    `declared` is the manifest without its components; `persons` are those of signers.toml; `signatures` those on the
    release itself; `policy_version` is the keyring's, if it has one; `policy_signed` who signed that; `remembers` the
    earlier releases that it was held against.
    """

    name: str
    version: str
    tool: str = ""
    manifest_sha256: str = ""
    policy_sha256: str = ""
    policy_version: str = ""
    policy_signed: frozenset[str] = frozenset()
    remembers: frozenset[str] = frozenset()
    declared: Parts | None = None
    persons: Parts | None = None
    signatures: frozenset[Signature] = frozenset()
    components: Mapping[str, Component] = field(default_factory=dict)
    took: Mapping[str, int] = field(default_factory=dict)
