"""A signer's key for the whole session, a desk with a record for each test, and a release that it may be shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sealwright_keyring.signer.keys import SigningKey
from support.proposals import Shown
from support.signing import Desk, throwaway


@pytest.fixture(scope="session")
def held() -> Iterator[tuple[Path, SigningKey]]:
    """A GnuPG home and its one key."""
    with throwaway() as made:
        yield made


@pytest.fixture
def desk(held: tuple[Path, SigningKey], tmp_path: Path) -> Desk:
    """A signer with a new record."""
    return Desk(held[1], tmp_path)


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    """A release of one product with a sealed log."""
    return Shown(tmp_path / "log")
