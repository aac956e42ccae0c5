"""Three persons with throw-away keys, and evidence that two of them must sign; made once, copied for each test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audit.forge import Forger, counted
from support.release_folder import HEAD
from support.small_release import Key, make_key, stop_agent, write_keyring

NAMES = ("manager-a", "manager-b", "manager-c")
THREE = HEAD.replace(
    'signers = ["manager-a"]\n', 'signers = ["manager-a", "manager-b", "manager-c"]\nthreshold = 2\n'
)


@pytest.fixture(scope="session")
def persons() -> Iterator[dict[str, Key]]:
    """The persons' keys, by name; and that of an author of sources."""
    with tempfile.TemporaryDirectory() as base:
        made = {name: make_key(Path(base) / name, name) for name in (*NAMES, "release-key-a")}
        yield made
        for key in made.values():
            stop_agent(key.home)


@pytest.fixture(scope="session")
def original(persons: dict[str, Key], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evidence that nobody has signed."""
    base = tmp_path_factory.mktemp("o")
    write_keyring(base / "keyring", list(persons.values()))
    forger = Forger(base, (persons["manager-a"],), head=THREE)
    declared, _ = forger.declared()
    return forger.unsigned(list(counted(forger.tale(declared, forger.tool))))


@pytest.fixture
def copied(original: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Makes a copy of the evidence under a name."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(original, tmp_path / name))

    return copy
