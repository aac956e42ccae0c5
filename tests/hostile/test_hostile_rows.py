"""Every row of hostile and awkward inputs, made with real gpg and git, at every door where it can come in."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostile import rows_elsewhere
from hostile.doors import Row, judged
from hostile.pen import Evil, an_evil_world
from hostile.table import ROWS
from sealwright_stages.process import run
from sealwright_stages.verdict import Failed, Passed, Warned
from sealwright_stages.verify.codes import WAIVABLE

CASES = [pytest.param(row, door, id=f"{row.number}-{row.name}-{door}") for row in ROWS for door in row.doors]


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evil]:
    with an_evil_world(tmp_path_factory.mktemp("evil")) as made:
        yield made


@pytest.mark.parametrize(("row", "door"), CASES)
def test_a_row_gets_the_verdict_that_is_wanted(evil: Evil, row: Row, door: str) -> None:
    verdict = judged(evil, row, door)
    wanted = row.code(door)
    assert verdict.code == wanted, verdict
    kind = Passed if wanted == "ok" else Warned if WAIVABLE.issuperset(wanted.split("+")) else Failed
    assert isinstance(verdict, kind)
    assert verdict.reason.isprintable()
    assert kind is Passed or verdict.next_step  # type: ignore[union-attr]


@pytest.mark.parametrize("row", rows_elsewhere.ROWS, ids=lambda row: f"{row.number}-{row.name}")
def test_a_row_that_is_tried_elsewhere_is(row: rows_elsewhere.Elsewhere) -> None:
    file, name = row.test.split("::")
    tree = ast.parse((Path(__file__).parents[1] / file).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def test_the_git_that_fetches_detects_collision_attacks() -> None:
    """No pair of colliding git objects is known; that git looks for the traces of an attack is all we can hold."""
    folder = run(["git", "--exec-path"], timeout=10).stdout.decode().strip()
    program = Path(folder, "git")
    assert b"SHA-1 appears to be part of a collision attack" in program.read_bytes()
