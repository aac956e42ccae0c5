"""The rules of review.past: old states are those of the fold, and what is read again is what was audited."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_stages import events as ev
from sealwright_stages.errors import LogError
from sealwright_stages.events import Stage
from sealwright_stages.fold import fold
from sealwright_stages.log.entries import read_entries
from sealwright_stages.review import past as past_module
from sealwright_stages.review.index import microseconds
from sealwright_stages.review.meaning import Kind, Severity
from sealwright_stages.review.past import Past, read_past
from sealwright_stages.review.snapshots import freeze, thaw
from sealwright_stages.state import State
from support.past_log import End, Output, Seal, Told, write_past
from support.stories import begun, build_started, declared, entries_of, histories, judged, sha, whole_release


def mixed(history: list[ev.Event], chance: random.Random) -> list[Told]:
    """A history with output of two builds, and unclean ends, strewn in."""
    told: list[Told] = []
    for event in history:
        told.append(event)
        for _ in range(chance.choice((0, 0, 1, 5))):
            name = chance.choice(("build/xen/1-1", "build/lvm2/1-1"))
            told.append(Output(name, chance.randbytes(chance.randint(1, 20))))
        if chance.random() < 0.05:
            told.append(End("evidence/1-1", clean=chance.random() < 0.5))
    return [*told, Seal()]


def test_a_clock_before_1970_is_a_clock(tmp_path: Path) -> None:
    log = write_past(tmp_path / "log", [*entries_told(), Seal()])
    index = log / "index.jsonl"
    index.write_bytes(index.read_bytes().replace(b'"t":"2026-', b'"t":"1926-'))
    past = read_past(log)
    assert (past.broken, past.place("1926-03-03"), past.place("12:39")) == ("", past.size - 1, past.size - 1)


def entries_told() -> list[Told]:
    return [begun(), declared("xen/tag")]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(histories(), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
    st.sampled_from([1, 2, 7, 256]),
)
def test_the_state_at_n_is_that_of_the_fold_over_the_records_up_to_n(
    tmp_path_factory: pytest.TempPathFactory,
    parts: list[list[ev.Event]],
    chance: random.Random,
    every: int,
) -> None:
    history = [
        *parts[0],
        *(event for more in parts[1:] for event in more if not isinstance(event, ev.ItemDeclared)),
    ]
    log = write_past(tmp_path_factory.mktemp("log"), mixed(history, chance))
    entries = list(read_entries(log))
    before, past_module.EVERY = past_module.EVERY, every
    try:
        past = read_past(log)
        numbers = [0, len(entries) - 1, *(chance.randrange(len(entries)) for _ in range(20))]
        for n in numbers:
            state = past.state(n)
            wanted = fold(entries[: n + 1])
            assert state == wanted
            for table in ("items", "components", "products"):
                assert list(getattr(state, table)) == list(getattr(wanted, table))
    finally:
        past_module.EVERY = before
    assert past.size == len(entries) and past.end == fold(entries) and not past.broken


@given(histories())
def test_folding_on_from_a_thawed_state_changes_no_snapshot(history: list[ev.Event]) -> None:
    entries = entries_of(history, sealed=True)
    half = len(entries) // 2
    state = fold(entries[:half])
    first = freeze(state)
    second = freeze(fold(entries[half:], state), first)
    fold(entries[half:], thaw(first))
    assert thaw(first) == fold(entries[:half])
    assert thaw(second) == fold(entries)


def test_a_snapshot_shares_what_did_not_change() -> None:
    state = State(accepted=[], unclean=[f"stream {n}" for n in range(1000)])
    first = freeze(state)
    state.unclean.append("another")
    second = freeze(state, first)
    assert all(old is new for old, new in zip(first["unclean"][:-1], second["unclean"], strict=False))


def release(*more: Told) -> list[Told]:
    return [*whole_release("xen", "lvm2"), *more]


def test_any_record_is_read_again_as_it_stood(tmp_path: Path) -> None:
    told = mixed([*whole_release("xen", "lvm2")], random.Random(1))  # noqa: S311 - nothing secret
    told[-1:-1] = [Output("build/xen/1-1", b"line %d\n" % n) for n in range(700)]
    log = write_past(tmp_path, told)
    entries = list(read_entries(log))
    past = read_past(log)
    assert [past.entry(n) for n in range(past.size)] == entries
    for n in (0, 1, 127, 128, 129, 500, past.size - 1):
        assert list(past.entries(n)) == entries[n:]
        assert list(past.entries(n, forward=False)) == entries[n::-1]


@pytest.mark.parametrize("at", ["told", "output"])
def test_a_record_that_was_changed_since_is_refused(tmp_path: Path, at: str) -> None:
    log = write_past(tmp_path, release(*(Output("build/xen/1-1", b"x" * n) for n in range(1, 300)), Seal()))
    past = read_past(log)
    index = log / "index.jsonl"
    data = index.read_bytes()
    old, new = (b"because of xen/tag", b"because of lvm/tag") if at == "told" else (b'"len":250,', b'"len":251,')
    assert data.count(old) == 1
    index.write_bytes(data.replace(old, new))
    n = next(e.n for e in read_entries(log) if new in e.line)
    with pytest.raises(LogError, match="changed since it was audited"):
        past.entry(n)
    if at == "told":
        with pytest.raises(LogError, match="changed since it was audited"):
            past.state(past.size - 1)


def test_a_file_that_shrank_or_went_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    log = write_past(tmp_path, release())
    past = read_past(log)
    (log / "index.jsonl").write_bytes(b"")
    with pytest.raises(LogError):
        past.entry(3)
    (log / "index.jsonl").unlink()
    with pytest.raises(LogError):
        read_past_again(past)


def read_past_again(past: Past) -> None:
    past.close()
    past.entry(3)


def test_where_the_fold_ends_the_past_ends(tmp_path: Path) -> None:
    good = release()
    log = write_past(tmp_path, [*good, ev.ItemStarted("never/declared"), begun()])
    past = read_past(log)
    assert past.size == len(good) + 1 and past.broken.startswith(f"record {len(good) + 1}: ")
    assert past.end == past.state(past.size - 1) == fold(list(read_entries(log))[:-2])


def test_a_record_that_is_none_ends_the_past(tmp_path: Path) -> None:
    log = write_past(tmp_path, release())
    with (log / "index.jsonl").open("ab") as file:
        file.write(b"no record\n")
    past = read_past(log)
    assert past.size == len(release()) + 1 and past.broken


def test_each_record_means_what_it_says(tmp_path: Path) -> None:
    told = [
        begun(),
        declared("xen/fetch", Stage.GET_SOURCES),
        declared("xen/build", Stage.BUILD),
        ev.StageStarted("get-sources"),
        judged("xen/fetch", "failed"),
        judged("xen/fetch", "warned"),
        ev.GateDecided("build", False, 0, 1, 0, 0),
        ev.GateDecided("build", True, 1, 0, 0, 0),
        build_started("xen"),
        ev.BuildEnded("xen", 2, 10, ""),
        End("build/xen/1-1", clean=False),
        ev.ProductCollected("xen", "p", sha("p"), 1),
        ev.RunEnded(1, "closed", ""),
        Seal(),
    ]
    past = read_past(write_past(tmp_path, told))
    got = [past.meaning(number) for number in range(1, past.size)]
    assert [(m.component, m.stage, m.severity, m.weighty) for m in got] == [
        ("", None, Severity.INFO, True),
        ("xen", Stage.GET_SOURCES, Severity.INFO, False),
        ("xen", Stage.BUILD, Severity.INFO, False),
        ("", Stage.GET_SOURCES, Severity.INFO, True),
        ("xen", Stage.GET_SOURCES, Severity.RED, True),
        ("xen", Stage.GET_SOURCES, Severity.WARNED, True),
        ("", Stage.BUILD, Severity.RED, True),
        ("", Stage.BUILD, Severity.INFO, True),
        ("xen", Stage.BUILD, Severity.INFO, False),
        ("xen", Stage.BUILD, Severity.RED, True),
        ("xen", Stage.BUILD, Severity.RED, True),
        ("xen", Stage.BUILD, Severity.INFO, True),
        ("", None, Severity.RED, True),
        ("", None, Severity.INFO, True),
    ]
    kinds = "run check check gate check check gate gate build build log product run log"
    assert [m.kind.word for m in got] == kinds.split()
    assert list(past.red) == [5, 7, 10, 11, 13] and list(past.warned) == [6]
    assert list(past.chosen(kind=Kind.GATE)) == [4, 7, 8] and list(past.chosen("xen", kind=Kind.CHECK)) == [
        2,
        3,
        5,
        6,
    ]
    assert list(past.chosen("xen", Stage.BUILD)) == [3, 9, 10, 11, 12]
    assert list(past.chosen(least=Severity.WARNED)) == [5, 6, 7, 10, 11, 13]
    assert list(past.chosen("nobody")) == []
    assert past.next_weighty(5, forward=True) == 6 and past.next_weighty(5, forward=False) == 4
    assert past.next_weighty(14, forward=True) is None and past.next_weighty(1, forward=False) is None


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_output_until_n_is_what_the_records_up_to_n_name(
    tmp_path_factory: pytest.TempPathFactory, chance: random.Random
) -> None:
    told: list[Told] = []
    for _ in range(chance.randint(1, 12)):
        name = f"build/{chance.choice('abc')}"
        told += [Output(name, b"x" * chance.randint(1, 9))] * chance.choice((1, 3, 40, 600))
    log = write_past(tmp_path_factory.mktemp("log"), told)
    past = read_past(log)
    entries = list(read_entries(log))
    for n in [chance.randrange(len(entries)) for _ in range(10)]:
        for name in ("build/a", "build/b", "build/never"):
            wanted = sum(e.body["len"] for e in entries[: n + 1] if e.kind == "data" and e.stream == name)
            assert past.output_until(name, n) == wanted


@pytest.mark.parametrize(
    ("typed", "n"),
    [
        ("0", 0),
        ("1,000", 1000),
        (" 12 ", 12),
        ("12:39:00", 3),
        ("12:39", 3),
        ("12:40", 243),
        ("2026-03-02T12:39:01", 7),
        ("2026-03-02 12:39:01", 7),
        ("2026-03-02T13:39:01+01:00", 7),
        ("2027-01-01", 1200),
    ],
)
def test_a_place_is_a_number_or_the_last_record_before_a_time_has_passed(
    tmp_path: Path, typed: str, n: int
) -> None:
    past = read_past(write_past(tmp_path, [Output("build/xen", b"x")] * 1200))
    assert past.place(typed) == n


@pytest.mark.parametrize(
    "typed", ["1201", "-1", "", "x", "1,00", "25:00", "12:38", "2026-03-01", "9" * 40, "²", "\u0661"]
)
def test_a_place_that_is_none_is_refused(tmp_path: Path, typed: str) -> None:
    past = read_past(write_past(tmp_path, [Output("build/xen", b"x")] * 1200))
    with pytest.raises(ValueError, match=r"records 0 to 1200|neither a record|begins at"):
        past.place(typed)


def test_a_time_of_day_is_the_first_one_in_the_log(tmp_path: Path) -> None:
    past = read_past(write_past(tmp_path, [Output("build/xen", b"x")] * 40, step=3_600_000))
    assert [past.place(t) for t in ("13:00", "12:40", "12:39", "12:30")] == [0, 0, 0, 23]


def test_an_empty_log_has_no_place(tmp_path: Path) -> None:
    past = Past(tmp_path)
    with pytest.raises(ValueError, match="no record"):
        past.place("0")
    assert past.state(-1) == State()


def test_stages_have_spans_of_real_time_and_a_run_that_was_cut_short_ends_its_own(tmp_path: Path) -> None:
    told = [
        begun(),
        ev.StageStarted("get-sources"),
        ev.StageStarted("verify"),
        ev.StageEnded("get-sources", True),
        begun(),
        ev.StageStarted("verify"),
        ev.StageEnded("verify", True),
        ev.StageStarted("build"),
    ]
    past = read_past(write_past(tmp_path, told, step=1000))
    first = microseconds(past.end.first_t)
    spans = [(stage, (a - first) // 10**6, b and (b - first) // 10**6) for stage, a, b in past.spans]
    assert spans == [
        (Stage.GET_SOURCES, 2, 4),
        (Stage.VERIFY, 3, 5),
        (Stage.VERIFY, 6, 7),
        (Stage.BUILD, 8, None),
    ]


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_records_that_cover_output_are_those_that_name_it(
    tmp_path_factory: pytest.TempPathFactory, chance: random.Random
) -> None:
    told: list[Told] = []
    for _ in range(chance.randint(1, 12)):
        name = f"build/{chance.choice('ab')}"
        told += [Output(name, b"x" * chance.randint(1, 9))] * chance.choice((1, 3, 40, 600))
    past = read_past(write_past(tmp_path_factory.mktemp("log"), told, segment=chance.choice((7, 100, 1 << 20))))
    for name in ("build/a", "build/b", "build/never"):
        known, at = [], 0
        for entry in past.entries(0):
            if entry.kind == "data" and entry.stream == name:
                known.append((at, entry))
                at += entry.body["len"]
        begin = chance.randint(0, at + 3)
        end = chance.randint(begin, at + 5)
        wanted = [(b, e) for b, e in known if b < end and b + e.body["len"] > begin and begin < end]
        assert list(past.covering(name, begin, end)) == wanted


def test_a_minute_further_is_at_least_a_record(tmp_path: Path) -> None:
    past = read_past(write_past(tmp_path, [Output("build/xen", b"x")] * 40, step=25_000))
    assert [past.minute(n, forward=True) for n in (0, 1, 39, 40)] == [2, 3, 40, 40]
    assert [past.minute(n, forward=False) for n in (40, 2, 1, 0)] == [37, 0, 0, 0]
    slow = read_past(write_past(tmp_path / "slow", [Output("build/xen", b"x")] * 4, step=600_000))
    assert [slow.minute(n, forward=True) for n in range(5)] == [1, 2, 3, 4, 4]
    assert [slow.minute(n, forward=False) for n in range(5)] == [0, 0, 1, 2, 3]


def test_the_hash_of_all_that_was_taken_is_that_of_the_index(tmp_path: Path) -> None:
    log = write_past(tmp_path, release())
    past = read_past(log)
    data = (log / "index.jsonl").read_bytes()
    assert (past.index.sha256, past.index.length) == (hashlib.sha256(data).hexdigest(), len(data))
