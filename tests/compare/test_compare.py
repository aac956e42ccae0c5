"""`compare`: its properties over any two releases, and each rule of the alarms."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from compare.releases import (
    BUILD,
    FETCH,
    GIT,
    KEY,
    OTHER,
    RELEASES,
    ROOT,
    git,
    greeting,
    leaves,
    release,
    root,
    with_greeting,
)
from sealwright_stages.compare.compared import compare
from sealwright_stages.compare.difference import Danger, Difference, Section
from sealwright_stages.compare.facts import Check, Component, Product, Release, Signature
from sealwright_stages.compare.rows import LEAST_BYTES, LEAST_MS
from sealwright_stages.memory.facts import Fact, Kind
from support.stories import sha

IGNORED = {
    "Check.facts": "what contradicts becomes an alarm; what they say stands in `told`, `listed` and the subject",
}
"""The fields that no change tells of, and why."""


def dangers(a: Release, b: Release) -> set[tuple[Danger, str]]:
    """The alarms: which, and of which field."""
    return {(alarm.danger, alarm.change.field) for alarm in compare(a, b).alarms}


# Properties


@given(RELEASES)
def test_a_release_compared_with_itself_gives_nothing(made: Release) -> None:
    difference = compare(made, made)
    assert (difference.changes, difference.unmoved, difference.differs) == ((), (), False)
    assert all(each.same == each.of for each in difference.same.values())
    contradictory = {alarm.danger for alarm in difference.alarms}
    assert contradictory <= {Danger.TAG_MOVED, Danger.FILE_CHANGED, Danger.PIN_CHANGED, *_BACK}


_BACK = (Danger.VERSION_BACK, Danger.ARCHIVE_BACK)  # a made-up release may contradict itself


@given(RELEASES, RELEASES)
def test_the_other_way_round_each_change_is_turned(a: Release, b: Release) -> None:
    there, back = compare(a, b), compare(b, a)
    assert sorted((change.turned() for change in there.changes), key=lambda c: c.order) == list(back.changes)
    assert (there.same, there.unmoved, there.same_release) == (back.same, back.unmoved, back.same_release)
    assert {c.turned() for c in _not_reproduced(there)} == set(_not_reproduced(back))


def _not_reproduced(difference: Difference) -> list[Any]:
    return [alarm.change for alarm in difference.alarms if alarm.danger is Danger.PRODUCT_DIFFERS]


@given(RELEASES, RELEASES)
def test_the_order_depends_on_what_is_said_alone(a: Release, b: Release) -> None:
    assert compare(_reversed(a), _reversed(b)) == compare(a, b)


def _reversed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _reversed(value[key]) for key in reversed(list(value))}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _reversed(getattr(value, f.name)) for f in dataclasses.fields(value)})
    return value


@settings(max_examples=30)
@given(RELEASES, RELEASES)
def test_every_alarm_but_a_contradiction_is_of_a_change_that_is_told(a: Release, b: Release) -> None:
    difference = compare(a, b)
    contradictions = {Danger.TAG_MOVED, Danger.FILE_CHANGED, Danger.PIN_CHANGED, *_BACK}
    for alarm in difference.alarms:
        assert alarm.danger in contradictions or alarm.change in difference.changes


def test_every_changed_field_is_reported() -> None:
    whole, seen = release(), set()
    for name, other in leaves(whole):
        seen.add(name)
        if name not in IGNORED:
            assert compare(whole, other).changes, name
            assert compare(other, whole).changes, name
    kinds = (Release, Component, Check, Product, Signature)
    every = {f"{kind.__name__}.{field.name}" for kind in kinds for field in dataclasses.fields(kind)}
    assert every == seen, "the made-up release leaves a field empty, or a field is new"


def test_what_is_the_same_is_counted() -> None:
    changed = replace(greeting(), products={**greeting().products, "b.tar": Product(sha("b"), 1)})
    same = compare(release(), with_greeting(changed)).same
    assert (same[Section.PRODUCTS].same, same[Section.PRODUCTS].of) == (1, 2)
    assert (same[Section.VERDICTS].same, same[Section.VERDICTS].of) == (4, 4)


def test_without_a_manifest_on_both_sides_declarations_are_not_compared() -> None:
    bare = replace(greeting(), declared={})
    assert compare(release(), with_greeting(bare, declared=None)).changes == ()
    assert compare(release(), with_greeting(bare)).changes


# Pairs


def test_a_new_version_of_a_thing_is_the_same_thing() -> None:
    newer = greeting(git("v1.1"), products={"greeting-1.1.tar": Product(sha("new"), 300)})
    changes = compare(release(), with_greeting(newer)).changes
    assert {c.kind for c in changes} == {"changed"}
    assert ("greeting-1.0.tar", "greeting-1.1.tar") in {c.names for c in changes}
    assert ("v1.0", "v1.1") in {(c.before, c.after) for c in changes if c.field == "tag"}


def test_a_branch_instead_of_a_tag_is_the_same_source() -> None:
    checks = {name.replace(GIT, "greeting/git/main"): each for name, each in greeting().checks.items()}
    changes = compare(release(), with_greeting(greeting(checks=checks))).changes
    assert {c.names for c in changes} == {(GIT, "greeting/git/main")}


def test_two_names_of_one_shape_are_not_guessed_at() -> None:
    one = greeting(products={"a-1": Product(sha("1"), 1), "a-2": Product(sha("2"), 1)})
    other = greeting(products={"a-3": Product(sha("3"), 1)})
    kinds = {c.names: c.kind for c in compare(with_greeting(one), with_greeting(other)).changes}
    assert kinds == {("a-1", ""): "removed", ("a-2", ""): "removed", ("", "a-3"): "added"}


# Noise


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (60_000, 60_000 + LEAST_MS, False),  # not half as much again
        (1_000, 1_000 + LEAST_MS - 1, False),  # too short to matter
        (1_000, 1_000 + LEAST_MS, True),
        (60_000, 90_000, True),
    ],
)
def test_a_duration_differs_only_beyond_noise(before: int, after: int, told: bool) -> None:
    one, other = (with_greeting(greeting(took={"build": took})) for took in (before, after))
    for difference in (compare(one, other), compare(other, one)):
        assert bool(difference.changes) is told
        assert not difference.differs


def test_output_differs_only_beyond_noise() -> None:
    one, other, third = (with_greeting(greeting(output=size)) for size in (1, LEAST_BYTES, LEAST_BYTES + 1))
    assert not compare(one, other).changes
    assert [change.field for change in compare(one, third).changes] == ["output bytes"]


# Alarms

OTHER_PRODUCT = {"greeting-1.0.tar": Product(sha("other"), 300)}


def test_a_product_that_differs_from_the_same_inputs_is_an_alarm() -> None:
    assert dangers(release(), with_greeting(greeting(products=OTHER_PRODUCT))) == {
        (Danger.PRODUCT_DIFFERS, "sha256")
    }
    assert (Danger.PRODUCT_DIFFERS, "name") in dangers(release(), with_greeting(greeting(products={})))


@pytest.mark.parametrize(
    "changed",
    [
        {"sources_sha256": sha("other")},
        {"recipe": "deb"},
        {"environment": "host"},
        {"environment_sha256": sha("other")},
        {"needs_sha256": sha("other")},
        {"epoch": 1},
        {"declared": {**greeting().declared, "build": {"commands": '["make all"]'}}},
    ],
)
def test_a_product_is_no_alarm_where_an_input_changed(changed: dict[str, Any]) -> None:
    found = dangers(release(), with_greeting(greeting(products=OTHER_PRODUCT, **changed)))
    assert Danger.PRODUCT_DIFFERS not in {danger for danger, _ in found}
    assert compare(release(), with_greeting(greeting(**changed))).unmoved == (("greeting", "greeting-1.0.tar"),)


def test_a_limit_is_no_input() -> None:
    limited = {**greeting().declared, "build": {"commands": '["make"]', "limits.wall": "9m"}}
    made = with_greeting(greeting(products=OTHER_PRODUCT, declared=limited))
    assert (Danger.PRODUCT_DIFFERS, "sha256") in dangers(release(), made)


def test_nothing_is_said_of_products_whose_inputs_are_not_known() -> None:
    one, other = (with_greeting(greeting(sources_sha256="", products=p)) for p in ({}, OTHER_PRODUCT))
    assert dangers(one, other) == set()


def test_a_person_who_signs_with_another_key_is_an_alarm() -> None:
    other = with_greeting(greeting(git(key="C" * 40)))
    assert dangers(release(), other) == {(Danger.KEY_CHANGED, "signature of author")}


def test_somebody_who_did_not_sign_it_before_is_an_alarm() -> None:
    by = frozenset({Signature("manager", OTHER)})
    other = with_greeting(greeting(git(signatures=by)))
    assert dangers(release(), other) == {(Danger.SIGNER_NEW, "signature of manager")}


def test_another_key_of_nobody_in_signers_toml_is_an_alarm() -> None:
    other = release(
        components={"greeting": greeting(), ROOT: root(signatures=frozenset({Signature("", "C" * 40)}))}
    )
    assert dangers(release(), other) == {(Danger.SIGNER_NEW, "signature")}


def test_a_new_component_is_an_alarm_only_if_a_stranger_signed_it() -> None:
    def more(key: str) -> Release:
        checks = {"more/git/v1.0": git(key=key, facts=())}
        return release(components={**release().components, "more": Component(checks=checks)})

    assert dangers(release(), more(KEY)) == set()
    assert dangers(release(), more("C" * 40)) == {(Danger.SIGNER_NEW, "signature of author")}


def test_a_new_signer_of_the_release_is_an_alarm_unless_it_is_another_builder() -> None:
    by = frozenset({Signature("manager-2", "C" * 40)})
    assert dangers(release(), release(version="1.1", signatures=by)) == {
        (Danger.SIGNER_NEW, "signature of manager-2")
    }
    assert dangers(release(), release(signatures=by)) == set()
    signed = release(version="1.1", policy_signed=frozenset({"manager", "author"}))
    assert dangers(release(), signed) == {(Danger.SIGNER_NEW, "signed by author")}


@pytest.mark.parametrize(
    ("person", "danger"),
    [
        ({"openpgp": f'["{KEY}", "{"C" * 40}"]'}, Danger.KEY_CHANGED),
        ({"ssh": '["SHA256:x"]'}, Danger.KEY_CHANGED),
        ({"ed25519": '["ed25519:x"]'}, Danger.KEY_CHANGED),
        ({"components": '["greeting"]'}, None),
        ({"openpgp": "[]"}, None),
    ],
)
def test_a_person_who_may_sign_with_more_is_an_alarm(person: dict[str, str], danger: Danger | None) -> None:
    persons = release().persons or {}
    other = release(persons={**persons, "author": {**persons["author"], **person}})
    assert {found for found, _ in dangers(release(), other)} == ({danger} if danger else set())


def test_a_person_who_may_vouch_for_more_is_an_alarm() -> None:
    persons = release().persons or {}
    few = release(persons={**persons, "author": {**persons["author"], "components": '["greeting"]'}})
    assert dangers(few, release()) == {(Danger.SIGNER_NEW, "components")}
    assert (Danger.SIGNER_NEW, "name") in dangers(release(persons={"manager": persons["manager"]}), release())


def test_a_signer_that_the_manifest_adds_is_an_alarm() -> None:
    declared = {**greeting().declared, "": {**greeting().declared[""], "signers": '["author", "more"]'}}
    assert dangers(release(), with_greeting(greeting(declared=declared))) == {(Danger.SIGNER_NEW, "signers")}


FILE = "file words-1.0.txt"


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        (FILE, {"url": "https://example.org/words-1.0.txt"}),
        ("", {"tag": "v1.0", "threshold": "1"}),
    ],
)
def test_a_pin_or_a_signer_that_is_gone_is_an_alarm(part: str, fields: dict[str, str]) -> None:
    declared = {**greeting().declared, part: fields}
    (found,) = dangers(release(), with_greeting(greeting(declared=declared)))
    assert found[0] is Danger.DEMAND_GONE


def test_a_lower_threshold_is_an_alarm_and_a_higher_one_is_none() -> None:
    def needs(number: str) -> Release:
        return release(declared={"release": {"signers": '["manager"]', "threshold": number}})

    assert dangers(needs("2"), needs("1")) == {(Danger.DEMAND_GONE, "threshold")}
    assert dangers(needs("2"), needs("")) == {(Danger.DEMAND_GONE, "threshold")}
    of_two, of_one = (release(declared={"release": {"signers": '["manager"]', "builders": n}}) for n in ("2", "1"))
    assert dangers(of_two, of_one) == {(Danger.DEMAND_GONE, "builders")} and dangers(of_one, of_two) == set()
    assert dangers(needs("1"), needs("2")) == dangers(needs("1"), needs("")) == set()


def test_a_policy_that_needs_no_signature_any_more_is_an_alarm() -> None:
    declared = {"release": (release().declared or {})["release"]}
    assert (Danger.DEMAND_GONE, "name") in dangers(release(), release(declared=declared))
    asked = release(declared={**declared, "attestation": {"tpm": '"device"'}})
    assert (Danger.DEMAND_GONE, "name") in dangers(asked, release(declared=declared))
    assert dangers(release(declared=declared), asked) == set()


def test_a_check_that_is_gone_is_an_alarm_and_a_fetch_or_a_component_is_none() -> None:
    def without(*gone: str) -> Release:
        checks = {name: check for name, check in greeting().checks.items() if name not in gone}
        return with_greeting(greeting(checks=checks))

    assert dangers(release(), without(GIT)) == {(Danger.DEMAND_GONE, "name")}
    assert dangers(release(), without(FETCH, BUILD)) == set()
    assert dangers(release(), release(components={ROOT: root()})) == set()


def test_a_verdict_that_is_not_green_by_itself_is_an_alarm_if_it_was() -> None:
    warned = git(status="warned", code="key-expired-since", waived="manager: known")
    other = with_greeting(greeting(warned))
    assert dangers(release(), other) == {(Danger.WARNING_NEW, "verdict")}
    assert dangers(other, release()) == dangers(other, other) == set()
    worse = with_greeting(greeting(replace(warned, code="key-expired-since+nothing-new")))
    assert dangers(other, worse) == {(Danger.WARNING_NEW, "verdict")}


def test_a_moved_tag_is_an_alarm_also_between_two_builders() -> None:
    fact = replace(git().facts[0], value=sha("moved"))
    moved = with_greeting(greeting(git(subject_sha256=sha("moved"), facts=(fact,))))
    assert dangers(release(), moved) == {(Danger.TAG_MOVED, "sha256")}


def test_an_older_version_is_an_alarm_unless_it_is_another_builder() -> None:
    newer = with_greeting(greeting(git("v1.1")), version="1.1")
    assert dangers(newer, release()) == {(Danger.VERSION_BACK, "tag"), (Danger.VERSION_BACK, "version")}
    assert dangers(release(), newer) == set()
    assert dangers(with_greeting(greeting(git("v1.1"))), release()) == set()


@pytest.mark.parametrize(
    ("before", "after", "back"), [("10", "9", True), ("9", "10", False), ("1", "", True), ("", "1", False)]
)
def test_a_keyring_that_goes_back_is_an_alarm(before: str, after: str, back: bool) -> None:
    one, other = (release(version=v, policy_version=n) for v, n in (("1.1", before), ("1.2", after)))
    assert dangers(one, other) == ({(Danger.VERSION_BACK, "policy_version")} if back else set())
    assert dangers(one, replace(other, version="1.1")) == set()


def test_a_contradiction_that_no_change_shows_is_told_by_itself() -> None:
    fact = Fact(Kind.FILE, "greeting", "https://example.org/a", "", sha("one"))
    one = with_greeting(greeting(git(facts=(fact,))))
    other = replace(fact, component="more", value=sha("two"))
    moved = Component(checks={"more/file/a": Check("verify", "file", "passed", "ok", facts=(other,))})
    found = compare(one, release(components={"greeting": greeting(git(facts=())), ROOT: root(), "more": moved}))
    (alarm,) = [each for each in found.alarms if each.danger is Danger.FILE_CHANGED]
    assert (alarm.change.component, alarm.change.before, alarm.change.after) == ("more", sha("one"), sha("two"))


def test_a_package_of_a_build_root_that_went_back_is_an_alarm() -> None:
    def made(version: str) -> Release:
        component = root(listed={"gcc:amd64": {"version": version}})
        return release(version="1.1", components={"greeting": greeting(), ROOT: component})

    assert dangers(made("12.2.0-14"), replace(made("12.2.0-9"), version="1.2")) == {
        (Danger.VERSION_BACK, "version")
    }
    assert dangers(made("12.2.0-9"), replace(made("12.2.0-14"), version="1.2")) == set()
