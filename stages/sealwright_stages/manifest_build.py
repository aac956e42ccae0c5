"""How a component is built, as the manifest says it: environment, packages, recipe, products and limits.

- A recipe is `commands`, with commands and products, or `deb` or `rpm`, without commands; `spec` is for `rpm` alone.
- An environment is `host`, `debian:SUITE`, or `tar:` with the SHA-256 of a tar that the manifest names.
- What the archive built is a reference for packages that the recipe `deb` made in a root of a suite of it, since the
  suite says which archive that is.
- A build is done once or, with `reproduce = 2`, twice; `vary` says what is another the second time.
- Numbers of `limits` are positive; durations end in s, m or h, sizes in K, M, G or T.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sealwright_stages.build_job import Limits
from sealwright_stages.manifest_table import Table

_ENVIRONMENT = re.compile(r"host\Z|debian:[a-z][a-z0-9-]*\Z|tar:[0-9a-f]{64}\Z")
_SPEC = re.compile(r"(?!.*(^|/)\.{1,2}(/|$))[A-Za-z0-9._+~@-]+(/[A-Za-z0-9._+~@-]+)*\.spec\Z")
_PRODUCTS: Mapping[str, tuple[str, ...]] = {"commands": (), "deb": ("*.deb",), "rpm": ("*.rpm",)}
VARIATIONS = ("hostname", "locale", "timezone", "uid", "path", "parallel", "order")
"""What a second build can find otherwise than the first."""
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_BYTES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True)
class Build:
    """How a component is built."""

    environment: str
    packages: tuple[str, ...]
    recipe: str
    commands: tuple[str, ...]
    products: tuple[str, ...]
    limits: Limits
    spec: str = ""
    reference: str = ""
    reproduce: int = 1
    vary: tuple[str, ...] | None = None
    """What of `VARIATIONS` a second build varies; None: all that the recipe and the machine allow."""

    @property
    def suite(self) -> str:
        """The Debian suite whose root it is built in; empty for another environment."""
        return self.environment.removeprefix("debian:") if self.environment.startswith("debian:") else ""


def read_build(table: Table) -> Build:
    """Read `[component.build]`."""
    recipe, environment = table.take("recipe", str), table.take("environment", str, "host")
    commands, products = table.texts("commands"), table.texts("products")
    packages = table.texts("packages")
    spec, reference = table.take("spec", str, ""), table.take_optional("reference", str)
    if recipe not in _PRODUCTS:
        table.fail(("recipe",), f"recipe {recipe!r} is not offered", 'use "commands", "deb" or "rpm"')
    if recipe == "commands" and not (commands and products):
        table.fail(("recipe",), 'recipe "commands" wants commands and products', "add them")
    if recipe != "commands" and commands:
        table.fail(("commands",), f'recipe "{recipe}" takes no commands', "remove them")
    if spec and recipe != "rpm":
        table.fail(("spec",), "spec is for the recipe rpm alone", "remove it")
    if spec and not _SPEC.match(spec):
        table.fail(("spec",), f"{spec!r} is no path of a .spec file inside the sources", "name it from their top")
    if not _ENVIRONMENT.match(environment):
        next_step = 'use "host", "debian:SUITE" or "tar:<sha256>"'
        table.fail(("environment",), f"environment {environment!r} is unknown", next_step)
    for package in packages:
        if not re.match(r"[a-z0-9][a-z0-9+.-]+\Z", package):
            table.fail(("packages",), f"{package!r} is no package name", "name Debian packages")
    _check_reference(table, reference, recipe, environment)
    reproduce, vary = _reproduce(table)
    limits = _limits(table.table("limits"))
    table.done()
    products = products or _PRODUCTS[recipe]
    words = recipe, commands, products, limits, spec, reference or "", reproduce, vary
    return Build(environment, packages, *words)


def _check_reference(table: Table, reference: str | None, recipe: str, environment: str) -> None:
    if reference is None:
        return
    if reference != "debian":
        table.fail(("reference",), f"reference {reference!r} is not offered", 'use "debian", or remove it')
    if recipe != "deb":
        table.fail(("reference",), 'the archive has a reference for recipe "deb" alone', "remove it")
    if not environment.startswith("debian:"):
        because = f"no suite says what to compare with: the environment is {environment[:20]}"
        table.fail(("reference",), because, 'build in environment "debian:SUITE", or remove it')


def _reproduce(table: Table) -> tuple[int, tuple[str, ...] | None]:
    """How often it is built, and what is varied the second time."""
    times, vary = table.take("reproduce", int, 1), None
    if times not in (1, 2):
        table.fail(("reproduce",), f"reproduce = {times} is not offered", "use 2 to build twice, or leave it out")
    if "vary" in table.data:
        vary = table.texts("vary")
        if times == 1:
            table.fail(("vary",), "vary is for a second build, and there is none", "add reproduce = 2")
        if odd := sorted(set(vary) - set(VARIATIONS)):
            table.fail(("vary",), f"{odd[0]!r} is nothing that is varied", f"use {', '.join(VARIATIONS)}")
    return times, vary


def _limits(table: Table) -> Limits:
    usual = Limits()
    limits = Limits(
        wall=_measured(table, "wall", _SECONDS, usual.wall),
        memory=_measured(table, "memory", _BYTES, usual.memory),
        disk=_measured(table, "disk", _BYTES, usual.disk),
        processes=table.take("processes", int, usual.processes),
    )
    if limits.processes < 1:
        table.fail(("processes",), "processes must be at least 1", "raise it")
    table.done()
    return limits


def _measured(table: Table, key: str, units: Mapping[str, int], usual: int) -> int:
    value = table.take_optional(key, str)
    if value is None:
        return usual
    match = re.fullmatch(rf"([1-9][0-9]{{0,8}})([{''.join(units)}])", value)
    if match is None:
        table.fail(
            (key,),
            f"{key} = {value!r} is no number with one of {', '.join(units)}",
            f'e.g. {key} = "2{next(iter(units))}"',
        )
    return int(match.group(1)) * units[match.group(2)]
