"""Comparing lists of products: the same as comparing them as tables, in one walk and in flat memory."""

from __future__ import annotations

import hashlib
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealwright_stages.join.compare import compare

tables = st.dictionaries(
    st.sampled_from("xyz"),
    st.dictionaries(
        st.sampled_from([f"products/c/{n}" for n in ("a", "aa", "b", "B", "~", "0")]), st.sampled_from("12")
    ),
    min_size=1,
)


def text(table: dict[str, str]) -> bytes:
    return "".join(f"{table[path] * 64}  {path}\n" for path in sorted(table)).encode()


@given(tables, st.integers(0, 3))
def test_it_says_what_a_comparison_of_tables_says(found: dict[str, dict[str, str]], most: int) -> None:
    said = compare({key: text(table) for key, table in found.items()}, most)
    paths = sorted({path for table in found.values() for path in table})
    unlike = [path for path in paths if len({table.get(path) for table in found.values()}) > 1]
    assert (said.same, said.unlike) == (len(paths) - len(unlike), len(unlike))
    assert [each.path for each in said.differences] == unlike[:most]
    for each in said.differences:
        assert each.sha256 == {key: table.get(each.path, "") * 64 for key, table in found.items()}


@pytest.mark.parametrize(
    "bad", [b"x", b"x\n", b"1" * 64 + b" a\n", text({"b": "1"}) + text({"a": "1"}), text({"a": "1"}) * 2]
)
def test_what_is_not_sorted_or_no_line_is_refused(bad: bytes) -> None:
    with pytest.raises(ValueError, match="not sorted or not one"):
        compare({"x": bad, "y": text({"a": "1"})})


@pytest.mark.slow
def test_a_hundred_thousand_products_of_three_builders_take_seconds_and_flat_memory() -> None:
    def made(other: int) -> bytes:
        lines = (
            f"{hashlib.sha256(b'%d' % (n + (n == other))).hexdigest()}  products/c/{n:06}\n"
            for n in range(100_000)
        )
        return "".join(lines).encode()

    three = {str(other): made(other) for other in (-1, -2, 77_777)}
    begun = time.monotonic()
    found = compare(three)
    took = time.monotonic() - begun
    assert (found.same, found.unlike) == (99_999, 1) and took < 5, took
    tracemalloc.start()
    compare(three)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
