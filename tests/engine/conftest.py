"""Folders for hundreds of runs in one test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folders() -> Iterator[Callable[[], Path]]:
    """Makes fresh folders, all gone after the test."""
    base = Path(tempfile.mkdtemp(prefix="sealwright-"))
    yield lambda: Path(tempfile.mkdtemp(dir=base))
    shutil.rmtree(base)


@pytest.fixture
def folder(folders: Callable[[], Path]) -> Path:
    """One fresh folder."""
    return folders()
