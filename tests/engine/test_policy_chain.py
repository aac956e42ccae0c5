"""A keyring with versions in a run: told to the log, kept as evidence, and put back or nothing is sealed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sealwright_keyring.policy import load_policy
from sealwright_stages import events as ev
from sealwright_stages.errors import Exit, ManifestError
from sealwright_stages.events import Stage
from sealwright_stages.plan import Plan
from sealwright_stages.policy_chain import chain_of_run
from support.bench import Bench
from support.other_keys import OtherKeys
from support.release_folder import HEAD, component
from support.rotating import OneHome, Ring

PERSONS = {"manager-a": ["ssh:manager-a"], "bob": ["ssh:bob"]}
TWO = {**PERSONS, "cleo": ["ssh:cleo"]}


class RotatedBench(Bench):
    """A bench whose keyring is version 2."""

    def plan(self) -> Plan:
        policy = load_policy(self.manifest.keyring)
        return replace(super().plan(), policy=policy, policy_chain=chain_of_run(policy))


@pytest.fixture
def bench(folder: Path) -> RotatedBench:
    made = RotatedBench(folder, manifest=HEAD + component("xen"))
    keyring = made.manifest.keyring
    shutil.rmtree(keyring, ignore_errors=True)
    ring = Ring(keyring, OneHome(), OtherKeys(folder / "others"), {})
    ring.write(PERSONS, 1)
    ring.sign("ssh:manager-a", "ssh:bob")
    ring.keep(1)
    ring.write(TWO, 2)
    ring.sign("ssh:manager-a", "ssh:bob")
    return made


def test_each_run_tells_which_versions_led_to_its_keyring_before_anything_begins(bench: RotatedBench) -> None:
    bench.stops("xen")
    bench.run()
    bench.sources["xen"].on_fetch = lambda workshop: None
    assert bench.run().exit is Exit.DONE
    names = [entry.body["e"] for entry in bench.kept.entries if entry.kind == "ev"]
    begun = [number for number, name in enumerate(names) if name == "run.started"]
    assert len(begun) == 2 and all(names[number + 1] == "policy.rotated" for number in begun)
    told = bench.told(ev.PolicyRotated)[-1]
    assert told.version == 2 and told.policy_sha256 == load_policy(bench.manifest.keyring).sha256
    both = {"persons": ["bob", "manager-a"], "threshold": 2}
    one, two = json.loads(told.evidence)["versions"]
    assert (one["new"], two["old"], two["new"]) == (both, both, both)
    assert [rule for rule in bench.broken_rules() if "is version none" not in rule] == [], (
        "the bench declares none"
    )


def test_all_versions_lie_in_the_evidence(bench: RotatedBench) -> None:
    assert bench.run().exit is Exit.DONE
    keyring, policy = bench.manifest.keyring, bench.work.evidence / "policy"
    there = {path.relative_to(keyring) for path in keyring.rglob("*") if path.is_file()}
    assert Path("history/1/SHA256SUMS.bob.sig") in there and Path("SHA256SUMS.bob.sig") in there
    for name in there:
        assert (policy / name).read_bytes() == (keyring / name).read_bytes()


def gone(keyring: Path) -> None:
    shutil.rmtree(keyring / "history", ignore_errors=True)


def other(keyring: Path) -> None:
    (keyring / "history" / "1" / "SHA256SUMS.bob.sig").write_bytes(b"x")


def more(keyring: Path) -> None:
    (keyring / "SHA256SUMS.more.sig").write_bytes(b"x")


@pytest.mark.parametrize("change", [gone, other, more])
def test_nothing_is_sealed_when_a_version_changed(bench: RotatedBench, change: Callable[[Path], None]) -> None:
    def spoil(record: object) -> None:
        if getattr(record, "body", {}).get("stage") == "build":
            change(bench.manifest.keyring)

    bench.listener = spoil
    ended = bench.run(Stage.SEAL)
    assert ended.exit is Exit.LOG and ended.what == "nothing was sealed", ended
    assert not bench.state().sealed


def test_a_chain_that_does_not_hold_is_refused_before_anything_begins(bench: RotatedBench) -> None:
    (bench.manifest.keyring / "history" / "1" / "SHA256SUMS.bob.sig").unlink()
    with pytest.raises(ManifestError, match=r"version 1 of the keyring.*missing: bob"):
        bench.plan()
