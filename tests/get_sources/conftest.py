from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from sealwright_stages.errors import MachineError
from sealwright_stages.ports import Workshop
from sealwright_stages.sandbox.fetch import BwrapFetchSandbox
from verify.conftest import keys, repository
from verify.workbench import workshop

__all__ = ["keys", "repository"]
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
