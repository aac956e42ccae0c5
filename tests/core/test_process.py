"""The one helper that runs programs: limits, environment, descriptors."""

from __future__ import annotations

import os
import select
import sys
import threading
from pathlib import Path

import pytest

from sealwright_stages import process
from sealwright_stages.errors import InterruptedRunError, MachineError, SealwrightError

PYTHON = sys.executable


def python(code: str, **options: object) -> process.Completed:
    """Run a line of Python through the helper."""
    return process.run([PYTHON, "-I", "-c", code], **{"timeout": 20, **options})  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    """Whether a process goes on: one that was killed may take a moment to die, and a zombie is dead."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        return not select.select([descriptor], [], [], 5)[0]
    finally:
        os.close(descriptor)


def test_output_and_exit_code_come_back() -> None:
    done = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert done.complaint() == "err"


def test_a_shell_string_is_no_program() -> None:
    with pytest.raises(MachineError, match="can't be started"):
        process.run(["true; echo hello"], timeout=5)


def test_words_reach_the_program_as_they_are() -> None:
    hostile = "$(id); `id` | & \n ' \" *"
    assert python(f"import sys; assert sys.argv[1:] == [{hostile!r}]").returncode != 0
    done = process.run([PYTHON, "-I", "-c", "import sys; sys.stdout.write(sys.argv[1])", hostile], timeout=20)
    assert done.stdout.decode() == hostile


def test_a_missing_program_is_a_machine_error_with_a_next_step() -> None:
    with pytest.raises(MachineError) as caught:
        process.run(["/nonexistent/tool"], timeout=5)
    assert caught.value.next_step


def test_input_reaches_the_program_whole() -> None:
    data = os.urandom(1 << 20)
    assert process.run(["cat"], timeout=20, stdin=data).stdout == data


def test_a_program_that_does_not_read_its_input_is_no_error() -> None:
    assert process.run(["true"], timeout=20, stdin=b"x" * (1 << 20)).returncode == 0


def test_our_environment_is_never_inherited() -> None:
    os.environ["SEALWRIGHT_TEST_SECRET"] = "hidden"
    try:
        shown = process.run(["env"], timeout=5, env={"EXTRA": "1"}).stdout.decode().splitlines()
    finally:
        del os.environ["SEALWRIGHT_TEST_SECRET"]
    assert sorted(shown) == sorted(f"{k}={v}" for k, v in {**process.BASE_ENVIRONMENT, "EXTRA": "1"}.items())


def test_no_descriptor_of_ours_is_inherited_but_those_named() -> None:
    read_end, write_end = os.pipe()
    os.set_inheritable(read_end, True)
    os.set_inheritable(write_end, True)
    listing = "import os; print(sorted(int(fd) for fd in os.listdir('/proc/self/fd')))"
    try:
        without = python(listing).stdout
        named = python(listing, pass_fds=[write_end]).stdout
    finally:
        os.close(read_end)
        os.close(write_end)
    assert without == b"[0, 1, 2, 3]\n"  # 3 is the listing's own
    assert str(write_end).encode() in named and str(read_end).encode() not in named.replace(b"[0, 1, 2", b"")


SPAWNER = (
    "import os, sys, signal, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = os.fork()\n"
    "if child: open(sys.argv[1], 'w').write(str(child))\n"
    "while True: signal.pause()\n"
)


def spawner(tmp_path: Path, **options: object) -> int:
    """Run a program that never ends and has a child; gives the pid of that child once `run` has raised."""
    note = tmp_path / "pid"
    with pytest.raises(SealwrightError):
        process.run([PYTHON, "-I", "-c", SPAWNER, note], **options)  # type: ignore[arg-type]
    return int(note.read_text())


def test_a_program_that_outlives_its_limit_dies_with_its_whole_group(tmp_path: Path) -> None:
    assert not alive(spawner(tmp_path, timeout=1.0))


def test_a_cancelled_program_dies_with_its_whole_group(tmp_path: Path) -> None:
    cancel = threading.Event()
    note = tmp_path / "pid"

    def when_written() -> None:
        while not note.exists() or not note.read_text():
            pass
        cancel.set()

    watcher = threading.Thread(target=when_written)
    watcher.start()
    pid = spawner(tmp_path, timeout=30.0, cancel=cancel)
    watcher.join()
    assert not alive(pid)


def test_cancelling_is_told_apart_from_a_limit() -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(InterruptedRunError):
        process.run(["cat", "/dev/zero"], timeout=20, cancel=cancel)


def test_a_program_that_floods_is_stopped() -> None:
    with pytest.raises(MachineError, match="no end"):
        process.run(["cat", "/dev/zero"], timeout=20, max_output=1 << 20)
    with pytest.raises(MachineError, match="no end"):
        process.run(["sh", "-c", "cat /dev/zero >&2"], timeout=20, max_output=1 << 20)


def test_a_program_that_closed_its_output_is_still_waited_for() -> None:
    done = python("import os, sys; os.close(1); os.close(2); os._exit(7)")
    assert done.returncode == 7


def test_a_program_that_closed_its_output_is_still_limited() -> None:
    with pytest.raises(MachineError, match="too long"):
        python("import os, signal; os.close(0); os.close(1); os.close(2); signal.pause()", timeout=1.0)


def test_a_signal_shows_as_a_negative_exit() -> None:
    assert python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)").returncode == -9


def test_error_output_is_seen_as_it_comes() -> None:
    seen: list[bytes] = []
    python("import sys; sys.stderr.write('50%\\r')", on_stderr=seen.append)
    assert b"".join(seen) == b"50%\r"


def test_what_a_listener_raises_kills_the_program(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = f"import os, sys, signal; open({str(note)!r}, 'w').write(str(os.getpid())); "

    def refuse(_data: bytes) -> None:
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        python(code + "sys.stderr.write('x'); sys.stderr.flush(); signal.pause()", on_stderr=refuse)
    assert not alive(int(note.read_text()))


def test_a_complaint_is_one_line() -> None:
    done = process.Completed(("x",), 1, b"", b"one\n\n  two\n" + b"z" * 1000, 0.1)
    assert "\n" not in done.complaint()
    assert len(done.complaint(100)) <= 100
    assert process.Completed(("x",), 1, b"", b"", 0.1).complaint() == "it said nothing"
