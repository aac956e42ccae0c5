"""What a rebuild gave: each product in one of four ways, and what differs of its inputs as the likely cause."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from compare.releases import RELEASES, ROOT, git, greeting, release, root, with_greeting
from sealwright_stages.compare.facts import Product, Release
from sealwright_stages.rebuild.results import Cause, Found, Result, results
from sealwright_stages.state import State
from support.stories import sha

OTHER = {"greeting-1.0.tar": Product(sha("other"), 300)}


def one(mine: Release, theirs: Release | None = None) -> Result:
    (found,) = results(theirs or release(), mine, State()).products
    return found


@settings(max_examples=20)
@given(RELEASES, RELEASES)
def test_every_product_is_told_once(theirs: Release, mine: Release) -> None:
    told = results(theirs, mine, State())
    names = {
        (component, name)
        for side in (theirs, mine)
        for component, each in side.components.items()
        for name in each.products
    }
    assert sorted(names) == [(each.component, each.name) for each in told.products]
    assert told.same is (bool(names) and all(each.found is Found.SAME for each in told.products))
    assert sum(told.count(found) for found in Found) == len(names)


def test_same_is_the_same_bytes_whatever_went_in() -> None:
    assert one(release()).found is Found.SAME
    moved = with_greeting(greeting(epoch=1, products={"greeting-1.0.tar": Product(sha("product"), 300)}))
    told = results(release(), moved, State())
    assert told.same and told.products[0].causes == () and {each.field for each in told.inputs} == {"epoch"}
    assert (
        one(with_greeting(greeting(products={"greeting-1.0.tar": Product(sha("product"), 301)}))).found
        is Found.DIFFERS
    )
    assert not results(Release("x", "1"), Release("x", "1"), State()).same, "nothing compared is nothing proved"


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"sources_sha256": sha("x")}, Cause.SOURCES),
        ({"environment_sha256": sha("x")}, Cause.ROOT),
        ({"epoch": 7}, Cause.EPOCH),
        ({"needs_sha256": sha("x")}, Cause.NEEDS),
        ({"recipe": "deb"}, Cause.RECIPE),
    ],
)
def test_an_input_that_differs_is_a_likely_cause(fields: dict[str, object], cause: Cause) -> None:
    found = one(with_greeting(greeting(products=OTHER, **fields)))
    assert (found.found, found.causes) == (Found.DIFFERS, (cause,))


def test_where_no_input_differs_none_is_blamed() -> None:
    assert one(with_greeting(greeting(products=OTHER))).causes == ()
    assert one(with_greeting(greeting(products=OTHER), tool="9.9")).causes == (Cause.TOOL,)


def test_a_package_of_a_root_that_moved_on_is_named() -> None:
    listed = {"gcc:amd64": {"version": "12.2.0-15", "sha256": sha("gcc+")}, "make:amd64": {"version": "4.3-4.1"}}
    mine = release(components={"greeting": greeting(), ROOT: root(listed=listed)})
    told = results(release(), mine, State()).inputs
    versions = [(each.names[0], each.before, each.after) for each in told if each.field == "version"]
    assert versions == [("gcc:amd64", "12.2.0-14", "12.2.0-15")]


def test_what_was_not_made_is_missing_and_its_inputs_are_no_other_ones() -> None:
    red = git(status="failed", code="fetch-failed", subject_sha256="", told={"tag": "v1.0"})
    nothing = replace(
        greeting(red), sources_sha256="", environment_sha256="", epoch=0, needs_sha256="", products={}
    )
    told = results(release(), with_greeting(nothing), State())
    assert (told.products[0].found, told.inputs) == (Found.MISSING, ())
    assert told.products[0].why and told.products[0].next_step


def test_what_is_made_here_alone_is_surplus() -> None:
    bare = with_greeting(greeting(products={}))
    assert one(release(), bare).found is Found.SURPLUS


def test_a_check_that_nobody_asked_for_here_is_no_other_input() -> None:
    """As the second build of the release, or the root of a component that is not wanted."""
    second, other = (
        replace(git(), stage="build", kind="reproduce"),
        replace(root().checks[f"{ROOT}/apt"], kind="root"),
    )
    theirs = with_greeting(replace(greeting(), checks={**greeting().checks, "greeting/reproduce": second}))
    roots = replace(root(), checks={**root().checks, "other/environment": other})
    theirs = replace(theirs, components={**theirs.components, ROOT: roots, "other": greeting(products={})})
    assert results(theirs, release(), State()).inputs == ()
