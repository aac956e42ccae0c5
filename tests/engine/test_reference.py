"""Packages set beside the archive's, over whole runs: when that is judged, whom it holds up, and when anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealwright_stages import events as ev
from sealwright_stages.engine import Retry, Waive
from sealwright_stages.errors import BuildError, Exit
from sealwright_stages.events import Stage
from sealwright_stages.ports import BuildJob
from sealwright_stages.verdict import Passed, Status, Warned
from support.bench import Bench
from support.release_folder import HEAD, component
from support.scripted import sha_of

REFERENCE = """
[[component]]
name = "xen"
dsc = "debian:bookworm/xen"
uploaders = "debian-keyring"
[component.build]
recipe = "deb"
environment = "debian:bookworm"
reference = "debian"
products = ["*.tar"]
"""
TEXT = HEAD + REFERENCE
DIFFERS = Warned("differs-from-archive", "1 of 1 packages differ", "read the report", "")
ITEM = "xen/reference"


def made(folder: Path, text: str) -> Bench:
    """A bench whose root is one of a verified suite."""
    found = Bench(folder, manifest=text)
    archive = {
        "mirror": "https://deb.example.org/debian",
        "suite": "bookworm",
        "date": "2023-11-01T10:00:00+00:00",
        "valid_until": "",
    }
    evidence = {"archive": {**archive, "inrelease_sha256": "1" * 64}, "packages": [f"gcc 12.2 amd64 {'2' * 64}"]}
    found.builder.root = lambda name: Passed("packages verified", sha_of(name.encode()), evidence)
    return found


@pytest.fixture
def bench(folder: Path) -> Bench:
    return made(folder, TEXT)


def test_products_that_are_the_archives_are_green_and_nothing_of_it_is_left(bench: Bench) -> None:
    assert bench.run().exit is Exit.DONE
    item = bench.state().items[ITEM]
    assert (item.status, item.stage, item.kind) == (Status.PASSED, Stage.BUILD, "reference")
    assert item.subject_sha256 == bench.state().items["xen/build"].subject_sha256
    [asked] = bench.builder.compared
    assert (asked.suite, list(asked.products)) == ("bookworm", ["xen.tar"])
    assert not list(bench.work.quarantine.rglob("official.deb"))
    assert bench.broken_rules() == []


def test_a_difference_closes_the_gate_and_a_waiver_opens_it(bench: Bench) -> None:
    bench.builder.references = [DIFFERS]
    assert bench.run().exit is Exit.CLOSED
    seen = bench.state().items[ITEM]
    assert seen.code == "differs-from-archive"
    bench.builder.references = [DIFFERS]
    why = "the archive built it with another compiler"
    waived = (Waive(ITEM, "manager-a", why, seen.code, seen.subject_sha256),)
    assert bench.run(commands=waived).exit is Exit.DONE
    [waived] = bench.told(ev.ItemWaived)
    assert waived.item_sha256 == bench.state().items["xen/build"].subject_sha256
    assert bench.builder.runs == ["xen"], "what is built stands"
    assert bench.broken_rules() == []


def test_a_reference_that_cannot_be_had_is_red_and_a_retry_builds_nothing_again(bench: Bench) -> None:
    gone = BuildError("the archive's package", "it did not arrive", "retry", "fetch-failed")
    bench.builder.references = [gone, Passed("as in the archive", "")]
    assert bench.run(commands=(Retry(ITEM),)).exit is Exit.DONE
    told = [event.verdict for event in bench.told(ev.ItemVerdict) if event.item == ITEM]
    assert told == ["failed", "passed"]
    assert bench.builder.runs == ["xen"]
    assert bench.broken_rules() == []


def test_a_red_reference_cannot_be_waived(bench: Bench) -> None:
    bench.builder.references = [BuildError("x", "it is another file", "ask", "digest-mismatch")] * 2
    last = Retry("nobody/tag")
    bench.builder.on_run = lambda job: None
    assert bench.run().exit is Exit.CLOSED
    red = bench.state().items[ITEM]
    assert (
        bench.run(
            commands=(Waive(ITEM, "manager-a", "never mind", red.code, red.subject_sha256), Retry(ITEM), last)
        ).exit
        is Exit.DONE
    )
    assert bench.told(ev.ItemWaived) == []


def test_a_comparison_holds_up_the_seal_and_not_what_needs_the_build(folder: Path) -> None:
    bench = made(folder, TEXT + component("app", "xen"))
    bench.builder.references = [DIFFERS]
    assert bench.run().exit is Exit.CLOSED
    state = bench.state()
    assert state.items["app/build"].status is Status.PASSED
    assert state.gates[Stage.SEAL].warned == 1
    assert bench.broken_rules() == []


def test_a_green_comparison_stands_until_its_products_are_built_again(bench: Bench) -> None:
    assert bench.run(until=Stage.BUILD).exit is Exit.DONE
    assert bench.run(until=Stage.BUILD).exit is Exit.DONE
    assert len(bench.builder.compared) == 1
    (bench.work.products / "xen" / "xen.tar").write_bytes(b"evil")
    assert bench.run().exit is Exit.DONE
    assert (bench.builder.runs, len(bench.builder.compared)) == (["xen", "xen"], 2)
    assert [event.item for event in bench.told(ev.ItemReset)] == ["xen/build", ITEM]
    assert bench.broken_rules() == []


def test_nothing_is_compared_of_a_build_that_failed(bench: Bench) -> None:
    bench.builder.exits = {"xen": [2]}
    assert bench.run().exit is Exit.CLOSED
    assert (bench.builder.compared, bench.state().items[ITEM].status) == ([], Status.PENDING)
    assert bench.run().exit is Exit.DONE
    assert bench.broken_rules() == []


def test_an_interrupted_comparison_is_no_verdict(bench: Bench) -> None:
    def interrupted(job: BuildJob) -> None:
        bench.builder.references = [DIFFERS]

    bench.builder.on_run = interrupted
    seen = bench.builder.compare

    def stop(*words: object) -> object:
        bench.cancel.set()
        return seen(*words)  # type: ignore[arg-type]

    bench.builder.compare = stop  # type: ignore[method-assign, assignment]
    assert bench.run().exit is Exit.INTERRUPTED
    assert [event for event in bench.told(ev.ItemVerdict) if event.item == ITEM] == []


def test_who_does_not_ask_has_no_such_item(folder: Path) -> None:
    bench = Bench(folder, "xen")
    assert bench.run().exit is Exit.DONE
    assert ITEM not in bench.state().items
