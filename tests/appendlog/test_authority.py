"""The authority's protocol: who is heard, what is acknowledged, and what is refused."""

from __future__ import annotations

import io
import json
import os
import socket
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appendlog.log_making import RawClient, Served, new_store, sealed_log, serving
from sealwright_appendlog import layout, record
from sealwright_appendlog.audit import check_log, read_records
from sealwright_appendlog.frames import CLIENT_TYPES, MAX_PAYLOAD, Decoder, FrameError, frame
from sealwright_appendlog.note import open_checkpoint
from sealwright_appendlog.seeking import find_record
from sealwright_appendlog.store import StoreError


def entries(log: Path, kind: str) -> list[dict[str, Any]]:
    return [entry for entry, _ in read_records(log) if entry["k"] == kind]


def engine(served: Served) -> RawClient:
    client = served.client()
    client.hello("engine")
    client.wait("C")
    return client


@given(st.lists(st.tuples(st.sampled_from("IHDEJPFSX"), st.binary(max_size=300)), max_size=8), st.data())
@settings(max_examples=80, deadline=None)
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    frames: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(frame(kind, payload) for kind, payload in frames)
    decoder, found, at = Decoder(CLIENT_TYPES), [], 0
    while at < len(stream):
        step = data.draw(st.integers(1, 200))
        found += decoder.feed(stream[at : at + step])
        at += step
    assert found == frames and decoder.rest == 0


@pytest.mark.parametrize(
    "header", [struct.pack(">BI", ord("Z"), 0), struct.pack(">BI", ord("D"), MAX_PAYLOAD + 1)]
)
def test_an_unknown_or_oversize_frame_is_refused_by_its_header_alone(header: bytes) -> None:
    with pytest.raises(FrameError):
        list(Decoder(CLIENT_TYPES).feed(header))


def test_no_frame_over_the_limit_is_made() -> None:
    with pytest.raises(FrameError):
        frame("D", bytes(MAX_PAYLOAD + 1))


def test_an_event_is_acknowledged_with_the_line_that_is_on_disk(tmp_path: Path) -> None:
    with serving(new_store(tmp_path)) as served:
        client = engine(served)
        client.say("J", b'{"e":"made.up"}')
        line = client.wait_line()
        assert line in (tmp_path / layout.INDEX).read_bytes().split(b"\n")
        client.close()


def test_the_source_is_the_peers_uid_and_never_the_clients_word(tmp_path: Path) -> None:
    with serving(new_store(tmp_path)) as served:
        client = engine(served)
        client.say("J", b'{"e":"x","src":"uid:12345","n":77,"t":"never","k":"seal"}')
        entry = json.loads(client.wait_line())
        assert (entry["src"], entry["n"], entry["k"]) == (f"uid:{os.getuid()}", 1, "ev")
        client.close()


def test_a_bridge_may_name_whom_it_carries_once_and_first(tmp_path: Path) -> None:
    with serving(new_store(tmp_path)) as served:
        client = served.client()
        client.say("I", b"qrexec:work")
        client.hello("engine")
        client.say("J", b"{}")
        assert json.loads(client.wait_line())["src"] == f"uid:{os.getuid()} qrexec:work"
        client.say("I", b"qrexec:dom0")
        assert b"identity" in client.wait("R")


def test_only_the_stream_engine_tells_events(tmp_path: Path) -> None:
    """Else whoever may send a build's output could say that something passed."""
    with serving(new_store(tmp_path)) as served:
        builder = served.client()
        builder.hello("build/xen")
        builder.say("J", b'{"e":"item.verdict","verdict":"passed"}')
        assert builder.wait("R") == b"only the stream engine tells events"
    assert entries(tmp_path, "ev") == []
    assert [entry["s"] for entry in entries(tmp_path, "rej")] == ["build/xen"]


def test_the_stream_engine_belongs_for_good_to_the_source_that_spoke_on_it_first(tmp_path: Path) -> None:
    console, builder = f"uid:{os.getuid()} ssh:console", f"uid:{os.getuid()} ssh:builder"
    for crashed in (False, True):
        with serving(new_store(tmp_path)) as served:
            for who in (console, builder):
                client = served.client()
                client.say("I", who.split(" ")[1].encode())
                client.hello("engine")
                if who == builder:
                    assert (
                        client.wait("R").decode() == f"stream engine belongs to {console}; you come as {builder}"
                    )
                    continue
                client.say("J", b"{}")
                client.wait_line()
                if not crashed:
                    client.say("F", b"0")
                    client.wait_line()
                client.close()
                while len(entries(tmp_path, "eof")) <= crashed:
                    pass
    assert {entry["src"] for entry in entries(tmp_path, "ev")} == {console}


def test_the_engine_gets_a_checkpoint_over_its_end(tmp_path: Path) -> None:
    with serving(new_store(tmp_path)) as served:
        client = engine(served)
        client.say("F", b"0")
        size = json.loads(client.wait_line())["n"] + 1
        assert client.wait("C").split(b"\n\n")[1].split(b"\n")[1] == b"%d" % size


def test_a_uid_that_may_not_use_the_log_is_not_heard(tmp_path: Path) -> None:
    with serving(new_store(tmp_path), frozenset({os.getuid() + 1})) as served:
        client = served.client()
        assert b"may not use this log" in client.wait("R")
    assert entries(tmp_path, "rej") == []


def test_output_is_acknowledged_by_bytes_and_closes_at_64_kib(tmp_path: Path) -> None:
    with serving(new_store(tmp_path)) as served:
        client = served.client()
        client.hello("build/xen")
        for _ in range(3):
            client.say("D", b"x" * 50_000)
        client.say("E", b"y")
        client.say("F", b"3")
        eof = json.loads(client.wait_line())
        assert (eof["clean"], eof["exit"], eof["bytes"]) == (True, 3, 150_001)
        client.close()
    lengths = [(entry["ch"], entry["len"]) for entry in entries(tmp_path, "data")]
    assert sum(length for _, length in lengths) == 150_001 and max(length for _, length in lengths) == 65_536
    assert lengths[-1] == ("E", 1)


def test_output_is_durable_soon_without_an_event_to_push_it(tmp_path: Path) -> None:
    with serving(new_store(tmp_path)) as served:
        client = served.client()
        client.hello("build/xen")
        client.wait("A")
        client.say("D", b"a quiet build")
        durable, total = client.wait("A").split(b" ")
        assert (durable, total) == (b"1", b"13")
        assert (tmp_path / entries(tmp_path, "data")[0]["seg"]).read_bytes() == b"a quiet build"
        client.close()


def test_an_end_of_stream_without_a_finish_is_unclean(tmp_path: Path) -> None:
    with serving(new_store(tmp_path)) as served:
        client = served.client()
        client.hello("build/xen")
        client.say("D", b"x")
        while not client.wait("A").endswith(b" 1"):
            pass
        client.close()
    eof = entries(tmp_path, "eof")[0]
    assert (eof["s"], eof["clean"], eof["bytes"]) == ("build/xen", False, 1) and "exit" not in eof


BAD = [
    [("J", b"{}")],
    [("H", b"")],
    [("H", b"nonsense")],
    [("H", b"[]")],
    [("H", b'{"format":2,"stream":"build/x"}')],
    [("H", b'{"format":true,"stream":"build/x"}')],
    [("H", b'{"format":1}')],
    [("H", b'{"format":1,"stream":7}')],
    [("H", b'{"format":1,"stream":"../x"}')],
    [("H", b'{"format":1,"stream":"build/x","seen":1}')],
    [("H", b'{"format":1,"stream":"engine","more":1}')],
    [("H", b'{"format":1,"stream":"engine","seen":-1}')],
    [("H", b'{"format":1,"stream":"engine","seen":true}')],
    [("H", b'{"format":1,"stream":"engine"}'), ("H", b'{"format":1,"stream":"engine"}')],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", b"[]")],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", b"{")],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", b'{"x":1.5}')],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", b'{"x":null}')],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", '{"x":"\N{LATIN SMALL LETTER E WITH ACUTE}"}'.encode())],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", b'{"x":"' + b"y" * 4090 + b'"}')],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", b'{"x":"' + b"y" * 5000 + b'"}')],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", b"[" * 5000)],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", b'{"x":NaN}')],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", b'{"x":-Infinity}')],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", b'{"x":9007199254740992}')],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", b'{"x":' + b"9" * 4050 + b"}")],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", b'{"x":"\\ud800"}')],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", b'{"x":"\\u001b[2J"}')],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", b'{"x":1,"x":2}')],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", b'{"x":{"y":1,"y":1}}')],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", '{"x":"y"}'.encode("utf-16"))],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", b"\xff\xfe\x00")],
    [("H", b'{"format":1,"stream":"engine"}'), ("J", b'{"x":' + b"[" * 17 + b"]" * 17 + b"}")],
    [("H", '{"format":1,"stream":"engine"}'.encode("utf-16"))],
    [("H", b'{"format":1,"stream":"build/x","stream":"build/y"}')],
    [("D", b"before the hello")],
    [("H", b'{"format":1,"stream":"build/x"}'), ("J", b"{}")],
    [("H", b'{"format":1,"stream":"build/x"}'), ("I", b"late")],
    [("I", b"first"), ("I", b"second")],
    [("H", b'{"format":1,"stream":"build/x"}'), ("F", b"--1")],
    [("H", b'{"format":1,"stream":"build/x"}'), ("F", "\N{SUPERSCRIPT TWO}".encode())],
    [("H", b'{"format":1,"stream":"build/x"}'), ("X", b"")],
    [("H", b'{"format":1,"stream":"build/x"}'), ("F", b"one")],
    [("H", b'{"format":1,"stream":"build/x"}'), ("F", b"9" * 5000)],
    [("H", b'{"format":1,"stream":"build/x"}'), ("F", b"0"), ("D", b"more")],
    [("H", b'{"format":1,"stream":"build/x"}'), ("S", b"")],
    [("H", b'{"format":1,"stream":"engine"}'), ("S", b"{}")],
    [("H", b'{"format":1,"stream":"engine"}'), ("X", b"")],
    [("I", b"\xff"), ("H", b"")],
    [("I", b'quote"'), ("H", b"")],
]


@pytest.mark.parametrize("frames", BAD)
def test_a_malformed_frame_is_recorded_answered_and_ends_that_client_only(
    tmp_path: Path, frames: list[tuple[str, bytes]]
) -> None:
    with serving(new_store(tmp_path)) as served:
        bystander = served.client()
        bystander.hello("build/other")
        client = served.client()
        for kind, payload in frames:
            client.say(kind, payload)
        assert client.wait("R")
        with pytest.raises(EOFError):
            client.wait("A\n")
        bystander.say("D", b"goes on")
        bystander.say("F", b"0")
        assert json.loads(bystander.wait_line())["clean"]
        bystander.close()
        client.close()
        assert len(entries(tmp_path, "rej")) == 1
        assert served.errors == []


def test_bytes_that_are_no_frames_are_refused(tmp_path: Path) -> None:
    with serving(new_store(tmp_path)) as served:
        client = served.client()
        client.sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert b"unknown frame type" in client.wait("R")


def test_a_stream_is_open_once_at_a_time(tmp_path: Path) -> None:
    with serving(new_store(tmp_path)) as served:
        for stream in ("engine", "build/xen"):
            first, second = served.client(), served.client()
            first.hello(stream)
            first.wait("A")
            second.hello(stream)
            assert b"open already" in second.wait("R")
            first.say("D", b"still here")
            first.say("F", b"0")
            first.wait_line()
            first.close()


def test_an_ended_stream_is_never_continued(tmp_path: Path) -> None:
    with serving(new_store(tmp_path)) as served:
        first = served.client()
        first.hello("build/xen")
        first.say("F", b"0")
        first.wait_line()
        again = served.client()
        again.hello("build/xen")
        assert b"has ended" in again.wait("R")
        fresh = served.client()
        fresh.hello("build/xen#2")
        fresh.wait("A")
        fresh.close()


def test_the_engine_is_taken_up_again_after_a_crash(tmp_path: Path) -> None:
    with serving(new_store(tmp_path)) as served:
        client = engine(served)
        client.say("J", b"{}")
        client.wait_line()
        client.close()
        again = served.client()
        again.hello("engine", ',"seen":2')
        assert again.wait("C").startswith(b"old 2\n")
        again.say("J", b"{}")
        again.wait_line()
        again.close()
    assert [entry["clean"] for entry in entries(tmp_path, "eof")] == [False, False]


def test_the_seal_waits_until_no_other_stream_is_open(tmp_path: Path) -> None:
    with serving(new_store(tmp_path)) as served:
        build, client = served.client(), engine(served)
        build.hello("build/xen")
        build.wait("A")
        client.say("S")
        assert b"build/xen is still open" in client.wait("R")
        build.close()


def sealed_through(served: Served) -> RawClient:
    client = engine(served)
    client.say("S")
    assert json.loads(client.wait_line())["k"] == "seal"
    client.wait("C")
    return client


def test_a_sealed_log_is_exported_whole_and_takes_nothing_more(tmp_path: Path) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    with serving(new_store(log)) as served:
        client = sealed_through(served)
        client.say("X")
        files: dict[str, bytearray] = {}
        while "Z" not in [kind for kind, _ in client.got]:
            client.got += client.decoder.feed(client.sock.recv(1 << 16))
        for kind, payload in client.got:
            if kind == "N":
                name = payload.decode()
                files[name] = bytearray()
            elif kind == "B":
                files[name] += payload
        client.say("J", b"{}")
        assert b"sealed" in client.wait("R")
    for name, content in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)
    check_log(out)
    check_log(log)


def test_a_sealed_log_opened_again_refuses_what_would_add_to_it(tmp_path: Path) -> None:
    with serving(new_store(sealed_log(tmp_path))) as served:
        for kind in "DEJFS":
            client = engine(served)
            client.say(kind, b"")
            assert b"sealed" in client.wait("R")
            client.close()
    check_log(tmp_path)


def test_each_checkpoint_is_proved_to_continue_the_one_before(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    with serving(store) as served:
        client = served.client()
        client.hello("engine")
        first = client.wait("C")
        assert first.startswith(b"old 0\n\n")
        for _ in range(3):
            client.say("J", b"{}")
            client.wait_line()
        second = client.wait("C")
        assert second.startswith(b"old 1\n")
        assert open_checkpoint(second.partition(b"\n\n")[2], store.vkey).size == 4
        client.close()


def test_who_saw_more_than_there_is_gets_the_note_that_shows_it(tmp_path: Path) -> None:
    with serving(new_store(tmp_path)) as served:
        client = served.client()
        client.hello("engine", ',"seen":1000')
        assert client.wait("C").startswith(b"old 0\n\n")
        client.close()


def test_a_follower_gets_every_line_from_where_it_asks(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    for number in range(900):
        store.event("engine", {"number": number}, "uid:0")
    store.commit()
    with serving(store) as served:
        client = served.client()
        client.hello("engine", ',"since":10')
        client.wait("A")
        client.say("J", b'{"late":true}')
        got = b""
        while b"late" not in got:
            got += client.wait("L")
        lines = (tmp_path / layout.INDEX).read_bytes().split(b"\n", 10)[10]
        assert lines.startswith(got) and got.count(b"\n") == 892
        client.close()


def test_a_follower_of_a_long_log_catches_up_bit_by_bit_while_others_are_answered(tmp_path: Path) -> None:
    """The index is longer than what may wait for a client, and the follower is slow."""
    store = new_store(tmp_path)
    for number in range(20_000):
        store.event("engine", {"number": number, "filling": "x" * 3500}, "uid:0")
    store.commit()
    with serving(store) as served:
        slow, other = served.client(), served.client()
        slow.hello("engine", ',"since":3')
        slow.wait("A")
        other.hello("build/xen")
        other.say("D", b"meanwhile")
        while other.wait("A") != b"20001 9":
            pass
        assert max(len(client.out) for client in served.authority.clients) < 1 << 20
        slow.say("P")
        at = 3
        while at < 20_002:
            for line in slow.wait("L").splitlines():
                assert line.startswith(b'{"b') and json.loads(line)["n"] == at
                at += 1
        assert open_checkpoint(slow.wait("C").partition(b"\n\n")[2], store.vkey).size == at
        slow.say("J", b'{"late":true}')
        assert json.loads(slow.wait("L"))["n"] == at
        assert json.loads(slow.wait_line())["n"] == at


@given(st.integers(1, 400), st.data())
@settings(max_examples=20, deadline=None)
def test_a_record_is_found_in_the_index_wherever_it_lies(records: int, data: st.DataObject) -> None:
    lines = []
    for n in range(records):
        body = {"x": "y" * data.draw(st.sampled_from([0, 1000, 3500]))}
        stamp = {"t": "2026-01-02T03:04:05.000006Z", "up": 7, "boot": "00c0ffee", "src": "-"}
        lines.append(record.encode({"n": n, "k": "ev", "s": "engine", "body": body, **stamp}) + b"\n")
    wanted = data.draw(st.integers(0, records - 1))
    index = b"".join(lines) + b'{"being":"wri' * data.draw(st.integers(0, 1))
    assert find_record(io.BytesIO(index), wanted, len(index)) == sum(map(len, lines[:wanted]))


def test_a_write_error_ends_the_authority_and_every_client_is_told(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    with serving(store) as served:
        client = engine(served)
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, store._writer._index)
        os.close(full)
        client.say("J", b"{}")
        assert b"can't be written" in client.wait("R")
        with pytest.raises(EOFError):
            client.wait_line()
    assert isinstance(served.errors[0], StoreError)


def test_an_error_of_another_kind_in_the_writers_thread_ends_the_authority_and_every_client_is_told(
    tmp_path: Path,
) -> None:
    store = new_store(tmp_path)
    with serving(store) as served:
        client, other = engine(served), served.client()
        other.hello("build/xen")
        other.wait("A")
        store._batch.lines.append("no bytes")  # type: ignore[arg-type]
        client.say("J", b"{}")
        for told in (client, other):
            assert b"can't be written" in told.wait("R")
        with pytest.raises(EOFError):
            client.wait_line()
    assert isinstance(served.errors[0], StoreError)
    with pytest.raises(StoreError, match="can't be written"):
        store.event("engine", {}, "uid:0")


def test_acknowledgements_go_on_where_the_writers_thread_can_not_say_that_it_is_done(tmp_path: Path) -> None:
    with serving(new_store(tmp_path)) as served:
        client = engine(served)
        unheard = os.open("/dev/null", os.O_RDONLY)
        os.dup2(unheard, served.authority._news)
        os.close(unheard)
        for number in range(3):
            client.say("J", b'{"number":%d}' % number)
            assert json.loads(client.wait_line())["body"] == {"number": number}
        client.close()
    assert served.errors == []


def test_whatever_keeps_the_segments_from_being_hashed_there_is_no_seal(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    with serving(store) as served:
        client = engine(served)
        (tmp_path / "data").mkdir()
        (tmp_path / "data/nobody.log").symlink_to("nobody.log")
        client.say("S")
        assert b"can't be hashed" in client.wait("R")
    assert isinstance(served.errors[0], StoreError) and entries(tmp_path, "seal") == []


def test_an_authority_ends_with_its_lifeline(tmp_path: Path) -> None:
    import threading

    from sealwright_appendlog.authority import Authority

    read, write = os.pipe()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        authority = Authority(new_store(tmp_path / "log"), listener, read, {os.getuid()})
        thread = threading.Thread(target=authority.serve)
        thread.start()
        os.close(write)
        thread.join(10)
        assert not thread.is_alive()
    os.close(read)


def test_the_log_is_readable_with_plain_tools_while_it_grows(tmp_path: Path) -> None:
    with serving(new_store(tmp_path)) as served:
        client = engine(served)
        client.say("J", b'{"e":"made.up"}')
        client.wait_line()
        found = subprocess.run(
            ["grep", "-c", '"k":"ev"', tmp_path / layout.INDEX], capture_output=True, check=True
        )
        assert found.stdout == b"1\n"
        client.close()
