"""Searching a log and jumping to its errors and warnings, held against a naive reading of the whole."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_console import log_search
from sealwright_console.log_marks import BLOCK, ERRORS, WARNINGS, Marks
from sealwright_console.log_search import WINDOW, Needle, find
from sealwright_console.log_text import LogText

FEW = st.text(alphabet="abAB\n", max_size=60)


def reader(data: bytes) -> log_search.Read:
    return lambda offset, length: data[offset : offset + length] if length > 0 else b""


def naive(data: bytes, needle: bytes) -> list[int]:
    """Every offset at which the needle begins, in either case."""
    return [found.start() for found in re.finditer(b"(?=" + re.escape(needle) + b")", data, re.IGNORECASE)]


@settings(max_examples=300, deadline=None)
@given(FEW, st.text(alphabet="abAB", min_size=1, max_size=6), st.data())
def test_a_match_is_found_wherever_windows_end(text: str, needle: str, data: st.DataObject) -> None:
    whole = text.encode()
    low = data.draw(st.integers(0, len(whole)))
    high = data.draw(st.integers(low, len(whole)))
    window = data.draw(st.integers(1, 9))
    matches = [at for at in naive(whole, needle.encode()) if low <= at < high]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_search, "WINDOW", window)
        sought = Needle(needle, whole[:5])
        first = find(reader(whole), sought, ((low, high),), len(whole))
        last = find(reader(whole), sought, ((low, high),), len(whole), forward=False)
    assert (first, last) == ((matches[0], matches[-1]) if matches else (None, None))


@settings(max_examples=200, deadline=None)
@given(FEW, st.text(alphabet="abAB", min_size=1, max_size=4), st.data())
def test_the_next_and_the_one_before_go_around_the_end_over_segments(
    tmp_path_factory: pytest.TempPathFactory, text: str, needle: str, data: st.DataObject
) -> None:
    whole = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=3)))
    folder = tmp_path_factory.mktemp("log")
    paths = []
    for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(whole)], strict=True)):
        paths.append(folder / f"{number:08}.log")
        paths[-1].write_bytes(whole[start:end])
    here = data.draw(st.integers(-1, len(whole)))
    matches = naive(whole, needle.encode())
    with LogText(paths) as log:
        after = next((at for at in matches if at > here), matches[0] if matches else None)
        before = next((at for at in reversed(matches) if at < here), matches[-1] if matches else None)
        assert log.find(needle, here) == after
        assert log.find(needle, here, forward=False) == before


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80), st.binary(min_size=1, max_size=5))
def test_any_bytes_are_looked_for_as_they_are_but_for_ascii_letters(data: bytes, needle: bytes) -> None:
    text = needle.decode("utf-8", "surrogateescape")
    matches = naive(data, needle)
    assert find(reader(data), Needle(text, data), ((0, len(data)),), len(data)) == (
        matches[0] if matches else None
    )


def test_a_rare_part_that_stands_everywhere_does_not_hide_the_needle() -> None:
    data = b"abcx" * 2000 + b"zzabcdzz" + b"abcx" * 2000
    for forward in (True, False):
        assert find(reader(data), Needle("ABCD", b""), ((0, len(data)),), len(data), forward=forward) == 8002
        assert find(reader(data), Needle("abce", b""), ((0, len(data)),), len(data), forward=forward) is None


def test_a_match_across_a_real_window_and_a_real_segment_is_found(tmp_path: Path) -> None:
    text = b"." * (WINDOW - 3) + b"NEEDLE" + b"." * 5000 + b"needle\n"
    cut = len(text) - 4
    for number, part in enumerate((text[:cut], text[cut:])):
        (tmp_path / f"{number}.log").write_bytes(part)
    with LogText(sorted(tmp_path.iterdir())) as log:
        assert log.find("needle", -1) == WINDOW - 3
        assert log.find("needle", WINDOW - 3) == len(text) - 7
        assert log.find("needle", len(text) - 7, forward=False) == WINDOW - 3


def test_a_search_can_be_given_up_and_says_how_far_it_is() -> None:
    data = b"x" * (4 * WINDOW)
    parts: list[float] = []
    assert find(reader(data), Needle("y"), ((0, len(data)),), len(data), told=parts.append) is None
    assert parts == [0.25, 0.5, 0.75, 1.0]
    parts.clear()
    stop = iter([False, True])
    assert (
        find(
            reader(data + b"y"),
            Needle("y"),
            ((0, len(data) + 1),),
            len(data) + 1,
            stop=lambda: next(stop),
            told=parts.append,
        )
        is None
    )
    assert parts == [pytest.approx(0.25, abs=0.01)]
    assert find(reader(b"x"), Needle(""), ((0, 1),), 1) is None


# marks

LINES = st.lists(
    st.sampled_from(
        [b"", b"x", b"an Error: y", b"error: error:", b"WARNING: z", b"make: *** [all] e", b"error", b"-" * 70]
    ),
    max_size=30,
)


def marked(data: bytes, needles: tuple[bytes, ...], block: int, begin: int = 0) -> list[tuple[int, int]]:
    """(block in which it ends, where its line or its block begins), once each."""
    found = set()
    for needle in needles:
        for at in naive(data[begin:], needle):
            end_block = (at + len(needle) - 1) // block
            line = data[begin:].rfind(b"\n", 0, at) + 1
            found.add((end_block, max(line, end_block * block)))
    return sorted(found)


@settings(max_examples=200, deadline=None)
@given(LINES, st.data())
def test_marks_are_counted_whatever_the_pieces_and_found_both_ways(
    lines: list[bytes], data: st.DataObject
) -> None:
    whole = b"\n".join(lines)
    block = data.draw(st.sampled_from([16, 64, 256]))
    for needles in (ERRORS, WARNINGS):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sealwright_console.log_marks.BLOCK", block)
            patch.setattr("sealwright_console.log_marks._MANY", data.draw(st.sampled_from([9, 64])))
            marks = Marks(needles)
            at = 0
            while at < len(whole):
                size = min(data.draw(st.integers(1, 20)), block - at % block, len(whole) - at)
                marks.take(at, whole[at : at + size].lower())
                at += size
            wanted = marked(whole, needles, block)
            assert marks.count == len(wanted)
            end = data.draw(st.integers(0, len(whole)))
            assert marks.until(reader(whole), end) == len(marked(whole[:end], needles, block))
            hits = sorted(at for needle in needles for at in naive(whole, needle))
            here = data.draw(st.integers(0, len(whole)))
            assert marks.after(reader(whole), here, len(whole)) == next((at for at in hits if at >= here), None)
            ended = sorted(at for n in needles for at in naive(whole, n) if at + len(n) <= here)
            assert marks.before(reader(whole), here) == (ended[-1] if ended else None)


def test_a_mark_across_two_blocks_is_found(tmp_path: Path) -> None:
    (tmp_path / "1.log").write_bytes(b"." * (BLOCK - 3) + b"error: x\n" + b"warning: y\n" * 3 + b"error: z\n")
    with LogText(sorted(tmp_path.iterdir())) as log:
        log.extend()
        assert log.counts() == (2, 3)
        assert log.errors.after(log.read, 0, log.shown) == BLOCK - 3
        assert log.errors.before(log.read, log.shown - 9) == BLOCK - 3
        log.limit_to(BLOCK + 2)
        assert log.counts() == (0, 0), "a mark of which a part is behind the limit is none"
        log.limit_to(BLOCK + 7)
        assert log.counts() == (1, 0)


def test_a_log_of_nothing_but_errors_costs_a_number_per_block(tmp_path: Path) -> None:
    (tmp_path / "1.log").write_bytes(b"error: it\n" * 100_000)
    with LogText(sorted(tmp_path.iterdir())) as log:
        log.extend()
        assert 100_000 <= log.counts()[0] <= 100_000 + log.size // BLOCK + 1, "a line that lies in two blocks"
        assert len(log.errors._before) == -(-log.size // BLOCK)


def test_a_log_made_to_be_slow_is_counted_nearly_as_fast_as_any_other() -> None:
    def took(piece: bytes) -> float:
        data = (piece * BLOCK)[:BLOCK]
        begun = time.process_time()
        for _ in range(20):
            Marks(ERRORS).take(0, data)
        return time.process_time() - begun

    plain = min(took(b"CC some/file/number_0000.o with flags\n") for _ in range(3))
    assert min(took(b"or:") for _ in range(3)) < 15 * plain
