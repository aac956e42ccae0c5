"""The keys and the forger of the audits, and a state folder of each test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.conftest import forger, keys

__all__ = ["forger", "keys"]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's pins are."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "sealwright" / "pins.toml"
