"""What the manifest says of memory: where earlier evidence lies, what is stale, what is meant to go back.

- `evidence` names evidence folders of earlier releases, or folders of them; their signers are this release's, unless
  `signers` and `threshold` say otherwise.
- `fresh_days` is a number of whole days; left out, nothing is ever stale.
- `[[memory.accept]]` names a component, from what, to what, and why; all four, or it is an error. Between two versions
  of a package it names that, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.manifest_table import Table, threshold_of


@dataclass(frozen=True)
class Accepted:
    """What a person declares to be meant: this component, or its package, may go from `before` to `after`."""

    component: str
    before: str
    after: str
    reason: str
    package: str = ""


@dataclass(frozen=True)
class MemorySpec:
    """`[memory]`; with no signers of its own, those of the release count."""

    evidence: tuple[Path, ...] = ()
    signers: tuple[str, ...] = ()
    threshold: int = 1
    fresh_days: int | None = None
    accepted: tuple[Accepted, ...] = ()


def read_memory(table: Table, signers: tuple[str, ...], threshold: int) -> MemorySpec:
    """Read `[memory]`; `signers` and `threshold` are the release's."""
    own = table.texts("signers")
    if own or "threshold" in table.data:
        signers, threshold = own or signers, threshold_of(table, own or signers)
    memory = MemorySpec(
        evidence=tuple(table.reader.locate(each) for each in table.texts("evidence")),
        signers=signers,
        threshold=threshold,
        fresh_days=days(table),
        accepted=tuple(_accepted(each) for each in table.tables("accept")),
    )
    table.done()
    return memory


def days(table: Table) -> int | None:
    """Take `fresh_days`: a whole number of days, at least 1."""
    value = table.take_optional("fresh_days", int)
    if value is not None and not 1 <= value <= 36500:
        table.fail(("fresh_days",), f"fresh_days = {value}", "1 to 36500 days, or leave it out")
    return value


def _accepted(table: Table) -> Accepted:
    component, before, after, reason = (table.take(key, str) for key in ("component", "from", "to", "reason"))
    for key, value in (("from", before), ("to", after), ("reason", reason)):
        if not value.strip():
            table.fail((key,), f"{key!r} is empty", "a declaration says from what, to what, and why")
    package = table.take("package", str, "")
    table.done()
    return Accepted(component, before, after, reason, package)
