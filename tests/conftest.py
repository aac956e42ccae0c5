"""Settings of all tests.

- Hypothesis is seeded and without deadlines, since two cores are shared by many.
- Temporary folders lie in memory where there is room: see `support.rooms`.
- Byte code is kept. Where the shell forbids that (PYTHONDONTWRITEBYTECODE), each of thousands of processes compiles
  what is not there yet, and each worker all of the tests: 5 s a worker.
"""

from __future__ import annotations

import os
import sys

from hypothesis import HealthCheck, settings

from support.rooms import move_in

settings.register_profile(
    "house", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")
move_in()
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
