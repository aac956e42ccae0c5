"""The engine's door: who may come in, and what a console that misbehaves can do to a run and to the others: nothing."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console import made_up
from sealwright_stages.attended import server as server_module
from sealwright_stages.attended.place import Place
from sealwright_stages.attended.protocol import (
    MOST_ASKED,
    PROTOCOL,
    AskRetry,
    Asks,
    Greet,
    Hello,
    Over,
    Sign,
    line,
    said,
)
from sealwright_stages.errors import MachineError
from sealwright_stages.fold import fold
from sealwright_stages.work import WorkFolder
from support.lone_engine import LoneDesk, hello, serving
from walk.walking import until

GREETING = line(Greet(PROTOCOL, "0.1.0"))


@pytest.fixture
def desk() -> LoneDesk:
    return LoneDesk(fold(made_up.troubled().entries))


@pytest.fixture
def place(tmp_path: Path, desk: LoneDesk) -> Iterator[Place]:
    with serving(tmp_path, desk):
        yield Place(WorkFolder(tmp_path))


class Console:
    """A console by hand."""

    def __init__(self, place: Place, greeting: bytes = GREETING) -> None:
        sock = place.connect(10)
        assert sock is not None
        self.sock = sock
        self.stream = sock.makefile("rb")
        if greeting:
            self.sock.sendall(greeting)

    def heard(self) -> dict[str, object] | None:
        """The next message; None at the end."""
        try:
            told = self.stream.readline()
        except ConnectionError:
            return None
        return dict(json.loads(told)) if told else None

    def until(self, kind: str) -> dict[str, object]:
        """The next message of a kind."""
        while (told := self.heard()) is not None:
            if told["m"] == kind:
                return told
        raise AssertionError(f"no {kind} before the end")

    def close(self) -> None:
        """Go."""
        self.stream.close()
        self.sock.close()


@pytest.fixture
def console(place: Place) -> Iterator[Console]:
    made = Console(place)
    with contextlib.closing(made):
        yield made


def all_is_well(place: Place, desk: LoneDesk) -> None:
    """Another console is served at once, and heard."""
    with contextlib.closing(Console(place)) as other:
        assert other.until("whole") == {"m": "whole"}
        other.sock.sendall(line(AskRetry("well")))
        until(lambda: AskRetry("well") in desk.asked, "it is heard")
        desk.asked.clear()


def test_who_comes_hears_who_it_is_then_the_picture_then_how_things_stand(console: Console) -> None:
    first = console.heard()
    assert first is not None and first["m"] == "hello" and first["protocol"] == PROTOCOL
    told = []
    while not told or told[-1] != "looks":
        message = console.heard()
        assert message is not None
        told += [str(message["m"])] if message["m"] != "looks" else ["looks"]
        if message["m"] == "asks":
            break
    kinds = list(dict.fromkeys(told))
    assert kinds[:3] == ["part", "whole", "position"]


def test_only_what_is_new_is_said_again(console: Console, desk: LoneDesk) -> None:
    assert console.until("asks")["number"] == 0
    desk.asks = Asks(1, "r-1", "ab")
    assert console.until("asks")["number"] == 1
    desk.n = 999
    assert console.until("position")["n"] == 999


def test_the_desk_hears_what_a_console_asks(console: Console, desk: LoneDesk) -> None:
    console.sock.sendall(line(AskRetry("a/b")) + line(Sign(1, "x", "y")))
    until(lambda: desk.asked == [AskRetry("a/b"), Sign(1, "x", "y")], lambda: desk.asked)


@pytest.mark.parametrize(
    "said_to",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0" * 100 + b"\n",
        GREETING + b"{}\n",
        GREETING + GREETING,
        line(AskRetry("a")),
        GREETING + b'{"m":"stop","now":1}\n',
        GREETING + b'{"m":"party"}\n',
        line(Greet(PROTOCOL + 1, "9")),
        GREETING + b"[" * 10_000 + b"\n",
    ],
)
def test_a_console_that_says_what_is_none_of_it_is_told_why_and_let_go(
    place: Place, desk: LoneDesk, said_to: bytes
) -> None:
    with contextlib.closing(Console(place, said_to)) as hostile:
        assert str(hostile.until("no")["because"])
        assert hostile.heard() is None
    assert desk.asked == []
    all_is_well(place, desk)


def test_a_line_of_a_gigabyte_takes_no_memory_and_ends_that_console_alone(place: Place, desk: LoneDesk) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.closing(Console(place)) as hostile:
        sent = 0
        block = b"x" * (1 << 20)
        with contextlib.suppress(OSError):
            while sent < 1 << 30:
                sent += hostile.sock.send(block)
        assert sent < 64 * MOST_ASKED + (1 << 22)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10
    all_is_well(place, desk)


def test_a_console_that_reads_nothing_holds_nobody_up(tmp_path: Path) -> None:
    story = made_up.Story()
    for number in range(3000):
        story.declare(f"c{number:04}", ("verify", "digest", "a file " + "x" * 300))
    desk = LoneDesk(fold(story.entries))
    with serving(tmp_path, desk) as server:
        place = Place(WorkFolder(tmp_path))
        with contextlib.closing(Console(place)) as slow:
            for number in range(20):
                desk.n = 100_000 + number
                all_is_well(place, desk)
            assert max(len(each._out) for each in server._consoles) < 2 * server_module._AHEAD
            slow.until("whole")
            assert slow.until("position")["n"] == 100_019, "and then the newest, no other"


def test_a_console_that_says_nothing_is_let_go(
    tmp_path: Path, desk: LoneDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_GREETING", 0.2)
    with serving(tmp_path, desk), contextlib.closing(Console(Place(WorkFolder(tmp_path)), b"")) as silent:
        assert silent.until("no")["because"] == "it said nothing"


def test_only_so_many_consoles_are_let_in(place: Place) -> None:
    with contextlib.ExitStack() as stack:
        all_of_them = [stack.enter_context(contextlib.closing(Console(place))) for _ in range(20)]
        first = [str(each.heard()) for each in all_of_them]
        assert sum("'hello'" in each for each in first) == server_module._MOST_CONSOLES
        assert sum("consoles watch it already" in each for each in first) == 4


def test_a_console_that_vanishes_in_the_middle_of_a_word_is_forgotten(place: Place, desk: LoneDesk) -> None:
    for cut in (0, 1, len(GREETING) - 1, len(GREETING)):
        Console(place, GREETING[:cut]).close()
    all_is_well(place, desk)


def test_a_desk_that_fails_is_no_reason_to_close_the_door(
    tmp_path: Path, desk: LoneDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> object:
        raise RuntimeError("a defect")

    with serving(tmp_path, desk):
        place = Place(WorkFolder(tmp_path))
        with monkeypatch.context() as patch:
            patch.setattr(desk, "picture", fail)
            with contextlib.closing(Console(place)) as unlucky, pytest.raises(AssertionError):
                unlucky.until("whole")
        all_is_well(place, desk)


def test_everybody_hears_the_end_and_then_the_door_is_closed(tmp_path: Path, desk: LoneDesk) -> None:
    with contextlib.ExitStack() as stack:
        with serving(tmp_path, desk):
            consoles = [
                stack.enter_context(contextlib.closing(Console(Place(WorkFolder(tmp_path))))) for _ in range(2)
            ]
            for console in consoles:
                console.until("asks")
        for console in consoles:
            assert console.until("over")["what"] == "the test is over"
            while (said := console.heard()) is not None:  # the clock ticked meanwhile: nothing else follows
                assert said["m"] == "position"


_COME = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(10)
try:
    sock.connect(sys.argv[1])
except OSError as error:
    sys.exit(f"no way: {error}")
print(sock.recv(1000))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="another uid needs root")
def test_another_uid_gets_neither_through_the_folder_nor_past_the_door(desk: LoneDesk) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        base.chmod(0o755)
        with serving(base / "w", desk):
            path = base / "w" / "private" / "engine" / "socket"

            def come() -> subprocess.CompletedProcess[str]:
                argv = [sys.executable, "-c", _COME, str(path)]
                return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)

            assert "no way" in come().stderr
            path.chmod(0o666)
            assert "no way" in come().stderr, "the folder alone is enough"
            path.parent.chmod(0o755)
            assert come().stdout.strip() == "b''", "and so is the kernel's word"
            path.parent.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="another uid needs root")
def test_a_console_does_not_speak_with_the_engine_of_somebody_else(tmp_path: Path) -> None:
    place = Place(WorkFolder(tmp_path))
    place.folder.mkdir(parents=True, mode=0o700)
    os.chown(place.folder, 65534, 65534)
    with pytest.raises(MachineError, match="not ours alone"):
        place.connect(1)


def test_a_folder_that_others_can_enter_is_not_trusted(place: Place) -> None:
    place.folder.chmod(0o750)
    with pytest.raises(MachineError, match="not ours alone"):
        place.connect(1)
    place.folder.chmod(0o700)


def test_a_socket_that_a_dead_engine_left_is_no_engine_and_the_next_takes_its_place(
    tmp_path: Path, desk: LoneDesk
) -> None:
    place = Place(WorkFolder(tmp_path))
    place.folder.mkdir(parents=True, mode=0o700)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(place.folder / "socket"))
    assert place.connect(1) is None and place.work.holder() is None
    with serving(tmp_path, desk):
        all_is_well(place, desk)
        assert place.work.holder() == os.getpid()


def test_a_work_folder_with_a_long_path_has_an_engine_too(tmp_path: Path, desk: LoneDesk) -> None:
    deep = tmp_path / ("x" * 200) / ("y" * 200)
    deep.mkdir(parents=True)
    with serving(deep, desk):
        all_is_well(Place(WorkFolder(deep)), desk)


def test_a_look_at_the_lock_never_keeps_a_run_out(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path)
    with work.locked():
        assert work.holder() == os.getpid()
    deadline = time.monotonic() + 0.5
    pid = os.fork()
    if pid == 0:
        while time.monotonic() < deadline:
            work.holder()
        os._exit(0)
    try:
        while time.monotonic() < deadline:
            with work.locked():
                pass
    finally:
        os.waitpid(pid, 0)
    assert work.holder() is None


def test_what_an_engine_says_of_itself_is_read_strictly(place: Place) -> None:
    told = said((place.folder / "engine.json").read_bytes().rstrip(b"\n"))
    assert isinstance(told, Hello) and place.engine() == told
    for wrong in (b"", b"{}", b'{"m":"stop"}', b"x" * (2 << 20)):
        (place.folder / "engine.json").write_bytes(wrong)
        assert place.engine() is None


def test_the_end_is_told_even_where_the_engine_can_not_be_looked_at_any_more(
    tmp_path: Path, desk: LoneDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> object:
        raise RuntimeError("it is closed")

    with contextlib.ExitStack() as stack:
        with serving(tmp_path, desk):
            console = stack.enter_context(contextlib.closing(Console(Place(WorkFolder(tmp_path)))))
            console.until("asks")
            monkeypatch.setattr(desk, "position", fail)
        assert console.until("over")["what"] == "the test is over"


def test_a_door_that_was_never_opened_can_be_closed(tmp_path: Path, desk: LoneDesk) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        server_module.Server(door, hello(), desk).close(Over(0, "", "", ""))


class FullDoor:
    """A door whose process has no descriptor left for who comes; it stays ready."""

    def __init__(self) -> None:
        self.ready, self._far = socket.socketpair()
        self._far.send(b"x")
        self.accepted = 0

    def fileno(self) -> int:
        return self.ready.fileno()

    def setblocking(self, flag: bool) -> None:
        self.ready.setblocking(flag)

    def accept(self) -> object:
        self.accepted += 1
        raise OSError(errno.EMFILE, "Too many open files")

    def close(self) -> None:
        self.ready.close()
        self._far.close()


def test_an_engine_without_descriptors_does_not_run_hot(desk: LoneDesk) -> None:
    door = FullDoor()
    server = server_module.Server(door, hello(), desk)  # type: ignore[arg-type]
    server.start()
    time.sleep(0.5)
    server.close(Over(0, "", "", ""))
    assert 0 < door.accepted <= 15


def test_what_another_user_could_have_written_of_an_end_is_not_believed(tmp_path: Path) -> None:
    place = Place(WorkFolder(tmp_path))
    place.folder.mkdir(parents=True, mode=0o700)
    (place.folder / "ended.json").write_bytes(line(Over(0, "signed by all", "", "publish it")))
    assert place.ended() is not None
    place.folder.chmod(0o777)
    for look in (place.ended, place.engine, lambda: place.protocol_of(1), place.last_words):
        with pytest.raises(MachineError, match="not ours alone"):
            look()
    place.folder.chmod(0o700)


def test_an_engine_of_another_version_is_known_by_its_protocol(place: Place) -> None:
    me = os.getpid()
    assert place.protocol_of(me) == PROTOCOL and place.protocol_of(me + 1) is None
    (place.folder / "engine.json").write_bytes(b'{"m":"hello","pid":%d,"protocol":77,"more":"fields"}\n' % me)
    assert place.engine() is None and place.protocol_of(me) == 77
    (place.folder / "engine.json").write_bytes(b"garbage")
    assert place.protocol_of(me) is None
