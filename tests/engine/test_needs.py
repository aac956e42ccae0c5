"""What a build sees of what it needs, whom a failure stops, and what is built again: over whole runs."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sealwright_stages import events as ev
from sealwright_stages.engine import Retry
from sealwright_stages.errors import Exit, LogError
from sealwright_stages.events import Stage
from sealwright_stages.log.entries import Entry
from sealwright_stages.needed import digest
from sealwright_stages.ports import BuildJob
from sealwright_stages.seal.evidence import EvidenceFolder
from sealwright_stages.verdict import Status
from support.bench import Bench
from support.release_folder import HEAD, component
from support.scripted import sha_of

CHAIN = HEAD + component("lib") + component("tool", "lib") + component("app", "tool") + component("other")


def product_of(name: str) -> str:
    return sha_of(f"built from sources of {name}\n".encode())


def test_a_build_sees_the_products_of_what_it_names_and_the_log_names_them(folder: Path) -> None:
    bench = Bench(folder, manifest=CHAIN)
    jobs: dict[str, BuildJob] = {}
    bench.builder.on_run = lambda job: jobs.update({job.component: job})
    assert bench.run().exit is Exit.DONE
    assert [need.component for need in jobs["tool"].needs] == ["lib"]
    assert [need.component for need in jobs["app"].needs] == ["tool"], "not what that needs in turn"
    assert jobs["tool"].needs[0].folder == bench.work.products / "lib"
    begun = {event.component: event for event in bench.told(ev.BuildStarted)}
    assert json.loads(begun["tool"].needs) == {"lib/lib.tar": product_of("lib")}
    assert begun["tool"].needs_sha256 == digest({"lib/lib.tar": product_of("lib")})
    assert (begun["lib"].needs, begun["lib"].needs_sha256) == ("", "")
    assert bench.broken_rules() == []


def test_what_is_needed_and_not_built_has_no_products_and_passes_its_needs_order_on(folder: Path) -> None:
    text = HEAD + component("lib") + component("middle", "lib", build=False) + component("app", "middle")
    bench = Bench(folder, manifest=text)
    jobs: dict[str, BuildJob] = {}
    bench.builder.on_run = lambda job: jobs.update({job.component: job})
    assert bench.run().exit is Exit.DONE
    assert bench.builder.runs == ["lib", "app"]
    assert jobs["app"].needs == ()


def test_a_product_that_changed_before_it_is_needed_is_red_and_the_next_run_makes_it_anew(folder: Path) -> None:
    bench = Bench(folder, manifest=CHAIN)

    def tamper(job: BuildJob) -> None:
        if job.component == "other":
            (bench.work.products / "lib" / "lib.tar").write_bytes(b"evil")

    bench.builder.on_run = tamper
    text = HEAD + component("lib") + component("other", "lib") + component("tool", "lib", "other")
    bench = Bench(folder, manifest=text)
    bench.builder.on_run = tamper
    assert bench.run().exit is Exit.CLOSED
    item = bench.state().items["tool/build"]
    assert (item.status, item.code) == (Status.FAILED, "need-changed")
    assert "lib.tar among the products of lib" in item.reason
    assert bench.builder.runs == ["lib", "other"]
    bench.builder.on_run = lambda job: None
    assert bench.run().exit is Exit.DONE
    assert bench.builder.runs == ["lib", "other", "lib", "tool"], "other saw the same products and stands"
    assert bench.broken_rules() == []


@pytest.mark.parametrize("what", ["surplus", "missing", "folder"])
def test_products_that_are_more_or_fewer_than_the_log_has_are_red(folder: Path, what: str) -> None:
    bench = Bench(
        folder, manifest=HEAD + component("lib") + component("other") + component("tool", "lib", "other")
    )

    def tamper(job: BuildJob) -> None:
        place = bench.work.products / "lib"
        if job.component != "other":
            return
        if what == "surplus":
            (place / "more").write_bytes(b"")
        else:
            (place / "lib.tar").unlink()
            if what == "folder":
                place.rmdir()

    bench.builder.on_run = tamper
    assert bench.run().exit is Exit.CLOSED
    assert bench.state().items["tool/build"].code == "need-changed"


def test_one_failure_stops_what_depends_on_it_and_nothing_else_and_each_says_for_whom_it_waits(
    folder: Path,
) -> None:
    bench = Bench(folder, manifest=CHAIN)
    bench.builder.exits["lib"] = [2]
    ended = bench.run()
    assert ended.exit is Exit.CLOSED
    assert sorted(bench.builder.runs) == ["lib", "other"]
    items = bench.state().items
    assert items["lib/build"].status is Status.FAILED
    assert items["other/build"].status is Status.PASSED
    for name in ("tool", "app"):
        item = items[f"{name}/build"]
        assert (item.status, item.note) == (
            Status.PENDING,
            "stopped by lib, which it needs and which is not built",
        )
    assert ended.decision is not None
    why = [blocker.why for blocker in ended.decision.blockers if blocker.item == "app/build"]
    assert why == ["it is pending: stopped by lib, which it needs and which is not built"]
    assert bench.run().exit is Exit.DONE
    assert sorted(bench.builder.runs) == ["app", "lib", "lib", "other", "tool"], "the rest is not repeated"
    assert bench.broken_rules() == []


def test_a_retry_builds_that_component_and_what_waited_for_it_and_leaves_the_rest_alone(folder: Path) -> None:
    bench = Bench(folder, manifest=CHAIN)
    bench.builder.exits["lib"] = [2]
    bench.builder.exits["other"] = [3, 3]
    assert bench.run(commands=(Retry("lib/build"), Retry("other/build"), Retry("other/build"))).exit is Exit.DONE
    assert bench.builder.runs == ["lib", "other", "lib", "tool", "app", "other", "other"]
    assert bench.broken_rules() == []


def test_a_retry_does_not_build_what_needs_something_that_is_not_green(folder: Path) -> None:
    bench = Bench(folder, manifest=CHAIN)
    bench.builder.exits["lib"] = [2]
    done = bench.run(commands=(Retry("tool/build"), Retry("lib/build")))
    assert done.exit is Exit.DONE
    assert bench.builder.runs.count("tool") == 1
    assert bench.builder.runs.index("tool") > bench.builder.runs.index("lib", 1)
    red = [event.item for event in bench.told(ev.ItemVerdict) if event.verdict == "failed"]
    assert red == ["lib/build"], "nobody judged tool before lib was there"
    assert [(each.component, each.by) for each in bench.told(ev.BuildStopped)] == [("tool", "lib"), ("app", "lib")]
    assert bench.broken_rules() == []


def rebuilt_with_another_lib(folder: Path) -> Bench:
    """A release that was built, then lost a product, whose second build gave other bytes."""
    bench = Bench(folder, manifest=CHAIN)
    assert bench.run(until=Stage.BUILD).exit is Exit.DONE
    (bench.work.products / "lib" / "lib.tar").unlink()
    collect = bench.builder.collect

    def another(job: BuildJob, out: Path, destination: Path) -> object:
        if job.component == "lib":
            (out / "lib.tar").write_bytes(b"other bytes")
        return collect(job, out, destination)

    bench.builder.collect = another  # type: ignore[method-assign, assignment]
    bench.builder.runs.clear()
    assert bench.run().exit is Exit.DONE
    return bench


def test_what_saw_other_products_than_now_stand_is_built_again(folder: Path) -> None:
    bench = rebuilt_with_another_lib(folder)
    assert bench.builder.runs == ["lib", "tool"], "app saw the products of tool, which are the same bytes"
    assert bench.broken_rules() == []


def forgot_to_build_tool_again(folder: Path) -> Bench:
    """A log in which lib was built again, with other bytes, and tool was not."""
    bench = rebuilt_with_another_lib(folder)
    second = max(number for number, entry in enumerate(bench.kept.entries) if entry.body.get("e") == "run.started")

    def of_tool(entry: Entry) -> bool:
        body = entry.body
        return "tool" in (body.get("component"), str(body.get("item")).split("/")[0]) or "/tool/" in entry.stream

    later = [entry for entry in bench.kept.entries[second:] if not of_tool(entry)]
    bench.kept.entries[second:] = later
    return bench


def test_the_audit_refuses_a_product_that_saw_another_one_than_stands_at_the_seal(folder: Path) -> None:
    bench = forgot_to_build_tool_again(folder)
    assert [told for told in bench.broken_rules() if "gate" not in told][-1].endswith(
        "tool was built with products that are not those of the release"
    )


def test_nothing_is_sealed_that_saw_another_product_than_stands(folder: Path) -> None:
    EvidenceFolder(rebuilt_with_another_lib(folder / "whole").context()).check_products()
    with pytest.raises(LogError, match="tool was built with products that are not those of the release"):
        EvidenceFolder(forgot_to_build_tool_again(folder / "cut").context()).check_products()


def test_builds_run_beside_each_other_only_as_far_as_memory_goes(folder: Path) -> None:
    text = HEAD + component("a") + component("b") + component("c")
    bench = Bench(folder, manifest=text)
    busy, most = [0], [0]
    lock = threading.Lock()
    both = threading.Event()

    def count(job: BuildJob) -> None:
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        both.wait(0.1)
        with lock:
            busy[0] -= 1

    bench.builder.on_run = count
    bench.jobs = 3
    bench.builder.spare = (8 << 30) - 1  # less than one of them may take: then one at a time
    assert bench.run().exit is Exit.DONE
    assert most == [1]


def test_the_audit_refuses_builds_that_saw_other_products_or_began_too_early(folder: Path) -> None:
    bench = Bench(folder, manifest=CHAIN)
    assert bench.run().exit is Exit.DONE
    entries = list(bench.kept.entries)

    def broken(change: object) -> str:
        bench.kept.entries[:] = change(list(entries))  # type: ignore[operator]
        found = " / ".join(bench.broken_rules())
        bench.kept.entries[:] = entries
        return found

    def place(entry: object, event: str, name: str) -> bool:
        body = entry.body  # type: ignore[attr-defined]
        return body.get("e") == event and body.get("component") == name

    def others(found: list[object]) -> list[object]:
        at = next(n for n, each in enumerate(found) if place(each, "build.started", "tool"))
        text = json.dumps({"lib/lib.tar": "0" * 64})
        body = {**found[at].body, "needs": text, "needs_sha256": sha_of(text.encode())}  # type: ignore[attr-defined]
        found[at] = replace(found[at], body=body)  # type: ignore[type-var]
        return found

    def early(found: list[object]) -> list[object]:
        tool = next(n for n, each in enumerate(found) if place(each, "build.started", "tool"))
        lib = next(n for n, each in enumerate(found) if place(each, "build.started", "lib"))
        found.insert(lib, found.pop(tool))
        return found

    assert broken(lambda found: found) == ""
    assert "tool was built with other products than those of what it needs" in broken(others)
    assert "tool was built before lib, which it needs" in broken(early)


def test_a_log_from_before_can_be_read_and_its_audit_says_what_it_does_not_tell(folder: Path) -> None:
    bench = Bench(folder, manifest=CHAIN)
    assert bench.run().exit is Exit.DONE
    for number, entry in enumerate(bench.kept.entries):
        if entry.body.get("e") == "build.started":
            old = {key: value for key, value in entry.body.items() if not key.startswith("needs")}
            bench.kept.entries[number] = replace(entry, body=old)
    assert bench.state().components["tool"].built_with == ""
    assert "tool was built with other products than those of what it needs" in " / ".join(bench.broken_rules())


def test_a_retry_of_a_second_build_whose_first_is_made_again_goes_on_with_what_needs_it(folder: Path) -> None:
    bench = Bench(folder, manifest=HEAD + component("lib") + "reproduce = 2\n" + component("tool", "lib"))
    bench.builder.leaks = lambda job: job.around.hostname.encode()
    assert bench.run().exit is Exit.CLOSED
    prepare, newer = bench.builder.prepare, sha_of(b"a newer archive")

    def prepared(*words: Any, **more: Any) -> Any:
        made = prepare(*words, **more)
        assert made.verdict is not None
        return replace(made, sha256=newer, verdict=replace(made.verdict, subject_sha256=newer))

    bench.builder.prepare = prepared  # type: ignore[method-assign]
    bench.builder.leaks = lambda job: b"a newer compiler"
    assert bench.run(commands=(Retry("lib/reproduce"),)).exit is Exit.DONE
    assert sorted(bench.builder.runs[3:]) == ["lib", "lib", "tool"]
    assert bench.broken_rules() == []
