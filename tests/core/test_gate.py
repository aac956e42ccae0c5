"""The gate: open iff nothing blocks; each of its rules by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealwright_stages import events as ev
from sealwright_stages.events import STAGES, Stage
from sealwright_stages.fold import fold
from sealwright_stages.gate import decide, word
from sealwright_stages.state import State
from sealwright_stages.verdict import Status
from support.stories import (
    begun,
    build_started,
    declared,
    entries_of,
    histories,
    judged,
    promoted,
    sha,
    waived,
    whole_release,
)

GATED = (Stage.BUILD, Stage.SEAL, Stage.SIGN)


def state_of(*more: ev.Event, sealed: bool = False) -> State:
    """A release in which all went well, and then `more` was said."""
    return fold(entries_of([*whole_release("xen", "lvm2"), *more], sealed=sealed))


def test_a_release_in_which_all_went_well_opens_each_gate() -> None:
    assert all(decide(stage, state_of(sealed=True)).open for stage in STAGES)


@given(histories(), st.sampled_from(GATED), st.booleans())
def test_whatever_happened_an_item_that_is_not_green_closes_the_gate(
    history: list[ev.Event], stage: Stage, sealed: bool
) -> None:
    state = fold(entries_of(history, sealed=sealed))
    before = [item for item in state.items.values() if STAGES.index(item.stage) < STAGES.index(stage)]
    bad = {
        item.id
        for item in before
        if item.status in (Status.FAILED, Status.PENDING, Status.RUNNING)
        or (item.status is Status.WARNED and item.waiver is None)
    }
    decision = decide(stage, state)
    assert bad <= {blocker.item for blocker in decision.blockers}
    assert not (bad and decision.open)
    assert decision.green + decision.failed + decision.warned + decision.pending == len(before)


@given(histories(), st.sampled_from(STAGES), st.booleans())
def test_the_word_of_the_gate_is_that_of_the_decision(history: list[ev.Event], stage: Stage, sealed: bool) -> None:
    state = fold(entries_of(history, sealed=sealed))
    decision, told = decide(stage, state), word(stage, state)
    assert (told.open, told.failed, told.warned) == (decision.open, decision.failed, decision.warned)
    assert told.left == (0 if decision.failed or decision.warned else len(decision.blockers))


@given(histories(), st.sampled_from(GATED))
def test_a_closed_gate_says_of_each_reason_what_why_and_what_to_do(history: list[ev.Event], stage: Stage) -> None:
    for blocker in decide(stage, fold(entries_of(history))).blockers:
        assert blocker.what and blocker.why and blocker.next_step


@given(histories(), st.sampled_from(GATED))
def test_a_waiver_on_a_failed_item_changes_nothing(history: list[ev.Event], stage: Stage) -> None:
    """Even one that is planted into the state, past the reducer, which refuses it."""
    state = fold(entries_of(history))
    before = decide(stage, state)
    for name, item in state.items.items():
        if item.status is Status.FAILED:
            warned = fold(entries_of([begun(), declared(name), judged(name, "warned"), waived(name)]))
            planted = warned.items[name].waiver
            assert planted is not None
            object.__setattr__(item, "waiver", planted)
            assert not item.green
    assert decide(stage, state) == before


@pytest.mark.parametrize("verdict", ["failed", "warned"])
@pytest.mark.parametrize("item", ["xen/fetch", "xen/tag", "lvm2/tag"])
def test_one_item_that_is_not_green_closes_every_later_gate(item: str, verdict: str) -> None:
    for stage in GATED:
        decision = decide(stage, state_of(judged(item, verdict), sealed=True))
        assert [blocker.item for blocker in decision.blockers] == [item]


def test_a_waived_warning_opens_the_gate() -> None:
    assert decide(Stage.BUILD, state_of(judged("xen/tag", "warned"), waived("xen/tag"))).open


def test_pending_and_running_are_not_green() -> None:
    pending = decide(Stage.BUILD, state_of(ev.ItemReset("xen/fetch", "again"), promoted("xen")))
    running = decide(Stage.BUILD, state_of(ev.ItemStarted("xen/fetch")))
    assert (pending.open, pending.pending) == (False, 1)
    assert (running.open, running.pending) == (False, 1)


@pytest.mark.parametrize("stage", GATED)
def test_nothing_declared_is_nothing_proved(stage: Stage) -> None:
    assert not decide(stage, State()).open
    assert not decide(stage, fold(entries_of([begun()], sealed=True))).open


def test_a_build_item_does_not_close_the_gate_before_the_build() -> None:
    assert decide(Stage.BUILD, state_of(judged("xen/build", "failed"))).open
    assert not decide(Stage.SEAL, state_of(judged("xen/build", "failed"))).open


def test_before_the_build_each_components_sources_stand_in_its_folder() -> None:
    told = [event for event in whole_release("xen", "lvm2") if event != promoted("lvm2")]
    decision = decide(Stage.BUILD, fold(entries_of(told)))
    assert [blocker.what for blocker in decision.blockers] == ["lvm2: sources"]


def test_a_build_root_has_no_sources_to_promote() -> None:
    root = [
        ev.ItemDeclared("environment host/apt", "environment host", "verify", "apt", "packages"),
        judged("environment host/apt", "passed"),
    ]
    assert decide(Stage.BUILD, state_of(*root)).open


@pytest.mark.parametrize("status", [1, 2, -9])
def test_before_the_seal_each_build_ended_with_exit_0(status: int) -> None:
    decision = decide(Stage.SEAL, state_of(ev.BuildEnded("xen", status, 5, "")))
    assert [blocker.what for blocker in decision.blockers] == ["xen: build"]


def test_a_build_that_never_ended_closes_the_gate_before_the_seal() -> None:
    assert not decide(Stage.SEAL, state_of(build_started("xen"))).open


def test_before_the_seal_each_build_was_made_from_the_sources_that_stand_there() -> None:
    other = ev.SourcesPromoted("xen", sha("other sources"), 1, 1, "", "", "")
    decision = decide(Stage.SEAL, state_of(other))
    assert [blocker.what for blocker in decision.blockers] == ["xen: build"]


def test_before_signing_the_log_is_sealed() -> None:
    assert not decide(Stage.SIGN, state_of()).open
    assert decide(Stage.SIGN, state_of(sealed=True)).open


@pytest.mark.parametrize("stage", [Stage.GET_SOURCES, Stage.VERIFY])
def test_the_first_two_stages_have_no_gate(stage: Stage) -> None:
    assert decide(stage, State()).open


DECISIONS: list[Callable[[], State]] = [State, state_of, lambda: state_of(judged("xen/tag", "failed"))]


@pytest.mark.parametrize("make", DECISIONS)
def test_the_decision_in_the_log_is_the_decision(make: Callable[[], State]) -> None:
    decision = decide(Stage.BUILD, make())
    event = decision.event()
    assert (event.open, event.failed, event.green) == (decision.open, decision.failed, decision.green)
