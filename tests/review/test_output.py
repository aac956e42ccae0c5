"""The rules of review.output: checked bytes are those that their records name, and nothing else is given."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_stages.errors import LogError
from sealwright_stages.review.output import Output as Reader
from sealwright_stages.review.past import read_past
from support.past_log import Output, Seal, Told, write_past

STREAM = "build/xen/1-1"


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([1, 9, 1 << 20]))
def test_checked_bytes_are_the_streams_whatever_it_is_cut_into(
    tmp_path_factory: pytest.TempPathFactory, chance: random.Random, segment: int
) -> None:
    told: list[Told] = []
    whole = b""
    for _ in range(chance.randint(1, 40)):
        data = chance.randbytes(chance.randint(1, 9))
        whole += data
        told += [Output(STREAM, data), *[Output("build/other", b"x")] * chance.choice((0, 1, 3))]
    past = read_past(write_past(tmp_path_factory.mktemp("log"), told, segment=segment))
    with Reader(past) as reader:
        for _ in range(10):
            begin, length = chance.randint(0, len(whole) + 2), chance.randint(0, 30)
            assert reader.checked(STREAM, begin, length) == whole[begin : begin + length]
        assert reader.checked("build/never", 0, 9) == b""


def test_bytes_that_are_not_what_their_record_names_are_refused_and_no_others(tmp_path: Path) -> None:
    told = [Output(STREAM, b"first\n"), Output(STREAM, b"second\n"), Output(STREAM, b"third\n"), Seal()]
    past = read_past(write_past(tmp_path, told))
    segment = next((tmp_path / "data" / STREAM).glob("*.log"))
    segment.write_bytes(segment.read_bytes().replace(b"second", b"s3cond"))
    with Reader(past) as reader:
        assert reader.checked(STREAM, 0, 6) == b"first\n" and reader.checked(STREAM, 13, 6) == b"third\n"
        for begin in (3, 6, 12):
            with pytest.raises(LogError, match="record 2 or its output is another now"):
                reader.checked(STREAM, begin, 9)


@pytest.mark.parametrize("deed", ["cut", "gone", "link"])
def test_a_segment_that_is_short_gone_or_a_link_is_refused(tmp_path: Path, deed: str) -> None:
    past = read_past(write_past(tmp_path, [Output(STREAM, b"first\n"), Seal()]))
    segment = next((tmp_path / "data" / STREAM).glob("*.log"))
    if deed == "cut":
        segment.write_bytes(b"firs")
    else:
        segment.unlink()
    if deed == "link":
        (tmp_path / "same").write_bytes(b"first\n")
        segment.symlink_to(tmp_path / "same")
    with Reader(past) as reader, pytest.raises(LogError):
        reader.checked(STREAM, 0, 6)
