"""What is called signed is the release that was sealed here, as it lies there when that is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from walk.held import Held
from walk.walking import Walk

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]


def test_well_signed_evidence_of_another_run_is_not_this_release(finished: Walk, walk: Walk) -> None:
    walk.run("--until", "seal").well()
    shutil.rmtree(walk.evidence)
    shutil.copytree(finished.evidence, walk.evidence)
    walk.audit().well()
    walk.run().refused(5, "is not the log that was sealed here")


@pytest.mark.parametrize("changed", ["products/greeting/greeting.out", "log/index.jsonl", "policy/release.toml"])
def test_evidence_that_is_changed_while_a_person_is_asked_is_not_called_signed(held: Held, changed: str) -> None:
    run = held.start()
    held.to(run, "sign")
    path: Path = held.evidence / changed
    path.write_bytes(path.read_bytes().replace(b"e", b"x", 1))
    held.let_go("before-sign")
    run.end().refused(5, "was changed")
    assert held.signatures() == []
    held.goes_on()
