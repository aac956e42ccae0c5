"""Rebuild a release with the same engine, in a work folder of its own, and set the products beside the evidence's.

- The rebuild has its own log, which says of itself that it is not official; it ends before the seal, and signs nothing.
- Everything is fetched anew: verified files and build roots are kept in this work folder, and taken from no other.
- A work folder is of one rebuild: of one log, and of one component if only that is wanted. It resumes as a run does,
  if it was begun here.
- What an earlier run found is gone before anything begins, so that no old yes stands beside a new no.
- The result is written whole, the sums last; products are hashed against our own log right before.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.audit import Reviewer
from sealwright_stages.compare.facts import Release
from sealwright_stages.compare.gather import Gathering
from sealwright_stages.engine import Ended
from sealwright_stages.errors import Exit
from sealwright_stages.events import Stage
from sealwright_stages.files import write_whole
from sealwright_stages.reading import Subject
from sealwright_stages.rebuild.begun import mark
from sealwright_stages.rebuild.detail import Detail, details
from sealwright_stages.rebuild.results import Results, results
from sealwright_stages.rebuild.taken import Taken
from sealwright_stages.release import Opened, cache_folder, walked
from sealwright_stages.seal.evidence import EvidenceFolder
from sealwright_stages.state import Record
from sealwright_stages.wish import Wish
from sealwright_stages.work import WorkFolder

RESULT = "rebuild.json"
SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Rebuilt:
    """A rebuild that came to its end: how its walk ended, what it gave, and what it is known by."""

    taken: Taken
    work: Path
    ended: Ended
    mine: Release
    results: Results
    details: Mapping[tuple[str, str], Detail]


def work_folder(taken: Taken, asked: Path | None) -> WorkFolder:
    """The work folder: the one asked for, or `./NAME-VERSION.rebuild`, with the component before if it is one alone."""
    only = f".{taken.brought.only}" if taken.brought.only else ""
    return WorkFolder((asked or Path(f"{taken.manifest.release}{only}.rebuild")).absolute())


@contextlib.contextmanager
def rebuilding(
    taken: Taken,
    asked: Path | None,
    jobs: int,
    tool: str,
    listener: Callable[[Record], None],
    waiting: Callable[[str], None] = lambda what: None,
) -> Iterator[Opened]:
    """Open what was taken for its walk. `waiting` is told of what takes seconds, before it is done.

    Raises:
        SealwrightError: what is refused, because of what, and what to do.
    """
    work = work_folder(taken, asked)
    only = f", {taken.brought.only} alone" if taken.brought.only else ""
    what = f"a rebuild of {taken.manifest.release} by the log {taken.root[:16]}…{only}"
    subject = Subject(
        taken.manifest,
        taken.policy,
        work,
        mark=mark(work.root, what, taken.root, cache_folder()),
        known_hosts=taken.known_hosts,
        cache=work.root / "cache",
        official=False,
    )
    with walked(
        subject, Wish(taken.manifest.path, work.root, jobs, False, tool), lambda _: None, listener, waiting
    ) as release:
        for name in (SUMS, RESULT):
            (work.root / name).unlink(missing_ok=True)
        yield release


def walk(taken: Taken, release: Opened) -> tuple[Ended, Rebuilt | None]:
    """Fetch, verify and build; then compare. Nothing is compared of a walk that did not come to its end.

    Raises:
        LogError: a product on the disk is not the one in our own log.
        SealwrightError: the comparison was stopped, or the disk is full.
    """
    ended = release.engine.run(Stage.BUILD)
    if ended.exit not in (Exit.DONE, Exit.CLOSED):
        return ended, None
    state, work = release.engine.journal.state, release.work
    EvidenceFolder(release.engine.context).check_products()
    mine = Gathering(work.root, state, Reviewer()).release()
    found = results(taken.theirs, mine, state)
    told = details(release.engine.context, taken.evidence, found.products)
    return ended, Rebuilt(taken, work.root, ended, mine, found, told)


def write(rebuilt: Rebuilt, report: dict[str, object], release: Opened) -> None:
    """Write the result and the sums of the products.

    Raises:
        MachineError: the disk is full or the folder refuses.
    """
    write_whole(rebuilt.work / RESULT, json.dumps(report, indent=1, sort_keys=True).encode() + b"\n")
    write_whole(rebuilt.work / SUMS, EvidenceFolder(release.engine.context).sums())
