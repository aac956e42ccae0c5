"""The evidence folder is made from what the run began with, and from bytes that are hashed as they are copied."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sealwright_stages.errors import Exit
from sealwright_stages.events import Stage
from support.bench import Bench


def another_manifest(folder: Path) -> None:
    with (folder / "release.toml").open("a") as stream:
        stream.write("# a remark\n")


def another_policy(folder: Path) -> None:
    (folder / "keyring" / "signers.toml").write_text("# nobody\n")


def another_key(folder: Path) -> None:
    (folder / "keyring" / "keys" / "new.asc").write_text("a key\n")


def no_policy(folder: Path) -> None:
    (folder / "keyring" / "signers.toml").unlink(missing_ok=True)


CHANGES = [another_manifest, another_policy, another_key, no_policy]


def when(bench: Bench, kind: str, stage: str, do: Callable[[], None]) -> None:
    """Do something when an event is told, or the log is sealed."""

    def listen(record: object) -> None:
        body = getattr(record, "body", {})
        if getattr(record, "kind", "") == kind and body.get("stage", "") == stage:
            do()

    bench.listener = listen


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_is_sealed_under_a_policy_that_changed(folder: Path, change: Callable[[Path], None]) -> None:
    bench = Bench(folder, "xen")
    when(bench, "ev", "build", lambda: change(folder))
    ended = bench.run()
    assert ended.exit is Exit.LOG, ended
    assert "is not what the run began with" in ended.because and "put it back" in ended.next_step
    assert not bench.state().sealed and not bench.work.evidence.exists()


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_is_signed_under_a_policy_that_changed(folder: Path, change: Callable[[Path], None]) -> None:
    bench = Bench(folder, "xen")
    when(bench, "seal", "", lambda: change(folder))
    ended = bench.run(Stage.SIGN)
    assert ended.exit is Exit.SIGNING, ended
    assert "is not what the run began with" in ended.because


def test_policy_and_manifest_lie_in_the_evidence_as_the_run_began_with_them(folder: Path) -> None:
    bench = Bench(folder, "xen")
    another_key(folder)
    before = (folder / "release.toml").read_bytes()
    when(bench, "seal", "", lambda: [change(folder) for change in CHANGES[:2]] and None)
    assert bench.run().exit is Exit.DONE
    policy = bench.work.evidence / "policy"
    assert (policy / "release.toml").read_bytes() == before
    assert (policy / "signers.toml").read_bytes() == b""
    assert (policy / "keys" / "new.asc").read_text() == "a key\n"


def test_a_product_is_hashed_while_it_is_copied(folder: Path) -> None:
    bench = Bench(folder, "xen")
    product = bench.work.products / "xen" / "xen.tar"
    when(bench, "seal", "", lambda: product.write_bytes(b"evil") and None)
    ended = bench.run()
    assert ended.exit is Exit.LOG, ended
    assert "xen.tar" in ended.what and "other bytes" in ended.because
    assert not bench.work.evidence.exists() and not bench.work.evidence.with_name("evidence.new").exists()
