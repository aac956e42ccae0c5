"""What comparing two large releases costs: 10,000 components, and the lists of a million source files."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench.report import Line, timed
from sealwright_stages import events as ev
from sealwright_stages.audit import Reviewer
from sealwright_stages.compare.compared import compare
from sealwright_stages.compare.facts import Component, Release
from sealwright_stages.compare.gather import Gathering
from sealwright_stages.compare.source_files import file_changes
from sealwright_stages.fold import fold
from support.stories import Entry, entries_of, sha, whole_release

_COMPONENTS = 10_000
_FILES = 1_000_000


def lines(folder: Path) -> Iterator[Line]:
    """A whole comparison beside the fold of one of its logs, and the lists of files beside `diff`."""
    yield _components(folder)
    yield _files(folder)


def _log() -> list[Entry]:
    """The entries of a release, each check of which has evidence."""
    events = whole_release(*(f"c{n}" for n in range(_COMPONENTS)))
    return entries_of([_with_evidence(event) for event in events], sealed=True)


def _with_evidence(event: ev.Event) -> ev.Event:
    """The verdict on a tag with what a real one says; any other event as it is."""
    if not isinstance(event, ev.ItemVerdict) or not event.item.endswith("/tag"):
        return event
    signed = {"signatures": [{"key": sha("key")[:40], "argv": ["gpg"] * 20}], "persons": ["author"]}
    git = {"tag": "v1", "commit": sha(event.item)[:40], "committed": 1, "tagged": 1, "url": event.item}
    text = json.dumps({**git, "object_sha256": sha(event.item), "signature": signed}, sort_keys=True)
    return replace(event, evidence=text, evidence_sha256=sha(text))


def _components(folder: Path) -> Line:
    entries = _log()
    state, releases = fold(entries), list[Release]()
    folded = timed(lambda: fold(entries))

    def whole() -> None:
        releases[:] = [Gathering(folder, state, Reviewer()).release() for _ in range(2)]
        a, b = releases
        last = f"c{_COMPONENTS - 1}"
        other = {**b.components, last: replace(b.components[last], epoch=7)}
        assert len(compare(a, replace(b, components=other)).changes) == 1

    ours = timed(whole)
    note = f"of {_COMPONENTS} components each; the audits before it not counted"
    return Line("gather and compare two releases", ours, folded, "the fold of one of the two", note)


def _files(folder: Path) -> Line:
    sides, lists = [], []
    for name in ("a", "b"):
        path = folder / name / "sources" / "c.manifest.jsonl"
        path.parent.mkdir(parents=True)
        with path.open("w") as file:
            for n in range(_FILES):
                told = sha(f"{n} {name}") if n % 1000 == 0 else sha(str(n % 1000))
                file.write(f'{{"mode":"644","path":"source/{n:07}.c","sha256":"{told}","size":1}}\n')
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        sides.append(Release(name, "1", components={"c": Component(sources_sha256=digest)}))
        lists.append(path)

    def ours() -> None:
        (found,), _ = file_changes(*sides, folder / "a" / "evidence", folder / "b" / "evidence")
        assert found.changed == _FILES // 1000

    took = timed(ours)
    peer = timed(lambda: subprocess.run(["diff", *lists], check=False, stdout=subprocess.DEVNULL))
    tracemalloc.start()
    ours()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    note = f"{_FILES} files, one in 1,000 differs; at most {peak >> 20} MiB"
    return Line("which source files changed", took, peer, "diff", note)
