"""Somebody else's evidence, built again by the real program in another folder."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sealwright_stages.files import sha256_file
from walk.walking import Done, Walk, files

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]


class Rebuilder:
    """Somebody with a copy of the evidence, and of the folder that the manifest's paths are told from."""

    def __init__(self, walk: Walk, evidence: Path) -> None:
        self.walk = walk
        self.evidence = shutil.copytree(evidence, walk.folder / "download")
        self.work = walk.folder / "again"

    def say(self, *words: str | Path, sources: bool = True) -> Done:
        brought: list[str | Path] = ["--sources", self.walk.folder] if sources else []
        return self.walk.say("reproduce", self.evidence, "--work", self.work, *brought, *words)

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.work / "rebuild.json").read_text())
        return found


@pytest.fixture
def rebuilder(finished: Walk, walk: Walk) -> Iterator[Rebuilder]:
    made = Rebuilder(walk, finished.evidence)
    before = files(made.evidence)
    yield made
    assert files(made.evidence) == before


def test_the_same_bytes_from_another_folder(rebuilder: Rebuilder) -> None:
    done = rebuilder.say().well()
    assert done.out.splitlines()[-1] == "reproduced: 1 of 1 products have the same bytes"
    found = rebuilder.result()
    assert (found["reproduced"], found["counts"]["same"], found["inputs"]) == (True, 1, [])
    assert (rebuilder.work / "SHA256SUMS").read_bytes() == (rebuilder.evidence / "SHA256SUMS").read_bytes()
    words = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(words, cwd=rebuilder.work, check=False, capture_output=True).returncode == 0
