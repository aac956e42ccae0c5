"""`kill -9` of a run's programs at random moments, under load: nothing acknowledged is lost, and the next run resumes."""

from __future__ import annotations

import pytest

from walk.killing import Killing, two_builds
from walk.walking import Walk

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]
VICTIMS = ("authority", "builder", "console")


def killed(walk: Walk, victim: str, times: int) -> Killing:
    walk.text = two_builds(walk.text)
    walk.manifest.write_text(walk.text)
    killing = Killing(walk, victim, seed=4)
    try:
        killing.kill(times)
    finally:
        killing.print_table()
    return killing


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(walk: Walk, victim: str) -> None:
    killing = killed(walk, victim, 2)
    assert killing.table["acknowledged"] > 0 and killing.deaths


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("victim", VICTIMS)
def test_a_hundred_kills_at_any_moment_lose_nothing_that_was_acknowledged(walk: Walk, victim: str) -> None:
    killing = killed(walk, victim, 100)
    assert max(killing.deaths) <= 1.0
    assert killing.table["walked to the end"] >= 10
