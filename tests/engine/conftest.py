"""Folders in memory where the machine has them: hundreds of runs would else wait for the disk at each fsync."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")


@pytest.fixture
def folders() -> Iterator[Callable[[], Path]]:
    """Makes fresh folders, all gone after the test."""
    base = Path(tempfile.mkdtemp(prefix="sealwright-", dir=MEMORY if MEMORY.is_dir() else None))
    yield lambda: Path(tempfile.mkdtemp(dir=base))
    shutil.rmtree(base)


@pytest.fixture
def folder(folders: Callable[[], Path]) -> Path:
    """One fresh folder."""
    return folders()
