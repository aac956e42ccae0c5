"""Every known way out is held, and gets out when what holds it is taken away."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.ablations import WIDE, ablations
from sealwright_stages.ports import Collected, Limits
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.selftest.attempts import (
    ATTEMPTS,
    FETCHER,
    INSIDE,
    PRODUCTS,
    WATCHED,
    Attempt,
    Result,
    Tried,
)
from sealwright_stages.selftest.canary import SECRET, Canary
from sealwright_stages.selftest.trial import Trial, judged
from support.ordinary import as_ordinary_user
from support.weakened import Without

pytestmark = pytest.mark.sandbox

_BY_BUILDER = tuple(attempt for attempt in WATCHED if attempt.name != "daemon")
_BY_COLLECTOR = tuple(attempt for attempt in PRODUCTS if attempt.name != "product_raced")


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    with Canary() as bait:
        yield bait


@pytest.fixture
def trial(canary: Canary, identities: Identities) -> Trial:
    return Trial(canary, identities)


def _named(name: str) -> Attempt:
    return next(attempt for attempt in ATTEMPTS if attempt.name == name)


def _plainly(tried: list[Tried]) -> list[tuple[str, str, str]]:
    return [(each.attempt.name, str(each.result), each.why) for each in tried]


def test_the_sandbox_holds_them_all(trial: Trial) -> None:
    tried = trial.whole()
    assert [each.attempt for each in tried] == list(ATTEMPTS), "each is tried, in the table's order"
    assert [each for each in _plainly(tried) if each[1] != "held"] == []


def test_there_are_enough_and_each_is_named_once() -> None:
    assert len(ATTEMPTS) >= 45
    assert (
        len({(attempt.name, attempt.group) for attempt in ATTEMPTS})
        == len({(attempt.tries, attempt.group) for attempt in ATTEMPTS})
        == len(ATTEMPTS)
    )
    assert all(attempt.held_by for attempt in ATTEMPTS)


def test_each_attempt_has_a_measure_to_take_away(canary: Canary) -> None:
    taken = {*ablations(canary), *(attempt.name for attempt in (*_BY_BUILDER, *_BY_COLLECTOR))}
    assert taken == {attempt.name for attempt in ATTEMPTS}


@pytest.mark.parametrize("attempt", INSIDE, ids=lambda attempt: attempt.name)
def test_without_what_holds_it_an_attempt_gets_out(attempt: Attempt, trial: Trial) -> None:
    without = ablations(trial.canary)[attempt.name]
    if without.bare == "root" and os.geteuid() != 0:
        pytest.skip("only root can show what root could do")
    (tried,) = replace(trial, prepare=without.prepare()).inside([attempt])
    if tried.result is Result.HELD and os.geteuid() == 0:
        (bare,) = replace(trial, prepare=Without("all", bare="root").prepare()).inside([attempt])
        if bare.result is Result.HELD:
            pytest.skip(f"not even root gets anywhere here: {bare.why}")
    assert tried.result is Result.GOT_OUT, (without.measures, tried.why)


@pytest.mark.parametrize("name", ["socket_abstract", "host_file", "descriptor", "environment"])
def test_without_what_holds_it_an_attempt_gets_out_of_a_fetcher_too(name: str, trial: Trial) -> None:
    without = ablations(trial.canary)[name]
    if name == "socket_abstract":  # not by a namespace, since a fetcher shares the host's
        without = Without("a rule of the system call filter", calls=frozenset({"socket"}))
    attempt = next(attempt for attempt in FETCHER if attempt.name == name)
    (held,) = trial.fetcher([attempt])
    assert held.result is Result.HELD, held.why
    (tried,) = replace(trial, prepare=without.prepare()).fetcher([attempt])
    assert tried.result is Result.GOT_OUT, (without.measures, tried.why)


@pytest.mark.parametrize("attempt", _BY_BUILDER, ids=lambda attempt: attempt.name)
def test_without_the_builders_limits_an_attempt_gets_out(attempt: Attempt, trial: Trial) -> None:
    tried = trial.watched(attempt, WIDE)
    assert tried.result is Result.GOT_OUT, tried.why


def test_a_daemon_goes_on_where_it_has_no_process_namespace_to_die_with(trial: Trial) -> None:
    without = ablations(trial.canary)["daemon"]
    tried = replace(trial, prepare=without.prepare()).watched(_named("daemon"))
    assert tried.result is Result.GOT_OUT, tried.why
    assert trial.canary.living("daemon") == [], "the trial ends what it let out"


def test_a_product_changes_on_where_its_builder_goes_on(trial: Trial) -> None:
    without = ablations(trial.canary)["product_raced"]
    (tried,) = replace(trial, prepare=without.prepare()).products([_named("product_raced")])
    assert tried.result is Result.GOT_OUT, tried.why
    assert trial.canary.living("racer") == [], "the trial ends what it let out"


def test_a_collector_that_takes_what_it_finds_takes_them_all(trial: Trial) -> None:
    linked: list[bytes] = []

    def take(folder: Path, _patterns: tuple[str, ...], _most: int, destination: Path) -> tuple[Collected, ...]:
        folder.rename(destination)
        if folder.name == "product_link":
            linked.append((destination / "x.deb").read_bytes())
        return ()

    tried = replace(trial, collect=take).products(_BY_COLLECTOR)
    assert {str(each.result) for each in tried} == {"got out"}, _plainly(tried)
    assert linked == [SECRET], "what the host's file says would have been published"


def test_what_was_ended_for_something_else_is_never_held(trial: Trial) -> None:
    tried = trial.watched(_named("many_files"), Limits(wall=1, memory=1 << 30, disk=1 << 30, processes=64))
    assert tried.result is Result.BROKEN
    assert "longer than 1 s" in tried.why


def test_what_could_not_be_tried_is_never_held(trial: Trial) -> None:
    nothing = Attempt("no_such_function", "", "", "")
    (tried,) = trial.inside([nothing])
    assert tried.result is Result.BROKEN
    assert "no such attempt" in tried.why
    host = _named("host_file")
    silent = Trial(trial.canary, trial.identities)
    object.__setattr__(silent, "words", lambda attempts, bait: ("/no/such/program",))
    (unheard,) = silent.inside([host])
    assert unheard.result is Result.BROKEN


@pytest.mark.parametrize(
    "said", [b"", b"host_file", b"host_file fine", b"other held", b"\xff\xfe", b"host_fileheld x"]
)
def test_only_a_clear_word_counts(said: bytes) -> None:
    (tried,) = judged([_named("host_file")], said, "it said nothing")
    assert tried.result is Result.BROKEN


_AS_ORDINARY_USER = """
from sealwright_stages.selftest.trial import selftest
from sealwright_stages.sandbox.identity import Identities
assert Identities.choose().builders == ()
print([(each.attempt.name, each.result.value, each.why) for each in selftest() if each.result != "held"])
"""


def test_an_ordinary_user_is_held_too(identities: Identities) -> None:
    if not identities.builders:
        pytest.skip("we are an ordinary user: the tests above have shown it")
    done = subprocess.run(
        [*as_ordinary_user(), sys.executable, "-c", _AS_ORDINARY_USER],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "TMPDIR": "/tmp"},
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().strip() == "[]"
