"""What a release manager may ask of a run that waits at a closed gate, and what changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealwright_stages import events as ev
from sealwright_stages.engine import Command, Retry, Waive
from sealwright_stages.errors import Exit
from sealwright_stages.events import Stage
from sealwright_stages.verdict import Status
from support.bench import Bench
from support.scripted import bad, good, imperfect, sha_of
from support.stories import POLICY

SEEN = ("key-expired-since", sha_of(b"sources of xen\n"))  # the warning that `imperfect` gives, of these bytes
WAIVE = Waive("xen/tag", "manager-a", "key extended since", *SEEN)
NOTHING = Retry("nobody/tag")  # there is no such item: an attended run that is asked for nothing
STOP = Retry("stop/tag")  # the last command of a test whose gate stays closed


def closed(folder: Path, *commands: Command) -> Bench:
    """A run whose xen is as scripted by the caller and whose `stop` is red; it ends at the command STOP."""
    bench = Bench(folder, "xen", "stop")
    bench.sources["stop"].checks = [bad]
    return bench


def obey(bench: Bench, *commands: Command) -> None:
    """Run with `commands`, then interrupt."""
    first = bench.sources["stop"].on_fetch

    def second_fetch(workshop: object) -> None:
        if bench.sources["stop"].fetches > 1:
            bench.cancel.set()

    assert first is not None
    bench.sources["stop"].on_fetch = second_fetch
    assert bench.run(commands=(*commands, STOP)).exit is Exit.INTERRUPTED


def test_a_waived_warning_opens_the_gate(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.sources["xen"].checks = [imperfect]
    assert bench.run(commands=(WAIVE,)).exit is Exit.DONE
    [waived] = bench.told(ev.ItemWaived)
    assert (waived.person, waived.reason, waived.policy_sha256) == ("manager-a", "key extended since", POLICY)
    assert waived.item_sha256 == sha_of(b"sources of xen\n")
    gates = [(event.stage, event.open) for event in bench.told(ev.GateDecided)]
    assert gates == [("build", False), ("build", True), ("seal", True)]
    assert bench.unlawful == []
    assert bench.broken_rules() == []


def test_a_retry_fetches_and_verifies_again(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.sources["xen"].checks = [bad, bad, good]
    assert bench.run(commands=(Retry("xen/tag"), Retry("xen/fetch"))).exit is Exit.DONE
    assert bench.sources["xen"].fetches == 3
    assert bench.unlawful == []
    assert bench.broken_rules() == []


def test_a_retry_of_a_build_root_prepares_it_again(folder: Path) -> None:
    bench = Bench(folder, "xen")
    lines = iter([bad, good])
    bench.builder.root = lambda name: next(lines)(b"index")
    assert bench.run(commands=(Retry("environment host/apt"),)).exit is Exit.DONE


def test_a_retry_of_a_build_builds_it_again(folder: Path) -> None:
    bench = Bench(folder, "xen", "lvm2")
    bench.builder.exits["xen"] = [2]
    assert bench.run(commands=(Retry("xen/build"),)).exit is Exit.DONE
    assert bench.builder.runs == ["xen", "lvm2", "xen"]


@pytest.mark.parametrize("check", [bad, imperfect])
def test_a_retry_of_a_build_does_not_go_round_the_gate(folder: Path, check: object) -> None:
    bench = closed(folder)
    bench.sources["xen"].checks = [check]  # type: ignore[list-item]
    obey(bench, Retry("xen/build"), Retry("stop/build"), NOTHING)
    assert bench.builder.runs == []
    assert bench.told(ev.BuildStarted) == []


def test_red_can_not_be_waived(folder: Path) -> None:
    bench = closed(folder)
    bench.sources["xen"].checks = [bad]
    seen = {f"{name}/tag": ("bad-signature", sha_of(f"sources of {name}\n".encode())) for name in ("xen", "stop")}
    seen["xen/fetch"] = ("ok", sha_of(b"sources of xen\n"))
    obey(bench, *(Waive(key, "manager-a", "in a hurry", *seen[key]) for key in seen))
    stands = bench.state().items["xen/tag"]
    assert (stands.code, stands.subject_sha256) == seen["xen/tag"]
    assert bench.told(ev.ItemWaived) == []
    assert bench.state().items["xen/tag"].status is Status.FAILED
    assert bench.builder.runs == []


@pytest.mark.parametrize(
    "command",
    [
        Waive("xen/tag", "", "reason", *SEEN),
        Waive("xen/tag", "  ", "reason", *SEEN),
        Waive("xen/tag", "manager-a", "\t", *SEEN),
        Waive("xen/other", "manager-a", "reason", *SEEN),
        Waive("xen/build", "manager-a", "reason", *SEEN),
        Waive("xen/tag", "manager-a", "another was seen", "key-expired-before", SEEN[1]),
        Waive("xen/tag", "manager-a", "of other bytes", SEEN[0], sha_of(b"other bytes")),
        Waive("xen/tag", "manager-a", "of nothing", "", ""),
        Retry("nothing/tag"),
        NOTHING,
    ],
    ids=str,
)
def test_a_command_that_the_rules_forbid_changes_nothing(folder: Path, command: Command) -> None:
    bench = closed(folder)
    bench.sources["xen"].checks = [imperfect]
    obey(bench, command)
    assert bench.told(ev.ItemWaived) == []
    assert bench.sources["xen"].fetches == 1
    assert not bench.stands("xen")
    assert bench.builder.runs == []


def test_a_second_waiver_of_the_same_warning_changes_nothing(folder: Path) -> None:
    bench = closed(folder)
    bench.sources["xen"].checks = [imperfect]
    obey(bench, WAIVE, WAIVE, Waive("xen/tag", "manager-b", "me too", *SEEN))
    assert len(bench.told(ev.ItemWaived)) == 1
    assert len(bench.told(ev.SourcesPromoted)) == 1


def test_a_retry_takes_a_waiver_away_with_the_verdict(folder: Path) -> None:
    bench = closed(folder)
    bench.sources["xen"].checks = [imperfect]
    obey(bench, WAIVE)
    (bench.work.sources / "xen" / "source" / "payload").write_bytes(b"evil")
    bench.sources["stop"].on_fetch = lambda workshop: None
    assert bench.run().exit is Exit.CLOSED
    assert bench.state().waivers == []
    assert not bench.state().components["xen"].manifest_sha256


def test_a_run_that_waits_can_be_interrupted(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.sources["xen"].checks = [bad]
    bench.listener = lambda record: bench.cancel.set() if record.body.get("e") == "gate.decided" else None
    assert bench.run(commands=(NOTHING,)).exit is Exit.INTERRUPTED


def test_a_run_that_waits_ends_when_the_log_is_lost(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.sources["xen"].checks = [bad]
    bench.listener = lambda record: bench.log.lost.set() if record.body.get("e") == "gate.decided" else None
    assert bench.run(Stage.SEAL, commands=(NOTHING,)).exit is Exit.LOG
