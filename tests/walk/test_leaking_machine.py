"""On a machine whose sandbox lets something out, no release is begun."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from walk.walking import Walk

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can put something in bwrap's place")

_FORGETFUL = """#!/usr/bin/python3
import os, sys
words = [word for word in sys.argv[1:] if word != "--disable-userns"]
os.execv({real!r}, ["bwrap", *words])
"""
_IN_ITS_PLACE = 'mount --bind "$1" /usr/bin/bwrap; shift; exec "$@"'


@pytest.fixture
def forgetful() -> Iterator[Path]:
    """A bwrap that forgets a rule; it lies where every uid can walk."""
    with tempfile.TemporaryDirectory(prefix="sealwright-test-") as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        shutil.copy("/usr/bin/bwrap", folder / "real")
        program = folder / "bwrap"
        program.write_text(_FORGETFUL.format(real=str(folder / "real")))
        program.chmod(0o755)
        yield program


def test_a_run_is_refused_where_a_way_out_is_open(walk: Walk, forgetful: Path) -> None:
    """By a rule whose lack can't be seen from inside: only who tries it finds out."""
    before: list[str | Path] = ["unshare", "--mount", "--propagation", "private"]
    before += ["sh", "-ec", _IN_ITS_PLACE, "sh", forgetful]
    walk.run(before=before).refused(3, "the sandbox does not hold", "3 got out", "doctor --selftest")
    assert not walk.work.exists(), "nothing was begun"
    told = walk.say("doctor", "--selftest", before=before)
    assert told.exit == 3
    assert "✗ GOT OUT" in told.out
    walk.run().well()
