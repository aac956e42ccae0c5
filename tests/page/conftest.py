"""Evidence of a rich release, signed, and a browser that looks at its page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.conftest import forger, keys
from audit.forge import Forger
from audit.rich import rich
from support.browser import CHROMIUM, Page

__all__ = ["evidence", "forger", "keys", "seen"]


@pytest.fixture
def evidence(forger: Forger) -> Path:
    """The whole release, signed by the one who must."""
    rich(forger)
    return forger.evidence()


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A browser for all tests of a worker."""
    if CHROMIUM is None:
        pytest.skip("no chromium here")
    with Page(tmp_path_factory.mktemp("chromium")) as page:
        yield page
