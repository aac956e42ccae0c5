"""Build roots of components: made once what is built in them is verified, of the environment's own, shared if equal."""

from __future__ import annotations

from pathlib import Path

from sealwright_stages import events as ev
from sealwright_stages.engine import Retry, Waive
from sealwright_stages.errors import BuildError, Exit
from sealwright_stages.verdict import Failed, Passed, Status, Verdict
from support.bench import Bench
from support.release_folder import HEAD, component
from support.scripted import bad, good, imperfect, sha_of

BASE = "environment host/apt"
NOTHING: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


def bench(folder: Path, *names: str, packages: str = "") -> Bench:
    """A release of components that each have a root of their own."""
    texts = [component(name).replace('recipe = "commands"', f'{packages}\nrecipe = "commands"') for name in names]
    made = Bench(folder, manifest=HEAD + "".join(texts))
    made.builder.own_roots = True
    return made


def verdicts(made: Bench, item: str) -> list[str]:
    """How an item was judged, each time."""
    return [event.verdict for event in made.told(ev.ItemVerdict) if event.item == item]


def test_components_whose_wishes_are_equal_share_one_root(folder: Path) -> None:
    made = bench(folder, "xen", "lvm2", packages='packages = ["gcc"]')
    assert made.run().exit is Exit.DONE
    assert made.builder.wishes == [NOTHING, (("gcc",), ())], "the environment's own, and one for both"
    items = made.state().items
    assert items["xen/environment"].green and items["lvm2/environment"].green and items[BASE].green
    assert made.unlawful == [] and made.broken_rules() == []


def test_each_component_gets_what_it_asks_for_and_nothing_else(folder: Path) -> None:
    made = bench(folder, "xen", "lvm2", packages='packages = ["gcc"]')
    specs = {spec.name: spec for spec in made.manifest.components}
    assert specs["lvm2"].build is not None
    object.__setattr__(specs["lvm2"].build, "packages", ("tcc",))
    assert made.run().exit is Exit.DONE
    assert sorted(made.builder.wishes) == [NOTHING, (("gcc",), ()), (("tcc",), ())]


def test_a_root_waits_for_its_own_component_and_for_no_other(folder: Path) -> None:
    made = bench(folder, "xen", "lvm2")
    made.sources["xen"].checks = [bad]
    assert made.run().exit is Exit.CLOSED
    items = made.state().items
    assert items["lvm2/environment"].green and items["xen/environment"].status is Status.PENDING
    assert made.broken_rules() == []


def test_what_refuses_the_base_refuses_the_roots_that_are_made_of_it(folder: Path) -> None:
    made = bench(folder, "xen", "lvm2")
    made.builder.refuses["prepare"] = BuildError(
        "the root", "a package is not in the index", "look", "other-bytes"
    )
    assert made.run().exit is Exit.CLOSED
    items = made.state().items
    for name in (BASE, "xen/environment", "lvm2/environment"):
        assert (items[name].status, items[name].code) == (Status.FAILED, "other-bytes")
    assert made.builder.runs == [] and made.broken_rules() == []


def test_a_root_that_is_red_stands_beside_those_that_are_not(folder: Path) -> None:
    made = bench(folder, "xen", "lvm2", packages='packages = ["gcc"]')
    specs = {spec.name: spec for spec in made.manifest.components}
    assert specs["lvm2"].build is not None
    object.__setattr__(specs["lvm2"].build, "packages", ("tcc",))

    def judged(_name: str) -> Verdict:
        red = made.builder.wishes[-1] == (("tcc",), ())
        return Failed("other-bytes", "tcc", "look") if red else Passed("good", sha_of(b"root"), {"packages": []})

    made.builder.root = judged
    assert made.run().exit is Exit.CLOSED
    items = made.state().items
    assert items["xen/environment"].green and items["lvm2/environment"].status is Status.FAILED


def test_a_waiver_makes_one_root_and_leaves_the_base_as_it_was_judged(folder: Path) -> None:
    made = bench(folder, "xen", "lvm2", packages='packages = ["gcc"]')
    made.sources["xen"].checks = [imperfect]
    assert (
        made.run(
            commands=(Waive("xen/tag", "manager-a", "known", "key-expired-since", sha_of(b"sources of xen\n")),)
        ).exit
        is Exit.DONE
    )
    assert verdicts(made, BASE) == verdicts(made, "xen/environment") == ["passed"]
    assert made.unlawful == [] and made.broken_rules() == []


def test_a_base_that_is_another_by_then_is_judged_anew(folder: Path) -> None:
    made = bench(folder, "xen")
    made.sources["xen"].checks = [bad, good]
    roots = iter([b"one", b"two", b"two", b"xen"])
    made.builder.root = lambda name: Passed("good", sha_of(data := next(roots)), {"packages": [data.decode()]})
    assert made.run(commands=(Retry("xen/tag"),)).exit is Exit.DONE
    assert verdicts(made, BASE) == ["passed", "passed"]
    assert made.state().items[BASE].subject_sha256 == sha_of(b"two")


def test_a_retry_of_the_base_makes_all_roots_again(folder: Path) -> None:
    made = bench(folder, "xen")
    lines = iter([bad, good, good])
    made.builder.root = lambda name: next(lines)(b"index")
    assert made.run(commands=(Retry(BASE),)).exit is Exit.DONE
    assert verdicts(made, "xen/environment") == ["failed", "passed"]
    assert made.broken_rules() == []
