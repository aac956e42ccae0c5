"""Three builders of one release, made by the forger of the audit's tests: each with a log and a key of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from join.builders import Builders, made_keys
from support.small_release import Key, stop_agent


@pytest.fixture(scope="session")
def three() -> Iterator[tuple[Key, ...]]:
    """The keys of the three persons."""
    with tempfile.TemporaryDirectory() as base:
        made = made_keys(Path(base))
        yield made
        for key in made:
            stop_agent(key.home)


@pytest.fixture(scope="session")
def once(three: tuple[Key, ...], tmp_path_factory: pytest.TempPathFactory) -> Builders:
    """Evidence that is made once; nothing may be changed in it."""
    return Builders(tmp_path_factory.mktemp("builders"), three).made()


@pytest.fixture
def builders(once: Builders, tmp_path: Path) -> Builders:
    """A copy of it, to do with as a test likes."""
    shutil.copytree(once.folder, tmp_path / "made")
    return Builders(tmp_path / "made", once.keys)
