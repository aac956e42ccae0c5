"""Which files of a component's sources changed, where the lists of them still lie beside the evidence.

The evidence names each list by its SHA-256; the list itself stays in the work folder, as
`sources/<component>.manifest.jsonl` beside `evidence/`.

- A list counts only if its bytes are those that the log names, which is known at its end: before that nothing is told.
- Lists are read line by line, side by side; what is the same is not even parsed. Nothing is held but what is told.
- Of a component at most `MOST` files are told; all are counted.
- A list that is not sorted, or holds what is no line of one, is not compared.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path

from sealwright_appendlog.layout import opened
from sealwright_stages.compare.difference import Change, Section
from sealwright_stages.compare.facts import Release
from sealwright_stages.manifest_table import PLAIN

MOST = 1000
_LINE = 1 << 16


@dataclass
class FileChanges:
    """The files of one component that differ: how many there are in A only, in B only, in both; and the first ones."""

    component: str
    only_a: int = 0
    only_b: int = 0
    changed: int = 0
    changes: list[Change] = field(default_factory=list)

    def take(self, path: str, before: str, after: str) -> None:
        """Take a file that differs; `before` and `after` are what is known of it, empty where it isn't."""
        self.only_a += not after
        self.only_b += not before
        self.changed += bool(before and after)
        if len(self.changes) < MOST:
            names = (path if before else "", path if after else "")
            self.changes.append(Change(Section.INPUTS, self.component, names, "file", before, after))


def file_changes(a: Release, b: Release, folder_a: Path, folder_b: Path) -> tuple[list[FileChanges], list[str]]:
    """Of each component whose sources differ: which files; and the components of which that can't be said, with why.

    The folders are the evidence folders.
    """
    found: list[FileChanges] = []
    unknown: list[str] = []
    for name in sorted(a.components.keys() & b.components.keys()):
        digests = a.components[name].sources_sha256, b.components[name].sources_sha256
        if not all(digests) or digests[0] == digests[1] or not PLAIN.match(name):
            continue
        try:
            with _beside(folder_a, name, digests[0]) as one, _beside(folder_b, name, digests[1]) as other:
                found.append(_merged(name, one, other))
        except FileNotFoundError:
            continue  # only the work folder has them
        except (OSError, ValueError) as error:
            unknown.append(f"which files of {name} changed is not said: {error}")
    return found, unknown


@contextlib.contextmanager
def _beside(evidence: Path, component: str, sha256: str) -> Iterator[_List]:
    """The list of a component's files that lies beside an evidence folder."""
    path = evidence.absolute().parent / "sources" / f"{component}.manifest.jsonl"
    with opened(path) as stream:
        yield _List(stream, sha256, path)


class _List:
    """A list of files: its lines one by one, and its digest once it has ended."""

    def __init__(self, stream: BufferedReader, sha256: str, path: Path) -> None:
        self._stream, self._digest, self._wanted, self._path = stream, hashlib.sha256(), sha256, path
        self._last = ""
        self.line = b""
        self.advance()

    def advance(self) -> None:
        """Go to the next line, empty at the end; ValueError if the list ends as another than it should be."""
        self.line = self._stream.readline(_LINE)
        self._digest.update(self.line)
        if not self.line and self._digest.hexdigest() != self._wanted:
            raise ValueError(f"{self._path} is not the list that the log names")

    def entry(self) -> tuple[str, str]:
        """Path of the file on this line, and what else the line says."""
        try:
            told = json.loads(self.line)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict) or not isinstance(told.get("path"), str) or told["path"] < self._last:
            raise ValueError(f"{self._path} is no sorted list of files")
        self._last = path = told.pop("path")
        return path, json.dumps(told, sort_keys=True)


def _merged(component: str, a: _List, b: _List) -> FileChanges:
    found = FileChanges(component)
    for path, before, after in _differing(a, b):
        found.take(path, before, after)
    return found


def _differing(a: _List, b: _List) -> Iterator[tuple[str, str, str]]:
    while a.line or b.line:
        if a.line == b.line:
            a.advance()
            b.advance()
            continue
        one = a.entry() if a.line else None
        other = b.entry() if b.line else None
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None  # noqa: S101 - one of both has a line
            yield one[0], one[1], ""
            a.advance()
        elif one is None or other[0] < one[0]:
            yield other[0], "", other[1]
            b.advance()
        else:
            yield one[0], one[1], other[1]
            a.advance()
            b.advance()
