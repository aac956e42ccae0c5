"""A pin follows its keyring by signed steps; but only to where a release stands on which nothing is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from audit.forge import Forger
from audit.test_policy_versions import MADE, MANAGER, PERSONS, evidence
from sealwright_console.cli import main
from sealwright_keyring.policy import load_policy
from sealwright_stages.check.pins import Pin, keep, now_pinned, read_pins
from support.other_keys import OtherKeys
from support.release_folder import HEAD
from support.rotating import OneHome, Ring
from support.small_release import Key

BOTH = HEAD.replace('signers = ["manager-a"]', 'signers = ["manager-a", "release-key-a"]\nthreshold = 1')


@pytest.fixture
def followed(forger: Forger, keys: tuple[Key, Key], state: Path) -> Path:
    """A release by two signers under version 2 of a keyring, of which version 1 with one signer is pinned."""
    shutil.rmtree(forger.folder / "keyring")
    ring = Ring(forger.folder / "keyring", OneHome(*keys), OtherKeys(forger.folder), MADE)
    ring.write(PERSONS, 1, signers=["manager-a"], threshold=1)
    ring.sign(MANAGER)
    first = load_policy(ring.folder)
    ring.keep(1)
    ring.write(PERSONS, 2, signers=["manager-a", "release-key-a"], threshold=1)
    ring.sign(MANAGER)
    persons = {"manager-a": (keys[0].fingerprint,)}
    keep(state, now_pinned(Pin("example", persons, 1, "", "", "example 1.0", first.sha256, 1), "/elsewhere"))
    forger.head = BOTH
    return evidence(forger, ring)


def test_a_pin_follows_to_a_release_on_which_nothing_is_wrong(
    followed: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, before = ("check", str(followed / "products/xen/xen.tar")), state.read_bytes()
    for name in ("SHA256SUMS.asc", "policy/release.toml", "verify.py"):
        held = (followed / name).read_bytes()
        (followed / name).write_bytes(b"# x\n" + held[: len(held) // 2])
        assert main(words) == 1
        assert "verdict: NO" in capsys.readouterr().out and state.read_bytes() == before
        (followed / name).write_bytes(held)
    assert main(words) == 0
    pin = read_pins(state)["example"]
    assert set(pin.persons) == {"manager-a", "release-key-a"} and pin.policy_version == 2
    assert main(words) == 0
