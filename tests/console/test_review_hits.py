"""The rules of review_hits: what is said to be the next hit is it, also while the log is still gone through."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_console.review_hits import Hits
from sealwright_stages.review import search as search_module
from sealwright_stages.review.past import read_past
from sealwright_stages.review.search import Wanted
from support.past_log import Output, Seal, write_past


def wanted_next(every: list[int], n: int, *, forward: bool, here: bool) -> int | None:
    """By brute force."""
    if not every:
        return None
    if here and n in every:
        return n
    if forward:
        return next((hit for hit in every if hit > n), every[0])
    return next((hit for hit in reversed(every) if hit < n), every[-1])


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([1, 3, 8192]))
def test_what_is_certain_is_true_whenever_it_is_asked(
    tmp_path_factory: pytest.TempPathFactory, chance: random.Random, window: int
) -> None:
    told = [
        Output("build/a", chance.choice((b"needle\n", b"hay\n", b"hay\n"))) for _ in range(chance.randint(1, 30))
    ]
    past = read_past(write_past(tmp_path_factory.mktemp("log"), [*told, Seal()]))
    every = [n for n, each in enumerate(told, 1) if each.data == b"needle\n"]
    hits = Hits(past, Wanted("needle"), chance.randrange(past.size))
    certain = 0

    def ask() -> None:
        nonlocal certain
        for n in range(past.size):
            for forward, here in ((True, False), (True, True), (False, False)):
                found = hits.next(n, forward=forward, here=here)
                if found.certain:
                    certain += 1
                    assert found.n == wanted_next(every, n, forward=forward, here=here)
            assert hits.rank(n) in (0, every.index(n) + 1 if n in every else 0)

    def stop() -> bool:
        ask()
        return False

    before, search_module._RECORDS = search_module._RECORDS, window
    try:
        hits.run(stop)
    finally:
        search_module._RECORDS = before
    certain = 0
    ask()
    assert hits.done and hits.count == len(every) and hits.share == 1
    assert certain == 3 * past.size and [hits.rank(n) for n in every] == [*range(1, len(every) + 1)]


def test_a_search_that_is_given_up_is_not_done(tmp_path: Path) -> None:
    past = read_past(write_past(tmp_path, [Output("build/a", b"needle\n")] * 9))
    hits = Hits(past, Wanted("needle"), 0)
    hits.run(lambda: True)
    assert not hits.done and not hits.next(0, forward=True).certain


def test_a_log_that_was_changed_meanwhile_is_a_trouble(tmp_path: Path) -> None:
    log = write_past(tmp_path, [Output("build/a", b"needle\n")] * 9)
    past = read_past(log)
    index = log / "index.jsonl"
    index.write_bytes(index.read_bytes().replace(b'"len":7', b'"len":6'))
    hits = Hits(past, Wanted("needle"), 0)
    hits.run(lambda: False)
    assert hits.trouble is not None and hits.over and not hits.done
