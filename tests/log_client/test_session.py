"""The engine's side of the log, against a real authority in a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_appendlog import layout
from sealwright_appendlog.audit import check_log
from sealwright_stages.errors import EventError, LogError
from sealwright_stages.log import LogLost, LogRollback, LogSession, open_embedded, read_entries


class Place:
    """A folder for a log, and the sessions that were opened on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = root / "log"
        self.log.mkdir(parents=True)
        self.sessions: list[LogSession] = []

    def open(self, saved: str = "seen") -> LogSession:
        session = open_embedded(self.log, self.root / "log.key", "example 1.0", None, None, self.root / saved)
        self.sessions.append(session)
        return session


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    for session in place.sessions:
        if session.process_id and Path(f"/proc/{session.process_id}/stat").exists():
            os.kill(session.process_id, signal.SIGCONT)
        session.close()


def kinds(place: Place) -> list[str]:
    return [entry.kind for entry in read_entries(place.log)]


def test_an_event_is_durable_when_its_call_returns(place: Place) -> None:
    session = place.open()
    entry = session.append({"e": "made.up"})
    assert entry.body == {"e": "made.up"} and entry.kind == "ev"
    assert [found.line for found in read_entries(place.log)][-1] == entry.line


def test_many_threads_may_append(place: Place) -> None:
    session = place.open()
    found: list[int] = []

    def work(number: int) -> None:
        for _ in range(20):
            found.append(session.append({"thread": number}).n)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(1, 101))


def test_a_whole_release_is_logged_sealed_exported_and_audited(place: Place) -> None:
    session = place.open()
    session.append({"e": "begin"})
    stream = session.open_stream("build/xen/1-0")
    sent = os.urandom(5 << 20)
    stream.write("D", sent)
    stream.write("E", b"warning\n")
    assert stream.finish(0).body["bytes"] == len(sent) + 8
    assert session.seal().kind == "seal"
    session.export(place.root / "out")
    report = check_log(place.root / "out")
    assert report.checkpoint == session.checkpoint
    data = b"".join((place.root / "out" / name).read_bytes() for name in layout.segments(place.root / "out"))
    assert data == sent + b"warning\n"


def test_a_sealed_log_opened_again_can_be_exported_and_not_appended_to(place: Place) -> None:
    session = place.open()
    session.append({"e": "x"})
    session.seal()
    session.close()
    again = place.open()
    for call in (lambda: again.append({"e": "y"}), again.seal, lambda: again.open_stream("build/x")):
        with pytest.raises(LogLost, match="sealed"):
            call()
    assert not again.lost.is_set()
    again.export(place.root / "out")
    check_log(place.root / "out")


def test_an_unsealed_log_goes_on_where_it_was(place: Place) -> None:
    first = place.open()
    first.append({"e": "one"})
    first.close()
    second = place.open()
    second.append({"e": "two"})
    assert kinds(place) == ["open", "ev", "eof", "ev"]
    second.seal()
    second.export(place.root / "out")
    assert check_log(place.root / "out").resumed == 0


def test_an_event_that_the_log_can_not_say_is_refused_before_it_is_sent(place: Place) -> None:
    session = place.open()
    for event in ({"x": 1.5}, {"x": None}, {"x": "y" * 4000}, {"x": "\n"}):
        with pytest.raises(EventError, match="event can't be said"):
            session.append(event)
    assert not session.lost.is_set()
    session.append({"e": "still there"})


def test_a_killed_authority_is_a_lost_log_at_once(place: Place) -> None:
    session = place.open()
    stream = session.open_stream("build/quiet")
    begun = time.monotonic()
    os.kill(session.process_id, signal.SIGKILL)
    assert session.lost.wait(1.0), "killed, and nobody noticed"
    assert time.monotonic() - begun < 1.0
    with pytest.raises(LogLost):
        session.append({"e": "x"})
    with pytest.raises(LogLost):
        stream.write("D", b"x")


@pytest.mark.slow
def test_a_frozen_authority_is_a_lost_log_within_six_seconds(place: Place) -> None:
    session = place.open()
    stream = session.open_stream("build/quiet")
    begun = time.monotonic()
    os.kill(session.process_id, signal.SIGSTOP)
    with pytest.raises(LogLost, match="not answered"):
        session.append({"e": "never acknowledged"})
    assert session.lost.wait(1.0) and time.monotonic() - begun < 6.0
    with pytest.raises(LogLost):
        stream.finish(0)


@pytest.mark.slow
def test_a_frozen_authority_stops_a_writer_at_one_mebibyte(place: Place) -> None:
    session = place.open()
    stream = session.open_stream("build/loud")
    os.kill(session.process_id, signal.SIGSTOP)
    sent = 0
    with pytest.raises(LogLost):
        while True:
            stream.write("D", bytes(1 << 16))
            sent += 1 << 16
    assert sent <= 1 << 20


def test_a_dropped_stream_is_an_unclean_end_and_the_session_lives(place: Place) -> None:
    session = place.open()
    stream = session.open_stream("build/xen/1-0")
    stream.write("D", b"half")
    stream.abort()
    stream.abort()
    session.append({"e": "x"})
    retry = session.open_stream("build/xen/1-1")
    retry.finish(0)
    ends = {entry.body["stream"]: entry.body["clean"] for entry in read_entries(place.log) if entry.kind == "eof"}
    assert ends == {"build/xen/1-0": False, "build/xen/1-1": True}


@pytest.mark.parametrize("all_said", [True, False])
def test_a_stream_ends_clean_only_if_all_was_said(place: Place, all_said: bool) -> None:
    session = place.open()
    session.append({"e": "x"})
    session.all_said = all_said
    session.close()
    place.open().append({"e": "the next one"})
    ends = [entry.body["clean"] for entry in read_entries(place.log) if entry.kind == "eof"]
    assert ends == [all_said]


def test_a_refused_stream_says_why_and_the_session_lives(place: Place) -> None:
    session = place.open()
    session.open_stream("build/xen").finish(0)
    with pytest.raises(LogLost, match="has ended"):
        session.open_stream("build/xen").finish(0)
    session.append({"e": "x"})


def test_a_log_that_was_rolled_back_is_refused_and_both_notes_are_kept(place: Place) -> None:
    session = place.open()
    session.append({"e": "one"})
    session.close()
    shutil.copytree(place.log, place.root / "older")
    session = place.open()
    for _ in range(3):
        session.append({"e": "two"})
    session.close()
    shutil.copy(place.root / "older" / layout.CHECKPOINT, place.root / "shown")
    shutil.rmtree(place.log)
    (place.root / "older").rename(place.log)
    remembered = (place.root / "seen").read_bytes()
    with pytest.raises(LogRollback, match="rollback or split view"):
        place.open()
    assert (place.root / "seen").read_bytes() == remembered
    shown = (place.root / "shown").read_bytes()
    assert {path.read_bytes() for path in place.root.glob("seen.refused-*")} == {remembered, shown}
    for _ in range(2):  # the same pieces are kept once, and what was seen is not forgotten
        with pytest.raises(LogRollback):
            place.open()
    assert (place.root / "seen").read_bytes() == remembered


def test_a_split_view_is_refused(place: Place) -> None:
    """Two logs of one key that part after some records, both longer than what the other's console saw."""
    place.open().append({"e": "common"})
    place.sessions[0].close()
    shutil.copytree(place.log, place.root / "twin")
    session = place.open()
    session.append({"e": "ours"})
    session.close()
    shutil.rmtree(place.log)
    (place.root / "twin").rename(place.log)
    other = place.open("another console")
    for _ in range(10):
        other.append({"e": "theirs"})
    other.close()
    with pytest.raises(LogRollback):
        place.open()


def test_a_log_of_another_key_is_refused(place: Place) -> None:
    place.open().close()
    shutil.rmtree(place.log)
    place.log.mkdir()
    (place.root / "log.key").unlink()
    with pytest.raises(LogError, match="another one than before"):
        place.open()


def test_a_damaged_memory_is_refused(place: Place) -> None:
    place.open().close()
    (place.root / "seen").write_bytes(b"nonsense")
    with pytest.raises(LogLost, match="damaged"):
        place.open()


def test_an_authority_that_does_not_start_says_why(place: Place) -> None:
    place.open().close()
    index = place.log / layout.INDEX
    index.write_bytes(index.read_bytes().replace(b'"k":"open"', b'"k":"OPEN"'))
    with pytest.raises(LogError, match="record 0"):
        place.open()


def test_the_authority_ends_with_its_console(place: Place) -> None:
    session = place.open()
    pid = session.process_id
    session.close()
    assert not Path(f"/proc/{pid}").exists()


KILLED = """
import os, sys
from pathlib import Path
from sealwright_stages.log import open_embedded
root = Path(sys.argv[1])
session = open_embedded(root / "log", root / "log.key", "example", None, None, root / "seen")
print(session.process_id, flush=True)
os._exit(9)
"""


def test_the_authority_ends_however_its_console_died(place: Place) -> None:
    found = subprocess.run(
        [sys.executable, "-c", KILLED, place.root], capture_output=True, check=False, timeout=30
    )
    pid = int(found.stdout)
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    assert not Path(f"/proc/{pid}").exists()
    place.open().append({"e": "and the log goes on"})


@given(seconds=st.floats(0.0, 0.15))
@settings(max_examples=5, deadline=None)
def test_nothing_acknowledged_is_lost_when_the_authority_is_killed_under_load(
    tmp_path_factory: pytest.TempPathFactory, seconds: float
) -> None:
    place = Place(tmp_path_factory.mktemp("killed"))
    session = place.open()
    stream = session.open_stream("build/loud")
    acknowledged: list[bytes] = []

    def shout() -> None:
        with pytest.raises(LogLost):
            while True:
                stream.write("D", bytes(50_000))

    def tell() -> None:
        with pytest.raises(LogLost):
            while True:
                acknowledged.append(session.append({"number": len(acknowledged)}).line)

    threads = [threading.Thread(target=shout), threading.Thread(target=tell)]
    for thread in threads:
        thread.start()
    session.lost.wait(seconds)
    os.kill(session.process_id, signal.SIGKILL)
    for thread in threads:
        thread.join()
    output = stream._connection.acknowledged
    stream.abort()
    session.close()
    again = place.open()
    lines = [entry.line for entry in read_entries(place.log) if entry.kind == "ev"]
    assert lines[: len(acknowledged)] == acknowledged and len(lines) - len(acknowledged) <= 1
    kept = sum((place.log / name).stat().st_size for name in layout.segments(place.log))
    assert kept >= output
    again.seal()
    again.export(place.root / "out")
    assert check_log(place.root / "out").unclean == (["build/loud"] if kept else [])
    again.close()


def test_a_number_that_is_acknowledged_twice_is_a_contradiction(place: Place) -> None:
    session = place.open()
    entry = session.append({"e": "made.up"})
    with pytest.raises(LogRollback, match=f"record {entry.n} was acknowledged twice") as caught:
        session._acknowledged(entry, true=True)
    assert session.lost.is_set() and session.exhibits == caught.value.exhibits
    assert entry.line in {exhibit.data for exhibit in session.exhibits}


def test_a_stream_that_floods_does_not_starve_the_others(place: Place) -> None:
    session = place.open()
    over, said = threading.Event(), [0]
    most = 100 * (8 << 20)  # eight windows for each word of another

    def flood() -> None:
        stream = session.open_stream("build/flood/1-1")
        while not over.is_set() and said[0] < most:
            stream.write("D", b"x" * 65536)
            said[0] += 65536
        stream.finish(0)

    flooding = [threading.Thread(target=flood)]
    flooding[0].start()
    try:
        quiet = session.open_stream("build/quiet/1-1")
        begun = said[0]
        for number in range(100):
            quiet.write("D", b"%d\n" % number)
            session.append({"e": "made.up"})
        quiet.finish(0)
        assert said[0] - begun < most
    finally:
        over.set()
        flooding[0].join(60)
