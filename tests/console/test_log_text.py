"""The rules of log_text: lines by offset, a sparse index. Searching and marks are in test_log_search."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_console.log_text import BLOCK, CAP, LogText, last_lines


def written(folder: Path, *parts: bytes) -> list[Path]:
    paths = []
    for number, part in enumerate(parts):
        paths.append(folder / f"{number:08}.log")
        paths[-1].write_bytes(part)
    return paths


def indexed(folder: Path, *parts: bytes) -> LogText:
    log = LogText(written(folder, *parts))
    while log.extend():
        pass
    return log


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=60).map(lambda line: line.replace(b"\n", b"")), max_size=40), st.data())
def test_every_line_is_found_whatever_the_segments(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(line + b"\n" for line in lines)
    cut = data.draw(st.integers(min_value=0, max_value=len(whole)))
    with indexed(tmp_path_factory.mktemp("log"), whole[:cut], whole[cut:]) as log:
        assert log.lines == len(lines)
        assert [log.line(number)[0] for number in range(log.lines)] == lines


def test_lines_are_found_across_blocks(tmp_path: Path) -> None:
    lines = [b"%06d " % number + b"x" * (number % 190) for number in range(5000)]
    with indexed(tmp_path, b"\n".join(lines)) as log:
        assert log.size > 4 * BLOCK and log.lines == 5000
        for number in (0, 1, 700, 2499, 4998, 4999):
            assert log.line(number) == (lines[number], False)
            found = log.find(lines[number][:6].decode(), -1)
            assert found is not None and log.line_at(found) == number


def test_a_last_line_without_its_end_counts(tmp_path: Path) -> None:
    with indexed(tmp_path, b"one\ntwo") as log:
        assert log.lines == 2 and log.line(1) == (b"two", False)


def test_a_line_of_a_megabyte_is_cut_and_says_so(tmp_path: Path) -> None:
    with indexed(tmp_path, b"short\n" + b"x" * (1 << 20) + b"\nend\n") as log:
        assert log.lines == 3
        assert log.line(1) == (b"x" * CAP, True)
        assert log.line(2) == (b"end", False)


def test_what_is_appended_and_new_segments_are_taken_up(tmp_path: Path) -> None:
    paths = written(tmp_path, b"one\ntw")
    with LogText(paths) as log:
        log.extend()
        with paths[0].open("ab") as file:
            file.write(b"o\nthree\n")
        assert log.extend() and log.lines == 3
        log.follow_files([*paths, *written(tmp_path / "..", b"")[:0], tmp_path / "missing.log"])
        more = tmp_path / "00000009.log"
        more.write_bytes(b"four\n")
        log.follow_files([*paths, more])
        assert log.extend() and [log.line(number)[0] for number in range(4)] == [b"one", b"two", b"three", b"four"]


def test_a_file_that_shrank_or_is_closed_reads_as_empty(tmp_path: Path) -> None:
    paths = written(tmp_path, b"one\n" * 100)
    log = LogText(paths)
    log.extend()
    os.truncate(paths[0], 0)
    assert log.line(50) == (b"", False) and not log.extend()
    log.close()
    assert log.read(0, 10) == b"" and log.size == 0 and not log.extend()


def test_what_is_no_file_or_can_not_be_read_says_so_and_reads_as_empty(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    for name in ("folder", "fifo", "missing"):
        with LogText([tmp_path / name]) as log:
            assert not log.extend() and log.lines == 0 and log.find("x", -1) is None
            assert log.trouble.startswith(f"{name} can't be read: ")
        assert last_lines([tmp_path / name], 3) == []


def test_a_disk_that_gives_an_error_is_no_end_of_the_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> bytes:
        raise OSError(5, "Input/output error")

    with LogText(written(tmp_path, b"one\ntwo\n")) as log:
        monkeypatch.setattr("sealwright_console.log_text.os.pread", broken)
        assert not log.extend() and log.read(0, 3) == b""
        assert "Input/output error" in log.trouble


def test_a_segment_that_shrank_under_the_index_ends_it_and_says_so(tmp_path: Path) -> None:
    paths = written(tmp_path, b"one\n" * 100_000, b"two\n")
    with LogText(paths) as log:
        assert log.extend(1 << 16) and not log.trouble
        os.truncate(paths[0], 1 << 16)
        assert not log.extend()
        assert log.trouble == "a part of the log is gone"


def test_a_segment_that_comes_while_another_thread_reads_is_whole_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = written(tmp_path, b"one\n" * 9, b"two\n")
    with LogText([first]) as log:

        class Starts(list[int]):
            def append(self, start: int) -> None:
                super().append(start)
                assert log._lock.locked()

        monkeypatch.setattr(log, "_starts", Starts(log._starts))
        log.follow_files([first, second])
        assert log.extend() and log.lines == 10


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = written(tmp_path, b"secret\n")[0]
    link = tmp_path / "link.log"
    link.symlink_to(target)
    with LogText([link]) as log:
        assert log.size == 0


def test_a_hundred_megabytes_are_indexed_with_one_number_per_block(tmp_path: Path) -> None:
    path = tmp_path / "00000000.log"
    piece = b"".join(b"CC  some/file/number_%07d.o\n" % number for number in range(36_000))
    with path.open("wb") as file:
        for _ in range(100):
            file.write(piece)
    with LogText([path]) as log:
        while log.extend():
            pass
        assert log.size > 100_000_000 and log.lines == 3_600_000
        assert log.line(3_599_999)[0] == b"CC  some/file/number_0035999.o"
        assert len(log._ends) == -(-log.size // BLOCK)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20), st.data())
def test_behind_the_limit_there_is_nothing(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], data: st.DataObject
) -> None:
    whole = b"\n".join(parts) + b"hidden needle"
    limit = data.draw(st.integers(min_value=0, max_value=len(whole)))
    shown = whole[:limit]
    with indexed(tmp_path_factory.mktemp("log"), whole) as log:
        log.limit_to(limit)
        wanted = shown.split(b"\n")
        assert log.lines == len(wanted) - (wanted[-1] == b"")
        assert [log.line(number)[0] for number in range(log.lines)] == wanted[: log.lines]
        assert (log.find("needle", -1) is not None) == (b"needle" in shown.lower())
        log.limit_to(None)
        assert log.find("needle", -1) is not None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20), st.data())
def test_an_index_that_begins_at_a_line_gives_the_lines_from_there(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], data: st.DataObject
) -> None:
    whole = b"\n".join(parts)
    begins = [0, *(at + 1 for at in range(len(whole)) if whole[at : at + 1] == b"\n")]
    begin = data.draw(st.sampled_from(begins))
    cut = data.draw(st.integers(0, len(whole)))
    paths = written(tmp_path_factory.mktemp("log"), whole[:cut], whole[cut:])
    with LogText(paths, begin) as log:
        while log.extend(data.draw(st.integers(1, 20))):
            pass
        wanted = whole[begin:].split(b"\n")
        wanted = wanted[:-1] if wanted[-1] == b"" else wanted
        assert [log.line(number)[0] for number in range(log.lines)] == wanted
        starts = [log.start_of(number) for number in range(log.lines)]
        assert starts == [at for at in begins if at >= begin][: len(wanted)]
        assert all(log.line_at(start or 0) == number for number, start in enumerate(starts))


def test_the_tail_begins_at_a_line_and_near_the_end(tmp_path: Path) -> None:
    (tmp_path / "00000001.log").write_bytes(b"0123456789\n" * 100_000)
    with LogText(sorted(tmp_path.iterdir())) as log:
        assert log.tail() % 11 == 0 and 0 < log.size - log.tail() <= 1 << 18
        log.limit_to(11_003)
        assert log.tail() == 0 and log.until == 11_003


def test_the_last_lines_need_no_index(tmp_path: Path) -> None:
    paths = written(tmp_path, b"one\ntwo\nthr", b"ee\nfour")
    assert last_lines(paths, 2) == [b"three", b"four"] and last_lines(paths, 9)[0] == b"one"
    assert last_lines(paths, 2, limit=9) == [b"two", b"t"]
    assert last_lines([], 2) == last_lines(paths, 0) == []
    long = written(tmp_path / "..", b"x" * 100_000 + b"\ny\n")
    assert last_lines(long, 2) == [b"y"] and last_lines(written(tmp_path, b"x" * 100_000), 2) == [b"x" * CAP]
