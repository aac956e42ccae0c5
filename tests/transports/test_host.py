"""A host of many logs: see its rules."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sealwright_appendlog import host
from sealwright_appendlog.audit import check_log, read_records
from sealwright_appendlog.clients import Refused
from sealwright_appendlog.frames import frame
from sealwright_appendlog.origins import authority_name, folder_name, log_origin
from sealwright_stages.errors import LogError
from sealwright_stages.log import LogLost, open_transport
from transports.ends import NAME, PROGRAM, End, below, host_key, host_words, hosted, running, wait_for
from transports.wire import piped

BAD_ORIGINS = (
    f"{NAME}/../../etc",
    f"{NAME}//x",
    f"{NAME}/.hidden",
    f"{NAME}/x/",
    f"{NAME}/x\0y",
    f"{NAME}/x+y",
    f"{NAME}/x y",
    f"{NAME}/\N{LATIN SMALL LETTER E WITH ACUTE}",
    f"{NAME}/a/b/c/d/e/f",
    f"{NAME}/{'x' * 200}",
    f"{NAME}\n/x",
    NAME,
    "",
    "/etc/passwd",
    "log.example.org/releases-of-others/x",
)


@pytest.mark.parametrize("origin", BAD_ORIGINS)
def test_no_client_names_a_path(origin: str) -> None:
    with pytest.raises(Refused):
        log_origin(origin, NAME)


def test_two_origins_never_share_a_folder() -> None:
    names = [f"{NAME}/{each}" for each in ("a/b", "a.b", "a~b", "a_b", "a-b", "ab", "a/b/c", "a.b/c")]
    folders = {folder_name(log_origin(name, NAME)) for name in names}
    assert len(folders) == len(names) and all("/" not in folder and folder[0] != "." for folder in folders)


@pytest.mark.parametrize("name", ["", "a b", "../x", "x/", "x+y", "x" * 101, "\u00e9"])
def test_a_hosts_name_is_plain(name: str) -> None:
    with pytest.raises(ValueError, match="plain parts"):
        authority_name(name)


def test_release_after_release_needs_no_hand_at_the_far_end(near: End) -> None:
    logs = near.root / "host" / "logs"
    for number in range(3):
        session = near.open(f"release-{number}")
        session.append({"number": number})
        session.seal()
        session.export(near.root / f"out-{number}")
    assert len(list(logs.iterdir())) == 3
    vkeys = {(near.root / f"out-{number}" / "log.vkey").read_text() for number in range(3)}
    assert len(vkeys) == 3 and all(key.startswith(f"{NAME}/small-1.0/") for key in vkeys)


def test_a_log_that_was_seen_before_is_never_begun_anew(near: End) -> None:
    near.open().append({"e": "one"})
    near.rest()
    near.log.parent.rename(near.root / "gone")
    with pytest.raises(LogError, match="no log of this origin") as caught:
        near.open()
    assert "keep this work folder" in caught.value.next_step
    assert list((near.root / "host" / "logs").iterdir()) == []


def test_only_the_stream_engine_begins_a_log(near: End) -> None:
    for stream in ("build/x", "raw/x"):
        with piped(near.argv, f"{NAME}/x") as wire:
            wire.hello(stream)
            assert b"no log of this origin" in wire.wait("R")
    assert list((near.root / "host" / "logs").iterdir()) == []


def test_a_hello_without_a_log_or_with_another_is_refused(near: End) -> None:
    for origin in ("", f"{NAME}/../x", "elsewhere.example.org/x"):
        with piped(near.argv, origin) as wire:
            wire.hello("engine")
            assert b"below log.example.org/releases" in wire.wait("R")


def test_a_log_belongs_to_the_identity_that_began_it(near: End) -> None:
    session = near.open()
    origin = session._hello["origin"]
    other = [*near.argv, "--as", "ssh:other"]
    for stream in ("engine", "build/xen"):
        with piped(other, str(origin)) as wire:
            wire.hello(stream)
            assert b"begun by somebody else" in wire.wait("R")
    with piped(other, str(origin)) as wire:
        wire.hello("raw/serial")
        wire.say("D", b"from elsewhere\n")
        wire.say("F")
        assert wire.line()["src"] == f"uid:{os.getuid()} ssh:other"
    session.append({"e": "goes on"})


def test_who_only_asks_gets_the_key_and_begins_nothing(near: End) -> None:
    with piped(near.argv, "") as wire:
        wire.say("H", b'{"format":1}')
        assert wire.wait("A") == b"-1 0\n" + str(near.key).encode()
        wire.say("P")
        assert wire.wait("A") == b"-1 0"
        wire.say("J", b"{}")
        assert b"only asks" in wire.wait("R")
    assert list((near.root / "host" / "logs").iterdir()) == []


def test_who_says_too_much_before_the_hello_is_turned_away(near: End) -> None:
    with piped(near.argv, "") as wire:
        wire.send(b"H\x00\x00\xff\xff" + b"x" * 20_000)
        assert b"too much was said" in wire.wait("R")


@pytest.mark.slow
def test_who_says_nothing_is_turned_away_and_holds_up_nobody(near: End) -> None:
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(70)]
        for sock in silent:
            sock.connect(str(near.root / "s"))
            sock.settimeout(30)
        assert b"too many came since" in silent[0].recv(100)
        near.open().append({"e": "nobody waits"})
        assert b"nothing was asked for" in silent[-1].recv(100)


def test_a_uid_that_may_not_use_the_host_is_not_heard(root: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    with hosted(root) as path:
        root.chmod(0o755)
        path.chmod(0o666)
        look = f"import socket; s = socket.socket(1); s.connect({str(path)!r}); print(s.recv(99))"
        argv = ["setpriv", "--reuid=61990", "--regid=61990", "--clear-groups", "/usr/bin/python3", "-c", look]
        told = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        assert "uid 61990 may not use this log" in told


def test_a_log_that_nobody_uses_gives_its_process_back_and_goes_on_later(root: Path) -> None:
    with hosted(root, "--idle", "0.3") as path:
        far = End("socket", root, [*PROGRAM, "connect", "--socket", str(path)], host_key(root))
        session = far.open()
        session.append({"e": "one"})
        assert len(below("serve")) == 1
        session.close()
        wait_for(lambda: not below("serve"))
        for number in range(5):  # about when its process ends
            again = far.open()
            again.append({"number": number})
            again.close()
        assert [e["k"] for e, _ in read_records(far.log)].count("ev") == 6


@pytest.fixture
def small(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[End]:
    """A host, in a thread, that has three logs in use at most, two of them of one identity."""
    monkeypatch.setattr(host, "_MOST_LOGS", 3)
    monkeypatch.setattr(host, "_MOST_EACH", 2)
    (root / "host").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "s"))
        listener.listen()
        served = host.Host(root / "host", NAME, listener, None, 300.0)
        thread = threading.Thread(target=served.serve)
        thread.start()
        far = End("socket", root, [*PROGRAM, "connect", "--socket", str(root / "s")], host_key(root))
        try:
            yield far
        finally:
            far.close()
            served.stopped = True
            thread.join(20)


def test_logs_that_nobody_uses_any_more_make_room_for_the_next_release(small: End) -> None:
    for number in range(5):
        session = small.open(f"release-{number}")
        session.append({"number": number})
        session.seal()
        session.close()
    assert len(below("serve")) <= 3


def test_no_identity_has_all_the_logs_that_can_be_in_use(small: End) -> None:
    one, two = small.open("one"), small.open("two")
    with pytest.raises(LogLost, match="too many logs are in use"):
        small.open("three")
    other = End("socket", small.root, [*small.argv, "--as", "ssh:other"], small.key)
    other.open("other").append({"e": "there is room"})
    one.append({"e": "goes on"})
    two.close()
    wait_for(lambda: _opens(small, "three"))
    other.close()


def _opens(far: End, work: str) -> bool:
    with contextlib.suppress(LogLost):
        far.open(work).append({"e": "one"})
        return True
    return False


def test_plain_pipes_of_others_leave_room_for_those_who_have_the_log(near: End) -> None:
    session = near.open()
    origin = str(session._hello["origin"])
    with contextlib.ExitStack() as stack:
        for number in range(65):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.settimeout(20)
            sock.connect(str(near.root / "s"))
            hello = json.dumps({"format": 1, "stream": f"raw/{number}", "origin": origin}).encode()
            sock.sendall(frame("I", b"ssh:other") + frame("H", hello))
            told = sock.recv(1000)
        assert b"64 plain pipes are open already" in told
        session.open_stream("build/xen/1-1").finish(0)


def test_one_log_that_breaks_takes_no_other_along(near: End) -> None:
    first, second = near.open("one"), near.open("two")
    first.append({"e": "one"})
    second.append({"e": "two"})
    processes = below("serve")
    victim = next(p for p in processes if first._hello["origin"] in p.cmdline())
    victim.kill()
    assert first.lost.wait(5)
    second.append({"e": "goes on"})
    near.open("one").append({"e": "and so does this"})


def test_strangers_who_come_all_at_once_take_no_log_from_those_who_have_it(near: End) -> None:
    session = near.open()
    origin = str(session._hello["origin"])
    process = near.authority()
    process.suspend()  # as one is that has much to do
    with contextlib.ExitStack() as stack:
        for number in range(60):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.settimeout(20)
            sock.connect(str(near.root / "s"))
            hello = json.dumps({"format": 1, "stream": f"raw/{number}", "origin": origin}).encode()
            sock.sendall(frame("I", b"ssh:other") + frame("H", hello) + frame("D", b"x" * 7000))
        assert b"too many come to this log at once" in sock.recv(1000)
        process.resume()
        session.append({"e": "goes on"})
    assert near.authority() == process


@pytest.mark.slow
def test_a_console_that_a_cut_network_silenced_makes_way_for_the_next_and_a_live_one_does_not(near: End) -> None:
    session = near.open()
    stream = session.open_stream("build/xen/1-1")
    stream.write("D", b"half")
    session.append({"e": "one"})
    with pytest.raises(LogError, match="open already"):
        near.open()
    time.sleep(3)
    for process in below("connect"):
        process.suspend()
    assert session.lost.wait(10)
    time.sleep(6)
    again = near.open()
    again.append({"e": "two"})
    again.seal()
    for process in below("connect"):
        process.resume()
    again.export(near.root / "out")
    report = check_log(near.root / "out")
    assert (report.resumed, list(report.unclean)) == (1, ["build/xen/1-1"])


def test_a_log_that_can_not_be_opened_says_why(near: End) -> None:
    near.open().append({"e": "one"})
    near.rest()
    index = near.log / "index.jsonl"
    index.write_bytes(index.read_bytes().replace(b'"k":"open"', b'"k":"OPEN"'))
    with pytest.raises(LogLost, match="record 0"):
        near.open()


def test_a_host_that_is_killed_takes_its_logs_along_and_the_next_goes_on(root: Path) -> None:
    far = End("socket", root, [*PROGRAM, "connect", "--socket", str(root / "s")], host_key(root))
    with hosted(root):
        session = far.open()
        session.append({"e": "one"})
        process = next(p for p in psutil.Process().children(recursive=True) if "host" in p.cmdline())
        process.kill()
        assert session.lost.wait(5)
        wait_for(lambda: not below("serve"))
    with hosted(root):
        session = far.open()
        session.append({"e": "two"})
        session.seal()
        session.export(root / "out")
        assert check_log(root / "out").resumed == 1
        far.close()


def test_a_folder_has_one_host(near: End) -> None:
    words = host_words(near.root, "--socket", str(near.root / "other"))
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 4 and "another authority has" in done.stderr


def test_a_socket_that_is_open_to_everybody_is_refused(root: Path) -> None:
    before = os.umask(0)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(root / "s"))
            listener.listen()
            code = "import os, sys; os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); os.execv(sys.argv[1], sys.argv[1:])"
            argv = ["/usr/bin/python3", "-c", code, *host_words(root)]
            done = subprocess.run(
                ["/bin/sh", "-c", 'exec 3<&0 0</dev/null; exec "$@"', "sh", *argv],
                stdin=listener,
                capture_output=True,
                text=True,
                check=False,
                timeout=20,
            )
    finally:
        os.umask(before)
    assert done.returncode == 4 and "everybody may open the socket" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes keys for others")
def test_a_key_that_root_makes_belongs_to_whoever_owns_the_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 61999, 61998)
    words = [*PROGRAM, "host-key", "--root", str(tmp_path), "--name", NAME]
    printed = subprocess.run(words, check=True, capture_output=True, timeout=20).stdout
    made = (tmp_path / "key").stat()
    assert (made.st_uid, made.st_gid, made.st_mode & 0o777) == (61999, 61998, 0o600)
    assert subprocess.run(words, check=True, capture_output=True, timeout=20).stdout == printed


def test_a_work_folder_of_another_host_is_refused(near: End) -> None:
    near.open().append({"e": "one"})
    assert near.key is not None
    other = type(near.key)("elsewhere.example.org/x", near.key.public)
    with pytest.raises(LogError, match="another one than before"):
        open_transport(
            near.argv,
            other,
            "small-1.0",
            near.root / "work" / "log",
            near.root / "work" / "private" / "checkpoint",
        )


def test_a_raw_pipe_holds_up_no_seal_and_ends_as_it_ended(near: End) -> None:
    session = near.open()
    origin = str(session._hello["origin"])
    append = [*PROGRAM, "append", "--raw", "--socket", str(near.root / "s"), "--origin", origin, "--stream"]
    subprocess.run([*append, "raw/done"], input=b"all of it\n", check=True, timeout=20)
    with running([*append, "raw/killed"], pipe=True) as cut:
        assert cut.stdin
        cut.stdin.write(b"half")
        cut.stdin.flush()
        wait_for(lambda: b'"s":"raw/killed"' in (near.log / "index.jsonl").read_bytes())
        cut.kill()
    with running([*append, "raw/open"], pipe=True) as held:
        assert held.stdin
        held.stdin.write(b"and so on")
        held.stdin.flush()
        wait_for(lambda: b'"s":"raw/open"' in (near.log / "index.jsonl").read_bytes())
        session.seal()
        held.stdin.close()
    session.export(near.root / "out")
    ends = {e["s"]: (e["clean"], e.get("exit")) for e, _ in read_records(near.root / "out") if e["k"] == "eof"}
    assert ends == {
        "raw/done": (True, None),
        "raw/killed": (False, None),
        "raw/open": (False, None),
        "engine": (True, 0),
    }
