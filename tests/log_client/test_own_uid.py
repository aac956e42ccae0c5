"""The embedded authority under a uid of its own, as root starts it: what it owns, and what it needs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealwright_stages.errors import LogError
from sealwright_stages.log import LogSession, open_embedded
from support.closed_python import closed_python
from support.rooms import short_folder

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a uid of its own needs root")
UID = 61990


@pytest.fixture
def place() -> Iterator[Path]:
    folder = short_folder("sw-log-uid-")
    folder.chmod(0o755)
    (folder / "log").mkdir()
    (folder / "private").mkdir(mode=0o700)
    yield folder
    shutil.rmtree(folder)


def opened(place: Path) -> LogSession:
    private = place / "private"
    return open_embedded(place / "log", private / "log.key", "example 1.0", UID, UID, private / "seen")


def owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in (folder, *folder.rglob("*"))}


def test_the_logs_folder_is_ours_again_when_the_authority_has_ended(place: Path) -> None:
    for _ in range(2):
        session = opened(place)
        session.append({"e": "x"})
        assert owners(place / "log") == {UID}
        session.close()
        assert owners(place / "log") == {0}


def test_handing_over_the_folder_follows_no_link_in_it(place: Path) -> None:
    (place / "mine").mkdir()
    (place / "mine" / "file").touch()
    opened(place).close()
    for name in ("file", "folder"):
        (place / "log" / name).symlink_to(place / "mine" / ("file" if name == "file" else ""))
    opened(place).close()
    assert owners(place / "mine") == {0}


def test_an_authority_that_does_not_start_is_an_error_with_the_reason_that_it_gave(place: Path) -> None:
    (place / "private" / "log.key").write_text("no key\n")
    with pytest.raises(LogError) as caught:
        opened(place)
    assert "said nothing" not in caught.value.because and "without a word" not in caught.value.because
    assert owners(place / "log") == {0}


_WALK = """
import sys
from pathlib import Path
from sealwright_stages.log import open_embedded
place, uid = Path(sys.argv[1]), int(sys.argv[2])
for last in (False, True):
    private = place / "private"
    session = open_embedded(place / "log", private / "log.key", "example 1.0", uid, uid, private / "seen")
    stream = session.open_stream(f"build/xen-{last}".lower())
    stream.write("D", b"output")
    stream.finish(0)
    if last:
        session.seal()
        session.export(place / "out")
    session.close()
"""


def test_the_authority_loads_what_it_needs_before_it_drops_its_uid(place: Path) -> None:
    python = closed_python(place / "closed")
    argv = [str(python), "-I", "-c", _WALK, str(place), str(UID)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert (place / "out" / "log.vkey").exists()
