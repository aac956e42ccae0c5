"""The store: order of writing, recovery from every cut, the seal and what follows it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appendlog.log_making import KEY, ORIGIN, Times, fill, new_store, seal, sealed_log
from sealwright_appendlog import layout, record
from sealwright_appendlog.audit import check_log, read_records
from sealwright_appendlog.note import open_checkpoint
from sealwright_appendlog.reserve import RESERVED
from sealwright_appendlog.store import Store, StoreError
from sealwright_appendlog.streams import SEGMENT_LIMIT
from sealwright_appendlog.tree import verify_consistency


def kinds(log: Path) -> list[str]:
    return [entry["k"] for entry, _ in read_records(log)]


def unsealed(path: Path) -> Path:
    """A log whose authority died after its last commit, with a stream open."""
    store = new_store(path)
    fill(store, events=20)
    store.data("build/open", "D", b"half a build" * 100, "uid:0")
    store.commit()
    store.publish()
    return path


def test_a_new_log_opens_with_format_origin_and_key(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    entry, _ = next(read_records(tmp_path))
    assert (entry["k"], entry["format"], entry["origin"], entry["key"]) == ("open", 1, ORIGIN, str(store.vkey))
    assert open_checkpoint((tmp_path / "checkpoint").read_bytes(), store.vkey).size == 1


def test_data_lies_as_it_came_and_its_record_names_it(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.data("build/xen", "D", b"out\n", "uid:7")
    store.data("build/xen", "E", b"err\n", "uid:7")
    store.commit()
    entries = [entry for entry, _ in read_records(tmp_path) if entry["k"] == "data"]
    assert [(e["ch"], e["len"], e["off"], e["src"]) for e in entries] == [
        ("D", 4, 0, "uid:7"),
        ("E", 4, 4, "uid:7"),
    ]
    assert (tmp_path / entries[0]["seg"]).read_bytes() == b"out\nerr\n"


def test_a_segment_takes_64_mib_and_the_next_is_named_by_its_first_record(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    block = bytes(1 << 20)
    for _ in range(SEGMENT_LIMIT // len(block) + 1):
        store.data("build/big", "D", block, "uid:0")
        store.commit()
    first, second = layout.segments(tmp_path)
    assert (tmp_path / first).stat().st_size == SEGMENT_LIMIT
    assert second == "data/build/big/00000065.log" and (tmp_path / second).stat().st_size == len(block)


def test_after_the_seal_nothing_is_accepted(tmp_path: Path) -> None:
    store = new_store(sealed_log(tmp_path))
    for add in (
        lambda: store.event("engine", {}, "uid:0"),
        lambda: store.data("build/x", "D", b"x", "uid:0"),
        lambda: store.eof("engine", clean=True, exit_status=0, src="uid:0"),
        lambda: store.seal("uid:0", {}),
        lambda: store.reject("engine", "why", "uid:0"),
    ):
        with pytest.raises(StoreError, match="sealed"):
            add()
    check_log(tmp_path)


def test_a_stream_left_open_by_a_crash_gets_an_unclean_end(tmp_path: Path) -> None:
    new_store(unsealed(tmp_path))
    last = [entry for entry, _ in read_records(tmp_path)][-1]
    assert (last["k"], last["s"], last["clean"], last["bytes"], last["src"]) == (
        "eof",
        "build/open",
        False,
        1200,
        "-",
    )


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_crash_left_of_the_last_batch_the_log_opens_and_verifies(
    tmp_path: Path, data: st.DataObject
) -> None:
    """Cuts index and data anywhere between what was acknowledged and what was being written."""
    log = tmp_path / "log"
    shutil.rmtree(log, ignore_errors=True)
    store = new_store(log)
    fill(store, events=data.draw(st.integers(0, 300)), chunks=2)
    acknowledged = (log / layout.INDEX).read_bytes()
    ends = {name: (log / name).stat().st_size for name in layout.segments(log)}
    for number in range(data.draw(st.integers(1, 5))):
        store.event("engine", {"number": number}, "uid:0")
        store.data("build/late", "D", b"x" * data.draw(st.integers(1, 3000)), "uid:0")
    store.commit()
    index = log / layout.INDEX
    cut_index = data.draw(st.integers(len(acknowledged), index.stat().st_size))
    with index.open("r+b") as stream:
        stream.truncate(cut_index)
    for name in layout.segments(log):
        named = max(
            (e["off"] + e["len"] for e, _ in read_records(log) if e["k"] == "data" and e["seg"] == name), default=0
        )
        with (log / name).open("r+b") as stream:
            stream.truncate(data.draw(st.integers(max(named, ends.get(name, 0)), (log / name).stat().st_size)))
    again = new_store(log)
    assert (log / layout.INDEX).read_bytes().startswith(acknowledged)
    fill_more = again.event("engine", {"after": True}, "uid:0")
    again.commit()
    seal(again)
    check_log(log)
    assert fill_more in (log / layout.INDEX).read_bytes()


def test_what_is_cut_off_is_kept_and_recorded_as_torn(tmp_path: Path) -> None:
    log = unsealed(tmp_path)
    with (log / layout.INDEX).open("ab") as stream:
        stream.write(b'{"half":')
    stray = log / "data/build/never"
    stray.mkdir()
    (stray / "00000099.log").write_bytes(b"no record names this")
    named = next(name for name in layout.segments(log) if "build/open" in name)
    with (log / named).open("ab") as stream:
        stream.write(b"nor this")
    new_store(log)
    torn = {e["file"]: e for e, _ in read_records(log) if e["k"] == "torn"}
    assert set(torn) == {"index.jsonl", named, "data/build/never/00000099.log"}
    kept = {path.read_bytes() for path in (log / "recovery").iterdir()}
    assert kept == {b'{"half":', b"no record names this", b"nor this"}
    assert not (stray / "00000099.log").exists()


def test_what_is_cut_off_of_a_stream_with_the_longest_name_is_kept(tmp_path: Path) -> None:
    name = f"raw/{'x' * 100}/{'y' * 55}"
    store = new_store(tmp_path)
    store.data(name, "D", b"whole", "uid:0")
    store.commit()
    store.close()
    (segment,) = layout.segments(tmp_path)
    with (tmp_path / segment).open("ab") as stream:
        stream.write(b"nor this")
    new_store(tmp_path).close()
    assert [path.read_bytes() for path in (tmp_path / "recovery").iterdir()] == [b"nor this"]
    with pytest.raises(record.RecordError):
        record.stream_name(f"{name}y")


def test_a_crash_during_recovery_is_made_good_by_the_next(tmp_path: Path) -> None:
    """The tail is put aside and cut off, and then the machine dies before the torn record is written."""
    log = unsealed(tmp_path)
    whole = (log / layout.INDEX).read_bytes()
    (log / layout.INDEX).write_bytes(whole + b"torn tail")
    new_store(log)
    (log / layout.INDEX).write_bytes(whole)
    (log / layout.CHECKPOINT).unlink()
    new_store(log)
    torn = [entry for entry, _ in read_records(log) if entry["k"] == "torn"]
    assert [(entry["file"], entry["len"]) for entry in torn] == [("index.jsonl", 9)]
    new_store(log)
    assert kinds(log).count("torn") == 1


def test_a_stored_checkpoint_that_the_index_does_not_reproduce_refuses_the_log(tmp_path: Path) -> None:
    log = unsealed(tmp_path)
    lines = (log / layout.INDEX).read_bytes().splitlines(keepends=True)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(log / "tile")
    (log / layout.INDEX).write_bytes(b"".join(lines).replace(b'"number":3', b'"number":4', 1))
    with pytest.raises(StoreError, match="checkpoint"):
        new_store(log)


def test_an_index_shorter_than_the_stored_checkpoint_refuses_the_log(tmp_path: Path) -> None:
    log = unsealed(tmp_path)
    lines = (log / layout.INDEX).read_bytes().splitlines(keepends=True)
    (log / layout.INDEX).write_bytes(b"".join(lines[:-1]))
    with pytest.raises(StoreError, match="checkpoint"):
        new_store(log)


def test_missing_data_refuses_the_log(tmp_path: Path) -> None:
    log = unsealed(tmp_path)
    segment = log / layout.segments(log)[0]
    content = segment.read_bytes()
    segment.write_bytes(content[:-1])
    with pytest.raises(StoreError, match="lacks 1 bytes"):
        new_store(log)
    segment.unlink()
    with pytest.raises(StoreError, match="missing"):
        new_store(log)


@pytest.mark.parametrize("t", ["2026-13-01T00:00:00.000000Z", "2026-02-30T00:00:00.000000Z", "noon"])
def test_a_record_whose_time_is_no_moment_refuses_the_log(tmp_path: Path, t: str) -> None:
    log = unsealed(tmp_path)
    first, _, rest = (log / layout.INDEX).read_bytes().partition(b"\n")
    start = first.index(b'"t":"') + 5
    (log / layout.INDEX).write_bytes(first[:start] + t.encode() + first[first.index(b'"', start) :] + b"\n" + rest)
    (log / layout.CHECKPOINT).unlink()
    with pytest.raises(StoreError, match="record 0: its time is no moment"):
        new_store(log)


def test_another_key_refuses_the_log(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    unsealed(tmp_path)
    with pytest.raises(StoreError, match="another key"):
        Store(Ed25519PrivateKey.generate(), ORIGIN, tmp_path, Times().clock())
    (tmp_path / layout.VKEY).unlink()
    (tmp_path / layout.CHECKPOINT).unlink()
    with pytest.raises(StoreError, match="another key"):
        Store(Ed25519PrivateKey.generate(), ORIGIN, tmp_path, Times().clock())


def test_bytes_after_a_seal_refuse_the_log(tmp_path: Path) -> None:
    log = sealed_log(tmp_path)
    with (log / layout.INDEX).open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(StoreError, match="after the seal"):
        new_store(log)


@pytest.mark.parametrize(
    "gone", [[layout.SUMS], [layout.SUMS, layout.SEALED], [layout.SUMS, layout.SEALED, "tile"]]
)
def test_a_seal_that_a_crash_cut_short_is_finished_at_the_next_opening(tmp_path: Path, gone: list[str]) -> None:
    log = sealed_log(tmp_path)
    sealed_note = (log / layout.SEALED).read_bytes()
    for name in gone:
        path = log / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert new_store(log).sealed
    assert (log / layout.SEALED).read_bytes() == sealed_note
    assert check_log(log).notices == []


def test_a_cut_short_seal_over_other_segments_refuses_the_log(tmp_path: Path) -> None:
    log = sealed_log(tmp_path)
    (log / layout.SUMS).unlink()
    segment = log / layout.segments(log)[0]
    segment.write_bytes(segment.read_bytes()[::-1])
    with pytest.raises(StoreError, match="not those of the seal"):
        new_store(log)


def test_opening_a_sealed_log_again_changes_no_byte(tmp_path: Path) -> None:
    log = sealed_log(tmp_path)
    before = {path: path.read_bytes() for path in log.rglob("*") if path.is_file()}
    new_store(log)
    assert {path: path.read_bytes() for path in log.rglob("*") if path.is_file()} == before


def test_a_step_of_the_wall_clock_has_a_record_of_its_own(tmp_path: Path) -> None:
    times = Times()
    store = new_store(tmp_path, times)
    store.event("engine", {}, "uid:0")
    times.wall_ns -= 3600 * 10**9
    store.data("build/xen", "D", b"x", "uid:0")
    times.wall_ns += 10 * 10**9
    store.eof("build/xen", clean=True, exit_status=0, src="uid:0")
    seal(store)
    steps = [entry["step"] for entry, _ in read_records(tmp_path) if entry["k"] == "clock"]
    assert [round(step / 1e6) for step in steps] == [-3600, 10]
    assert len(check_log(tmp_path).notices) == 2


def test_a_step_of_the_clock_right_at_the_seal_is_counted(tmp_path: Path) -> None:
    times = Times()
    store = new_store(tmp_path, times)
    store.event("engine", {}, "uid:0")
    store.eof("engine", clean=True, exit_status=0, src="uid:0")
    store.commit()
    times.wall_ns += 3600 * 10**9
    store.seal("uid:0", store.hash_segments())
    assert check_log(tmp_path).records == 5


def test_every_published_checkpoint_continues_the_ones_before(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    seen = [open_checkpoint(store.publish(), store.vkey)]
    for number in range(20):
        for _ in range(number * 5):
            store.event("engine", {"number": number}, "uid:0")
        store.commit()
        new = open_checkpoint(store.publish(), store.vkey)
        for old in seen:
            verify_consistency(old.size, old.root, new.size, new.root, store.consistency(old.size))
        seen.append(new)
    assert new.size > 2 * 256


def test_only_the_newest_partial_tiles_are_kept(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    for _ in range(5):
        store.event("engine", {}, "uid:0")
        store.commit()
        store.publish()
    assert sorted(p.name for p in tmp_path.glob("tile/**/*.p/*")) == ["6", "6"]


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_an_error_from_the_disk_is_fatal(tmp_path: Path, code: int) -> None:
    store = new_store(tmp_path)
    store.event("engine", {"n": 1}, "uid:0")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, store._writer._index)
    os.close(full)
    with pytest.raises(StoreError, match="can't be written"):
        store.commit()
    for again in (store.commit, lambda: store.event("engine", {}, "uid:0")):
        with pytest.raises(StoreError, match="can't be written"):
            again()


def test_the_log_opens_again_after_the_disk_was_full(tmp_path: Path) -> None:
    test_an_error_from_the_disk_is_fatal(tmp_path, errno.ENOSPC)
    seal(new_store(tmp_path))
    check_log(tmp_path)


def test_space_for_the_end_is_reserved_while_the_log_is_open(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= RESERVED
    seal(store)
    assert not (tmp_path / "reserve").exists()


def test_a_record_that_can_not_be_said_takes_no_number(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    with pytest.raises(record.RecordError):
        store.event("engine", {"x": 1.5}, "uid:0")
    store.event("engine", {"x": 1}, "uid:0")
    store.commit()
    assert kinds(tmp_path) == ["open", "ev"]


def test_the_key_never_lies_in_the_log(tmp_path: Path) -> None:
    log = sealed_log(tmp_path)
    secret = KEY.private_bytes_raw()
    assert all(secret not in path.read_bytes() for path in log.rglob("*") if path.is_file())


def test_a_seal_gives_all_lines_that_became_durable_by_it_also_of_a_clock_that_stepped(tmp_path: Path) -> None:
    """Who follows the log is told all of them; a gap would be a lost log."""
    times = Times()
    store = new_store(tmp_path / "log", times)
    store.eof("engine", clean=True, exit_status=0, src="uid:0")
    store.commit()
    times.wall_ns += 5 * 10**9
    lines = store.seal("uid:0", store.hash_segments())
    assert [record.decode(line)["k"] for line in lines] == ["clock", "seal"]
    assert (tmp_path / "log" / layout.INDEX).read_bytes().splitlines()[-2:] == lines
