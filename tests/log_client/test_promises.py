"""What was acknowledged: kept before it is believed, and looked for in every log that is said to be that one."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from appendlog.log_making import sealed_log
from log_client import forging
from sealwright_appendlog import layout
from sealwright_stages.log.promises import BrokenPromise, Held, Promises


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return sealed_log(tmp_path / "log", events=30)


def kept(log: Path, file: Path) -> Promises:
    """Every third record of the log, acknowledged."""
    promises = Promises(file)
    for line in forging.lines_of(log)[1::3]:
        promises.record(line)
    return promises


def test_what_was_acknowledged_is_there_and_known_to_the_next_console(log: Path, tmp_path: Path) -> None:
    lines = forging.lines_of(log)
    kept(log, tmp_path / "seen").check_records(lines)
    again = Promises(tmp_path / "seen")
    assert len(again) == len(lines[1::3])
    again.check_records(lines)


def test_a_record_that_is_another_or_missing_is_named(log: Path, tmp_path: Path) -> None:
    lines = forging.lines_of(log)
    kept(log, tmp_path / "seen")
    promises = Promises(tmp_path / "seen")
    with pytest.raises(BrokenPromise, match="record 4 is not the one") as caught:
        promises.check_records([*lines[:4], lines[5], *lines[5:]])
    assert (caught.value.promised, caught.value.found) == (lines[4], lines[5])
    with pytest.raises(BrokenPromise, match="record 10 was acknowledged and is not in the log") as caught:
        promises.check_records(lines[:10])
    assert (caught.value.promised, caught.value.found) == (lines[10], b"")
    promises.check_records([*lines[:5], lines[0], *lines[6:]])  # nobody was told of record 5


def test_no_two_records_are_acknowledged_under_one_number(log: Path, tmp_path: Path) -> None:
    lines = forging.lines_of(log)
    kept(log, tmp_path / "seen")
    promises = Promises(tmp_path / "seen")
    for again in (lines[4], lines[4].replace(b'"number":3', b'"number":4')):
        with pytest.raises(BrokenPromise, match="record 4 was acknowledged twice") as caught:
            promises.record(again)
        assert (caught.value.promised, caught.value.found) == (lines[4], again)
    Promises(tmp_path / "seen").check_records(lines)


def test_a_full_disk_leaves_no_half_line_before_the_next(log: Path, tmp_path: Path) -> None:
    file = tmp_path / "seen"
    whole, lines = len(kept(log, file)), forging.lines_of(log)
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from sealwright_stages.errors import MachineError; from sealwright_stages.log.promises import Promises\n"
        "promises = Promises(Path(sys.argv[1])); full, lost, later = (line.encode() for line in sys.argv[2:])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); no = resource.RLIM_INFINITY\n"
        "promises.record(full)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (Path(sys.argv[1]).stat().st_size + 20, no))\n"
        "try: promises.record(lost)\n"
        "except MachineError: print('full')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (no, no))\n"
        "promises.record(later)\n"
    )
    argv = [sys.executable, "-c", code, str(file), *(line.decode() for line in (lines[2], lines[3], lines[5]))]
    assert subprocess.run(argv, check=True, capture_output=True, timeout=20).stdout == b"full\n"
    again = Promises(file)
    assert len(again) == whole + 2
    again.check_records([*lines[:3], lines[0], *lines[4:]])  # nobody believed record 3


def test_what_a_crash_cut_off_is_dropped_and_anything_else_is_damage(log: Path, tmp_path: Path) -> None:
    file = tmp_path / "seen"
    whole = len(kept(log, file))
    with file.open("ab") as stream:
        stream.write(b'{"half')
    assert len(Promises(file)) == whole
    Promises(file).stream("build/xen", Held(1, "0" * 64))
    assert file.read_bytes().endswith(b"\nstream build/xen 1 " + b"0" * 64 + b"\n")
    for damage in (b"nonsense\n", b"stream x 1\n", b"\xff\n", b"\n"):
        broken = tmp_path / "broken"
        broken.write_bytes(file.read_bytes() + damage)
        with pytest.raises(ValueError, match="damaged"):
            Promises(broken)


@pytest.mark.parametrize("segments", [1, 3])
def test_a_stream_holds_just_the_bytes_that_were_sent(log: Path, tmp_path: Path, segments: int) -> None:
    folder = log / "data" / "build" / "xen"
    (path,) = folder.glob("*.log")
    content = path.read_bytes()
    if segments > 1:  # as a stream of more than 64 MiB has them; a number of nine digits comes last
        parts = {"00000007.log": content[:10], "99999999.log": content[10:3000], "100000000.log": content[3000:]}
        path.unlink()
        for name, data in parts.items():
            (folder / name).write_bytes(data)
        hashes = {name: layout.sha256(log / name) for name in layout.segments(log)}
        (log / layout.SUMS).write_bytes(layout.sums(log, hashes))
    held = Held(len(content), hashlib.sha256(content).hexdigest())
    promises = Promises(tmp_path / "seen")
    promises.stream("build/xen", held)
    promises.check_streams(log)
    for other in (Held(held.length + 1, held.sha256), Held(held.length, "0" * 64)):
        promises.stream("build/xen", other)
        with pytest.raises(BrokenPromise, match="stream build/xen does not hold"):
            promises.check_streams(log)
    promises.stream("build/xen", held)
    promises.stream("build/none", Held(0, held.sha256))
    with pytest.raises(BrokenPromise, match="build/none"):
        promises.check_streams(log)
    shutil.rmtree(log)
