"""A signed policy in a run: told to the log, kept as evidence, and put back or nothing is sealed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sealwright_stages import events as ev
from sealwright_stages.errors import Exit
from sealwright_stages.events import Stage
from sealwright_stages.plan import Plan
from sealwright_stages.policy_signature import PolicySignature
from support.bench import Bench
from support.release_folder import HEAD, component

FILES = {"SHA256SUMS": b"a list\n", "SHA256SUMS.sig": b"a signature\n"}

TOLD = {"persons": ["ada", "bob"], "signatures": ["x" * 3000]}


class SignedBench(Bench):
    """A bench whose policy was signed."""

    def plan(self) -> Plan:
        signed = PolicySignature(FILES, ("ada", "bob"), 2, TOLD)
        return replace(super().plan(), policy_signature=signed)


@pytest.fixture
def bench(folder: Path) -> SignedBench:
    text = f'{HEAD}\n[policy]\nsigners = ["ada", "bob"]\nthreshold = 2\n{component("xen")}'
    made = SignedBench(folder, manifest=text)
    for name, data in FILES.items():
        (folder / "keyring" / name).write_bytes(data)
    return made


def test_each_run_tells_who_signed_the_policy_before_anything_begins(bench: SignedBench) -> None:
    bench.stops("xen")
    bench.run()
    bench.sources["xen"].on_fetch = lambda workshop: None
    assert bench.run().exit is Exit.DONE
    names = [entry.body["e"] for entry in bench.kept.entries if entry.kind == "ev"]
    begun = [number for number, name in enumerate(names) if name == "run.started"]
    assert len(begun) == 2 and all(names[number + 1] == "policy.signed" for number in begun)
    told = bench.told(ev.PolicySigned)[-1]
    assert (told.persons, told.threshold, told.evidence) == ("ada bob", 2, "")
    stream = b"".join(p.read_bytes() for p in (bench.kept.folder / "data" / told.evidence_stream).glob("*.log"))
    assert json.loads(stream) == TOLD
    assert bench.broken_rules() == []


def test_what_was_signed_lies_in_the_evidence(bench: SignedBench) -> None:
    assert bench.run().exit is Exit.DONE
    for name, data in FILES.items():
        assert (bench.work.evidence / "policy" / name).read_bytes() == data


@pytest.mark.parametrize("change", ["other", "gone", "more"])
def test_nothing_is_sealed_when_a_signature_changed(bench: SignedBench, folder: Path, change: str) -> None:
    def spoil(record: object) -> None:
        if getattr(record, "body", {}).get("stage") == "build":
            path = folder / "keyring" / ("SHA256SUMS.asc" if change == "more" else "SHA256SUMS.sig")
            path.write_bytes(b"other")
            if change == "gone":
                path.unlink()

    bench.listener = spoil
    ended = bench.run(Stage.SEAL)
    assert ended.exit is Exit.LOG and "is not what the run began with" in ended.because
    assert not bench.state().sealed
