"""What is remembered of a machine that holds, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from sealwright_console.fitness import told
from sealwright_stages.errors import Exit, MachineError
from sealwright_stages.selftest.attempts import ATTEMPTS, Result, Tried
from sealwright_stages.selftest.vouch import refusal, remember, require_held


@dataclass
class _Trial:
    """Says of the first attempt what it is told to, and held of the others; counts."""

    first: Result = Result.HELD
    times: int = 0

    def __call__(self) -> Sequence[Tried]:
        self.times += 1
        return [Tried(a, self.first if a is ATTEMPTS[0] else Result.HELD, "\x1b[2J") for a in ATTEMPTS]


def test_what_was_held_is_not_tried_again(tmp_path: Path) -> None:
    trial = _Trial()
    for _ in range(3):
        require_held(tmp_path, trial)
    assert trial.times == 1


@pytest.mark.parametrize("first", [Result.GOT_OUT, Result.BROKEN])
def test_a_machine_that_does_not_hold_is_refused_each_time(tmp_path: Path, first: Result) -> None:
    require_held(tmp_path, _Trial())
    (tmp_path / "selftest").rename(tmp_path / "elsewhere")
    trial = _Trial(first)
    for _ in range(2):
        with pytest.raises(MachineError, match="does not hold") as caught:
            require_held(tmp_path, trial)
    assert trial.times == 2
    assert caught.value.exit_code is Exit.ENVIRONMENT
    assert "doctor --selftest" in caught.value.next_step


def test_a_selftest_that_was_not_held_forgets_that_it_once_was(tmp_path: Path) -> None:
    require_held(tmp_path, _Trial())
    remember(tmp_path, _Trial(Result.GOT_OUT)())
    trial = _Trial()
    require_held(tmp_path, trial)
    assert trial.times == 1


def test_nothing_tried_is_nothing_held(tmp_path: Path) -> None:
    assert refusal([]) is not None
    with pytest.raises(MachineError, match="none was tried"):
        require_held(tmp_path, lambda: [])


def test_only_a_plain_file_of_our_own_counts(tmp_path: Path) -> None:
    require_held(tmp_path, _Trial())
    (mark,) = (tmp_path / "selftest").iterdir()
    mark.unlink()
    mark.symlink_to("/etc/hostname")
    trial = _Trial()
    require_held(tmp_path, trial)
    assert trial.times == 1
    assert mark.is_file() and not mark.is_symlink()


def test_what_is_remembered_of_other_code_or_another_boot_does_not_count(tmp_path: Path) -> None:
    require_held(tmp_path, _Trial())
    (mark,) = (tmp_path / "selftest").iterdir()
    mark.rename(mark.with_name("0" * 64))
    trial = _Trial()
    require_held(tmp_path, trial)
    assert trial.times == 1
    assert [path.name for path in mark.parent.iterdir()] == [mark.name], "and it is not kept"


def test_the_terminal_has_a_line_for_each_below_its_heading_and_a_next_step_where_it_is_red() -> None:
    lines = list(told(_Trial(Result.GOT_OUT)()))
    marked = [line for line in lines if line.startswith(("✓", "✗"))]
    assert len(marked) == len(ATTEMPTS)
    assert all(f" {number:3}  " in line for number, line in enumerate(marked, 1))
    assert marked[0].startswith("✗ GOT OUT")
    assert sum(line.strip().startswith("next: ") for line in lines) == 1
    broken = "\n".join(told(_Trial(Result.BROKEN)()))
    assert "✗ BROKEN" in broken
    assert "\x1b" not in broken, "what the inside says is made harmless"
    assert max(map(len, lines)) <= 120
