"""The same fetches inside the real fetch sandbox."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from sealwright_stages.errors import MachineError
from sealwright_stages.get_sources.http_file import fetch_file
from sealwright_stages.ports import Workshop
from sealwright_stages.sandbox.fetch import BwrapFetchSandbox
from sealwright_stages.verdict import Passed
from sealwright_stages.verify.git_source import git_source
from verify.workbench import Keys, Repository, signed_tag, workshop

pytestmark = pytest.mark.sandbox
UID = 61190


@pytest.fixture
def place(tmp_path: Path) -> Workshop:
    """A workshop with the real sandbox, below a folder that only we may enter."""
    tmp_path.chmod(0o700)
    direct = workshop(tmp_path)
    box = BwrapFetchSandbox(UID if os.geteuid() == 0 else None)
    found = Workshop(direct.quarantine, direct.cache, threading.Event(), direct.progress, box)
    try:
        box.run(["true"], writable=found.quarantine, timeout=30)
    except MachineError as error:
        if os.environ.get("SEALWRIGHT_REQUIRE_SANDBOX") == "1":
            raise
        pytest.skip(f"no sandbox here: {error.because}")
    return found


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
