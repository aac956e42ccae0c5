"""An ordinary user, as root becomes one for a test.

- A checkout below a folder that others may not enter, as root's home is, can't be read by that user: the test is
  skipped, with this reason.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

_DROP = ("setpriv", "--reuid=65532", "--regid=65532", "--clear-groups")


def as_ordinary_user() -> tuple[str, ...]:
    """The words before a program that make it an ordinary user's."""
    # Asked of a program that is started: setpriv itself still has root's capabilities.
    seen = subprocess.run(
        [*_DROP, "head", "-c1", __file__, sys.executable], capture_output=True, timeout=10, check=False
    )
    if seen.returncode != 0:
        pytest.skip("other users can't read this checkout")
    return _DROP
