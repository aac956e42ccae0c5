"""Second builds over whole runs: what they are compared with, what comes of it, what waits and what is done again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sealwright_stages import events as ev
from sealwright_stages.engine import Retry, Waive
from sealwright_stages.errors import BuildError, Exit
from sealwright_stages.events import Stage
from sealwright_stages.log.entries import Entry
from sealwright_stages.manifest_build import VARIATIONS
from sealwright_stages.ports import BuildJob, Collected
from sealwright_stages.state import Item
from sealwright_stages.verdict import Status
from support.bench import Bench
from support.release_folder import HEAD, component
from support.scripted import sha_of

TWICE = "reproduce = 2\n"
ITEM = "lib/reproduce"


def bench_of(folder: Path, *, more: str = "", chain: bool = False) -> Bench:
    """A release whose component `lib` is built twice; with `chain`, `tool` needs it."""
    return Bench(
        folder, manifest=HEAD + component("lib") + TWICE + more + (component("tool", "lib") if chain else "")
    )


def second(job: BuildJob) -> bool:
    """Whether a job is a second build."""
    return job.around.hostname != "build"


def leaking(bench: Bench) -> None:
    """Let builds write their host's name into their products."""
    bench.builder.leaks = lambda job: job.around.hostname.encode()


def evidence(bench: Bench) -> dict[str, Any]:
    """The evidence of the second build's verdict."""
    item = bench.state().items[ITEM]
    text = item.evidence
    if item.evidence_stream:
        text = (bench.kept.folder / "data" / item.evidence_stream / "00000000.log").read_text()
    return dict(json.loads(text))


def test_a_component_that_gives_the_same_twice_is_green_and_the_log_tells_the_two_apart(folder: Path) -> None:
    bench = bench_of(folder)
    jobs: list[BuildJob] = []
    bench.builder.on_run = jobs.append
    assert bench.run().exit is Exit.DONE
    state = bench.state()
    item, first = state.items[ITEM], state.items["lib/build"]
    assert (item.status, item.code, item.subject_sha256) == (Status.PASSED, "ok", first.subject_sha256)
    assert [second(job) for job in jobs] == [False, True]
    assert replace(jobs[1], around=jobs[0].around) == jobs[0]
    begun = bench.told(ev.BuildStarted)
    assert [(each.stream, each.second) for each in begun] == [
        ("build/lib/1-1", False),
        ("build/lib/1-1-second", True),
    ]
    assert replace(begun[1], item=begun[0].item, stream=begun[0].stream, varied="", varied_sha256="") == begun[0]
    assert [each.second for each in (*bench.told(ev.BuildSample), *bench.told(ev.BuildEnded))] == [False, True] * 2
    known, again = state.components["lib"], state.seconds["lib"]
    assert (known.build_stream, again.build_stream) == ("build/lib/1-1", "build/lib/1-1-second")
    assert len(known.samples) == len(again.samples) == 1
    assert len(bench.told(ev.ProductCollected)) == 1 and list(state.products) == [("lib", "lib.tar")]
    assert sorted(p.name for p in bench.work.build.iterdir()) == [], "the second products are gone"
    assert sorted(p.name for p in bench.work.products.rglob("*")) == ["lib", "lib.tar"]
    assert bench.broken_rules() == []


def test_what_differs_is_a_warning_with_both_digests_and_a_report_and_can_be_waived(folder: Path) -> None:
    bench = bench_of(folder)
    leaking(bench)
    ended = bench.run()
    assert ended.exit is Exit.CLOSED and ended.decision and ended.decision.blockers[0].item == ITEM
    item = bench.state().items[ITEM]
    assert (item.status, item.code) == (Status.WARNED, "not-reproduced")
    assert item.reason.startswith("a second build gave other bytes for lib.tar; varied: hostname, locale")
    data = b"built from sources of lib\n"
    told = evidence(bench)
    assert told["twice"]["lib.tar"] == {
        "sha256": sha_of(data + b"build"),
        "size": len(data) + 5,
        "second_sha256": sha_of(data + b"rebuild"),
        "second_size": len(data) + 7,
    }
    assert set(told["varied"]) == set(VARIATIONS) and told["report"]["text"]
    assert (bench.work.products / "lib" / "lib.tar").read_bytes() == data + b"build", "the first one's is released"
    assert bench.broken_rules() == []
    seen = bench.state().items[ITEM]
    why = "known, and harmless"
    done = bench.run(commands=(Waive(ITEM, "release-manager-a", why, seen.code, seen.subject_sha256),))
    assert done.exit is Exit.DONE
    assert bench.builder.runs == ["lib", "lib"], "a warning stands until somebody asks for another try"
    assert bench.broken_rules() == []


def test_another_try_builds_only_the_second_again(folder: Path) -> None:
    bench = bench_of(folder, chain=True)
    leaking(bench)
    tries: list[BuildJob] = []

    def mended(job: BuildJob) -> None:
        tries.append(job)
        if len(tries) == 4:
            bench.builder.leaks = lambda job: b"build"

    bench.builder.on_run = mended
    assert bench.run(commands=(Retry(ITEM),)).exit is Exit.DONE
    assert [(job.component, second(job)) for job in tries] == [
        ("lib", False), ("tool", False), ("lib", True), ("lib", True)
    ]  # fmt: skip
    assert bench.state().items[ITEM].status is Status.PASSED
    assert [each.stream for each in bench.told(ev.BuildStarted)][2:] == [
        "build/lib/1-1-second",
        "build/lib/1-2-second",
    ]
    assert bench.broken_rules() == []


def test_what_needs_it_does_not_wait_for_its_second_build_but_the_gate_does(folder: Path) -> None:
    bench = bench_of(folder, chain=True)
    leaking(bench)
    assert bench.run().exit is Exit.CLOSED
    assert sorted(bench.builder.runs) == ["lib", "lib", "tool"]
    assert bench.state().items["tool/build"].status is Status.PASSED


def test_what_the_manifest_leaves_out_is_not_varied_and_that_is_told(folder: Path) -> None:
    bench = bench_of(folder, more='vary = ["locale", "uid"]\n')
    leaking(bench)
    assert bench.run().exit is Exit.DONE, "the host's name was the same"
    told = evidence(bench)
    assert set(told["varied"]) == {"locale", "uid"} and told["kept"]["hostname"] == "the manifest leaves it out"
    assert "not varied: hostname, timezone" in bench.state().items[ITEM].reason
    assert bench.broken_rules() == []


@pytest.mark.parametrize("how", ["fails", "can't be run", "is refused", "has no products"])
def test_a_second_build_that_does_not_end_well_is_red(folder: Path, how: str) -> None:
    bench = bench_of(folder)
    refused = BuildError("product 'x' is refused", "it is a symbolic link", "mend it", "product-refused")

    def spoil(job: BuildJob) -> None:
        if second(job):
            bench.builder.exits["lib"] = [2] if how == "fails" else []
            key = {"can't be run": "run", "is refused": "collect"}.get(how, "")
            bench.builder.refuses.update({key: refused})

    bench.builder.on_run = spoil
    if how == "has no products":
        collect = bench.builder.collect

        def nothing(job: BuildJob, out: Path, destination: Path) -> tuple[Collected, ...]:
            return () if second(job) else collect(job, out, destination)

        bench.builder.collect = nothing  # type: ignore[method-assign]
    assert bench.run().exit is Exit.CLOSED
    item = bench.state().items[ITEM]
    if how == "has no products":
        assert (item.status, item.code) == (Status.WARNED, "not-reproduced")
        assert "gave no lib.tar" in item.reason
    else:
        assert (item.status, item.code) == (Status.FAILED, "second-build-failed")
    assert bench.state().items["lib/build"].status is Status.PASSED
    assert list(bench.work.build.iterdir()) == []
    assert bench.broken_rules() == []
    bench.builder.on_run, bench.builder.refuses = lambda job: None, {}
    if how != "has no products":
        assert bench.run().exit is Exit.DONE
        assert bench.builder.runs == ["lib", "lib", "lib"], "the first build stands"
        assert bench.broken_rules() == []


def test_a_first_build_that_failed_has_no_second_one_which_says_for_whom_it_waits(folder: Path) -> None:
    bench = bench_of(folder)
    bench.builder.exits["lib"] = [2]
    assert bench.run().exit is Exit.CLOSED
    item = bench.state().items[ITEM]
    assert (item.status, item.note) == (Status.PENDING, "stopped by lib, which it needs and which is not built")
    assert bench.broken_rules() == []
    assert bench.run(commands=(Retry("lib/build"),)).exit is Exit.DONE
    assert bench.builder.runs == ["lib", "lib", "lib"]
    assert bench.broken_rules() == []


def test_a_component_that_is_built_again_is_built_twice_again(folder: Path) -> None:
    bench = bench_of(folder)
    assert bench.run(until=Stage.BUILD).exit is Exit.DONE
    (bench.work.products / "lib" / "lib.tar").unlink()
    assert bench.run().exit is Exit.DONE
    assert bench.builder.runs == ["lib"] * 4
    assert [each.because for each in bench.told(ev.ItemReset)] == ["it is built again"] * 2
    assert bench.broken_rules() == []


def test_a_resumed_run_makes_no_second_build_that_stands(folder: Path) -> None:
    bench = bench_of(folder)
    assert bench.run(until=Stage.BUILD).exit is Exit.DONE
    assert bench.run().exit is Exit.DONE
    assert bench.builder.runs == ["lib", "lib"]


def test_wherever_a_run_dies_the_next_one_ends_the_same(folder: Path, tmp_path: Path) -> None:
    whole = bench_of(folder)
    assert whole.run().exit is Exit.DONE
    wanted = whole.summary()
    begun = next(n for n, entry in enumerate(whole.kept.entries) if entry.body.get("e") == "build.started")
    for at in range(begun, len(whole.kept.entries)):
        bench = bench_of(tmp_path / str(at))
        bench.run(die_at=at)
        assert bench.run().exit is Exit.DONE, at
        assert bench.summary() == wanted, at
        assert bench.broken_rules() == [], at
        assert list(bench.work.build.iterdir()) == []


def test_what_a_dead_run_left_of_a_second_build_is_gone_even_if_none_is_made_again(folder: Path) -> None:
    bench = bench_of(folder)
    assert bench.run(until=Stage.VERIFY).exit is Exit.DONE
    for name in (".lib-second", ".lib.products", ".lib.report/inputs", "lib"):
        (bench.work.build / name).mkdir(parents=True)
        (bench.work.build / name / "lib.tar").write_bytes(b"nobody knows")
    bench.builder.exits["lib"] = [2]
    assert bench.run().exit is Exit.CLOSED
    assert list(bench.work.build.iterdir()) == []


def test_where_the_build_root_is_another_by_now_both_builds_are_made_in_it(folder: Path) -> None:
    bench = bench_of(folder)
    bench.builder.exits["lib"] = [0, 2]
    assert bench.run().exit is Exit.CLOSED
    prepare = bench.builder.prepare

    def newer(*words: Any, **more: Any) -> Any:
        other = sha_of(b"a newer archive")
        made = prepare(*words, **more)
        assert made.verdict is not None
        return replace(made, sha256=other, verdict=replace(made.verdict, subject_sha256=other))

    bench.builder.prepare = newer  # type: ignore[method-assign]
    assert bench.run().exit is Exit.DONE
    assert bench.builder.runs == ["lib"] * 4
    assert bench.broken_rules() == []


def test_a_second_build_is_one_of_the_jobs_and_takes_its_room(folder: Path) -> None:
    text = HEAD + component("lib") + TWICE + component("other")
    bench = Bench(folder, manifest=text)
    bench.jobs = 3
    bench.builder.spare = (8 << 30) - 1
    busy, most = [0], [0]

    def count(job: BuildJob) -> None:
        busy[0] += 1
        most[0] = max(most[0], busy[0])
        busy[0] -= 1

    bench.builder.on_run = count
    assert bench.run().exit is Exit.DONE
    assert most == [1] and sorted(bench.builder.runs) == ["lib", "lib", "other"]


Change = Callable[[list[Entry]], None]


def test_an_audit_refuses_each_lie_about_a_second_build(folder: Path) -> None:
    bench = bench_of(folder)
    assert bench.run().exit is Exit.DONE
    entries = list(bench.kept.entries)

    def place(event: str, which: int) -> int:
        return [n for n, entry in enumerate(entries) if entry.body.get("e") == event][which]

    def broken(at: int, **changes: object) -> str:
        bench.kept.entries[at] = replace(entries[at], body={**entries[at].body, **changes})
        return told()

    def told() -> str:
        found = " / ".join(bench.broken_rules())
        bench.kept.entries[:] = entries
        return found

    def fitted(prefix: str, value: object) -> dict[str, object]:
        text = json.dumps(value, sort_keys=True)
        return {prefix: text, f"{prefix}_sha256": sha_of(text.encode())}

    begun, ended = place("build.started", 1), place("build.ended", 1)
    verdict = next(n for n, each in enumerate(entries) if each.body.get("item") == ITEM and "code" in each.body)
    assert told() == ""
    for field in ("environment_sha256", "manifest_sha256"):
        assert "from something else than the first" in broken(begun, **{field: "0" * 64})
    assert "from something else than the first" in broken(begun, epoch=5)
    assert "is not the stream of this try of lib" in broken(begun, stream="build/lib/1-1-other")
    assert "is no build of lib that was declared" in broken(begun, item="lib/build")
    assert "does not tell truly what its second build varied" in broken(begun, **fitted("varied", {"varied": {}}))
    right = evidence(bench)
    assert "tells otherwise how it was built" in broken(
        verdict, **fitted("evidence", {**right, "kept": {"x": "y"}})
    )
    row = right["twice"]["lib.tar"]
    for lie in (
        {},
        {"lib.tar": {**row, "second_sha256": "0" * 64}},
        {"other.tar": row},
        {"lib.tar": {**row, "size": 1}},
    ):
        assert "and its products say otherwise" in broken(verdict, **fitted("evidence", {**right, "twice": lie}))
    assert "is about other products than those that stand" in broken(verdict, subject_sha256="0" * 64)
    assert "no second build ended well before" in broken(ended, because="it took too long")
    bench.kept.entries[begun : ended + 1] = []
    assert "no second build ended well before" in told()
    declared = next(n for n, each in enumerate(entries) if each.body.get("item") == ITEM)
    bench.kept.entries[declared : declared + 1] = []
    assert "lib/reproduce, which the manifest wants, was never declared" in told()


def test_a_first_build_never_begins_while_its_second_stands(folder: Path) -> None:
    bench = bench_of(folder)
    assert bench.run(until=Stage.BUILD).exit is Exit.DONE
    (bench.work.products / "lib" / "lib.tar").unlink()
    assert bench.run().exit is Exit.DONE
    at = next(
        n
        for n, each in enumerate(bench.kept.entries)
        if each.body.get("e") == "item.reset" and each.body["item"] == ITEM
    )
    del bench.kept.entries[at]
    assert "lib was built while its second build stood" in " / ".join(bench.broken_rules())


def test_the_gate_is_closed_by_a_second_build_of_other_products(folder: Path) -> None:
    from sealwright_stages.gate import decide

    bench = bench_of(folder)
    assert bench.run(until=Stage.BUILD).exit is Exit.DONE
    state = bench.state()
    assert decide(Stage.SEAL, state).open
    known: Item = state.items[ITEM]
    state.items[ITEM] = replace(known, subject_sha256="0" * 64)
    (blocker,) = decide(Stage.SEAL, state).blockers
    assert blocker.why == "its second build was held against other products"


def test_a_second_build_of_what_is_green_and_waits_for_its_need_says_nothing_untrue(
    folder: Path, tmp_path: Path
) -> None:
    text = HEAD + component("lib") + component("tool", "lib") + TWICE
    whole = Bench(folder, manifest=text)
    assert whole.run().exit is Exit.DONE
    begun = [(each.body.get("e"), each.body.get("item")) for each in whole.kept.entries]
    bench = Bench(tmp_path / "died", manifest=text)
    bench.run(die_at=begun.index(("item.started", "tool/reproduce")) + 1)
    assert bench.state().items["tool/build"].status is Status.PASSED
    (bench.work.products / "lib" / "lib.tar").unlink()
    bench.builder.exits["lib"] = [2]
    assert bench.run().exit is Exit.CLOSED
    assert [(each.component, each.item) for each in bench.told(ev.BuildStopped)] == []
    assert bench.run().exit is Exit.DONE
    assert bench.broken_rules() == []


def test_a_second_build_is_told_when_the_first_began(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = bench_of(folder)
    asked: list[str] = []
    vary = bench.builder.vary

    def seen(job: BuildJob, what: Any, out: Path, since: str = "") -> Any:
        asked.append(since)
        return vary(job, what, out, since)

    monkeypatch.setattr(bench.builder, "vary", seen)
    assert bench.run().exit is Exit.DONE
    begun = next(entry.t for entry in bench.kept.entries if entry.body.get("e") == "build.started")
    assert asked == [begun]
