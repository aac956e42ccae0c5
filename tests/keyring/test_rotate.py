"""Begin the next version of a keyring: only from one that counts, and whatever dies meanwhile leaves the old or the new."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from datetime import date
from pathlib import Path

import pytest

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import load_policy
from sealwright_keyring.rotate import rotate
from sealwright_keyring.rotation import judge
from sealwright_keyring.versions import read_versions
from support.other_keys import OtherKeys
from support.rotating import Gpg, Ring

PERSONS = {"ada": ["ssh:ada"], "cleo": ["mini:cleo"]}
TODAY = date(2026, 1, 31)
_OPERATIONS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "open")


@pytest.fixture
def ring(tmp_path: Path, others: OtherKeys, world: Gpg) -> Ring:
    """Version 1, signed by both."""
    made = Ring(tmp_path / "ring", world, others, {})
    made.write(PERSONS, 1)
    made.sign("ssh:ada", "mini:cleo")
    return made


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_current_version_goes_whole_into_the_history_and_the_number_counts_up(ring: Ring) -> None:
    before = files(ring.folder)
    done = rotate(ring.folder, TODAY)
    assert done.begun and [step.counts for step in done.steps] == [True, False]
    after = files(ring.folder)
    assert {
        name.removeprefix("history/1/"): data for name, data in after.items() if name.startswith("history/1/")
    } == before
    assert {name for name in after if not name.startswith("history/")} == {
        name for name in before if "SUMS" not in name
    }
    text = before["signers.toml"].replace(b"version = 1\n", b"version = 2\nsince = 2026-01-31\n")
    assert after["signers.toml"] == text
    ring.sign("ssh:ada", "mini:cleo")
    assert rotate(ring.folder, date(2026, 2, 1)).begun
    now = load_policy(ring.folder).version
    assert now is not None and (now.number, now.since) == (3, date(2026, 2, 1))


def test_nothing_is_begun_before_the_current_version_counts(ring: Ring) -> None:
    ring.sign("ssh:ada")
    before = files(ring.folder)
    done = rotate(ring.folder, TODAY)
    assert not done.begun and done.steps[-1].new.missing == ("cleo",) and files(ring.folder) == before
    ring.sign("ssh:ada", "mini:cleo")
    assert rotate(ring.folder, TODAY).begun
    before = files(ring.folder)
    done = rotate(ring.folder, TODAY)
    assert not done.begun and [step.version for step in done.steps] == [1, 2] and files(ring.folder) == before


def test_a_keyring_without_a_version_is_not_rotated(ring: Ring) -> None:
    text = (ring.folder / "signers.toml").read_text()
    (ring.folder / "signers.toml").write_text(text[text.index("[person") :])
    with pytest.raises(KeyringError, match="says no version"):
        rotate(ring.folder, TODAY)


@pytest.mark.parametrize(
    "table",
    [
        'policy = {version = 1, signers = ["ada"], threshold = 1}',
        'policy.version = 1\npolicy.signers = ["ada"]\npolicy.threshold = 1',
    ],
)
def test_a_table_that_a_program_should_not_change_is_left_as_it_is(ring: Ring, table: str) -> None:
    text = (ring.folder / "signers.toml").read_text()
    (ring.folder / "signers.toml").write_text(f"{table}\n{text[text.index('[person') :]}")
    ring.sign("ssh:ada")
    before = files(ring.folder)
    try:
        assert rotate(ring.folder, TODAY).begun
        assert load_policy(ring.folder).version is not None
    except KeyringError as error:
        assert "no program should change" in error.because and files(ring.folder) == before


def test_one_rotation_at_a_time(ring: Ring) -> None:
    descriptor = os.open(ring.folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(KeyringError, match="another rotation"):
        rotate(ring.folder, TODAY)
    os.close(descriptor)


def killed_at(folder: Path, moment: int) -> bool:
    """Rotate in a process that is killed right before the operation `moment`; whether it came that far."""
    child = os.fork()
    if child == 0:
        left = [moment]

        def watch(event: str, words: tuple[object, ...]) -> None:
            if event in _OPERATIONS and (event != "open" or _writes(words)):
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        try:
            rotate(folder, TODAY)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _writes(words: tuple[object, ...]) -> bool:
    return isinstance(words[2], int) and bool(words[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


@pytest.mark.parametrize(
    "stale", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["once", "after another that was killed"]
)
def test_a_kill_at_any_moment_leaves_the_old_version_or_the_new(ring: Ring, tmp_path: Path, stale: bool) -> None:
    moment, seen = 0, set()
    ring.write({"ada": ["ssh:ada"]}, 1, threshold=1)
    ring.sign("ssh:ada")
    while True:
        copy = ring.copy(tmp_path / f"{stale}-{moment}")
        if stale:
            copy.copy(tmp_path / f"kept-{moment}").keep(1)
            (tmp_path / f"kept-{moment}" / "history").rename(copy.folder / "history")
        if not killed_at(copy.folder, moment):
            break
        steps = judge(read_versions(copy.folder))
        assert [step.counts for step in steps] in ([True], [True, False])
        seen.add(len(steps))
        done = rotate(copy.folder, TODAY)
        assert done.begun is (len(steps) == 1)
        rest = {name for name in files(copy.folder) if not name.startswith("history/1/")}
        assert rest == {"signers.toml", "keys/ada-ssh.pub"} and not (copy.folder / ".history.new").exists()
        moment += 1
    assert moment > 15 and seen == {1, 2}
