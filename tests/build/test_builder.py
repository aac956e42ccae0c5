from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from build.workbench import LostError, Remembered, job
from sealwright_stages.build import runner
from sealwright_stages.build.builder import SandboxBuilder
from sealwright_stages.build.reserve import Reserve
from sealwright_stages.errors import BuildError, MachineError
from sealwright_stages.files import remove_tree
from sealwright_stages.ports import BuildJob, BuildResult, Limits, Need, Sampled
from sealwright_stages.process import BASE_ENVIRONMENT
from sealwright_stages.sandbox.bwrap import Sandbox
from sealwright_stages.sandbox.cgroups import WATCHED
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.tree_walk import READ, walk

pytestmark = pytest.mark.sandbox

_PYTHON = "python3 -c"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "build-out"
    folder.mkdir()
    return folder


def _run(
    builder: SandboxBuilder,
    what: BuildJob,
    out: Path,
    stream: Remembered,
    stop: Callable[[], str] = lambda: "",
    on_sample: Callable[[Sampled], None] = lambda sample: None,
) -> BuildResult:
    return builder.run(what, out, stream, on_sample, stop)


def _living(mark: str) -> list[int]:
    return [p.pid for p in psutil.process_iter(["cmdline"]) if mark in (p.info["cmdline"] or [])]


def test_a_build_sees_its_sources_and_what_it_makes_is_collected(
    builder: SandboxBuilder, tmp_path: Path, out: Path
) -> None:
    what = job(
        tmp_path,
        'cat hello.txt "$FILES/extra.txt" > "$OUT/both.txt"',
        'pwd; ls -a /build /sources; stat -c %Y hello.txt; echo "$SOURCE_DATE_EPOCH"; umask',
        "echo trouble >&2",
    )
    stream = Remembered()
    done = _run(builder, what, out, stream)
    assert (done.exit, done.killed_because) == (0, "")
    assert stream.data["D"] == (
        b"/build/greeting\n/build:\n.\n..\ngreeting\n\n/sources:\n.\n..\nfiles\nsource\n86400\n86400\n0022\n"
    )
    assert b"trouble\n" in stream.data["E"]
    (product,) = builder.collect(what, out, tmp_path / "products")
    assert (tmp_path / "products" / product.name).read_text() == "hello\nextra\n"
    assert (tmp_path / "products" / product.name).stat().st_uid == os.geteuid()


def test_unpacked_archives_are_a_writable_copy_of_one_date(
    builder: SandboxBuilder, tmp_path: Path, out: Path
) -> None:
    what = job(
        tmp_path,
        'cd "$UNPACKED/x-1"; stat -c "%n %Y %A" README nothing link',
        'echo more >> "$UNPACKED/x-1/README"; cp "$UNPACKED/x-1/README" "$OUT"',
        "ls /build",
    )
    tree = what.sources / "unpacked" / "x-1"
    (tree / "nothing").mkdir(parents=True)
    (tree / "README").write_text("read\n")
    (tree / "link").symlink_to("README")
    stream = Remembered()
    done = _run(builder, what, out, stream)
    assert done.exit == 0, stream.data
    assert stream.data["D"].splitlines() == [
        b"README 86400 -rw-r--r--",
        b"nothing 86400 drwxr-xr-x",
        b"link 86400 lrwxrwxrwx",
        b"_unpacked",
        b"greeting",
    ]
    builder.collect(what, out, tmp_path / "products")
    assert (tmp_path / "products" / "README").read_text() == "read\nmore\n"
    assert (tree / "README").read_text() == "read\n"


def test_a_build_sees_the_products_of_what_it_needs_and_can_not_change_them(
    builder: SandboxBuilder, tmp_path: Path, out: Path
) -> None:
    needs = []
    for name in ("lib", "tool"):
        (tmp_path / name).mkdir(mode=0o700)
        (tmp_path / name / f"{name}.tar").write_text(f"{name}\n")
        needs.append(Need(name, tmp_path / name))
    tries = [
        'echo evil > "$NEEDS/lib/lib.tar"',
        'touch "$NEEDS/lib/more"',
        'mkdir "$NEEDS/other"',
        'rm "$NEEDS/lib/lib.tar"',
    ]
    what = job(
        tmp_path,
        'cat "$NEEDS/lib/lib.tar" "$NEEDS/tool/tool.tar" > "$OUT/both"; ls "$NEEDS"',
        *(f"if {each}; then echo THROUGH; fi" for each in tries),
    )
    stream = Remembered()
    assert _run(builder, replace(what, needs=tuple(needs)), out, stream).exit == 0, stream.data
    assert stream.data["D"] == b"lib\ntool\n"
    assert stream.data["E"].count(b"Read-only file system") == len(tries)
    builder.collect(what, out, tmp_path / "products")
    assert (tmp_path / "products" / "both").read_text() == "lib\ntool\n"


def test_a_build_that_needs_nothing_is_told_of_no_place_for_it(
    builder: SandboxBuilder, tmp_path: Path, out: Path
) -> None:
    stream = Remembered()
    _run(builder, job(tmp_path, 'echo "${NEEDS:-nothing}"; ls / | grep -c needs || true'), out, stream)
    assert stream.data["D"] == b"nothing\n0\n"


def test_a_failed_command_ends_the_build_with_its_status(
    builder: SandboxBuilder, tmp_path: Path, out: Path
) -> None:
    stream = Remembered()
    done = _run(builder, job(tmp_path, "exit 7", "echo never"), out, stream)
    assert done.exit == 7
    assert done.last_line == "+ exit 7"
    assert stream.data["D"] == b""


def test_a_build_can_not_change_its_sources_or_see_anothers(
    builder: SandboxBuilder, tmp_path: Path, out: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir(mode=0o777)
    what = job(tmp_path, f"ls {other} || echo unseen", "touch /sources/x || echo unwritten", "ls /sys || true")
    (tmp_path / "sources").chmod(0o777)
    stream = Remembered()
    assert _run(builder, what, out, stream).exit == 0
    assert stream.data["D"] == b"unseen\nunwritten\n"


def test_a_build_without_sources_is_refused(builder: SandboxBuilder, tmp_path: Path, out: Path) -> None:
    what = job(tmp_path / "gone", "true")
    what = BuildJob(**{**vars(what), "sources": tmp_path / "nowhere"})
    with pytest.raises(BuildError, match="sources are not there"):
        _run(builder, what, out, Remembered())


def test_daemons_are_dead_when_a_build_has_ended(builder: SandboxBuilder, tmp_path: Path, out: Path) -> None:
    daemon = "setsid setsid sleep 8888.5 </dev/null >/dev/null 2>&1 &"
    assert _run(builder, job(tmp_path, daemon), out, Remembered()).exit == 0
    assert _living("8888.5") == []


def test_a_daemon_that_holds_the_output_open_does_not_keep_the_build(
    builder: SandboxBuilder, tmp_path: Path, out: Path
) -> None:
    assert _run(builder, job(tmp_path, "setsid sleep 8888.25 & echo done"), out, Remembered()).exit == 0
    assert _living("8888.25") == []


def test_a_build_is_killed_when_told_to_stop(builder: SandboxBuilder, tmp_path: Path, out: Path) -> None:
    done = _run(
        builder, job(tmp_path, "setsid sleep 8888.75 & sleep 8888.75"), out, Remembered(), lambda: "enough"
    )
    assert done.killed_because == "enough"
    assert done.exit != 0
    assert _living("8888.75") == []


_STORM = (
    "import os, signal, sys, time; [signal.signal(n, signal.SIG_IGN) for n in range(1, 32) if n not in (9, 17, 19)]\n"
    "print('storm', flush=True)\n"
    "while True:\n"
    " try:\n"
    "  if os.fork() == 0: os.setsid()\n"
    " except OSError: time.sleep(0.01)\n"
)


def test_a_storm_of_forks_that_hears_no_signal_is_dead_when_told_to_stop(
    builder: SandboxBuilder, tmp_path: Path, out: Path
) -> None:
    stream = Remembered()
    what = job(tmp_path, f'python3 -c "{_STORM}" 7777.5')
    done = _run(builder, what, out, stream, lambda: "enough" if b"storm" in stream.data["D"] else "")
    assert done.killed_because == "enough"
    assert _living("7777.5") == []


def test_a_build_says_what_limited_it(builder: SandboxBuilder, tmp_path: Path, out: Path) -> None:
    done = _run(builder, job(tmp_path, "true"), out, Remembered())
    assert set(done.limited_by) == {"processes", "memory"}
    assert all(how in ("cgroup v1", "cgroup v2", WATCHED[what]) for what, how in done.limited_by.items())


def test_a_silent_build_that_lost_its_log_is_dead(builder: SandboxBuilder, tmp_path: Path, out: Path) -> None:
    def lose(_sample: Sampled) -> None:
        raise LostError

    with pytest.raises(LostError):
        _run(builder, job(tmp_path, "sleep 8888.125"), out, Remembered(), on_sample=lose)
    assert _living("8888.125") == []


def test_a_build_whose_stream_is_lost_is_dead(builder: SandboxBuilder, tmp_path: Path, out: Path) -> None:
    what = job(tmp_path, "yes | head -c 300000; sleep 8888.375")
    with pytest.raises(LostError):
        _run(builder, what, out, Remembered(lost_after=100_000))
    assert _living("8888.375") == []


def test_a_build_waits_while_the_log_does(builder: SandboxBuilder, tmp_path: Path, out: Path) -> None:
    go, held = threading.Event(), threading.Event()

    class Slow(Remembered):
        def write(self, channel: str, data: bytes) -> None:  # type: ignore[override]
            held.set()
            assert go.wait(30)
            self.data[channel] += data

    def stop() -> str:
        if held.is_set():
            go.set()
        return ""

    stream = Slow()
    what = job(tmp_path, "yes 0123456789abcde | head -c 1000000")
    assert _run(builder, what, out, stream, stop).exit == 0
    assert len(stream.data["D"]) == 1_000_000


@pytest.mark.parametrize(
    ("command", "limits", "because"),
    [
        ("sleep 60", Limits(wall=1), "longer than 1 s"),
        ("head -c 60000000 /dev/zero > big; sync; sleep 60", Limits(disk=20 << 20, wall=30), ""),
        (
            "for i in 1 2 3 4 5 6 7; do head -c 9000000 /dev/zero > $i; done; sleep 60",
            Limits(disk=20 << 20),
            "disk",
        ),
        (
            "python3 -c 'a = bytearray(b\"x\") * (60 << 20); import time; time.sleep(60)' & "
            "python3 -c 'a = bytearray(b\"x\") * (60 << 20); import time; time.sleep(60)'",
            Limits(memory=100 << 20),
            "memory",
        ),
        ("head -c 70000000 /dev/zero > /tmp/a; sleep 60", Limits(memory=60 << 20), ""),
        (
            "for place in /tmp /dev/shm; do head -c 40000000 /dev/zero > $place/a; done; sleep 60",
            Limits(memory=60 << 20),
            "MiB of memory",
        ),
        (
            "for i in 1 2 3; do exec 9> big; rm big; head -c 9000000 /dev/zero >&9; sleep 60 & done; sleep 60",
            Limits(disk=20 << 20),
            "MiB of disk, more than 20",
        ),
        (
            f'{_PYTHON} \'import mmap; f = open("big", "wb+"); f.write(bytes(9 << 20)); f.flush(); '
            'import os; os.remove("big"); m = mmap.mmap(f.fileno(), 0); f.close(); import time; time.sleep(60)\' & '
            "head -c 9000000 /dev/zero > other; sleep 60",
            Limits(disk=16 << 20),
            "MiB of disk, more than 16",
        ),
        ("yes", Limits(disk=20 << 20), "MiB, more than 20 together"),
        ("head -c 30000000 /dev/zero", Limits(disk=20 << 20), "MiB, more than 20 together"),
        ("for i in $(seq 100); do sleep 60 & done; wait", Limits(processes=20), ""),
    ],
    ids=[
        *("time", "file", "disk", "memory", "one-tmpfs", "all-tmpfs", "unlinked", "mapped"),
        *("endless-output", "quick-output", "processes"),
    ],
)
def test_a_build_over_its_limits_is_ended(
    builder: SandboxBuilder, tmp_path: Path, out: Path, command: str, limits: Limits, because: str
) -> None:
    stream = Remembered()
    done = _run(builder, job(tmp_path, command, limits=limits), out, stream)
    assert done.exit != 0 or done.killed_because
    assert because in done.killed_because
    assert done.wall_ms < 20_000
    assert sum(map(len, stream.data.values())) <= limits.disk, "no more of its output is kept than it may take"


_SENT = """
import os, socket, time
kept = [socket.socketpair() for _ in range(3)]
for near, _ in kept:
    with open("big", "wb") as stream:
        os.remove("big")
        stream.write(bytes(9 << 20))
        stream.flush()
        os.fsync(stream.fileno())
        socket.send_fds(near, [b"x"], [stream.fileno()])
time.sleep(60)
"""


def test_a_file_that_is_only_on_its_way_takes_room(builder: SandboxBuilder, tmp_path: Path, out: Path) -> None:
    what = job(tmp_path, f"{_PYTHON} '{_SENT}'", limits=Limits(disk=20 << 20, wall=30))
    assert "of disk, more than 20" in _run(builder, what, out, Remembered()).killed_because


def test_nobody_else_reaches_a_program_that_a_build_leaves_with_its_uid(
    builder: SandboxBuilder, tmp_path: Path, out: Path
) -> None:
    what = job(tmp_path, 'cp /usr/bin/true "$OUT/left"; chmod 6755 "$OUT/left"; chmod 777 /build "$OUT"')
    assert _run(builder, what, out, Remembered()).exit == 0
    assert out.stat().st_mode & 0o077 == 0
    assert not (out / "products" / "left").stat().st_mode & 0o6000 or os.geteuid() != 0, "root takes it back plain"


def test_the_kernel_begins_with_builds_when_memory_runs_out(
    builder: SandboxBuilder, tmp_path: Path, out: Path
) -> None:
    stream = Remembered()
    assert _run(builder, job(tmp_path, "sleep 1; cat /proc/self/oom_score_adj"), out, stream).exit == 0
    assert stream.data["D"] == b"1000\n"


def test_a_build_ends_when_the_machine_has_come_down_to_its_reserve(
    identities: Identities, tmp_path: Path
) -> None:
    left = iter([2 << 30, 2 << 30, *([100 << 20] * 999)])
    box = Sandbox(uid=identities.builders[0] if identities.builders else None, environment=BASE_ENVIRONMENT)
    watched = runner.Watched(Remembered(), lambda sample: None, lambda: "")
    with pytest.raises(MachineError, match="memory is nearly full: 100 MiB free"):
        runner.run(
            box,
            ("sleep", "60"),
            Limits(wall=30),
            tmp_path,
            watched,
            reserve=lambda folder: Reserve(folder, memory=lambda: next(left)),
        )


def test_samples_show_a_busy_tree(builder: SandboxBuilder, tmp_path: Path, out: Path) -> None:
    samples: list[Sampled] = []

    def look(sample: Sampled) -> None:
        samples.append(sample)
        if len(samples) >= 2 and max(each.cpu for each in samples) >= 20:
            (out / "build" / "seen").touch()

    what = job(tmp_path, "timeout 60 sh -c 'until [ -e /build/seen ]; do :; done'")
    assert _run(builder, what, out, Remembered(), on_sample=look).exit == 0, samples
    assert all(sample.processes >= 3 and sample.memory > 0 for sample in samples[1:])


_DEEP = 'python3 -c \'import os; [(os.mkdir("d"), os.chdir("d")) for _ in range(2000)]\''


def test_a_build_of_any_depth_and_modes_is_taken_back_and_can_be_removed(
    builder: SandboxBuilder, tmp_path: Path, out: Path
) -> None:
    what = job(tmp_path, _DEEP, "mkdir -p /build/x/y; chmod 000 /build/x/y /build/x")
    assert _run(builder, what, out, Remembered()).exit == 0
    assert {entry.held.st_uid for entry in walk(out, READ)} == {os.geteuid()}
    remove_tree(out)
    assert not out.exists()


def test_two_builds_at_once_do_not_see_each_other(builder: SandboxBuilder, tmp_path: Path) -> None:
    streams = [Remembered(), Remembered()]

    def one(number: int) -> None:
        place = tmp_path / str(number)
        (place / "out").mkdir(parents=True)
        what = job(place, "id -u; ls /proc | grep -c '^[0-9]'")
        _run(builder, what, place / "out", streams[number])

    threads = [threading.Thread(target=one, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for stream in streams:
        uid, count = stream.data["D"].split()
        assert uid == b"0"
        assert int(count) <= 7
