"""A forger for each test, with a manager's throw-away key that is made once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.forge import Forger
from support.small_release import Key, make_key, stop_agent, write_keyring


@pytest.fixture(scope="session")
def keys() -> Iterator[tuple[Key, Key]]:
    """The manager's key, and the one of an author of sources."""
    with tempfile.TemporaryDirectory() as base:
        made = make_key(Path(base) / "manager", "manager-a"), make_key(Path(base) / "author", "release-key-a")
        yield made
        for key in made:
            stop_agent(key.home)


@pytest.fixture
def forger(keys: tuple[Key, Key], tmp_path: Path) -> Forger:
    """It holds the manager's key; the keyring is the reviewer's too."""
    write_keyring(tmp_path / "keyring", keys)
    return Forger(tmp_path, keys[:1])
