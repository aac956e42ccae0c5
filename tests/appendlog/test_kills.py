"""`kill -9` of the real authority under the load of eight builds: what it had acknowledged is in the log, which verifies."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from appendlog.faulting import prepare, reopened
from appendlog.loading import Loads
from appendlog.real_program import served


def killed(root: Path, seed: int) -> dict[str, int]:
    """One kill at a random moment; gives the counts."""
    prepare(root, "append")
    with served(root) as child:
        loads = Loads(root, seed)
        loads.start()
        loads.threads[0].join(random.Random(seed).uniform(0.0, 0.8))  # noqa: S311 - chooses a moment
        child.kill()
        loads.join()
    reopened(root)
    counts = loads.check()
    shutil.rmtree(root)
    return counts


def kills(folder: Path, times: int) -> Counter[str]:
    table: Counter[str] = Counter()
    for seed in range(times):
        table.update(killed(folder / str(seed), seed))
    print(f"\n{times} kills of the authority under the load of 8 builds")
    for what, number in table.items():
        print(f"  {what:32} {number:14,}")
    return table


def test_what_was_acknowledged_before_a_kill_is_there(tmp_path: Path) -> None:
    table = kills(tmp_path, 4)
    assert table["events acknowledged"] > 0 and table["bytes acknowledged"] > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_was_acknowledged_before_any_of_a_hundred_kills_is_there(tmp_path: Path) -> None:
    table = kills(tmp_path, 100)
    assert table["torn pieces"] > 0, "no kill was hard enough"
