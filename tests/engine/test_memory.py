"""Memory in the walk: verdicts are held against it before they go into the log, and the log says what it was."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from sealwright_stages import events as ev
from sealwright_stages.errors import Exit
from sealwright_stages.events import Stage
from sealwright_stages.memory.facts import Fact, Kind, Origin
from sealwright_stages.memory.ledger import Ledger
from sealwright_stages.memory.recall import Recall
from sealwright_stages.state import State
from sealwright_stages.verdict import Passed, Status, Verdict
from support.bench import Bench
from support.release_folder import HEAD, component
from support.scripted import sha_of
from support.stories import sha

DATE = 1_700_000_000
EARLIER = Origin("example-0.9", "2025-03-02T00:00:00.000000Z", sha("log"), 17)
READ = ev.MemoryRead("example-0.9", EARLIER.sealed, EARLIER.root, 345, 1)


def tagged(tag: str, value: str = "a" * 64) -> Callable[[bytes], Verdict]:
    """A good signed tag, with the evidence that git gives."""
    told = {
        "object_sha256": value,
        "url": "https://example.org/xen.git",
        "tag": tag,
        "tagged": DATE,
        "committed": DATE,
    }
    return lambda data: Passed("good signature", sha_of(data), told)


def indexed(day: int) -> Callable[[str], Verdict]:
    """A build root by an index of that day."""
    archive = {
        "mirror": "https://m",
        "suite": "s",
        "date": f"2025-03-{day:02}T10:00:00+00:00",
        "inrelease_sha256": sha("i"),
    }
    return lambda name: Passed("packages verified", sha_of(name.encode()), {"archive": archive})


def remembering(folder: Path, *facts: Fact) -> Bench:
    text = f'{HEAD}\n[memory]\nevidence = ["earlier"]\n{component("xen")}{component("lvm2")}'
    bench = Bench(folder, manifest=text)
    bench.ledger, bench.read = lambda: Ledger(facts), (READ,)
    return bench


XEN = Fact(Kind.TAG, "xen", "https://example.org/xen.git", "v1", "b" * 64, DATE, DATE, origin=EARLIER)
INDEX = Fact(Kind.ARCHIVE, "x", "https://m", "s", sha("i"), int(datetime(2025, 3, 9, 10, tzinfo=UTC).timestamp()), origin=EARLIER)  # fmt: skip


def test_a_tag_that_moved_since_an_earlier_release_is_red_deleted_and_not_built(folder: Path) -> None:
    bench = remembering(folder, XEN)
    bench.sources["xen"].checks = [tagged("v1")]
    assert bench.run().exit is Exit.CLOSED
    (verdict,) = [each for each in bench.told(ev.ItemVerdict) if each.verdict == "failed"]
    assert (verdict.item, verdict.code) == ("xen/tag", "tag-moved")
    assert "b" * 64 in verdict.next and "a" * 64 in verdict.next
    assert [each.name for each in bench.told(ev.FileDeleted)] == ["payload"]
    assert bench.builder.runs == [] and not bench.stands("xen") and bench.stands("lvm2")


def test_the_log_says_what_was_remembered_before_any_item_and_once(folder: Path) -> None:
    bench = remembering(folder)
    bench.run(Stage.VERIFY)
    bench.run()
    names = [entry.body["e"] for entry in bench.kept.entries if entry.kind == "ev"]
    assert names[:3] == ["run.started", "memory.read", "item.declared"] and names.count("memory.read") == 1
    assert bench.state().memory == {READ.root: READ}
    assert bench.broken_rules() == []


def test_a_tag_that_moves_between_two_runs_of_one_log_is_red(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.sources["xen"].checks = [tagged("v1"), tagged("v1", "b" * 64)]
    assert bench.run(Stage.VERIFY).exit is Exit.DONE
    (bench.work.sources / "xen" / "source" / "payload").write_bytes(b"evil")  # so that it is fetched again
    assert bench.run().exit is Exit.CLOSED
    item = bench.state().items["xen/tag"]
    assert (item.status, item.code) == (Status.FAILED, "tag-moved")
    assert "of this log accepted tag v1" in item.reason
    assert not bench.stands("xen") or bench.builder.runs == []


def test_a_repository_that_shows_two_components_two_objects_under_one_tag_is_red(folder: Path) -> None:
    bench = Bench(folder, "xen", "lvm2")
    bench.sources["xen"].checks, bench.sources["lvm2"].checks = [tagged("v1")], [tagged("v1", "b" * 64)]
    assert bench.run().exit is Exit.CLOSED
    assert {name: item.code for name, item in bench.state().items.items() if name.endswith("/tag")} == {
        "xen/tag": "ok",
        "lvm2/tag": "tag-moved",
    }


def test_two_components_that_are_judged_at_once_are_held_against_each_other(folder: Path) -> None:
    bench, both = Bench(folder, "xen", "lvm2"), threading.Barrier(2, timeout=20)
    bench.jobs = 2

    def after_both(data: bytes, check: Callable[[bytes], Verdict]) -> Verdict:
        both.wait()  # so that neither is promoted when the other one is judged
        return check(data)

    for name, value in (("xen", "a" * 64), ("lvm2", "b" * 64)):
        bench.sources[name].checks = [partial(after_both, check=tagged("v1", value))]
    assert bench.run().exit is Exit.CLOSED
    items = [item for name, item in bench.state().items.items() if name.endswith("/tag")]
    assert sorted(item.code for item in items) == ["ok", "tag-moved"]
    (moved,) = [item for item in items if item.code == "tag-moved"]
    assert not bench.stands(moved.component)


def test_what_was_judged_and_not_accepted_yet_speaks_against_other_components_only(folder: Path) -> None:
    memory = Recall(Bench(folder, "xen", "lvm2").manifest)

    def asked(component: str, value: str) -> Verdict:
        return memory.verdict(tagged("v1", value)(b""), component, State(), None)

    assert asked("xen", "a" * 64).code == "ok"
    refused = asked("lvm2", "b" * 64)
    assert refused.code == "tag-moved" and "another component of this run accepted tag v1" in refused.reason
    assert asked("xen", "b" * 64).code == "ok"  # xen is fetched again, and nothing of it was accepted
    assert asked("lvm2", "c" * 64).code == "tag-moved"


def test_a_build_root_by_an_older_index_is_red(folder: Path) -> None:
    bench = remembering(folder, INDEX)
    bench.builder.root = indexed(8)
    assert bench.run().exit is Exit.CLOSED
    item = bench.state().items["environment host/apt"]
    assert (item.status, item.code) == (Status.FAILED, "archive-went-back")
    assert bench.builder.runs == []


def test_a_build_root_of_this_log_counts_as_memory(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.builder.root = indexed(8)
    assert bench.run(Stage.VERIFY).exit is Exit.DONE
    bench.builder.root = indexed(7)
    assert bench.run().exit is Exit.CLOSED
    assert bench.state().items["environment host/apt"].code == "archive-went-back"


@pytest.mark.parametrize(
    ("memory", "own", "code"),
    [("", "", "ok"), ("fresh_days = 9", "", "nothing-new"), ("fresh_days = 9", "fresh_days = 99", "ok"), ("", "fresh_days = 9", "nothing-new")],
)  # fmt: skip
def test_a_components_own_fresh_days_go_before_the_releases(
    folder: Path, memory: str, own: str, code: str
) -> None:
    text = f"{HEAD}\n[memory]\n{memory}\n" + component("xen").replace("needs = []", own)
    bench = Bench(folder, manifest=text)
    bench.clock = lambda: datetime.fromtimestamp(DATE + 10 * 86400 + 1, UTC)
    bench.sources["xen"].checks = [tagged("v1")]
    bench.run()
    assert bench.state().items["xen/tag"].code == code
    assert bench.state().sealed is (code == "ok")
    assert bench.stands("xen") is (code == "ok")


def test_evidence_that_tells_its_facts_crookedly_is_red(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.sources["xen"].checks = [lambda data: Passed("good", sha_of(data), {"object_sha256": "a"})]
    assert bench.run().exit is Exit.CLOSED
    assert bench.state().items["xen/tag"].code == "check-crashed"


def test_a_declared_step_back_is_green_and_the_log_says_by_whose_word(folder: Path) -> None:
    accept = '[[memory.accept]]\ncomponent = "xen"\nfrom = "v1"\nto = "v0.9"\nreason = "withdrawn upstream"\n'
    bench = Bench(folder, manifest=f"{HEAD}\n{accept}" + component("xen"))
    bench.ledger, bench.read = lambda: Ledger([XEN]), (READ,)
    bench.sources["xen"].checks = [tagged("v0.9")]
    assert bench.run().exit is Exit.DONE
    (verdict,) = [each for each in bench.told(ev.ItemVerdict) if each.item == "xen/tag"]
    assert verdict.reason.endswith("from v1 to v0.9 by declaration: withdrawn upstream")
