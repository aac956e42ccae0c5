"""What the log says of the sandbox that its builds ran in."""

from __future__ import annotations

from pathlib import Path

from sealwright_stages import events as ev
from sealwright_stages.events import Stage
from support.bench import Bench

HELD = ev.SandboxHeld(100, "2025-03-02T00:00:00.000000Z", "a" * 64)


def _names(bench: Bench) -> list[str]:
    return [entry.body["e"] for entry in bench.kept.entries if entry.kind == "ev"]


def test_each_run_says_first_that_the_sandbox_holds(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.held = HELD
    bench.run(Stage.VERIFY)
    bench.run()
    names = _names(bench)
    begun = [number for number, name in enumerate(names) if name == "run.started"]
    assert len(begun) == 2 and all(names[number + 1] == "sandbox.held" for number in begun)
    assert bench.state().held == HELD
    assert bench.broken_rules() == []


def test_a_build_after_a_run_that_said_it_must_say_it_too(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.held = HELD
    bench.run(Stage.VERIFY)
    bench.held = None
    bench.run()
    assert bench.broken_rules() != []


def test_a_log_from_before_says_nothing_and_breaks_no_rule(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.run()
    assert "sandbox.held" not in _names(bench) and bench.state().held is None
    assert bench.broken_rules() == []
