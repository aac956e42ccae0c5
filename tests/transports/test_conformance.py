"""What holds on every way to a log: the same tests over an embedded child, a socket, systemd, ssh and qrexec.

- Who speaks, the transport says: no frame, argument or variable of the client's changes it.
- An event is acknowledged with its line; output is held back at what is unacknowledged.
- A client that goes without a finish leaves an unclean end; what the protocol does not know is refused, and recorded.
- A log goes on where it was only with a proof; after its seal it is given away byte for byte, and takes nothing.
- A dead or frozen authority is a lost log within seconds.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from sealwright_appendlog import layout
from sealwright_appendlog.audit import check_log
from sealwright_stages.log import LogLost, LogRollback, LogSession, read_entries
from sealwright_stages.log.connection import WINDOW
from transports.ends import End, wait_for
from transports.wire import wired


def test_a_log_is_begun_filled_sealed_and_brought_home(far: End) -> None:
    session = far.open()
    entry = session.append({"e": "one"})
    stream = session.open_stream("build/xen/1-0")
    sent = os.urandom(3 << 20)
    stream.write("D", sent)
    stream.write("E", b"warning\n")
    end = stream.finish(3)
    assert (end.body["bytes"], end.body["exit"], end.body["clean"]) == (len(sent) + 8, 3, True)
    assert session.checkpoint is not None and session.seal().kind == "seal"
    session.export(far.root / "out")
    report = check_log(far.root / "out", sums=True)
    assert report.checkpoint == session.checkpoint and report.unclean == []
    assert entry.line in list(layout.lines(far.root / "out" / layout.INDEX))
    data = b"".join((far.root / "out" / name).read_bytes() for name in layout.segments(far.root / "out"))
    assert data == sent + b"warning\n"
    shown = far.root / "work" / "log"
    assert (shown / layout.INDEX).read_bytes() == (far.root / "out" / layout.INDEX).read_bytes()
    assert b"".join(path.read_bytes() for path in sorted(shown.glob("data/build/xen/1-0/*"))) == data


def test_the_export_is_the_far_ends_log_byte_for_byte(far: End) -> None:
    session = far.open()
    for number in range(300):
        session.append({"number": number})
    session.seal()
    session.export(far.root / "out")
    names = files(far.log)
    assert names == files(far.root / "out") and len(names) > 7
    assert filecmp.cmpfiles(far.log, far.root / "out", names, shallow=False) == (names, [], [])


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_after_the_seal_nothing_is_taken_and_all_can_be_read(far: End) -> None:
    session = far.open()
    session.append({"e": "one"})
    session.seal()
    session.close()
    again = far.open()
    for kind, payload in (("J", b'{"e":"late"}'), ("D", b"late"), ("F", b"0"), ("S", b"")):
        with wired(far) as wire:
            wire.hello("build/late")
            wire.say(kind, payload)
            assert b"sealed" in wire.wait("R")
    again.export(far.root / "out")
    assert [entry.kind for entry in read_entries(far.root / "out")] == ["open", "ev", "eof", "seal"]


def test_the_source_is_the_transports_word_and_never_the_clients(
    far: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QREXEC_REMOTE_DOMAIN", "dom0")
    monkeypatch.setenv("SSH_ORIGINAL_COMMAND", "connect --as ssh:root")
    session = far.open()
    assert session.append({"src": "uid:12345", "n": 99, "t": "never"}).src == far.identity
    assert session.open_stream("build/x").finish(0).src == far.identity
    with wired(far) as wire:
        wire.hello("build/y")
        wire.say("F", b"0")
        assert wire.line()["src"] == far.identity
    session.close()


def test_whom_a_bridge_carries_can_not_name_itself(remote: End) -> None:
    session = remote.open()
    with wired(remote) as wire:
        wire.say("I", b"qrexec:dom0")
        wire.hello("build/x")
        assert b"identity" in wire.wait("R")
    assert session.append({"e": "goes on"}).src == remote.identity


NO_HELLO = (
    (b"GET / HTTP/1.1\r\n\r\n", b"unknown frame type"),
    (b"H\x00\x00\x00\x02{}", b"hello without a format"),
    (b'H\x00\x00\x00\x0c{"format":2}', b"speaks format 1"),
    (b"J\x00\x00\x00\x02{}", b"before the hello"),
    (b"D\x00\x02\x00\x00", b"65536 is the most"),
)


def test_what_is_no_hello_is_refused_and_says_why(far: End) -> None:
    session = far.open()
    for said, why in NO_HELLO:
        with wired(far) as wire:
            wire.send(said)
            assert why in wire.wait("R")
    session.append({"e": "goes on"})


def test_a_refused_frame_is_on_record_and_ends_that_client_alone(far: End) -> None:
    session = far.open()
    with wired(far) as wire:
        wire.hello("build/xen")
        wire.wait("A")
        wire.say("S")
        assert b"only the stream engine" in wire.wait("R")
    session.append({"e": "goes on"})
    session.seal()
    session.export(far.root / "out")
    told = [(entry.kind, entry.stream) for entry in read_entries(far.root / "out") if entry.kind in ("rej", "eof")]
    assert told[:2] == [("rej", "build/xen"), ("eof", "build/xen")]


def test_a_stream_without_a_finish_ends_unclean(far: End) -> None:
    session = far.open()
    stream = session.open_stream("build/xen/1-0")
    stream.write("D", b"half")
    wait_for(lambda: any(entry.kind == "data" for entry in read_entries(far.root / "work" / "log")))
    stream.abort()
    wait_for(lambda: ended(far, session))
    session.seal()
    session.export(far.root / "out")
    assert check_log(far.root / "out").unclean == ["build/xen/1-0"]


def ended(far: End, session: LogSession) -> bool:
    """Whether the end of a stream is on record; says something, so that what is shown is up to date."""
    session.append({"e": "tick"})
    return any(entry.kind == "eof" for entry in read_entries(far.root / "work" / "log"))


def test_a_ping_is_answered(far: End) -> None:
    far.open()
    with wired(far) as wire:
        wire.hello("build/x")
        assert wire.wait("A").endswith(b" 0")
        wire.say("P")
        assert wire.wait("A").endswith(b" 0")


def test_a_log_goes_on_where_it_was_when_its_console_comes_again(far: End) -> None:
    first = far.open()
    first.append({"e": "one"})
    seen = first.checkpoint
    first.close()
    second = far.open()
    assert seen is not None and second.checkpoint is not None and second.checkpoint.size > seen.size
    second.append({"e": "two"})
    second.seal()
    second.export(far.root / "out")
    assert [entry.kind for entry in read_entries(far.root / "out")] == ["open", "ev", "eof", "ev", "eof", "seal"]


def test_a_log_that_does_not_continue_what_was_seen_is_refused(far: End) -> None:
    far.open().append({"e": "one"})
    far.rest()
    older = far.root / "older"
    shutil.copytree(far.log, older)
    session = far.open()
    for _ in range(3):
        session.append({"e": "two"})
    far.rest()
    far.open()
    far.rest()
    log = far.log
    shutil.rmtree(log)
    older.rename(log)
    with pytest.raises(LogRollback, match="rollback or split view"):
        far.open()


@pytest.mark.slow
def test_output_is_held_back_while_nothing_is_acknowledged(far: End) -> None:
    session = far.open()
    stream = session.open_stream("build/loud")
    stream.write("D", b"begin\n")
    process = far.authority()
    os.kill(process.pid, signal.SIGSTOP)
    sent, begun = 0, time.monotonic()
    try:
        with pytest.raises(LogLost):
            while True:
                stream.write("D", bytes(1 << 16))
                sent += 1 << 16
        assert session.lost.wait(3.0) and time.monotonic() - begun < 8.0
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert sent <= WINDOW


def test_a_dead_authority_is_a_lost_log_at_once(far: End) -> None:
    session = far.open()
    stopped = threading.Event()
    session.whenever_lost(stopped.set)
    begun = time.monotonic()
    far.authority().kill()
    assert stopped.wait(5.0) and time.monotonic() - begun < 2.0
    with pytest.raises(LogLost):
        session.append({"e": "late"})
    far.open().append({"e": "and it goes on"})


def test_a_dead_transport_is_a_lost_log_at_once(remote: End) -> None:
    session = remote.open()
    stopped = threading.Event()
    session.whenever_lost(stopped.set)
    begun = time.monotonic()
    remote.transport().kill()
    assert stopped.wait(5.0) and time.monotonic() - begun < 2.0
    assert "exit code" in session.why_lost
