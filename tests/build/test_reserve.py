"""The rules of reserve: what the machine keeps for itself while builds run."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealwright_stages.build.reserve import Reserve


@pytest.mark.parametrize(
    ("disk", "memory", "said"),
    [
        ([2000, 500], [2000, 500], ""),
        ([2000, 200], [2000], "disk is nearly full: 200 MiB"),
        ([2000], [2000, 100], "memory is nearly full: 100 MiB"),
    ],
)
def test_the_machine_keeps_a_reserve(tmp_path: Path, disk: list[int], memory: list[int], said: str) -> None:
    def told(values: list[int]) -> int:
        return (values.pop(0) if len(values) > 1 else values[0]) << 20

    reserve = Reserve(tmp_path, lambda _folder: told(disk), lambda: told(memory))
    reached = reserve.reached()
    assert said in reached
    assert bool(reached) == bool(said)


def test_a_machine_that_had_little_keeps_a_quarter_of_it(tmp_path: Path) -> None:
    left = [100, 30, 20]
    reserve = Reserve(tmp_path, lambda _folder: left.pop(0) << 20, lambda: 1 << 40)
    assert reserve.reached() == ""
    assert "25 are kept" in reserve.reached()
