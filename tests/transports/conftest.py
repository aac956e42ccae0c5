"""One far end for each test, reached in each way."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.rooms import short_folder
from transports.ends import ELSEWHERE, WAYS, End, end


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder with a short path, since a socket's is short."""
    folder = short_folder("sw-")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=WAYS)
def far(request: pytest.FixtureRequest, root: Path) -> Iterator[End]:
    """A far end of each kind."""
    with end(request.param, root) as made:
        yield made


@pytest.fixture(params=ELSEWHERE)
def remote(request: pytest.FixtureRequest, root: Path) -> Iterator[End]:
    """A far end of each kind that is not embedded."""
    with end(request.param, root) as made:
        yield made


@pytest.fixture
def near(root: Path) -> Iterator[End]:
    """A host on a unix socket of this machine."""
    with end("socket", root) as made:
        yield made
