"""Forged sets of signatures: nothing in them counts, whatever other tools say of them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealwright_keyring.policy import Policy, load_policy
from sealwright_stages.errors import SigningError
from sealwright_stages.sign.papers import Papers
from sealwright_stages.sign.release_signatures import kept, merged, persons_of
from sign.forged import LOG, NAMES, PERSONS, SUMS, TABLE, Forged, filled
from support.world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with filled() as made:
        yield made


@pytest.fixture(scope="module")
def policy(world: World, tmp_path_factory: pytest.TempPathFactory) -> Policy:
    folder = tmp_path_factory.mktemp("p")
    (folder / "keys").mkdir()
    text = PERSONS
    for name, fingerprint in world.fpr.items():
        text = text.replace(f"{{{name}}}", fingerprint)
    (folder / "signers.toml").write_text(text)
    own = [name for name in world.fpr if name not in ("impostor", "foreign") and "subkey" not in name]
    (folder / "keys" / "all.gpg").write_bytes(world.cert(*own))
    return load_policy(folder)


def laid_out(folder: Path, forged: Forged, world: World) -> Path:
    (folder / "log").mkdir()
    for name, data, block in zip(("SHA256SUMS", "log/SHA256SUMS"), (SUMS, LOG), forged.make(world), strict=True):
        (folder / name).write_bytes(data)
        (folder / f"{name}.asc").write_bytes(block)
    return folder


@pytest.mark.parametrize("forged", TABLE, ids=[each.rule.replace(" ", "-") for each in TABLE])
def test_nothing_counts(forged: Forged, world: World, policy: Policy, tmp_path: Path) -> None:
    folder = laid_out(tmp_path, forged, world)
    try:
        counted = Papers(folder, b"", policy, NAMES, "2026-01-01T00:00:00Z").signed_by()
    except SigningError:  # it can't even be read
        counted = frozenset()
    assert counted == forged.counts
    for name, data in (("SHA256SUMS", SUMS), ("log/SHA256SUMS", LOG)):
        block = (folder / f"{name}.asc").read_bytes()
        rest = kept(block, data, policy, NAMES)
        if rest:
            assert persons_of(rest, data, policy, NAMES) == persons_of(block, data, policy, NAMES)
            assert kept(rest, data, policy, NAMES) == merged([rest]) == rest
        else:
            assert not forged.counts


def test_the_same_by_honest_means_counts(world: World, policy: Policy, tmp_path: Path) -> None:
    from sign.forged import both

    folder = laid_out(tmp_path, Forged("", both("one", "two")), world)
    assert Papers(folder, b"", policy, NAMES, "2026-01-01T00:00:00Z").signed_by() == {"one", "two"}


def test_more_signatures_than_a_file_may_have_are_not_merged(world: World) -> None:
    one = world.sign("one", data=SUMS, armor=False)
    blocks = [one[:-1] + bytes([last]) for last in range(40)]
    with pytest.raises(SigningError, match="more than 32"):
        merged(blocks)


@pytest.mark.slow
def test_what_outside_tools_say_of_them(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For the table in docs/how-to/sign-with-several-persons.md: exit codes, with all keys in the ring."""
    fooled: set[str] = set()
    ring = tmp_path / "ring.gpg"
    ring.write_bytes(world.gpg("--export"))
    for number, forged in enumerate(TABLE):
        (tmp_path / str(number)).mkdir()
        folder = laid_out(tmp_path / str(number), forged, world)
        pair = [str(folder / "SHA256SUMS.asc"), str(folder / "SHA256SUMS")]
        exits: list[str] = []
        for argv in (
            ["gpg", "--homedir", str(world.home), "--batch", "--verify", *pair],
            ["gpgv", "--keyring", str(ring), *pair],
            ["sqv", "--keyring", str(ring), *pair],
        ):
            try:
                done = subprocess.run(argv, capture_output=True, check=False, timeout=10)
                exits.append("yes" if done.returncode == 0 else "no")
            except subprocess.TimeoutExpired:
                exits.append("not in 10 s")
        if "yes" in exits and len(forged.counts) < 2:
            fooled.add(forged.rule)
        with capsys.disabled():
            print(f"\n| {forged.rule} | {' | '.join(exits)} |")
    assert {"one key twice is one person", "by a person who may vouch for components only"} <= fooled
