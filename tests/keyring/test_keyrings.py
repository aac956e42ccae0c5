"""Keyrings that stay open between checks: the same one only for the same keys, and never one that a check changed."""

from __future__ import annotations

import os
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.gpg import Gpg
from sealwright_keyring.keyrings import Keyrings
from sealwright_keyring.openpgp import Good, Keyring
from support.ordinary import as_ordinary_user

DATA = b"the bytes that were meant\n"


@pytest.fixture
def open_keyrings() -> Any:
    keyrings = Keyrings(limit=2)
    yield keyrings
    keyrings.close()


def folder_of(keyring: Keyring) -> Path:
    return keyring._home.folder


def test_the_same_keys_are_filled_once(world: Any, open_keyrings: Keyrings) -> None:
    files, chosen = [world.cert("s1")], [world.fpr["s1"]]
    with open_keyrings.of(files, chosen, Gpg()) as one:
        assert isinstance(one.verify_detached(world.sign("s1"), DATA), Good)
    with open_keyrings.of(list(files), chosen, Gpg()) as two:
        assert two is one


def test_other_keys_other_certificates_and_another_gpg_are_another_keyring(
    world: Any, open_keyrings: Keyrings
) -> None:
    both = [world.cert("s1"), world.cert("s2")]
    kinds = [
        (both, [world.fpr["s1"]], Gpg()),
        (both, [world.fpr["s2"]], Gpg()),
        (both[:1], [world.fpr["s1"]], Gpg()),
        (both, [world.fpr["s1"]], Gpg(timeout=59.0)),
    ]
    seen = []
    for files, chosen, gpg in kinds:
        with open_keyrings.of(files, chosen, gpg) as keyring:
            assert keyring.fingerprints == set(chosen)
            seen.append(keyring)
    assert len({id(each) for each in seen}) == len(kinds)


def test_threads_that_ask_at_once_wait_for_one_filling(world: Any, open_keyrings: Keyrings) -> None:
    together = threading.Barrier(4)

    def ask(_: int) -> int:
        together.wait(10)
        with open_keyrings.of([world.cert("s1")], [world.fpr["s1"]], Gpg()) as keyring:
            return id(keyring)

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, range(4)))) == 1


def test_no_more_than_the_limit_stay_open_and_never_one_in_use_goes(world: Any, open_keyrings: Keyrings) -> None:
    names = ("s1", "s2", "outsider", "expired")
    with open_keyrings.of([world.cert("s1")], [world.fpr["s1"]], Gpg()) as held:
        folders = []
        for name in names[1:]:
            with open_keyrings.of([world.cert(name)], [world.fpr[name]], Gpg()) as keyring:
                folders.append(folder_of(keyring))
        assert folder_of(held).exists()
        assert isinstance(held.verify_detached(world.sign("s1"), DATA), Good)
    assert sum(folder.exists() for folder in (*folders, folder_of(held))) == 2
    assert not folders[0].exists()


def test_what_could_not_be_filled_is_not_remembered(world: Any, tmp_path: Path, open_keyrings: Keyrings) -> None:
    program = tmp_path / "gpg"
    gpg = Gpg(str(program))
    for _ in range(2):
        with pytest.raises(KeyringError), open_keyrings.of([world.cert("s1")], [world.fpr["s1"]], gpg):
            pass
    program.symlink_to("/usr/bin/gpg")
    with open_keyrings.of([world.cert("s1")], [world.fpr["s1"]], gpg) as keyring:
        assert keyring.fingerprints == {world.fpr["s1"]}


@pytest.mark.skipif(os.geteuid() != 0, reason="a uid of its own needs root")
def test_a_check_cannot_change_what_the_next_one_finds(world: Any, open_keyrings: Keyrings) -> None:
    gpg = Gpg(uid=65532)
    with open_keyrings.of([world.cert("s1")], [world.fpr["s1"]], gpg) as keyring:
        folder = folder_of(keyring)
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        drop = as_ordinary_user()  # the uid that gpg has here
        import_another = ["gpg", "--homedir", str(folder), "--batch", "--import"]
        subprocess.run([*drop, *import_another], input=world.cert("outsider"), capture_output=True, check=False)
        for attempt in (["touch", "new"], ["rm", "-f", "pubring.kbx"], ["chmod", "777", "."]):
            done = subprocess.run([*drop, *attempt], cwd=folder, capture_output=True, check=False)
            assert done.returncode != 0, attempt
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        assert isinstance(keyring.verify_detached(world.sign("s1"), DATA), Good)


def test_closing_removes_the_homes(world: Any) -> None:
    keyrings = Keyrings()
    with keyrings.of([world.cert("s1")], [world.fpr["s1"]], Gpg()) as keyring:
        folder = folder_of(keyring)
    assert folder.exists()
    keyrings.close()
    assert not folder.exists()
