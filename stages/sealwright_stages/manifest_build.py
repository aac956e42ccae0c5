"""How a component is built, as the manifest says it: environment, packages, recipe, products and limits.

- A recipe is `commands`, with commands and products, or `deb` or `rpm`, without commands; `spec` is for `rpm` alone.
- An environment is `host`, `debian:SUITE`, or `tar:` with the SHA-256 of a tar that the manifest names.
- Numbers of `limits` are positive; durations end in s, m or h, sizes in K, M, G or T.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sealwright_stages.manifest_table import Table
from sealwright_stages.ports import Limits

_ENVIRONMENT = re.compile(r"host\Z|debian:[a-z][a-z0-9-]*\Z|tar:[0-9a-f]{64}\Z")
_SPEC = re.compile(r"(?!.*(^|/)\.{1,2}(/|$))[A-Za-z0-9._+~@-]+(/[A-Za-z0-9._+~@-]+)*\.spec\Z")
_PRODUCTS: Mapping[str, tuple[str, ...]] = {"commands": (), "deb": ("*.deb",), "rpm": ("*.rpm",)}
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


def read_build(table: Table) -> Build:
    """Read `[component.build]`."""
    recipe, environment = table.take("recipe", str), table.take("environment", str, "host")
    commands, products = table.texts("commands"), table.texts("products")
    packages = table.texts("packages")
    spec = table.take("spec", str, "")
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
    limits = _limits(table.table("limits"))
    table.done()
    return Build(environment, packages, recipe, commands, products or _PRODUCTS[recipe], limits, spec)


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
