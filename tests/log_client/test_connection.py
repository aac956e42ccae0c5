"""One connection, against an authority that says what a test wants."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sealwright_appendlog.frames import CLIENT_TYPES, Decoder, frame
from sealwright_stages.log import LogLost
from sealwright_stages.log.connection import PATIENCE, Connection

LINE = b'{"the":"line"}'


class OnlyPings:
    """Answers pings at once, and nothing else but what it is told to: `late` seconds after a `J`, its line."""

    def __init__(self, sock: socket.socket, late: float | None) -> None:
        self.sock, self.late = sock, late
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        decoder = Decoder(CLIENT_TYPES)
        while data := self.sock.recv(1 << 16):
            for kind, _ in decoder.feed(data):
                if kind == "P":
                    self.sock.sendall(frame("A", b"0 0"))
                elif kind in "JS" and self.late is not None:
                    threading.Timer(self.late, self.sock.sendall, [frame("A", b"1 0\n" + LINE)]).start()


@contextmanager
def connected(late: float | None = None) -> Iterator[tuple[Connection, list[str]]]:
    ours, theirs = socket.socketpair()
    lost: list[str] = []
    authority = OnlyPings(theirs, late)
    connection = Connection(ours.fileno(), ours.fileno(), lambda kind, payload: None, lost.append, ours.close)
    try:
        yield connection, lost
    finally:
        connection.close()
        authority.thread.join(5)
        theirs.close()


@pytest.mark.slow
def test_an_acknowledgement_that_does_not_come_is_a_lost_log_even_if_pings_are_answered() -> None:
    with connected() as (connection, lost):
        begun = time.monotonic()
        connection.send("J", b"{}")
        with pytest.raises(LogLost, match="acknowledged nothing"):
            connection.wait_line()
        assert PATIENCE - 0.5 < time.monotonic() - begun < PATIENCE + 1
    assert len(lost) == 1


@pytest.mark.slow
def test_output_that_is_never_acknowledged_is_a_lost_log_though_nobody_waits() -> None:
    with connected() as (connection, lost):
        connection.send("D", b"the last words of a quiet build", counted=True)
        begun = time.monotonic()
        while not lost and time.monotonic() - begun < PATIENCE + 1:
            threading.Event().wait(0.05)
        assert lost == ["the log authority has acknowledged nothing for 5 s"]


@pytest.mark.slow
def test_a_seal_may_take_longer_while_pings_are_answered() -> None:
    with connected(late=PATIENCE + 1) as (connection, lost):
        connection.send("S")
        assert connection.wait_line(at_leisure=True) == LINE
        assert lost == []


def test_who_owes_nothing_is_not_lost() -> None:
    with connected(late=0.0) as (connection, lost):
        connection.send("J", b"{}")
        assert connection.wait_line() == LINE
        with pytest.raises(LogLost), connection.owed():
            connection.close()
            connection.wait_line()
        assert lost == []


def test_a_frame_that_can_not_be_kept_is_a_lost_log_and_nobody_waits_for_the_next(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def full(kind: str, payload: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    ours, theirs = socket.socketpair()
    lost: list[str] = []
    connection = Connection(ours.fileno(), ours.fileno(), full, lost.append, ours.close)
    theirs.sendall(frame("L", b"a line\n"))
    with pytest.raises(LogLost, match="No space left on device"):
        connection.wait_line()
    assert len(lost) == 1 and "Traceback" not in capfd.readouterr().err
    connection.close()
    theirs.close()
