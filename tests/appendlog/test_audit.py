"""The audit and verify.py: a whole log passes, and every tampering is found, with its first bad record named."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sealwright_appendlog
from appendlog.log_making import KEY, ORIGIN, fill, new_store, seal, sealed_log
from sealwright_appendlog import layout, record
from sealwright_appendlog.audit import LogBroken, check_log
from sealwright_appendlog.note import Checkpoint, sign_note
from sealwright_appendlog.tree import CompactRange, leaf_hash

VERIFY = Path(sealwright_appendlog.__file__).with_name("verify.py")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sealed_log(tmp_path_factory.mktemp("whole") / "log")


@pytest.fixture
def log(whole: Path, tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(whole, tmp_path / "log")
    yield tmp_path / "log"


def verify_alone(log: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(VERIFY), str(log)], capture_output=True, text=True, check=False, timeout=60
    )


def resealed(log: Path, lines: list[bytes]) -> None:
    """What a thief of the log's key could do: other lines, with checkpoint, sums and all made to fit."""
    tree = CompactRange()
    for line in lines:
        tree.append(leaf_hash(line))
    (log / layout.INDEX).write_bytes(b"".join(line + b"\n" for line in lines))
    note = sign_note(Checkpoint(ORIGIN, tree.size, tree.root()).text(), ORIGIN, KEY).encode()
    (log / layout.SEALED).write_bytes(note)
    (log / layout.CHECKPOINT).write_bytes(note)
    hashes = {name: layout.sha256(log / name) for name in layout.segments(log)}
    (log / layout.SUMS).write_bytes(layout.sums(log, hashes))
    shutil.rmtree(log / "tile")


def lines_of(log: Path) -> list[bytes]:
    return list(layout.lines(log / layout.INDEX))


def renumbered(lines: list[bytes]) -> list[bytes]:
    """The lines with sequence numbers that fit their places, and a seal that counts them right."""
    done = []
    for n, line in enumerate(lines):
        entry = record.decode(line)
        entry["n"] = n
        if entry["k"] == "seal":
            entry["records"] = len(lines)
        done.append(record.encode(entry))
    return done


def test_a_whole_log_passes_and_is_counted(log: Path) -> None:
    seen = []
    report = check_log(log, lambda entry, line: seen.append((entry["n"], line)))
    assert report.records == len(seen) == 1 + 300 + 10 + 2 + 1 + 1
    assert (report.notices, report.unclean, report.resumed) == ([], [], 0)
    assert report.kinds == {"open": 1, "ev": 300, "data": 10, "eof": 3, "seal": 1}
    assert report.data_bytes == sum((log / name).stat().st_size for name in layout.segments(log))


def test_sha256sum_agrees(log: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", layout.SUMS], cwd=log, check=True)


def test_verify_py_passes_a_whole_log_and_has_at_most_30_lines(log: Path) -> None:
    found = verify_alone(log)
    assert found.returncode == 0 and found.stdout.startswith("whole: 315 records")
    assert len(VERIFY.read_text().splitlines()) <= 30
    assert not re.search(r"import (?!base64, hashlib, json, pathlib, sys$)", VERIFY.read_text(), re.MULTILINE)


PUBLISHED = [layout.INDEX, layout.SEALED, layout.VKEY, layout.SUMS]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_changed_byte_is_found(whole: Path, data: st.DataObject) -> None:
    """Any byte of any file that SHA256SUMS covers, and of SHA256SUMS itself."""
    name = data.draw(st.sampled_from([*PUBLISHED, *layout.segments(whole)]))
    content = (whole / name).read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        (whole / name).write_bytes(changed)
        with pytest.raises(LogBroken) as error:
            check_log(whole)
    finally:
        (whole / name).write_bytes(content)
    if name == layout.INDEX:
        assert error.value.record == content.count(b"\n", 0, at)
    elif name.startswith("data/"):
        assert error.value.record is not None


def test_verify_py_finds_flips(whole: Path) -> None:
    """One place in each kind of file: the process start makes more of them slow."""
    for name in (layout.INDEX, layout.SUMS, layout.segments(whole)[0]):
        content = (whole / name).read_bytes()
        changed = bytearray(content)
        changed[len(changed) // 2] ^= 1
        try:
            (whole / name).write_bytes(changed)
            found = verify_alone(whole)
        finally:
            (whole / name).write_bytes(content)
        assert found.returncode == 1 and (found.stderr.startswith("BAD: ") or "Error" in found.stderr)
        assert "whole" not in found.stdout


@pytest.mark.parametrize("name", [*PUBLISHED, "segment"])
def test_a_missing_file_is_found(log: Path, name: str) -> None:
    (log / (layout.segments(log)[0] if name == "segment" else name)).unlink()
    with pytest.raises(LogBroken):
        check_log(log)
    assert verify_alone(log).returncode != 0 or name == layout.VKEY


@pytest.mark.parametrize("name", [layout.INDEX, "segment", layout.SUMS])
def test_bytes_added_at_the_end_are_found(log: Path, name: str) -> None:
    with (log / (layout.segments(log)[0] if name == "segment" else name)).open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(LogBroken):
        check_log(log)
    assert verify_alone(log).returncode != 0


def test_a_stray_file_below_data_is_found(log: Path) -> None:
    (log / "data/stray").write_bytes(b"")
    with pytest.raises(LogBroken, match="data/stray"):
        check_log(log)
    assert verify_alone(log).returncode != 0


def test_a_segment_that_is_a_symbolic_link_is_refused(log: Path) -> None:
    segment = log / layout.segments(log)[0]
    segment.rename(log.parent / "elsewhere")
    segment.symlink_to(log.parent / "elsewhere")
    with pytest.raises(LogBroken):
        check_log(log)


def test_data_changed_between_its_record_and_the_seal_is_found(tmp_path: Path) -> None:
    """The seal hashes what the disk holds by then; only the records' own hashes tell."""
    store = new_store(tmp_path)
    fill(store, events=3)
    segment = tmp_path / layout.segments(tmp_path)[0]
    segment.write_bytes(segment.read_bytes()[:-1] + b"!")
    seal(store)
    with pytest.raises(LogBroken, match="was changed") as error:
        check_log(tmp_path)
    assert error.value.record == 8
    assert verify_alone(tmp_path).returncode == 1


def test_of_several_bad_records_the_first_is_named(log: Path) -> None:
    for name in layout.segments(log):
        content = bytearray((log / name).read_bytes())
        content[0] ^= 1
        (log / name).write_bytes(content)
    with pytest.raises(LogBroken) as error:
        check_log(log)
    assert error.value.record == 301


def drop(lines: list[bytes]) -> list[bytes]:
    return renumbered([*lines[:5], *lines[6:]])


def swap(lines: list[bytes]) -> list[bytes]:
    return renumbered([*lines[:5], lines[6], lines[5], *lines[7:]])


def drop_data(lines: list[bytes]) -> list[bytes]:
    return renumbered([line for n, line in enumerate(lines) if n != 303])


def drop_eof(lines: list[bytes]) -> list[bytes]:
    return renumbered([line for line in lines if b'"k":"eof"' not in line or b'"s":"engine"' in line])


def second_open(lines: list[bytes]) -> list[bytes]:
    return renumbered([*lines[:5], lines[0], *lines[5:]])


def no_open(lines: list[bytes]) -> list[bytes]:
    return renumbered(lines[1:])


def no_seal(lines: list[bytes]) -> list[bytes]:
    return lines[:-1]


def after_seal(lines: list[bytes]) -> list[bytes]:
    return renumbered([*lines, lines[5]])


def two_seals(lines: list[bytes]) -> list[bytes]:
    return renumbered([*lines, lines[-1]])


def wrong_count(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], record.encode({**record.decode(lines[-1]), "records": 5})]


def wrong_bytes(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], record.encode({**record.decode(lines[-1]), "bytes": 5})]


def wrong_segments(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], record.encode({**record.decode(lines[-1]), "segments_sha256": "0" * 64})]


def wrong_eof(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b'"bytes":5010', b'"bytes":5011') for line in lines]


def speaks_after_eof(lines: list[bytes]) -> list[bytes]:
    again = next(line for line in lines if b'"k":"eof"' in line and b'"s":"build/xen"' in line)
    return renumbered([*lines[:-2], again, *lines[-2:]])


def event_elsewhere(lines: list[bytes]) -> list[bytes]:
    return [
        record.encode({**record.decode(line), "s": "build/xen"}) if n == 5 else line
        for n, line in enumerate(lines)
    ]


def clock_back(lines: list[bytes]) -> list[bytes]:
    return [
        re.sub(rb'"t":"202\d-\d\d-\d\d', b'"t":"2023-11-09', line) if n == 50 else line
        for n, line in enumerate(lines)
    ]


def older(lines: list[bytes]) -> list[bytes]:
    return [re.sub(rb'"up":\d+', b'"up":1', line) if n == 50 else line for n, line in enumerate(lines)]


def no_date(lines: list[bytes]) -> list[bytes]:
    return [re.sub(rb"(202\d-\d\d-\d\d)T", rb"\1 ", line) if n == 50 else line for n, line in enumerate(lines)]


def other_stream(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b'"s":"build/xen","seg"', b'"s":"build/other","seg"') for line in lines]


def overlapping(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b'"off":1000,', b'"off":999,') for line in lines]


@pytest.mark.parametrize(
    "change",
    [
        drop,
        swap,
        drop_data,
        drop_eof,
        second_open,
        no_open,
        no_seal,
        after_seal,
        two_seals,
        wrong_count,
        wrong_bytes,
        wrong_segments,
        wrong_eof,
        speaks_after_eof,
        event_elsewhere,
        clock_back,
        older,
        no_date,
        other_stream,
        overlapping,
    ],
)
def test_a_log_that_breaks_its_own_rules_is_refused_though_its_key_signed_it(
    log: Path, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    lines = change(lines_of(log))
    assert lines != lines_of(log)
    resealed(log, lines)
    with pytest.raises(LogBroken):
        check_log(log)


def test_another_logs_sealed_checkpoint_is_refused(log: Path, tmp_path: Path) -> None:
    other = sealed_log(tmp_path / "other", events=10)
    shutil.copyfile(other / layout.SEALED, log / layout.SEALED)
    with pytest.raises(LogBroken):
        check_log(log)


def test_a_checkpoint_of_another_key_is_refused(log: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    text = (log / layout.SEALED).read_text().partition("\n\n")[0] + "\n"
    (log / layout.SEALED).write_text(sign_note(text, ORIGIN, Ed25519PrivateKey.generate()))
    with pytest.raises(LogBroken, match="no known key"):
        check_log(log)


def test_the_checkpoint_may_gain_cosignatures_but_not_another_tree(log: Path) -> None:
    note = (log / layout.CHECKPOINT).read_text()
    extra = base64.b64encode(bytes(80)).decode()
    (log / layout.CHECKPOINT).write_text(f"{note}\N{EM DASH} witness.example {extra}\n")
    check_log(log)
    text = Checkpoint(ORIGIN, 3, bytes(32)).text()
    (log / layout.CHECKPOINT).write_text(sign_note(text, ORIGIN, KEY))
    with pytest.raises(LogBroken, match="not the sealed one"):
        check_log(log)


def test_tiles_agree_with_the_index_or_the_log_is_refused(log: Path) -> None:
    tile = log / "tile/0/000"
    content = bytearray(tile.read_bytes())
    content[32 * 77] ^= 1
    tile.write_bytes(content)
    with pytest.raises(LogBroken, match="tile/0/000") as error:
        check_log(log)
    assert error.value.record == 77


def test_a_changed_entry_bundle_names_its_record(log: Path) -> None:
    bundle = log / "tile/entries/000"
    bundle.write_bytes(bundle.read_bytes().replace(b'"number":76', b'"number":67'))
    with pytest.raises(LogBroken, match="record 77: the index and tile/entries/000 do not agree") as error:
        check_log(log)
    assert error.value.record == 77


def test_a_changed_tile_of_a_higher_level_names_the_first_record_below_it_or_the_changed_one(log: Path) -> None:
    tile = log / "tile/1/000.p/1"
    tile.write_bytes(bytes(32))
    with pytest.raises(LogBroken, match=r"record 0: the index and tile/1/000\.p/1"):
        check_log(log)
    lines = [line.replace(b'"number":76', b'"number":67') for line in lines_of(log)]
    (log / layout.INDEX).write_bytes(b"".join(line + b"\n" for line in lines))
    with pytest.raises(LogBroken, match="record 77: the index and tile"):
        check_log(log)


def test_missing_tiles_are_told(log: Path) -> None:
    shutil.rmtree(log / "tile/entries")
    assert check_log(log).notices == ["2 tiles are missing; they can be made from the index"]


def test_unclean_ends_refused_frames_and_recoveries_are_told(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.event("engine", {}, "uid:0")
    store.data("build/xen", "D", b"x", "uid:0")
    store.reject("build/xen", "unknown frame type 7", "uid:0")
    store.commit()
    store.publish()
    with (tmp_path / layout.INDEX).open("ab") as stream:
        stream.write(b"half")
    again = new_store(tmp_path)
    again.event("engine", {}, "uid:0")
    seal(again)
    report = check_log(tmp_path)
    assert report.unclean == ["build/xen"]
    assert report.resumed == 1
    text = "\n".join(report.notices)
    assert "unknown frame type 7" in text and "cut 4 bytes off index.jsonl" in text and "took the log up" in text


def test_an_empty_folder_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(LogBroken, match="not sealed, or not whole"):
        check_log(tmp_path)
    assert verify_alone(tmp_path).returncode != 0


def test_a_seal_with_false_hashes_is_found_where_each_segment_is_hashed_whole(tmp_path: Path) -> None:
    """Only the authority itself could write such a seal; the signers' export looks for it."""
    store = new_store(tmp_path)
    fill(store, events=3)
    store.eof("engine", clean=True, exit_status=0, src="uid:0")
    store.commit()
    store.seal("uid:0", dict.fromkeys(store.hash_segments(), "0" * 64))
    with pytest.raises(LogBroken, match="not those of the seal"):
        check_log(tmp_path, sums=True)
    found = subprocess.run(
        ["sha256sum", "-c", "--quiet", layout.SUMS], cwd=tmp_path, capture_output=True, check=False
    )
    assert found.returncode == 1


def test_a_listing_that_is_not_the_seals_is_refused(log: Path) -> None:
    sums = (log / layout.SUMS).read_text()
    first = next(line for line in sums.splitlines() if "data/" in line)
    (log / layout.SUMS).write_text(sums.replace(first, "0" * 64 + first[64:]))
    for each_hashed in (False, True):
        with pytest.raises(LogBroken, match=r"^SHA256SUMS: it does not list") as error:
            check_log(log, sums=each_hashed)
        assert error.value.record is None


@pytest.mark.parametrize("kept", [0, 100, 256, 300, 314])
def test_a_log_that_was_cut_names_the_first_record_that_is_missing(log: Path, kept: int) -> None:
    lines = lines_of(log)
    (log / layout.INDEX).write_bytes(b"".join(line + b"\n" for line in lines[:kept]))
    with pytest.raises(LogBroken, match="it is missing: the log ends before its seal") as error:
        check_log(log)
    assert error.value.record == kept


def test_a_record_changed_before_the_cut_is_named_and_not_the_cut(log: Path) -> None:
    lines = [line.replace(b'"number":290', b'"number":291') for line in lines_of(log)]
    (log / layout.INDEX).write_bytes(b"".join(line + b"\n" for line in lines[:310]))
    with pytest.raises(LogBroken) as error:
        check_log(log)
    assert error.value.record == 291


def test_the_index_hash_is_over_all_lines(log: Path) -> None:
    said = {line.split("  ")[1]: line.split("  ")[0] for line in (log / layout.SUMS).read_text().splitlines()}
    assert said[layout.INDEX] == hashlib.sha256((log / layout.INDEX).read_bytes()).hexdigest()
    assert list(said) == sorted(said)


@pytest.mark.parametrize("name", [*PUBLISHED, layout.CHECKPOINT])
def test_a_pipe_is_no_file_of_a_log(log: Path, name: str) -> None:
    (log / name).unlink()
    os.mkfifo(log / name)
    with pytest.raises(LogBroken, match="not a regular file"):
        check_log(log)


def test_a_line_without_end_costs_no_memory(log: Path) -> None:
    os.truncate(log / layout.INDEX, 1 << 40)
    with pytest.raises(LogBroken, match="record 315: a line of"):
        check_log(log)


def test_a_long_line_is_given_cut_and_what_follows_it_too(tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"one\n" + b"x" * (3 << 20) + b"\ntwo\ntorn")
    found = list(layout.lines(tmp_path / "lines"))
    assert (found[0], found[2:]) == (b"one", [b"two"])
    assert record.MAX_LINE < len(found[1]) < 2 << 20
    assert [len(line) for line in layout.lines(tmp_path / "lines", strict=True)] == [3, record.MAX_LINE + 1]


def test_a_tile_without_end_is_found(log: Path) -> None:
    os.truncate(log / "tile" / "0" / "000", 1 << 40)
    with pytest.raises(LogBroken, match="do not agree"):
        check_log(log)


def test_data_lies_only_below_data(log: Path) -> None:
    lines = lines_of(log)
    at = next(n for n, line in enumerate(lines) if b'"k":"data"' in line)
    lines[at] = lines[at].replace(b'"build/xen"', b'"../xen"').replace(b"data/build/xen/", b"data/../xen/")
    resealed(log, lines)
    with pytest.raises(LogBroken, match=f"record {at}: a stream has one to four plain names"):
        check_log(log)
