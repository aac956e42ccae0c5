from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from build.workbench import no_archive
from sealwright_stages.build.builder import SandboxBuilder
from sealwright_stages.build.environments import Environments
from sealwright_stages.errors import MachineError
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.sandbox.readiness import require_sandbox


@pytest.fixture(scope="session")
def identities() -> Iterator[Identities]:
    """Uids for this test run; skips where no sandbox can be made, unless one is required."""
    try:
        require_sandbox()
    except MachineError as error:
        if os.environ.get("SEALWRIGHT_REQUIRE_SANDBOX") == "1":
            raise
        pytest.skip(f"no sandbox here: {error.because}; {error.next_step}")
    chosen = Identities.choose()
    yield chosen
    chosen.release()


@pytest.fixture
def builder(identities: Identities) -> SandboxBuilder:
    """Builds on the host's /usr."""
    return SandboxBuilder(identities, Environments(no_archive))


@pytest.fixture
def on_disk() -> Iterator[Path]:
    """A folder on a disk, for what counts what was written to one: other folders may lie in memory."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder)
