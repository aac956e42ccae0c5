"""The order of a batch, where it is done by several threads."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from appendlog.log_making import new_store, seal
from sealwright_appendlog import layout, writer
from sealwright_appendlog.audit import check_log, read_records
from sealwright_appendlog.folder import write_pieces
from sealwright_appendlog.record import Stamp
from sealwright_appendlog.store import StoreError
from sealwright_appendlog.writer import Output

STREAMS = [f"build/{number}" for number in range(7)]


def path_of(descriptor: int) -> Path:
    """The file that is open under this number."""
    return Path(f"/proc/self/fd/{descriptor}").readlink()


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_index_waits_for_the_sync_of_every_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    store = new_store(tmp_path / "log")
    streams = STREAMS[:count]
    synced: list[str] = []
    real = os.fdatasync

    def fdatasync(descriptor: int) -> None:
        if (path := path_of(descriptor)).name == layout.INDEX:
            assert sorted(synced) == streams
        synced.append("/".join(path.parts[-3:-1]))
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    for stream in streams:
        store.data(stream, "D", stream.encode() * 1000, "uid:0")
    store.commit()
    assert len(synced) == count + 1 and synced[-1] not in streams
    store.close()


@pytest.mark.parametrize("which", range(7))
def test_a_sync_that_fails_in_whichever_thread_ends_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    store = new_store(tmp_path / "log")
    before = (tmp_path / "log" / layout.INDEX).read_bytes()
    real = os.fdatasync

    def fdatasync(descriptor: int) -> None:
        if f"/{STREAMS[which]}/" in str(path_of(descriptor)):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    for stream in STREAMS:
        store.data(stream, "D", b"x", "uid:0")
    with pytest.raises(StoreError, match="Input/output error"):
        store.commit()
    with pytest.raises(StoreError, match="Input/output error"):
        store.event("engine", {"e": "late"}, "uid:0")
    assert (tmp_path / "log" / layout.INDEX).read_bytes() == before
    store.close()


@pytest.mark.parametrize("size", [1, 2047, 2048, 1 << 16])
def test_a_hash_that_fails_ends_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    store = new_store(tmp_path / "log")
    before = (tmp_path / "log" / layout.INDEX).read_bytes()

    class NoHashing:
        @staticmethod
        def sha256(data: bytes) -> None:
            raise MemoryError("no room to hash")

    monkeypatch.setattr(writer, "hashlib", NoHashing)
    with pytest.raises(StoreError, match="no room to hash"):
        store.data("build/x", "D", bytes(size), "uid:0")
        store.commit()
    assert store.failed and (tmp_path / "log" / layout.INDEX).read_bytes() == before
    store.close()


def test_output_that_was_not_hashed_has_no_line() -> None:
    output = Output(Stamp("t", 1, "b"), 1, "uid:0", "build/x", "D", b"x", "data/build/x/00000001.log", 0)
    with pytest.raises(RuntimeError):
        output.line()
    output.hash()
    assert hashlib.sha256(b"x").hexdigest().encode() in output.line()


def test_output_of_all_sizes_and_kinds_is_hashed_as_it_lies_on_the_disk(tmp_path: Path) -> None:
    store = new_store(tmp_path / "log")
    block = os.urandom(1 << 17)
    for size in (1, 2047, 2048, 2049, 65535, 65536):
        for data in (block[:size], bytearray(block[:size]), memoryview(block)[5 : 5 + size]):
            store.data("build/x", "D", data, "uid:0")
    store.eof("build/x", clean=True, exit_status=0, src="uid:0")
    seal(store)
    check_log(tmp_path / "log", sums=True)
    assert sum(entry["k"] == "data" for entry, _ in read_records(tmp_path / "log")) == 18


@pytest.mark.parametrize("short", [0, 1, 5, 6, 11, 17])
def test_pieces_are_written_whole_wherever_a_write_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: int
) -> None:
    pieces = [b"first", bytearray(b" second"), memoryview(b" third")]
    whole = b"".join(pieces)
    monkeypatch.setattr(os, "writev", lambda descriptor, _: os.write(descriptor, whole[:short]))
    descriptor = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    write_pieces(descriptor, pieces)
    os.close(descriptor)
    assert (tmp_path / "file").read_bytes() == whole


def test_more_pieces_than_one_call_takes_are_written_in_their_order(tmp_path: Path) -> None:
    pieces = [b"%d\n" % number for number in range(3000)]
    descriptor = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    write_pieces(descriptor, pieces)
    os.close(descriptor)
    assert (tmp_path / "file").read_bytes() == b"".join(pieces)
