"""Whether a build fits beside others: by what each may take, not by what it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealwright_stages.build.spare import spare_memory
from sealwright_stages.memory_room import MemoryRoom

LIMITS = {"a": 4, "b": 4, "c": 9}


def test_what_runs_counts_with_its_whole_limit() -> None:
    room = MemoryRoom(LIMITS, lambda: 10)
    assert room(["a"], "b")
    assert not room(["a", "b"], "a")
    assert not room(["a"], "c")


def test_what_others_took_meanwhile_counts_too() -> None:
    spare = iter([100, 3, 4])
    room = MemoryRoom(LIMITS, lambda: next(spare))
    assert not room(["a"], "b")
    assert room(["a"], "b")


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("0::/a/b", "a/memory.max"),
        ("0::/a/b", "a/b/memory.max"),
        ("4:cpu,memory:/a", "memory/a/memory.limit_in_bytes"),
    ],
)
def test_spare_memory_is_what_the_machine_and_our_groups_let_us_have(tmp_path: Path, line: str, file: str) -> None:
    membership = tmp_path / "cgroup"
    assert spare_memory(membership, tmp_path) > 1 << 20, "there is no such file"
    membership.write_text(f"3:cpu:/other\n{line}\n")
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("max\n")
    assert spare_memory(membership, tmp_path) > 1 << 20
    (tmp_path / file).write_text("4096\n")
    assert spare_memory(membership, tmp_path) == 4096
