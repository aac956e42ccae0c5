"""The reducer: a pure fold, and what it refuses to believe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealwright_stages import events as ev
from sealwright_stages.events import BadEventError, Stage
from sealwright_stages.fold import apply, fold
from sealwright_stages.state import State
from sealwright_stages.verdict import Status
from support.stories import (
    MANIFEST,
    Entry,
    begun,
    build_started,
    built,
    declared,
    entries_of,
    histories,
    judged,
    promoted,
    sha,
    waived,
    whole_release,
)


def after(*events: ev.Event) -> State:
    """The state of a run in which xen/tag is declared and `events` were said."""
    return fold(entries_of([begun(), declared("xen/tag"), *events]))


def refuse(*events: ev.Event) -> None:
    with pytest.raises(BadEventError):
        after(*events)


def test_of_deleted_files_a_hundred_are_named_and_all_counted() -> None:
    item = after(*(ev.FileDeleted("xen/tag", f"f{n}", "", 1, "") for n in range(300))).items["xen/tag"]
    assert (item.deleted, item.gone) == (tuple(f"f{n}" for n in range(100)), 300)


def test_a_component_has_no_more_items_than_a_manifest_can_declare() -> None:
    state = after()
    known = state.components["xen"]
    state.components["xen"] = replace(known, items=(*known.items, *(f"xen/{n}" for n in range(199_999))))
    with pytest.raises(BadEventError, match="more items"):
        fold(entries_of([declared("xen/one-more")]), state)


@given(histories(), st.integers(0, 60))
def test_a_prefix_and_the_rest_fold_to_the_same_state(history: list[ev.Event], cut: int) -> None:
    entries = entries_of(history, sealed=True)
    assert fold(entries[cut:], fold(entries[:cut])) == fold(entries)


@given(histories())
def test_the_counts_agree_with_the_items(history: list[ev.Event]) -> None:
    state = fold(entries_of(history))
    counted = Counter((item.stage, item.status) for item in state.items.values())
    assert {key: number for key, number in state.counts.items() if number} == dict(counted)


@given(histories())
def test_each_item_belongs_to_exactly_one_component(history: list[ev.Event]) -> None:
    state = fold(entries_of(history))
    listed = [item for component in state.components.values() for item in component.items]
    assert sorted(listed) == sorted(state.items)


@given(histories())
def test_a_waiver_counts_only_while_the_verdict_it_names_stands(history: list[ev.Event]) -> None:
    for item in fold(entries_of(history)).items.values():
        assert item.waiver is None or item.status is Status.WARNED
        assert item.green == (item.status is Status.PASSED or item.waiver is not None)


def test_other_kinds_of_records_change_no_item() -> None:
    entries = entries_of([begun(), declared("xen/tag")])
    before = fold(entries).items
    others = [Entry(9, "t9", kind, {"e": "item.verdict"}) for kind in ("open", "data", "clock", "torn", "rej")]
    assert fold([*entries, *others]).items == before


def test_an_unclean_end_of_a_stream_is_kept() -> None:
    state = fold([Entry(0, "t", "eof", {"clean": False, "stream": "build/xen/1-1"})])
    assert state.unclean == ["build/xen/1-1"]
    assert fold([Entry(0, "t", "eof", {"clean": True, "stream": "build/xen/1-1"})]).unclean == []


def test_a_seal_seals() -> None:
    assert fold(entries_of([begun()], sealed=True)).sealed
    assert not fold(entries_of([begun()])).sealed


NEVER_DECLARED: Sequence[ev.Event] = (
    ev.ItemStarted("xen/other"),
    ev.ItemProgress("xen/other", 1, 2, ""),
    judged("xen/other", "passed"),
    ev.ItemReset("xen/other", ""),
    waived("xen/other"),
    ev.FileDeleted("xen/other", "f", sha("f"), 1, ""),
    promoted("lvm2"),
    build_started("lvm2"),
    ev.BuildSample("lvm2", 1, 1, 1, 1, 1),
    ev.BuildEnded("lvm2", 0, 1, ""),
    ev.ProductCollected("lvm2", "p", sha("p"), 1),
    ev.ProductCompared("xen", "p", "identical", sha("p"), ""),
)


@pytest.mark.parametrize("event", NEVER_DECLARED, ids=lambda event: type(event).__name__)
def test_what_was_never_declared_is_refused(event: ev.Event) -> None:
    refuse(event)


def test_an_item_declared_twice_is_refused() -> None:
    refuse(declared("xen/tag"))


@pytest.mark.parametrize("word", ["pending", "running", "green", "PASSED", ""])
def test_a_word_that_is_no_verdict_is_refused(word: str) -> None:
    refuse(judged("xen/tag", word))


@pytest.mark.parametrize(
    "event",
    [
        ev.StageStarted("paint"),
        ev.StageEnded("paint", True),
        ev.GateDecided("paint", True, 0, 0, 0, 0),
        ev.ItemDeclared("xen/x", "xen", "paint", "", ""),
    ],
    ids=lambda event: type(event).__name__,
)
def test_an_unknown_stage_is_refused(event: ev.Event) -> None:
    refuse(event)


def test_a_verdict_replaces_the_one_before_it() -> None:
    item = after(judged("xen/tag", "failed"), judged("xen/tag", "passed")).items["xen/tag"]
    assert item.status is Status.PASSED
    assert item.code == "ok"


def test_a_new_verdict_takes_the_waiver_away() -> None:
    warned = judged("xen/tag", "warned")
    assert after(warned, waived("xen/tag")).items["xen/tag"].green
    assert not after(warned, waived("xen/tag"), warned).items["xen/tag"].green


def test_a_reset_takes_the_verdict_away_together_with_its_waiver() -> None:
    state = after(judged("xen/tag", "warned"), waived("xen/tag"), ev.ItemReset("xen/tag", "again"))
    item = state.items["xen/tag"]
    assert (item.status, item.waiver, item.reason, item.subject_sha256) == (Status.PENDING, None, "", "")


def test_a_reset_of_a_source_takes_its_promotion_away() -> None:
    told = (judged("xen/tag", "passed"), promoted("xen"))
    assert after(*told).components["xen"].manifest_sha256
    assert not after(*told, ev.ItemReset("xen/tag", "again")).components["xen"].manifest_sha256


def test_a_reset_of_a_build_takes_its_products_away() -> None:
    told = [*whole_release("xen", "lvm2"), ev.ItemReset("xen/build", "again")]
    assert list(fold(entries_of(told)).products) == [("lvm2", "lvm2.tar")]


@pytest.mark.parametrize("verdict", ["passed", "failed"])
def test_a_waiver_of_what_is_not_warned_is_refused(verdict: str) -> None:
    refuse(judged("xen/tag", verdict, code="expired-since"), waived("xen/tag"))
    refuse(waived("xen/tag"))


@pytest.mark.parametrize(
    "waiver",
    [
        waived("xen/tag", code="other"),
        waived("xen/tag", subject=sha("other bytes")),
        waived("xen/tag", policy=sha("other policy")),
        ev.ItemWaived("xen/tag", "expired-since", " ", "reason", sha("xen/tag"), waived("x").policy_sha256),
        ev.ItemWaived("xen/tag", "expired-since", "person", "\t", sha("xen/tag"), waived("x").policy_sha256),
    ],
    ids=["code", "bytes", "policy", "nobody", "no-reason"],
)
def test_a_waiver_that_covers_nothing_is_refused(waiver: ev.ItemWaived) -> None:
    refuse(judged("xen/tag", "warned"), waiver)


def test_a_log_goes_on_only_under_the_manifest_and_policy_it_began_with() -> None:
    assert after(begun()).runs == 2
    refuse(begun(policy=sha("another policy")))
    refuse(ev.RunStarted("example", "1.0", "sealwright", sha("another"), begun().policy_sha256, True, True))
    refuse(ev.RunStarted("example", "1.1", "sealwright", MANIFEST, begun().policy_sha256, True, True))


def signed_policy(policy: str = "") -> ev.PolicySigned:
    return ev.PolicySigned(policy or begun().policy_sha256, sha("list"), "ada bob", 2, "", "", "")


def test_a_policys_signature_counts_for_the_run_that_checked_it_and_for_its_policy() -> None:
    assert after(signed_policy()).policy_signed == signed_policy()
    assert after(signed_policy(), begun()).policy_signed is None
    refuse(signed_policy(sha("another policy")))
    with pytest.raises(BadEventError):
        fold(entries_of([signed_policy()]))


def test_a_build_keeps_the_manifest_of_the_sources_it_was_made_from() -> None:
    state = fold(entries_of([begun(), declared("xen/build", Stage.BUILD), build_started("xen", sha("m"))]))
    assert state.components["xen"].built_from == sha("m")


def test_samples_of_a_long_build_are_bounded() -> None:
    samples = [ev.BuildSample("xen", n, 0, 0, 0, 0) for n in range(500)]
    kept = after(build_started("xen"), *samples).components["xen"].samples
    assert len(kept) == 120
    assert kept[-1].cpu == 499


def test_apply_changes_the_state_that_it_is_given() -> None:
    state = State()
    for entry in entries_of([begun(), declared("xen/tag"), *built_nothing()]):
        assert apply(state, entry) is state
    assert state.last_n == 2


def built_nothing() -> list[ev.Event]:
    return [ev.StageStarted("get-sources")]


def test_a_whole_release_folds_to_all_green() -> None:
    state = fold(entries_of(whole_release("xen", "lvm2")))
    assert all(item.green for item in state.items.values())
    assert state.components["xen"].build_exit == 0
    assert built("xen")


READ = ev.MemoryRead("example-0.9", "2025-03-02T00:00:00Z", sha("root"), 345, 12)


def test_what_earlier_releases_tell_is_read_before_the_first_item_each_once() -> None:
    other = replace(READ, root=sha("other"))
    told = fold(entries_of([begun(), READ, other, declared("xen/tag"), begun()])).memory
    assert list(told) == [READ.root, other.root]
    for events in ([begun(), READ, READ], [begun(), declared("xen/tag"), READ]):
        with pytest.raises(BadEventError, match="too late, or twice"):
            fold(entries_of(events))


def test_what_was_accepted_once_is_kept_whatever_becomes_of_it() -> None:
    events = [
        judged("xen/tag", "passed"),
        promoted("xen"),
        ev.ItemReset("xen/tag", "again"),
        judged("xen/tag", "failed"),
    ]
    (kept,) = after(*events).accepted
    assert (kept.id, kept.status, kept.subject_sha256) == ("xen/tag", Status.PASSED, sha("xen/tag"))
    assert after(*events[:1]).accepted == []
    weak = [judged("xen/tag", "warned"), promoted("xen")]
    assert after(*weak).accepted == []
    assert [item.id for item in after(weak[0], waived("xen/tag"), weak[1]).accepted] == ["xen/tag"]


def test_a_build_root_is_accepted_once_it_is_green() -> None:
    name = "environment debian:x"
    spec = ev.ItemDeclared(f"{name}/apt", name, Stage.VERIFY, "apt", "packages")
    for how, more, count in (
        ("passed", [], 1),
        ("failed", [], 0),
        ("warned", [], 0),
        ("warned", [waived(f"{name}/apt")], 1),
    ):
        state = fold(entries_of([begun(), spec, judged(f"{name}/apt", how), *more]))
        assert len(state.accepted) == count
