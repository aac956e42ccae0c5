from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from sealwright_stages import process
from sealwright_stages.errors import MachineError
from sealwright_stages.sandbox.bwrap import Bind, Sandbox, prepared
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.sandbox.life import end_unborn, first_process, unborn, wait_dead
from sealwright_stages.sandbox.ownership import hand_over, take_back
from sealwright_stages.sandbox.seccomp import program
from walk.walking import until


def _argv(box: Sandbox) -> tuple[str, ...]:
    with prepared(box, ["true"]) as start:
        return start.argv


def test_bwrap_never_runs_as_the_machines_root() -> None:
    argv = _argv(Sandbox(uid=61184, binds=(Bind(Path("/root"), "/sources"),)))
    before = argv[: argv.index("bwrap")]
    assert {"--reuid=61184", "--regid=61184", "--clear-groups", "--no-new-privs"} <= set(before)
    assert "/root" not in argv[argv.index("bwrap") :], "a dropped uid is given only staged paths"


def test_every_rule_of_the_profile_is_in_the_argument_list() -> None:
    argv = _argv(Sandbox(uid=61184))
    rules = "--unshare-user --unshare-all --disable-userns --die-with-parent --new-session --clearenv --seccomp"
    assert set(rules.split()) < set(argv)
    assert argv[argv.index("--cap-drop") + 1] == "ALL"
    assert "--share-net" not in argv
    assert "--share-net" in _argv(Sandbox(uid=61184, network=True))


def test_a_variables_name_is_a_name() -> None:
    with pytest.raises(ValueError, match="no variable name"):
        _argv(Sandbox(uid=61184, environment={"A B": "x"}))


def test_no_descriptor_is_left_open() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        _argv(Sandbox(uid=61184, files={"/etc/passwd": b"x"}))
    with pytest.raises(ValueError, match="no variable name"):
        _argv(Sandbox(uid=61184, environment={"-": "x"}))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_filter_refuses_local_sockets_only_where_the_network_is_shared() -> None:
    assert len(program(local_sockets=True)) % 8 == 0
    assert program(local_sockets=True) != program(local_sockets=False)


_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def _answer(code: bytes, number: int, *arguments: int) -> int:
    """What a filter of classic BPF says of a call; see linux/filter.h and seccomp(2)."""
    words = (arguments + (0,) * 6)[:6]
    data = struct.pack("<iIQ6Q", number, _ARCHITECTURES[os.uname().machine], 0, *words)
    lines = [struct.unpack_from("<HBBI", code, at) for at in range(0, len(code), 8)]
    held = at = 0
    while True:
        kind, yes, no, k = lines[at]
        at += 1
        if kind == 0x20:
            (held,) = struct.unpack_from("<I", data, k)
        elif kind == 0x54:
            held &= k
        elif kind == 0x05:
            at += k
        elif kind in (0x15, 0x25, 0x35, 0x45):
            true = {0x15: held == k, 0x25: held > k, 0x35: held >= k, 0x45: held & k != 0}[kind]
            at += yes if true else no
        else:
            assert kind == 0x06, hex(kind)
            return k


def test_a_call_that_is_newer_than_the_filter_does_not_exist() -> None:
    code = program(local_sockets=True)
    assert {_answer(code, number) for number in range(470, 512)} == {0x00050000 | errno.ENOSYS}
    assert _answer(code, 467) == 0x00050000 | errno.EPERM
    assert _answer(code, 435) == 0x7FFF0000, "clone3"


def test_a_line_discipline_is_refused_whatever_the_upper_half_of_the_request_says() -> None:
    ioctl = 16 if os.uname().machine == "x86_64" else 29
    for request in (0x5423, 0x5423 | 1 << 40, 0x5412, 0x541C):
        assert _answer(program(local_sockets=True), ioctl, 1, request) == 0x00050000 | errno.EPERM
    assert _answer(program(local_sockets=True), ioctl, 1, 0x5401) == 0x7FFF0000


def _ours(session: int) -> list[int]:
    return [each.pid for each in unborn() if os.getsid(each.pid) == session]


@pytest.mark.sandbox
def test_a_sandbox_whose_console_was_killed_before_it_was_born_is_ended(identities: Identities) -> None:
    with prepared(Sandbox(uid=identities.fetcher), ["true"]) as start:
        nobody = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nobody, start.info)  # nobody reads any more what bwrap tells
        os.close(nobody)
        child = start.spawn(start.argv, pass_fds=start.descriptors, cwd="/", start_new_session=True)
        start.release()
        assert child.wait(20) != 0
    until(lambda: _ours(child.pid), "its child waits")
    end_unborn()
    until(lambda: not _ours(child.pid), "its child is gone")


@pytest.mark.sandbox
def test_a_living_sandbox_is_never_taken_for_an_unborn_one(identities: Identities) -> None:
    with prepared(Sandbox(uid=identities.fetcher), ["sh", "-c", "echo up; exec sleep 30"]) as start:
        child = subprocess.Popen(
            start.argv, pass_fds=start.descriptors, cwd="/", start_new_session=True, stdout=subprocess.PIPE
        )
        with child:
            start.release()
            assert child.stdout is not None and child.stdout.readline() == b"up\n"
            end_unborn()
            assert child.poll() is None
            assert not {each.pid for each in psutil.Process(child.pid).children(recursive=True)} & {
                each.pid for each in unborn()
            }
            os.killpg(child.pid, signal.SIGKILL)


@pytest.mark.sandbox
@pytest.mark.parametrize("new_session", ["", "--new-session "])
def test_a_sandbox_that_somebody_else_made_is_never_ended_whatever_became_of_its_session(new_session: str) -> None:
    roots = "--ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64"
    words = f"--unshare-user --unshare-pid --die-with-parent {new_session}--info-fd 1"
    # As a daemon does it: the leader of its session is gone, and it goes on in it.
    script = f"(bwrap {words} {roots} sleep 30; true) & exit 0"
    with subprocess.Popen(["sh", "-c", script], start_new_session=True, stdout=subprocess.PIPE) as theirs:
        assert theirs.stdout is not None
        told = b""
        while not told.rstrip().endswith(b"}"):
            told += (part := os.read(theirs.stdout.fileno(), 4096))
            assert part, "no bwrap here"
    first = json.loads(told)["child-pid"]
    both = {first, psutil.Process(first).ppid()}
    try:
        assert all(psutil.Process(pid).name() == "bwrap" for pid in both)
        assert not both & {each.pid for each in unborn()}
    finally:
        for pid in both:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.sandbox
def test_only_the_made_files_of_etc_are_seen(identities: Identities) -> None:
    uid = identities.builders[0] if identities.builders else None
    box = Sandbox(uid=uid, files={"/etc/passwd": b"made"}, environment={"PATH": "/usr/bin"})
    with prepared(box, ["sh", "-c", "cat /etc/passwd; cat /etc/hostname /etc/shadow"]) as start:
        done = process.run(start.argv, timeout=20, pass_fds=start.descriptors, cwd=Path("/"), spawn=start.spawn)
    assert done.stdout == b"made"


@pytest.mark.sandbox
def test_killing_the_outermost_process_kills_all(identities: Identities) -> None:
    uid = identities.builders[0] if identities.builders else None
    box = replace(Sandbox(uid=uid), environment={"PATH": "/usr/bin"})
    script = "setsid sleep 9999.5 & setsid setsid sleep 9999.5 & sleep 9999.5"
    with prepared(box, ["sh", "-c", script]) as start:
        with pytest.raises(MachineError, match="too long"):
            process.run(start.argv, timeout=0.5, pass_fds=start.descriptors, cwd=Path("/"), spawn=start.spawn)
        start.release()
        first = first_process(start.info, 1.0)
        wait_dead(first, 10.0, "it")
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if b"9999.5" in _read(p)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_sandbox_that_never_began_has_no_first_process() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    assert first_process(reading, 0.1) is None
    os.close(reading)
    wait_dead(None, 0.0, "nothing")


@pytest.mark.parametrize("told", [b"{}", b"{nonsense}", b'{"child-pid": "x"}', b'{"child-pid": 1}'])
def test_what_bwrap_tells_is_not_believed_blindly(told: bytes) -> None:
    reading, writing = os.pipe()
    os.write(writing, told)
    os.close(writing)
    assert first_process(reading, 0.1) is None, "process 1 shares our namespace, so it is no sandbox's"
    os.close(reading)


def test_what_outlives_the_wait_is_an_error() -> None:
    own = os.pidfd_open(os.getpid())
    with pytest.raises(MachineError, match="still live"):
        wait_dead(own, 0.0, "we")
    with pytest.raises(OSError, match="Bad file"):
        select.select([own], [], [], 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands folders over")
def test_a_folder_is_handed_over_without_following_anything(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("ours")
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "link").symlink_to(outside)
    (folder / "loop").symlink_to(tmp_path)
    hand_over(folder, 61500)
    assert {path.lstat().st_uid for path in (folder, *folder.rglob("*"))} == {61500}
    assert outside.stat().st_uid == tmp_path.stat().st_uid == 0
    take_back(folder, 61500)
    assert {path.lstat().st_uid for path in (folder, *folder.rglob("*"))} == {0}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands folders over")
def test_a_link_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(MachineError, match="can't be handed"):
        hand_over(tmp_path / "link", 61500)


@pytest.mark.sandbox
def test_a_build_may_say_that_it_wants_no_core_dumps(identities: Identities) -> None:
    uid = identities.builders[0] if identities.builders else None
    script = "ulimit -c 0 && ulimit -c && ulimit -n 64 && ulimit -n"
    with prepared(Sandbox(uid=uid, environment=process.BASE_ENVIRONMENT), ["sh", "-c", script]) as start:
        done = process.run(start.argv, timeout=20, pass_fds=start.descriptors, cwd=Path("/"), spawn=start.spawn)
    assert done.stdout.split() == [b"0", b"64"], "a limit of 1 byte is shown as 0 blocks; other limits can be set"
