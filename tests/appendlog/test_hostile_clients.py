"""Clients that do what none of ours does: each is refused with a reason or waited for, and nobody else notices."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appendlog.faulting import prepare, reopened
from appendlog.log_making import RawClient, new_store, serving
from appendlog.real_program import connect, served
from sealwright_appendlog import clients, layout
from sealwright_appendlog.audit import read_records
from sealwright_appendlog.frames import MAX_PAYLOAD, frame

MIB = 1 << 20


def ends_well(client: RawClient, stream: str) -> None:
    """A client that keeps to the rules is served as ever."""
    client.hello(stream)
    client.say("D", b"goes on")
    client.say("F", b"0")
    assert json.loads(client.wait_line())["clean"]
    client.close()


def test_who_takes_no_answers_is_read_no_more_and_others_are_served(tmp_path: Path) -> None:
    with serving(new_store(tmp_path)) as served_here:
        deaf = served_here.client()
        deaf.sock.settimeout(1)
        deaf.hello("engine")
        sent = 0
        with pytest.raises(TimeoutError):
            while True:
                deaf.say("J", b'{"x":"' + b"y" * 3500 + b'"}')
                sent += 1
        held = max(len(client.out) for client in served_here.authority.clients)
        assert sent > 100 and held < 8 * MIB, (sent, held)
        ends_well(served_here.client(), "build/xen")
        deaf.sock.settimeout(10)
        lines = [json.loads(deaf.wait_line())["n"] for _ in range(sent)]
        assert lines == sorted(lines), "who listens again gets all that it was owed"


def test_who_says_no_hello_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "HELLO_SECONDS", 0.2)
    with serving(new_store(tmp_path)) as served_here:
        silent, speaking = served_here.client(), served_here.client()
        speaking.hello("build/quiet")
        assert silent.wait("R") == b"it said no hello"
        speaking.say("F", b"0")
        assert json.loads(speaking.wait_line())["clean"], "who said hello may be as quiet as it likes"


def test_a_client_that_sends_one_byte_at_a_time_is_heard_and_keeps_nobody(tmp_path: Path) -> None:
    with serving(new_store(tmp_path)) as served_here:
        slow = served_here.client()
        said = frame("H", b'{"format":1,"stream":"build/slow"}') + frame("D", b"at last") + frame("F", b"0")
        for number, byte in enumerate(said):
            slow.sock.sendall(bytes([byte]))
            if number % 20 == 0:
                ends_well(served_here.client(), f"build/{number}")
        assert json.loads(slow.wait_line())["bytes"] == len(b"at last")


@pytest.mark.parametrize("cut", [1, 4, 5, 6, 20])
def test_a_frame_that_was_cut_is_an_unclean_end(tmp_path: Path, cut: int) -> None:
    with serving(new_store(tmp_path)) as served_here:
        client = served_here.client()
        client.hello("build/cut")
        client.say("D", b"whole")
        client.sock.sendall(frame("D", b"this one is never whole")[:cut])
        client.sock.shutdown(socket.SHUT_WR)
        with pytest.raises(EOFError):
            client.wait("R")
    ends = [entry for entry, _ in read_records(tmp_path) if entry["k"] == "eof"]
    assert [(entry["clean"], entry["bytes"]) for entry in ends] == [(False, len(b"whole"))]


def test_a_thousand_connections_are_too_many_and_whoever_is_served_stays_so(tmp_path: Path) -> None:
    """With as many descriptors as a process has where nobody raised the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    root = tmp_path / "root"
    prepare(root, "append")
    crowd: list[RawClient] = []
    try:
        with served(root) as child, contextlib.ExitStack() as stack:
            resource.prlimit(child.pid, resource.RLIMIT_NOFILE, (1024, hard))
            first = stack.enter_context(contextlib.closing(connect(root)))
            first.hello("build/first")
            first.wait("A")
            for number in range(1000):
                crowd.append(connect(root))
                with contextlib.suppress(BrokenPipeError):  # it is refused already
                    crowd[-1].hello(f"build/{number}")
                    crowd[-1].say("D", b"each has a segment of its own")
            answers = [_answer(client) for client in crowd]
            assert (
                answers.count("A") == clients.MOST_CLIENTS - 1
                and answers.count("R") == 1001 - clients.MOST_CLIENTS
            )
            first.say("F", b"0")
            assert json.loads(first.wait_line())["clean"]
            first.close()
            for client in crowd:
                client.close()
            ends_well(_welcome(root), "build/afterwards")
            assert psutil.Process(child.pid).num_fds() < 100
        reopened(root)
    finally:
        for client in crowd:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _answer(client: RawClient) -> str:
    """`A` if the client's output is durable, `R` if it was refused."""
    try:
        while int(client.wait("A").split(b" ")[1]) == 0:
            pass
    except (EOFError, ConnectionResetError):
        return next(kind for kind, _ in client.got if kind == "R")
    return "A"


def _welcome(root: Path) -> RawClient:
    """A connection that is served, once those who left are gone."""
    while True:
        client = connect(root)
        client.say("P")
        if b"before the hello" in client.wait("R"):
            client.close()
            return connect(root)
        client.close()


# -- whatever they say -------------------------------------------------------------------------------------

_KINDS = "IHDEJPFSX"
STREAMS = ("engine", "build", "")
"""Whom a client claims to be; the last says no hello. While the bystander is there, an engine's seal is refused."""
_TEXTS = [
    b"",
    b"0",
    b"-1",
    b"{}",
    b"[]",
    b"null",
    b'{"e":"x"}',
    b'{"x":1e9}',
    b'{"x":{"y":[1,"z"]}}',
    b'"',
    b"\xff" * 9,
]
_PAYLOADS = st.one_of(
    st.sampled_from(_TEXTS),
    st.binary(max_size=200),
    st.integers(0, MAX_PAYLOAD).map(bytes),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
        ),
        max_leaves=20,
    ).map(lambda value: json.dumps(value).encode()),
)
_FRAMES = st.tuples(st.sampled_from(_KINDS), _PAYLOADS).map(lambda pair: frame(*pair))
_RUBBISH = st.one_of(
    st.binary(min_size=1, max_size=60),
    st.integers(MAX_PAYLOAD + 1, (1 << 32) - 1).map(lambda length: struct.pack(">BI", ord("D"), length)),
    st.integers(0, 255).map(lambda kind: struct.pack(">BI", kind, 3) + b"xyz"),
    _FRAMES.map(lambda whole: whole[: len(whole) // 2]),
)
_LAWFUL = st.one_of(
    st.tuples(st.sampled_from("DE"), st.integers(0, MAX_PAYLOAD).map(bytes)),
    st.tuples(st.just("J"), st.sampled_from([b"{}", b'{"e":"x"}', b'{"x":{"y":[1,"z"]}}'])),
    st.just(("P", b"")),
).map(lambda pair: frame(*pair))
_SAID = st.tuples(
    st.lists(_LAWFUL, max_size=3), st.lists(st.one_of(_FRAMES, _FRAMES, _FRAMES, _RUBBISH), min_size=1, max_size=3)
).map(lambda parts: parts[0] + parts[1])
"""Some frames that may be, so that what comes after them is reached, and then whatever."""


class Attacked:
    """The real authority in a process of its own; what it acknowledged is looked up as soon as it is told."""

    def __init__(self, root: Path, pid: int) -> None:
        self.root, self.pid, self.streams, self.told = root, pid, 0, 0
        self.bystander = connect(root)
        self.bystander.hello("build/bystander")
        self.total = 0

    def attack(self, said: list[bytes], stream: str) -> None:
        """One client says all that, after a hello or without, and hears until the authority lets it go."""
        client = connect(self.root)
        self.streams += 1
        try:
            if stream:
                client.hello(stream if stream == "engine" else f"{stream}/{self.streams}")
            for each in said:
                client.sock.sendall(each)
            client.sock.shutdown(socket.SHUT_WR)
            while data := client.sock.recv(1 << 16):
                client.got += client.decoder.feed(data)
        except OSError:
            pass  # it was refused, and let go
        client.close()
        index = (self.root / "log" / layout.INDEX).read_bytes().split(b"\n")[:-1]
        for kind, payload in client.got:
            assert kind in "ACR", "nothing else is said before the seal to who follows nothing"
            assert kind != "R" or payload.decode().isprintable(), payload
            if kind == "A":
                head, _, line = payload.partition(b"\n")
                assert int(head.split(b" ")[0]) < len(index) and (not line or line in index)
                self.told += 1

    def still_stands(self) -> None:
        """The bystander, whose connection was there all along, is served."""
        self.bystander.say("D", b"x")
        self.total += 1
        while int(self.bystander.wait("A").split(b" ")[1]) < self.total:
            pass


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    root = tmp_path_factory.mktemp("attacked") / "root"
    prepare(root, "append")
    with served(root) as child:
        found = Attacked(root, child.pid)
        yield found
        found.bystander.close()
        child.terminate()
        assert child.wait(20) == 0
    reopened(root)
    assert found.told > 0


@given(st.lists(st.tuples(st.sampled_from(STREAMS), _SAID), min_size=1, max_size=4))
@settings(max_examples=int(os.environ.get("SEALWRIGHT_EXAMPLES", "60")))
def test_whatever_clients_say_the_authority_lives_and_acknowledges_only_what_is_there(
    attacked: Attacked, rounds: list[tuple[str, list[bytes]]]
) -> None:
    for stream, said in rounds:
        attacked.attack(said, stream)
    attacked.still_stands()


@pytest.mark.parametrize("kind", _KINDS)
def test_each_frame_with_each_odd_payload_ends_at_most_its_client(attacked: Attacked, kind: str) -> None:
    for payload in (*_TEXTS, b"[" * 4000, b"9" * 4000, bytes(MAX_PAYLOAD)):
        for stream in STREAMS:
            attacked.attack([frame(kind, payload)], stream)
        attacked.still_stands()
