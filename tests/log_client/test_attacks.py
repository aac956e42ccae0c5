"""Attacks on a log as a whole: each is found where the table says, ends with exit 4, and both words are kept.

`pytest -s` prints what is said of each; `python -m log_client.attacks TIMES` the whole table.
"""

from __future__ import annotations

import pytest

from log_client.attacks import ROWS, UNHARMED, Row, run

FEW, MANY = 1, 40


@pytest.mark.parametrize("times", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name[:60])
def test_an_attack_is_found_and_both_words_are_kept(row: Row, times: int) -> None:
    tries = times if row.chance else FEW
    for seed in range(tries):
        found = run(row, seed)
        assert row.says in found.said, (seed, found)
        assert found.kept == row.kept, (seed, found)
        assert found.code == (0 if row.refused else 4), (seed, found)
        if row.shown:
            assert found.exhibits == row.kept, (seed, found)
    print(f"\n{row.name} Found {tries} of {tries}, {row.where}: {found.said}")


def test_a_log_that_nobody_attacks_is_not_suspected() -> None:
    """The same scenes without the attack: a run, a crash, another run, seal and export, here and elsewhere."""
    for row in UNHARMED:
        assert run(row, 0).said == "well", row.name
