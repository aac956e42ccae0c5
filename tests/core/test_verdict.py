"""Verdicts: passed, warned, failed; and what may be called green."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealwright_stages.verdict import Failed, Green, Passed, Waiver, Warned, covers, guarded
from support.stories import POLICY, sha

WARNED = Warned("expired-since", "signed before its key expired", "waive it", sha("bytes"))
WAIVER = Waiver("xen/tag", "expired-since", "release-manager-a", "known", sha("bytes"), POLICY)


def test_what_a_check_raises_becomes_failed() -> None:
    def check() -> Passed:
        raise RuntimeError("parser fell over")

    verdict = guarded(check, "xen: tag")
    assert isinstance(verdict, Failed)
    assert "parser fell over" in verdict.reason
    assert verdict.next_step


@pytest.mark.parametrize("answer", [True, None, 0, "passed", Passed])
def test_a_check_that_gives_no_verdict_is_failed(answer: object) -> None:
    assert isinstance(guarded(lambda: answer, "xen: tag"), Failed)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_leaving_the_program_is_not_swallowed(error: type[BaseException]) -> None:
    def check() -> Passed:
        raise error

    with pytest.raises(error):
        guarded(check, "xen: tag")


def test_a_verdict_passes_through_unchanged() -> None:
    for verdict in (Passed("fine", sha("x")), WARNED, Failed("refused", "no", "stop")):
        assert guarded(lambda verdict=verdict: verdict, "x") is verdict


def test_passed_is_green_and_a_covered_warning_is_green() -> None:
    assert Green("xen/tag", Passed("fine", sha("x"))).waiver is None
    assert Green("xen/tag", WARNED, WAIVER).waiver == WAIVER


@pytest.mark.parametrize("waiver", [None, WAIVER])
def test_red_has_no_way_to_become_green(waiver: Waiver | None) -> None:
    red: Any = Failed("expired-since", "no", "stop", sha("bytes"))
    with pytest.raises(TypeError):
        Green("xen/tag", red, waiver)


@pytest.mark.parametrize("verdict", [True, None, "passed"])
def test_only_a_verdict_can_become_green(verdict: Any) -> None:
    with pytest.raises(TypeError):
        Green("xen/tag", verdict, WAIVER)


def test_a_warning_without_a_waiver_is_not_green() -> None:
    with pytest.raises(ValueError, match="no waiver covers it"):
        Green("xen/tag", WARNED)


@given(st.sampled_from(["item", "code", "item_sha256", "person", "reason"]), st.sampled_from(["", " ", "other"]))
def test_a_waiver_covers_only_what_it_names(field: str, value: str) -> None:
    if field in ("person", "reason") and value.strip():
        return
    waiver = dataclasses.replace(WAIVER, **{field: value})
    assert not covers(waiver, "xen/tag", WARNED)
    with pytest.raises(ValueError, match="no waiver covers it"):
        Green("xen/tag", WARNED, waiver)


def test_a_waiver_covers_no_other_verdict() -> None:
    assert covers(WAIVER, "xen/tag", WARNED)
    assert not covers(WAIVER, "xen/tag", Failed("expired-since", "", "", sha("bytes")))
    assert not covers(WAIVER, "xen/tag", Passed("", sha("bytes"), code="expired-since"))
