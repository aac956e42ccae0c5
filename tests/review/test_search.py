"""The rules of review.search: what is found, in which order, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_stages.errors import LogError
from sealwright_stages.events import Stage
from sealwright_stages.log.entries import Entry
from sealwright_stages.review import search as search_module
from sealwright_stages.review.meaning import Kind, Severity
from sealwright_stages.review.past import Past, read_past
from sealwright_stages.review.search import Wanted, hits
from support.past_log import End, Output, Seal, Told, write_past
from support.stories import begun, build_started, declared, judged


def words(entry: Entry) -> str:
    return str(entry.body)


def past_of(folder: Path, *told: Told) -> Past:
    return read_past(write_past(folder, told))


def found(past: Past, wanted: Wanted, *, backwards: bool = False) -> list[int]:
    span = (past.size - 1, 0) if backwards else (0, past.size - 1)
    return [hit.entry.n for hit in hits(past, wanted, words, span)]


STREAM = "build/xen/1-1"


def sample(folder: Path) -> Past:
    return past_of(
        folder,
        begun(),
        declared("xen/tag"),
        declared("xen/build", Stage.BUILD),
        judged("xen/tag", "warned"),
        build_started("xen"),
        Output(STREAM, b"first Needle\nsecond\n"),
        Output(STREAM, b"third\nnee"),
        Output("evidence/1-1", b"needle of nobody\n"),
        Output(STREAM, b"dle crosses\nNEEDLE needle\nneedle\n"),
        End(STREAM),
        judged("xen/build", "failed"),
        Seal(),
    )


def test_hits_come_in_the_order_of_the_log_or_against_it(tmp_path: Path) -> None:
    past = sample(tmp_path)
    assert found(past, Wanted("needle")) == [6, 8, 9]
    assert found(past, Wanted("needle"), backwards=True) == [9, 8, 6]
    assert [hit.entry.n for hit in hits(past, Wanted("needle"), words, (7, 8))] == [8]


def test_the_lines_of_a_hit_are_this_records_own(tmp_path: Path) -> None:
    past = sample(tmp_path)
    lines = [hit.lines for hit in hits(past, Wanted("needle"), words, (0, past.size - 1))]
    assert lines == [
        (b"first Needle",),
        (b"needle of nobody",),
        (b"needle crosses", b"NEEDLE needle", b"needle"),
    ]


def test_filters_choose_by_component_stage_and_severity(tmp_path: Path) -> None:
    past = sample(tmp_path)
    assert found(past, Wanted("needle", component="xen")) == [6, 9]
    assert found(past, Wanted("needle", stage=Stage.VERIFY)) == []
    assert found(past, Wanted("needle", least=Severity.WARNED)) == []
    assert found(past, Wanted(least=Severity.WARNED)) == [4, 11]
    assert found(past, Wanted("because of", least=Severity.RED)) == [11]
    assert found(past, Wanted("because of")) == [4, 11]
    assert found(past, Wanted(component="xen", stage=Stage.BUILD)) == [3, 5, 10, 11]


def test_without_a_text_output_is_not_listed(tmp_path: Path) -> None:
    past = sample(tmp_path)
    assert found(past, Wanted()) == list(past.index.told)


def test_output_that_is_not_what_was_recorded_is_refused(tmp_path: Path) -> None:
    past = sample(tmp_path)
    segment = next((tmp_path / "data" / STREAM).glob("*.log"))
    segment.write_bytes(segment.read_bytes().replace(b"second", b"needle"))
    with pytest.raises(LogError, match="changed since it was audited"):
        found(past, Wanted("needle"))
    segment.unlink()
    with pytest.raises(LogError, match="can't be read"):
        found(past, Wanted("needle"))
    segment.symlink_to("/etc/passwd")
    with pytest.raises(LogError, match="can't be read"):
        found(past, Wanted("root"))


def test_a_search_is_given_up_at_any_record(tmp_path: Path) -> None:
    past = past_of(tmp_path, *[Output(STREAM, b"needle\n")] * 50)
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 10

    assert len(list(hits(past, Wanted("needle"), words, (0, 50), stop))) < 11


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("abAB\n", min_size=1, max_size=6).map(str.encode), min_size=1, max_size=30),
    st.sampled_from([1, 4, 1 << 20]),
    st.sampled_from(["aB", "ab\naB", "aa"]),
    st.sampled_from([1, 3, 1 << 20]),
    st.sampled_from([1, 5, 8192]),
)
def test_a_record_is_a_hit_if_a_match_ends_in_it(
    tmp_path_factory: pytest.TempPathFactory,
    chunks: list[bytes],
    segment: int,
    needle: str,
    run: int,
    window: int,
) -> None:
    """Whatever the output is cut into: records, segments, what is read together."""
    told = [Output(STREAM, chunk) for chunk in chunks]
    past = read_past(write_past(tmp_path_factory.mktemp("log"), told, segment=segment))
    whole, raw = b"".join(chunks).lower(), needle.lower().encode()
    ends = {at + len(raw) for at in range(len(whole)) if whole.startswith(raw, at)}
    wanted, end = [], 0
    for n, chunk in enumerate(chunks, 1):
        begin, end = end, end + len(chunk)
        if ends & set(range(begin + 1, end + 1)):
            wanted.append(n)
    before = search_module._RUN, search_module._RECORDS
    search_module._RUN, search_module._RECORDS = run, window
    try:
        assert found(past, Wanted(needle)) == wanted
        assert found(past, Wanted(needle), backwards=True) == wanted[::-1]
    finally:
        search_module._RUN, search_module._RECORDS = before


def test_text_over_two_segments_is_found_and_its_line_shown(tmp_path: Path) -> None:
    told = [Output(STREAM, b"sha256 mis"), Output(STREAM, b"m"), Output(STREAM, b"atch of x\n"), Seal()]
    past = read_past(write_past(tmp_path, told, segment=1))
    assert len(past.segments(STREAM)) == 3
    (hit,) = hits(past, Wanted("MISMATCH"), words, (0, past.size - 1))
    assert (hit.entry.n, hit.lines) == (3, (b"mismatch of x",))


def test_filters_choose_by_kind(tmp_path: Path) -> None:
    past = sample(tmp_path)
    assert found(past, Wanted("needle", kind=Kind.OUTPUT)) == [6, 8, 9]
    assert found(past, Wanted("needle", kind=Kind.BUILD)) == []
    assert found(past, Wanted(kind=Kind.BUILD)) == [5]


def test_a_record_that_names_more_than_one_may_is_refused(tmp_path: Path) -> None:
    log = write_past(tmp_path, [Output(STREAM, b"needle\n"), Seal()])
    index = log / "index.jsonl"
    index.write_bytes(index.read_bytes().replace(b'"len":7,', b'"len":999999999999999,'))
    with pytest.raises(LogError, match="changed"):
        found(read_past(log), Wanted("needle"))
