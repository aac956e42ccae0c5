"""The engine walks a release: what opens, what stays closed, and what is never done behind a closed gate."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sealwright_stages import events as ev
from sealwright_stages.engine import Retry
from sealwright_stages.errors import BuildError, Exit, FetchError
from sealwright_stages.events import Stage
from sealwright_stages.ports import Workshop
from sealwright_stages.verdict import Failed, Status, Verdict, Waiver
from sealwright_stages.verify.codes import RefusedError
from support.bench import Bench
from support.release_folder import HEAD, component
from support.scripted import bad, good, imperfect, sha_of
from support.stories import POLICY

PAYLOAD = b"sources of xen\n"


def test_a_good_release_is_built_and_sealed(folder: Path) -> None:
    bench = Bench(folder, "xen", "lvm2")
    ended = bench.run()
    assert ended.exit is Exit.DONE, ended
    assert bench.state().sealed
    assert bench.unlawful == []
    assert bench.broken_rules() == []
    assert [event.stage for event in bench.told(ev.GateDecided) if event.open] == ["build", "seal"]
    assert list(bench.work.quarantine.iterdir()) == []


def test_the_evidence_holds_the_products_and_their_sums(folder: Path) -> None:
    bench = Bench(folder, "xen", "lvm2")
    bench.run()
    sums = (bench.work.evidence / "SHA256SUMS").read_text().splitlines()
    assert [line.split("  ")[1] for line in sums] == ["products/lvm2/lvm2.tar", "products/xen/xen.tar"]
    for line in sums:
        digest, name = line.split("  ")
        assert hashlib.sha256((bench.work.evidence / name).read_bytes()).hexdigest() == digest
    policy = bench.work.evidence / "policy" / "release.toml"
    assert hashlib.sha256(policy.read_bytes()).hexdigest() == bench.manifest.sha256
    assert (bench.work.evidence / "log" / "proofs" / "xen.xen.tar.tlog-proof").exists()


def test_everything_is_declared_before_anything_begins(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.run()
    names = [entry.body["e"] for entry in bench.kept.entries if entry.kind == "ev"]
    assert names[: names.index("stage.started")] == ["run.started", *["item.declared"] * 4]
    assert "item.declared" not in names[names.index("stage.started") :]


def test_a_red_item_closes_the_gate_and_nothing_is_built(folder: Path) -> None:
    bench = Bench(folder, "xen", "lvm2")
    bench.sources["xen"].checks = [bad]
    ended = bench.run()
    assert ended.exit is Exit.CLOSED
    assert ended.decision is not None and ended.decision.failed == 1
    assert [(event.stage, event.open) for event in bench.told(ev.GateDecided)] == [("build", False)]
    assert bench.builder.runs == [] and bench.told(ev.BuildStarted) == []
    assert not bench.stands("xen")
    assert not (bench.work.sources / "xen.manifest.jsonl").exists()
    assert bench.told(ev.RunEnded)[-1].exit == Exit.CLOSED


def test_what_failed_is_deleted_and_the_log_says_so(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.sources["xen"].checks = [bad]
    bench.run()
    gone = bench.told(ev.FileDeleted)
    assert [(event.item, event.name, event.sha256) for event in gone] == [("xen/tag", "payload", sha_of(PAYLOAD))]
    assert not list(bench.work.root.rglob("payload"))


@pytest.mark.parametrize("where", ["fetch", "check"])
def test_what_a_failed_fetch_or_a_crashed_check_leaves_is_deleted_and_the_log_says_so(
    folder: Path, where: str
) -> None:
    def half(workshop: Workshop) -> None:
        (workshop.quarantine / "half").write_bytes(b"h")
        if where == "fetch":
            raise FetchError("xen", "the line went dead", "try again")

    def crash(_data: bytes) -> Verdict:
        raise ZeroDivisionError("parser")

    bench = Bench(folder, "xen")
    bench.sources["xen"].on_fetch, bench.sources["xen"].checks = half, [crash]
    bench.run()
    gone = {(event.item, event.name, event.sha256) for event in bench.told(ev.FileDeleted)}
    left = {("xen/tag", "half", sha_of(b"h")), ("xen/tag", "payload", sha_of(PAYLOAD))}
    assert gone == ({("xen/fetch", "half", sha_of(b"h"))} if where == "fetch" else left)
    assert not list(bench.work.quarantine.rglob("half"))


@pytest.mark.parametrize("attended", [False, True])
def test_what_is_green_and_can_not_be_promoted_turns_its_component_red_and_no_other(
    folder: Path, attended: bool
) -> None:
    def refuse(*_: object) -> None:
        raise RefusedError("changed-since-verified", "it is not what was judged", "run again")

    bench = Bench(folder, "xen", "lvm2")
    mended = bench.sources["xen"].stage
    bench.sources["xen"].stage = refuse  # type: ignore[method-assign]

    def mend(workshop: Workshop) -> None:
        if bench.sources["xen"].fetches > 1:
            bench.sources["xen"].stage = mended  # type: ignore[method-assign]

    bench.sources["xen"].on_fetch = mend
    ended = bench.run(commands=(Retry("xen/tag"),) if attended else ())
    (verdict,) = [e for e in bench.told(ev.ItemVerdict) if e.verdict == "failed"]
    assert (verdict.item, verdict.code) == ("xen/tag", "changed-since-verified")
    assert [(event.item, event.name) for event in bench.told(ev.FileDeleted)] == [("xen/tag", "payload")]
    assert bench.stands("lvm2")
    assert ended.exit is (Exit.DONE if attended else Exit.CLOSED)
    assert bench.stands("xen") is attended
    assert bench.broken_rules() == []


def test_a_warning_closes_the_gate_of_an_unattended_run(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.sources["xen"].checks = [imperfect]
    ended = bench.run()
    assert ended.exit is Exit.CLOSED
    assert bench.builder.runs == [] and not bench.stands("xen")
    assert bench.state().items["xen/tag"].status is Status.WARNED


def test_a_warning_that_the_manifest_waives_is_built(folder: Path) -> None:
    bench = Bench(folder, "xen")
    waiver = Waiver("xen/tag", "key-expired-since", "manager-a", "key extended since", sha_of(PAYLOAD), POLICY)
    object.__setattr__(bench.manifest, "waivers", (waiver,))
    bench.sources["xen"].checks = [imperfect]
    assert bench.run().exit is Exit.DONE
    assert bench.state().waivers == [waiver]


def test_a_source_that_does_not_arrive_is_red_and_so_is_what_was_to_be_checked(folder: Path) -> None:
    def refuse(_workshop: Workshop) -> None:
        raise FetchError("xen", "the server said 404", "mend the address", "not-found")

    bench = Bench(folder, "xen")
    bench.sources["xen"].on_fetch = refuse
    assert bench.run().exit is Exit.CLOSED
    items = bench.state().items
    assert (items["xen/fetch"].status, items["xen/fetch"].code) == (Status.FAILED, "not-found")
    assert items["xen/tag"].status is Status.FAILED
    assert "404" in items["xen/fetch"].reason


def test_whatever_a_source_raises_is_red(folder: Path) -> None:
    def crash(_data: bytes) -> Verdict:
        raise ZeroDivisionError("parser")

    bench = Bench(folder, "xen")
    bench.sources["xen"].checks = [crash]
    assert bench.run().exit is Exit.CLOSED
    assert bench.state().items["xen/tag"].code == "check-crashed"


def test_the_other_components_get_as_far_as_they_can(folder: Path) -> None:
    bench = Bench(folder, "xen", "lvm2")
    bench.sources["xen"].checks = [bad]
    bench.run()
    assert bench.stands("lvm2") and not bench.stands("xen")


def test_a_build_root_that_is_not_green_closes_the_gate(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.builder.root = lambda name: Failed(
        "bad-index", "the archive's index is not signed", "look at the mirror"
    )
    assert bench.run().exit is Exit.CLOSED
    assert bench.builder.runs == []


def test_a_build_root_that_was_not_judged_closes_the_gate(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.builder.root = lambda name: None
    assert bench.run().exit is Exit.CLOSED
    assert bench.state().items["environment host/apt"].code == "check-missing"


@pytest.mark.parametrize("with_items", [True, False])
def test_a_build_root_that_is_refused_builds_nothing(folder: Path, with_items: bool) -> None:
    bench = Bench(folder, "xen")
    bench.builder.with_items = with_items
    bench.builder.refuses["prepare"] = BuildError("the host", "gcc is missing", "install gcc", "packages-missing")
    ended = bench.run()
    assert ended.exit is Exit.CLOSED
    assert bench.builder.runs == []
    red = [item for item in bench.state().items.values() if item.status is Status.FAILED]
    assert red and "gcc is missing" in red[0].reason


def test_a_failed_build_closes_the_gate_before_the_seal(folder: Path) -> None:
    bench = Bench(folder, "xen", "lvm2")
    bench.builder.exits["xen"] = [2]
    ended = bench.run()
    assert ended.exit is Exit.CLOSED
    assert not bench.state().sealed
    assert bench.state().components["xen"].build_exit == 2
    assert not (bench.work.products / "xen").exists()
    assert ("lvm2", "lvm2.tar") in bench.state().products


@pytest.mark.parametrize("where", ["run", "collect"])
def test_a_build_that_is_refused_is_red_and_its_stream_ends_cleanly(folder: Path, where: str) -> None:
    bench = Bench(folder, "xen")
    bench.builder.refuses[where] = BuildError("xen", "a product is a device", "mend the build", "product-refused")
    assert bench.run().exit is Exit.CLOSED
    state = bench.state()
    assert state.items["xen/build"].code == "product-refused"
    assert not state.components["xen"].building
    assert state.products == {} and state.unclean == []
    assert [entry.body["clean"] for entry in bench.kept.entries if entry.kind == "eof"] == [True]
    assert list(bench.work.build.iterdir()) == []


def test_what_needs_a_failed_build_is_not_built(folder: Path) -> None:
    text = HEAD + component("top", "middle") + component("middle", "base", build=False) + component("base")
    bench = Bench(folder, manifest=text)
    bench.builder.exits["base"] = [1]
    bench.run()
    assert bench.builder.runs == ["base"]
    assert bench.state().items["top/build"].status is Status.PENDING


def test_what_is_needed_is_built_before(folder: Path) -> None:
    text = HEAD + component("top", "middle") + component("middle", "base", build=False) + component("base")
    bench = Bench(folder, manifest=text)
    bench.jobs = 2
    assert bench.run().exit is Exit.DONE
    assert bench.builder.runs == ["base", "top"]


def test_sources_that_were_changed_after_they_were_verified_are_not_built(folder: Path) -> None:
    bench = Bench(folder, "xen", "lvm2")

    def tamper(record: object) -> None:
        if getattr(record, "body", {}).get("e") == "stage.started" and bench.state().gates:
            (bench.work.sources / "xen" / "source" / "payload").write_bytes(b"evil")

    bench.listener = tamper
    assert bench.run().exit is Exit.CLOSED
    assert bench.builder.runs == ["lvm2"]
    assert bench.state().items["xen/build"].code == "sources-changed"


@pytest.mark.parametrize("harm", ["changed", "missing", "link"])
def test_products_are_hashed_again_before_the_seal(folder: Path, harm: str) -> None:
    bench = Bench(folder, "xen")
    bench.run(Stage.BUILD)
    product = bench.work.products / "xen" / "xen.tar"

    def tamper(record: object) -> None:
        body = getattr(record, "body", {})
        if body.get("e") == "stage.ended" and body.get("stage") == "build":
            (folder / "same").write_bytes(product.read_bytes())
            product.unlink()
            if harm == "changed":
                product.write_bytes(b"evil")
            elif harm == "link":
                product.symlink_to(folder / "same")

    bench.listener = tamper
    ended = bench.run()
    assert ended.exit is Exit.LOG
    assert "xen.tar" in ended.sentence
    assert not bench.state().sealed and not bench.work.evidence.exists()


UNTIL = [
    (Stage.GET_SOURCES, ["get-sources", "verify"], []),
    (Stage.VERIFY, ["get-sources", "verify"], []),
    (Stage.BUILD, ["get-sources", "verify", "build"], ["xen"]),
]


@pytest.mark.parametrize(("until", "stages", "runs"), UNTIL)
def test_a_run_goes_no_further_than_asked(folder: Path, until: Stage, stages: list[str], runs: list[str]) -> None:
    bench = Bench(folder, "xen")
    ended = bench.run(until)
    assert ended.exit is Exit.DONE
    assert [event.stage for event in bench.told(ev.StageStarted)] == stages
    assert bench.builder.runs == runs
    assert bench.told(ev.RunEnded)[-1].exit == 0
    assert not bench.state().sealed


def test_a_run_until_a_stage_before_a_closed_gate_still_says_so(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.sources["xen"].checks = [bad]
    assert bench.run(Stage.VERIFY).exit is Exit.CLOSED


def test_what_stands_is_not_made_again(folder: Path) -> None:
    bench = Bench(folder, "xen", "lvm2")
    bench.run(Stage.BUILD)
    bench.run(Stage.BUILD)
    assert {source.fetches for source in bench.sources.values()} == {1}
    assert bench.builder.runs == ["xen", "lvm2"]


def test_a_sealed_release_is_not_walked_again(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.run()
    before = len(bench.kept.entries)
    assert bench.run().exit is Exit.DONE
    assert len(bench.kept.entries) == before
    assert bench.builder.runs == ["xen"]


def test_sources_that_differ_at_the_next_run_are_fetched_and_built_again(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.run(Stage.BUILD)
    (bench.work.sources / "xen" / "source" / "payload").write_bytes(b"evil")
    bench.sources["xen"].content = b"moved on\n"
    assert bench.run().exit is Exit.DONE
    assert bench.sources["xen"].fetches == 2
    assert bench.builder.runs == ["xen", "xen"]
    assert (bench.work.products / "xen" / "xen.tar").read_bytes() == b"built from moved on\n"


def test_a_product_that_differs_at_the_next_run_is_built_again(folder: Path) -> None:
    bench = Bench(folder, "xen", "lvm2")
    bench.run(Stage.BUILD)
    (bench.work.products / "xen" / "xen.tar").write_bytes(b"evil")
    assert bench.run().exit is Exit.DONE
    assert bench.builder.runs == ["xen", "lvm2", "xen"]
    assert good(PAYLOAD).subject_sha256 == sha_of(PAYLOAD)


@pytest.mark.parametrize("where", ["source", "builder", "listener"])
def test_a_defect_of_ours_ends_the_run_and_says_so(folder: Path, where: str) -> None:
    def fail(*_: object) -> None:
        raise RecursionError("too \x1b[31mdeep")

    bench = Bench(folder, "xen", "lvm2")
    bench.jobs = 2
    if where == "source":
        bench.sources["xen"].stage = fail  # type: ignore[method-assign]
    elif where == "builder":
        bench.builder.on_run = fail
    else:
        bench.listener = lambda record: fail() if record.body.get("e") == "stage.ended" else None
    ended = bench.run()
    assert (ended.exit, ended.what) == (Exit.ENVIRONMENT, "Sealwright itself failed")
    assert ended.because == "RecursionError: too \\x1b[31mdeep"
    assert "report" in ended.next_step
    assert bench.told(ev.RunEnded)[-1].because == ended.sentence
    assert list(bench.work.quarantine.iterdir()) == []
    assert not bench.state().sealed
