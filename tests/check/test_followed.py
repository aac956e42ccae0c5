"""A pinned keyring that went on: its signed steps are followed by a check, and nothing else leads away from a pin."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.forge import Forger, Step, placed
from sealwright_console.cli import main
from sealwright_keyring.policy import load_policy
from sealwright_keyring.rotation import judge
from sealwright_keyring.versions import files_of, read_versions
from sealwright_stages import events as ev
from sealwright_stages.check.pins import Pin, keep, now_pinned, read_pins
from sealwright_stages.check.trust import FOLLOWED, OTHER, PINNED, Trust, trust_in
from sealwright_stages.reviewer import Reviewer
from support.other_keys import OtherKeys
from support.rotating import OneHome, Ring
from support.small_release import Key, make_key, stop_agent

OLD, NEW, AUTHOR = "gpg:old", "gpg:manager-a", "gpg:release-key-a"
ONE = {"manager-a": [OLD], "release-key-a": [AUTHOR], "cleo": ["ssh:cleo"]}
TWO = {"manager-a": [NEW], "release-key-a": [AUTHOR], "cleo": ["ssh:cleo"]}
MADE: dict[tuple[str, bytes], bytes] = {}


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Key]:
    """The key that the manager had before."""
    key = make_key(tmp_path_factory.mktemp("old") / "home", "old")
    yield key
    stop_agent(key.home)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> OtherKeys:
    return OtherKeys(tmp_path_factory.mktemp("others"))


@pytest.fixture
def ring(forger: Forger, keys: tuple[Key, Key], old: Key, others: OtherKeys) -> Ring:
    """The keyring of the forged release: in version 2 the manager has a new key."""
    shutil.rmtree(forger.folder / "keyring")
    made = Ring(forger.folder / "keyring", OneHome(*keys, old), others, MADE)
    made.write(ONE, 1, signers=["manager-a", "cleo"], threshold=2)
    made.sign(OLD, "ssh:cleo")
    made.keep(1)
    made.write(TWO, 2, signers=["manager-a", "cleo"], threshold=2)
    made.sign(OLD, NEW, "ssh:cleo")
    return made


def pin(state: Path, ring: Ring, *keys: str, number: int = 1) -> None:
    """Pin these keys as the manager's, with a version of the keyring."""
    folder = ring.folder / "history" / str(number) if number == 1 else ring.folder
    policy = load_policy(folder)
    made = Pin("example", {"manager-a": keys}, 1, release="example 0.9", policy_sha256=policy.sha256)
    keep(state, now_pinned(made, "/earlier"))


def evidence(forger: Forger, ring: Ring) -> Path:
    """Evidence of a release under the keyring, with all its versions."""
    versions = read_versions(ring.folder)
    steps = judge(versions)
    said = ev.PolicyRotated(steps[-1].policy_sha256, len(steps), *placed({"versions": [s.told() for s in steps]}))

    def told(lawful: list[Step]) -> list[Step]:
        return [lawful[0], *([said] if len(steps) > 1 else []), *lawful[1:]]

    folder = forger.evidence(told)
    for name, data in files_of(versions).items():
        (folder / "policy" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "policy" / name).write_bytes(data)
    return folder


def trust(folder: Path, state: Path) -> Trust:
    return trust_in(folder, Reviewer(), state)


def checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """What a check of the product ends with, and what it says."""
    code = main(["check", str(folder / "products/xen/xen.tar")])
    return code, capsys.readouterr().out


def test_a_pinned_keyring_is_followed_by_its_signed_steps(
    forger: Forger, ring: Ring, old: Key, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pin(state, ring, old.fingerprint)
    made = evidence(forger, ring)
    assert trust(made, state).how == FOLLOWED
    code, said = checked(made, capsys)
    assert code == 0 and "signed steps lead from there" in said, said
    moved = read_pins(state)["example"]
    assert (moved.persons, moved.policy_version) == ({"manager-a": (forger.signers[0].fingerprint,)}, 2)
    assert checked(made, capsys)[0] == 0 and trust(made, state).how == PINNED


@pytest.mark.parametrize("gone", ["SHA256SUMS.asc", "log/SHA256SUMS.asc", "provenance.manager-a.dsse.json"])
def test_a_pin_stays_where_it_is_if_anything_is_wrong_with_the_evidence_that_followed_it(
    forger: Forger, ring: Ring, old: Key, state: Path, capsys: pytest.CaptureFixture[str], gone: str
) -> None:
    pin(state, ring, old.fingerprint)
    made, before = evidence(forger, ring), state.read_bytes()
    (made / gone).unlink()
    assert trust(made, state).how == FOLLOWED
    assert checked(made, capsys)[0] == 1
    assert state.read_bytes() == before


@pytest.mark.parametrize("lacks", [OLD, NEW, "ssh:cleo"])
def test_a_step_that_too_few_have_signed_is_not_followed(
    forger: Forger, ring: Ring, old: Key, state: Path, capsys: pytest.CaptureFixture[str], lacks: str
) -> None:
    pin(state, ring, old.fingerprint)
    ring.sign(*{OLD, NEW, "ssh:cleo"} - {lacks})
    made = evidence(forger, ring)
    assert trust(made, state).how == OTHER
    code, said = checked(made, capsys)
    assert code == 1 and said.splitlines()[-1].startswith("verdict: NO")


def test_a_history_with_another_version_1_is_not_followed(
    forger: Forger, ring: Ring, old: Key, state: Path, others: OtherKeys
) -> None:
    pin(state, ring, old.fingerprint)
    shutil.rmtree(ring.folder / "history")
    ring.write({**ONE, "manager-a": [NEW]}, 1, signers=["manager-a", "cleo"], threshold=2)
    ring.sign(NEW, "ssh:cleo")
    ring.keep(1)
    ring.write(TWO, 2, signers=["manager-a", "cleo"], threshold=2)
    ring.sign(NEW, "ssh:cleo")
    assert trust(evidence(forger, ring), state).how == OTHER


def test_the_pinned_keyring_beside_the_history_leads_nowhere(
    forger: Forger, ring: Ring, old: Key, state: Path
) -> None:
    pin(state, ring, old.fingerprint)
    made = evidence(forger, ring)
    shutil.copytree(made / "policy/history/1", made / "policy/history/x")
    assert trust(made, state).how == OTHER
    shutil.rmtree(made / "policy/history/x")
    assert trust(made, state).how == FOLLOWED
    (made / "policy/history/1").rename(made / "policy/history/2")
    assert trust(made, state).how == OTHER


def test_a_release_of_before_the_pinned_keyring_is_none_of_the_pinned_keys(
    forger: Forger, ring: Ring, old: Key, state: Path
) -> None:
    new = ring.gpg.fingerprint("manager-a")
    pin(state, ring, new, number=2)
    made = evidence(forger, ring)
    assert trust(made, state).how == PINNED
    for path in ("signers.toml", "keys"):
        here, there = made / "policy" / path, made / "policy/history/1" / path
        shutil.rmtree(here) if here.is_dir() else here.unlink()
        there.rename(here)
    shutil.rmtree(made / "policy/history")
    assert trust(made, state).how == OTHER
