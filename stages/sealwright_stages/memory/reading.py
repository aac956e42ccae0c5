"""Reads the logs of earlier releases into a ledger: sealed, signed and whole ones only, before anything begins.

- What `[memory] evidence` names is an evidence folder, or a folder of nothing but evidence folders.
- Each must stand up to the audit, signed by the manifest's persons with the keys of the present keyring; one that
  doesn't, ends the run.
- Each is of a release of the same name; a log that is named twice counts once.
- What was accepted on the way counts, also what was accepted again later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sealwright_stages.errors import LogError, ManifestError
from sealwright_stages.estimate import Earlier, Kind, builds_of
from sealwright_stages.events import MemoryRead
from sealwright_stages.manifest import Manifest
from sealwright_stages.memory.facts import Fact, Origin
from sealwright_stages.memory.ledger import Ledger
from sealwright_stages.memory.recall import Recall, facts_of_item

if TYPE_CHECKING:
    from sealwright_stages.audit import Audit

_ANOTHER = "name evidence folders of earlier releases in [memory] evidence"


@dataclass(frozen=True)
class _Read:
    """One earlier log: what is said of it, and what it accepted."""

    told: MemoryRead
    facts: tuple[Fact, ...]
    took: Mapping[Kind, tuple[Earlier, ...]]


def recall(manifest: Manifest) -> Recall:
    """Everything that the manifest tells us to remember.

    Raises:
        ManifestError: a folder is missing, is no evidence, or is of another release.
        LogError: one does not stand up to the audit.
    """
    logs: dict[str, _Read] = {}
    for folder in folders(manifest):
        read = _read(folder, manifest)
        logs.setdefault(read.told.root, read)
    ledger = Ledger()
    for read in logs.values():
        ledger.take(read.facts)
    oldest_first = sorted(logs.values(), key=lambda each: (each.told.sealed, each.told.root))
    took: dict[Kind, tuple[Earlier, ...]] = {}
    for each in oldest_first:  # the newest release comes last, and its builds first
        took |= {kind: (*builds, *took.get(kind, ())) for kind, builds in each.took.items()}
    return Recall(manifest, ledger, [each.told for each in oldest_first], took=took)


def folders(manifest: Manifest) -> Iterator[Path]:
    """The evidence folders that the manifest names, itself or by the folder that they lie in.

    Raises:
        ManifestError: one is missing, or is no evidence folder.
    """
    for named in manifest.memory.evidence:
        if (named / "log").is_dir():
            yield named
            continue
        try:
            below = sorted(each for each in named.iterdir() if each.is_dir())
        except OSError as error:
            raise ManifestError(f"the memory {named}", error.strerror or str(error), _ANOTHER) from error
        for folder in below:
            if not (folder / "log").is_dir():
                raise ManifestError(f"the memory {named}", f"{folder.name} in it is no evidence folder", _ANOTHER)
        if not below:
            raise ManifestError(f"the memory {named}", "there is no evidence folder in it", _ANOTHER)
        yield from below


def _read(folder: Path, manifest: Manifest) -> _Read:
    from sealwright_stages.audit import Reviewer, audit  # noqa: PLC0415 - most releases remember none

    memory = manifest.memory
    result = audit(folder, Reviewer(manifest.keyring, memory.signers, memory.threshold, part=True))
    state, root = result.state, _root(folder, result)
    if state.release != manifest.name:
        raise ManifestError(
            f"the memory {folder}", f"it is of the release {state.release}, not {manifest.name}", _ANOTHER
        )
    name = f"{state.release}-{state.version}"
    facts: list[Fact] = []
    try:
        for item in state.accepted:
            facts += facts_of_item(item, folder / "log", Origin(name, state.last_t, root, item.n))
    except (OSError, ValueError) as error:
        raise _refused(folder, f"what it accepted can't be read: {error}") from error
    told = MemoryRead(name, state.last_t, root, state.last_n + 1, len(facts))
    return _Read(told, tuple(facts), builds_of(state))


def _root(folder: Path, result: Audit) -> str:
    """The root of a log that stood up to the audit, in hex."""
    for finding in result.findings:
        if finding.ok == "bad":
            raise _refused(folder, f"{finding.what}: {finding.detail}")
    if result.report is None:
        raise _refused(folder, "it was not audited to its end")
    return result.report.checkpoint.root.hex()


def _refused(folder: Path, because: str) -> LogError:
    next_step = "run `sealwright audit` on it; put a good copy there, or take it out of [memory] evidence"
    return LogError(f"the memory {folder} is not believed", because, next_step)
