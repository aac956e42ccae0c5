"""A console over an engine's door: what it shows is what the log says, and however the engine ends, it is told."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console import finishes, made_up
from sealwright_console import attending
from sealwright_console.attached import AttachedFeed
from sealwright_console.attending import run_attended
from sealwright_console.cli import main
from sealwright_console.views.sign import of_these
from sealwright_stages.attended import client
from sealwright_stages.attended.client import Link, attached
from sealwright_stages.attended.place import Place
from sealwright_stages.attended.protocol import (
    PROTOCOL,
    AskRetry,
    Asks,
    AskStop,
    AskWaive,
    Looks,
    Over,
    Position,
    Refuse,
    Sign,
    line,
)
from sealwright_stages.errors import Exit, MachineError, ManifestError
from sealwright_stages.events import Stage
from sealwright_stages.fold import fold
from sealwright_stages.live import Now
from sealwright_stages.log.entries import read_entries
from sealwright_stages.manifest import load
from sealwright_stages.ports import Sampled
from sealwright_stages.wish import Wish
from sealwright_stages.work import WorkFolder
from support.lone_engine import LoneDesk, hello, serving
from support.past_log import write_past
from support.release_folder import HEAD, component, write_release
from support.stories import whole_release
from walk.walking import until


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write_past(tmp_path / "log", whole_release("xen", "linux"))


@pytest.fixture
def desk(log: Path) -> LoneDesk:
    """An engine in the middle of the log: acknowledged up to where its state is."""
    entries = list(read_entries(log))
    return LoneDesk(fold(entries[: len(entries) // 2]))


def come(work: Path) -> Link:
    link = attached(Place(WorkFolder(work)), "0.1.0")
    assert link is not None
    return link


@pytest.fixture
def feed(tmp_path: Path, desk: LoneDesk) -> Iterator[AttachedFeed]:
    with serving(tmp_path, desk), contextlib.closing(AttachedFeed(come(tmp_path))) as made:
        yield made


def polled(feed: AttachedFeed, condition: Callable[[], object]) -> None:
    """Poll until it holds."""
    until(lambda: feed.poll() or condition(), feed.notices)
    until(lambda: feed.poll() is not None and condition(), feed.notices)


def test_what_is_shown_is_the_picture_and_then_the_acknowledged_records_of_the_log(
    feed: AttachedFeed, desk: LoneDesk, log: Path
) -> None:
    entries = list(read_entries(log))
    assert feed.state == desk.state
    for n in range(desk.n, len(entries)):
        desk.n = n
        polled(feed, lambda n=n: feed.state.last_n == n)  # type: ignore[misc]
        assert feed.state == fold(entries[: n + 1])
    assert feed.finished is None and f"{len(entries)} records acknowledged" in feed.notices()[-1]


def test_each_wish_goes_to_the_engine(feed: AttachedFeed, desk: LoneDesk) -> None:
    desk.asks = Asks(7, "r-1.0", "ab" * 32, ("one",), ("KEY",), 2, ("w",))
    polled(feed, lambda: feed.signing() is not None)
    request = feed.signing()
    assert request is not None and request.digest == "ab" * 32 and request.counts == (("products", 2),)
    feed.retry("a")
    feed.waive("a", "me", "why", "old-key", "0" * 64)
    feed.confirm_signing("abababab", "r-1.0")
    feed.refuse_signing()
    feed.stop()
    wanted = [
        AskRetry("a"),
        AskWaive("a", "me", "why", "old-key", "0" * 64),
        Sign(7, "abababab", "r-1.0"),
        Refuse(7),
        AskStop(),
    ]
    until(lambda: desk.asked == wanted, lambda: desk.asked)


def test_looks_at_builds_come_beside_the_log(feed: AttachedFeed, desk: LoneDesk) -> None:
    now = Now(Sampled(100, 1 << 20, 3, 4, 5, 6, 7, 8, 9, 10), 11, 12)
    desk.more = (Looks({"xen": now}, {"xen": "about 3 min left"}, "about 1 h left"),)
    polled(feed, lambda: feed.now("xen") is not None)
    assert (feed.now("xen"), feed.left("xen"), feed.left()) == (now, "about 3 min left", "about 1 h left")
    assert feed.now("linux") is None and feed.left("linux") == ""


def test_commands_by_hand_name_the_keyring_of_the_engine(feed: AttachedFeed) -> None:
    assert feed.places.keys == Path("/srv/release/keyring/keys")


def test_how_far_the_finish_is_comes_beside_the_log_to_whoever_comes_and_comes_back(
    tmp_path: Path, desk: LoneDesk
) -> None:
    desk.more = (finishes.finish(*finishes.SIGNED),)
    with serving(tmp_path, desk):
        for _ in range(2):
            with contextlib.closing(AttachedFeed(come(tmp_path))) as feed:
                assert not feed.finish.final
                polled(feed, lambda feed=feed: feed.finish.final)  # type: ignore[misc]
                assert feed.finish == desk.more[0]


@pytest.mark.parametrize(("code", "final"), [(0, True), (4, False)])
def test_a_run_that_ended_badly_has_not_signed(feed: AttachedFeed, desk: LoneDesk, code: int, final: bool) -> None:
    desk.more = (finishes.finish(*finishes.SIGNED),)
    polled(feed, lambda: feed.finish.final)
    feed.over = Over(code, "what", "the log contradicts itself", "keep both")
    assert feed.finish.final is final
    if not final:
        assert feed.finish.steps[-1].said == "what: the log contradicts itself"


def test_the_documents_of_a_question_come_with_it(feed: AttachedFeed, desk: LoneDesk) -> None:
    desk.asks = Asks(7, "r-1.0", made_up.DIGEST, (), (), 2, (), made_up.THINGS)
    polled(feed, lambda: feed.signing() is not None)
    request = feed.signing()
    assert request is not None and (request.things, request.number) == (made_up.THINGS, 7) and of_these(request)


def test_an_authority_that_goes_after_the_seal_is_no_lost_log(tmp_path: Path, desk: LoneDesk) -> None:
    with serving(tmp_path, desk), contextlib.closing(AttachedFeed(come(tmp_path))) as feed:
        feed._position = Position(desk.n, True, "it closed the connection", 1, 0)
        assert feed.notices()[-1].startswith("✗ the log is lost: it closed")
        feed._state.sealed = True
        assert feed.notices()[-1].startswith("✓ the log is sealed; its authority is gone")


def test_the_end_is_told_once_all_that_was_acknowledged_is_shown(
    tmp_path: Path, desk: LoneDesk, log: Path
) -> None:
    entries = list(read_entries(log))
    with contextlib.ExitStack() as stack:
        with serving(tmp_path, desk):
            feed = stack.enter_context(contextlib.closing(AttachedFeed(come(tmp_path))))
            desk.n = len(entries) - 1
            until(lambda: feed._link.sock.recv(1, 2), "something comes")  # MSG_PEEK
        until(lambda: (feed.poll(), feed.finished)[1] is not None, feed.notices)
        assert feed.finished == 0 and feed.state == fold(entries)
        assert feed.notices()[0].startswith("✓ the test is over")


def test_an_engine_that_is_gone_without_a_word_has_ended_the_run(tmp_path: Path, desk: LoneDesk) -> None:
    with serving(tmp_path, desk) as server, contextlib.closing(AttachedFeed(come(tmp_path))) as feed:
        for console in server._consoles:
            console.sock.shutdown(2)
        until(lambda: (feed.poll(), feed.finished)[1] is not None, "it is told")
        assert feed.finished == int(Exit.ENVIRONMENT)
        assert feed.over is not None and f"pid {os.getpid()}, is gone" in feed.over.what and feed.over.next
        feed.retry("a")
        assert desk.asked == [], "nobody is asked any more"


def test_an_engine_that_could_still_say_how_it_ended_is_believed(tmp_path: Path, desk: LoneDesk) -> None:
    said = Over(5, "nothing was signed", "no", "run again")
    with serving(tmp_path, desk) as server, contextlib.closing(AttachedFeed(come(tmp_path))) as feed:
        feed._link.place.leave(said)
        for console in server._consoles:
            console.sock.shutdown(2)
        until(lambda: (feed.poll(), feed.finished)[1] is not None, "it is told")
        assert feed.over == said


@pytest.mark.parametrize("damage", [b"garbage\n", b'{"n":1}\n'])
def test_a_log_that_can_not_be_read_on_ends_the_looking_with_its_reason(
    tmp_path: Path, desk: LoneDesk, log: Path, damage: bytes
) -> None:
    index = log / "index.jsonl"
    lines = index.read_bytes().splitlines(keepends=True)
    with serving(tmp_path, desk), contextlib.closing(AttachedFeed(come(tmp_path))) as feed:
        index.write_bytes(b"".join([*lines[: desk.n + 1], damage]))
        desk.n = len(lines) - 1
        until(lambda: (feed.poll(), feed.finished)[1] is not None, feed.notices)
        assert feed.finished == int(Exit.LOG) and "can't be read" in feed.notices()[0]


def test_a_log_that_lags_behind_what_is_acknowledged_is_told_and_keeps_nobody(
    tmp_path: Path, desk: LoneDesk
) -> None:
    now = [0.0]
    with serving(tmp_path, desk), contextlib.closing(AttachedFeed(come(tmp_path), clock=lambda: now[0])) as feed:
        desk.n = 5000
        polled(feed, lambda: feed._position.n == 5000)
        feed.over = Over(0, "done", "", "go")
        assert feed.finished is None
        now[0] = 11.0
        assert "of 5001 acknowledged records" in feed.notices()[1] and feed.finished == 0


def test_an_engine_that_is_silent_is_told(tmp_path: Path, desk: LoneDesk) -> None:
    now = [0.0]
    with serving(tmp_path, desk), contextlib.closing(AttachedFeed(come(tmp_path), clock=lambda: now[0])) as feed:
        polled(feed, lambda: feed._position.beat)
        now[0] = 12.0
        assert "has been silent for 12 s" in feed.notices()[0]


def test_another_protocol_is_refused_by_its_number(tmp_path: Path, desk: LoneDesk) -> None:
    refused = pytest.raises(MachineError, match=f"protocol {PROTOCOL + 1}")
    with serving(tmp_path, desk, hello(protocol=PROTOCOL + 1)), refused:
        come(tmp_path)


def test_where_a_lock_is_held_and_nobody_listens_it_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealwright_stages.attended.client._COMING", 0.2)
    place = Place(WorkFolder(tmp_path))
    assert attached(place, "0.1.0") is None
    with place.work.locked(), pytest.raises(MachineError, match="is in use"):
        attached(place, "0.1.0")


def test_status_tells_an_engine_of_another_version_by_its_protocol(
    tmp_path: Path, desk: LoneDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path, desk):
        (tmp_path / "private/engine/engine.json").write_text(f'{{"protocol":77,"pid":{os.getpid()}}}\n')
        assert main(["status", "--work", str(tmp_path)]) == 0
    assert "speaks protocol 77" in capsys.readouterr().out


@pytest.mark.skipif(os.geteuid() != 0, reason="another uid needs root")
def test_status_of_a_folder_in_which_another_could_write_says_that_it_does_not_know(
    tmp_path: Path, desk: LoneDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(WorkFolder(tmp_path))
    place.folder.mkdir(parents=True)
    (place.folder / "ended.json").write_bytes(line(Over(0, "signed by all", "", "publish it")))
    os.chown(place.folder, 65534, 65534)
    assert main(["status", "--work", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "whether it runs can't be told" in told and "signed by all" not in told
    assert main(["attach", "--work", str(tmp_path)]) == 3


def test_a_run_that_lost_the_race_comes_to_no_engine_of_another_manifest(
    tmp_path: Path, desk: LoneDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens at the first look, and before our own engine has the lock another one has it."""
    manifest = load(write_release(tmp_path / "r", HEAD + component("xen")))

    def lost(*_: object) -> None:
        raise MachineError("the folder is in use", "the run with pid 7 holds it", "wait")

    monkeypatch.setattr(client, "start", lost)
    first = iter([True])
    monkeypatch.setattr(client, "attached", lambda *words: None if next(first, False) else attached(*words))
    wish = Wish(manifest.path, tmp_path, 1, True, "0.1.0")
    with serving(tmp_path, desk), pytest.raises(ManifestError, match="is not what the engine works on"):
        run_attended(wish, Stage.SIGN, argparse.Namespace(ascii=False, theme=None))


def test_how_to_come_back_is_said_as_one_would_type_it_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "sealwright"
    program.touch(0o755)
    place = Place(WorkFolder(tmp_path / "a work"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(program), "run"])
    monkeypatch.setenv("PATH", "/usr/bin")
    assert attending._come_back(place) == "bin/sealwright attach --work 'a work'"
    monkeypatch.chdir(tmp_path / "bin")
    assert attending._come_back(place) == f"./sealwright attach --work '{tmp_path}/a work'"
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert attending._come_back(place) == f"sealwright attach --work '{tmp_path}/a work'"
