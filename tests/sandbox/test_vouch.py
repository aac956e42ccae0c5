"""What is remembered of a machine that holds, and what is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def test_what_was_held_is_told_with_its_number_its_time_and_what_it_hung_on(tmp_path: Path) -> None:
    first = require_held(tmp_path, _Trial())
    assert first.tried == len(ATTEMPTS) and len(first.inputs) == 64 and first.at.endswith("Z")
    assert require_held(tmp_path, _Trial()) == first, "and when it was tried, not when it was asked for"


def test_whoever_waits_is_told_for_what_and_only_then(tmp_path: Path) -> None:
    told: list[str] = []
    for _ in range(2):
        require_held(tmp_path, _Trial(), told.append)
    assert len(told) == 1 and "ways out" in told[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda said: "",
        lambda said: said[:-1],
        lambda said: said.replace('"inputs": "', '"inputs": "0'),
        lambda said: said.replace(f'"tried": {len(ATTEMPTS)}', '"tried": 1'),
        lambda said: said.replace(f'"tried": {len(ATTEMPTS)}', '"tried": true'),
        lambda said: said.replace('"at": "2', '"at": "\\u001b2'),
        lambda said: said.replace('{"tried"', '{"more": 1, "tried"'),
    ],
)
def test_a_mark_that_does_not_say_what_it_is_for_counts_for_nothing(
    tmp_path: Path, change: Callable[[str], str]
) -> None:
    require_held(tmp_path, _Trial())
    (mark,) = (tmp_path / "selftest").iterdir()
    said = mark.read_text()
    assert change(said) != said
    mark.write_text(change(said))
    trial = _Trial()
    require_held(tmp_path, trial)
    assert trial.times == 1


@pytest.mark.parametrize("where", ["link", "open"])
def test_a_folder_that_is_not_ours_alone_is_neither_believed_nor_emptied(tmp_path: Path, where: str) -> None:
    require_held(tmp_path, _Trial())
    folder, other = tmp_path / "selftest", tmp_path / "other"
    (folder / ("f" * 64)).touch()
    if where == "link":
        folder.rename(other)
        folder.symlink_to(other)
    else:
        folder.chmod(0o777)
    trial = _Trial()
    for times in (1, 2):
        require_held(tmp_path, trial)
        assert trial.times == times
    assert (folder / ("f" * 64)).exists()


def test_only_marks_are_removed(tmp_path: Path) -> None:
    (tmp_path / "selftest").mkdir()
    (tmp_path / "selftest" / "letter").touch()
    require_held(tmp_path, _Trial())
    assert (tmp_path / "selftest" / "letter").exists()
