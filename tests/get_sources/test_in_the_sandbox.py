"""The same fetches inside the real fetch sandbox."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sealwright_stages.get_sources.http_file import fetch_file
from sealwright_stages.ports import Workshop
from sealwright_stages.verdict import Passed
from sealwright_stages.verify.git_source import git_source
from verify.workbench import Keys, Repository, signed_tag

pytestmark = pytest.mark.sandbox


def test_a_signed_tag_is_fetched_in_the_sandbox(keys: Keys, tmp_path: Path, place: Workshop) -> None:
    repository = Repository(tmp_path / "private" / "up.git")
    signed_tag(repository, keys, "s1")
    source = git_source("thing", str(repository.folder), tag="v1.0", trust=keys.trust("s1"))
    assert isinstance(source.fetch(place), Passed)
    assert isinstance(source.verify(place).verdicts["thing/git/v1.0"], Passed)
    assert all(path.lstat().st_uid == os.geteuid() for path in place.quarantine.rglob("*"))


def test_a_local_file_is_fetched_in_the_sandbox(tmp_path: Path, place: Workshop) -> None:
    (tmp_path / "file.txt").write_bytes(b"content")
    assert fetch_file(place, str(tmp_path / "file.txt"), "x").path.read_bytes() == b"content"
