"""Settings of all tests.

- Hypothesis is seeded and without deadlines, since two cores are shared by many.
- Temporary folders lie in memory where there is room: see `support.rooms`.
- Byte code is kept. Where the shell forbids that (PYTHONDONTWRITEBYTECODE), each of thousands of processes compiles
  what is not there yet, and each worker all of the tests: 5 s a worker.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from support.rooms import move_in, short_folder

settings.register_profile(
    "house", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")
move_in()
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["XDG_STATE_HOME"] = os.devnull  # no test writes into the list of releases of whoever runs it
sys.dont_write_bytecode = False
OWN = pytest.StashKey[Path]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give pytest's temporary folders a short path: gpg-agent makes sockets in some of them. Workers' lie below."""
    if config.option.basetemp is None and "PYTEST_XDIST_WORKER" not in os.environ:
        config.stash[OWN] = short_folder("sw-")
        config.option.basetemp = str(config.stash[OWN])


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """What failed tests left there stays, to be looked at."""
    own = session.config.stash.get(OWN, None)
    if own is not None and not session.testsfailed:
        shutil.rmtree(own, ignore_errors=True)
