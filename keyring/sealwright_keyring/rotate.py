"""Begin the next version of a keyring: the current one goes whole into `history/<n>/`, and `signers.toml` counts up.

- Only from a version that counts: signed as the one before it says, and as it says itself.
- What decides is the number in `signers.toml`, which is replaced whole after the copy is complete and on disk. A crash
  leaves the old version or the new one; what else it left is cleared by the next rotation.
- One rotation at a time: the folder is locked meanwhile.
- Of `signers.toml` nothing changes but `version` and `since`; who else it names is for a person to write.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from sealwright_keyring.detached import Tools
from sealwright_keyring.errors import KeyringError, PolicyError
from sealwright_keyring.policy import load_policy
from sealwright_keyring.rotation import Step, judge
from sealwright_keyring.store import write_whole
from sealwright_keyring.toml_lines import line_of
from sealwright_keyring.version import HISTORY, MOST, Version
from sealwright_keyring.versions import Held, read_versions

_NEW = ".history.new"


@dataclass(frozen=True)
class Rotated:
    """What came of asking for the next version: whether it was begun, and how each version stands."""

    begun: bool
    steps: tuple[Step, ...]


def rotate(folder: Path, today: date, tools: Tools | None = None) -> Rotated:
    """Begin the version after the current one if that counts; `today` (UTC) is since when it will be.

    Raises:
        KeyringError: the folder is refused, says no version, or is being rotated already.
    """
    with _locked(folder):
        _clear(folder)
        versions = read_versions(folder)
        if not versions:
            because = "it says no version: nobody could tell what comes before what"
            next_step = "add [policy] with version = 1, signers and threshold; have it signed; then rotate"
            raise PolicyError(folder / "signers.toml", 1, because, next_step)
        steps = judge(versions, tools)
        if not all(step.counts for step in steps):
            return Rotated(False, steps)
        current = versions[-1]
        if current.version.number == MOST:
            raise PolicyError(
                folder / "signers.toml", 1, f"a keyring has at most {MOST} versions", "begin a new one"
            )
        text = _next_text(folder, current, today)
        _keep(folder, current)
        _count_up(folder, text)
        _clear(folder)
        return Rotated(True, judge(read_versions(folder), tools))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise KeyringError(str(folder), "another rotation of it is under way", "wait for that") from error
    finally:
        os.close(descriptor)


def _clear(folder: Path) -> None:
    """Remove what a rotation leaves: a half-made copy, and list and signatures that lie in the history by now."""
    shutil.rmtree(folder / _NEW, ignore_errors=True)
    versions = read_versions(folder)
    if len(versions) < 2:
        return
    now, before = versions[-1].beside, versions[-2].beside
    if now and all(before.get(name) == data for name, data in now.items()):
        for name in now:
            (folder / name).unlink()
        _sync(folder)


def _next_text(folder: Path, current: Held, today: date) -> bytes:
    """`signers.toml` with the next version in it.

    Raises:
        PolicyError: its table is written in a form that is not changed by a program.
    """
    lines = current.policy.files["signers.toml"].decode().split("\n")
    number = current.version.number
    text = "\n".join(lines)
    place = line_of(text, ("policy", "version")) - 1
    lines[place], count = re.subn(rf"(\bversion\s*=\s*){number}\b", rf"\g<1>{number + 1}", lines[place], count=1)
    if current.version.since is None:
        lines.insert(place + 1, f"since = {today}")
    else:
        place = line_of(text, ("policy", "since")) - 1
        lines[place], _ = re.subn(r"(\bsince\s*=\s*)[0-9-]+", rf"\g<1>{today}", lines[place], count=1)
    new = "\n".join(lines)
    if not count or not _says(folder, new, current, replace(current.version, number=number + 1, since=today)):
        because = "its [policy] table is written in a way that no program should change"
        next_step = "write [policy] with version, signers, threshold on lines of their own, by hand as version "
        raise PolicyError(folder / "signers.toml", place + 1, because, f"{next_step}{number}, and have it signed")
    return new.encode()


def _says(folder: Path, text: str, current: Held, wanted: Version) -> bool:
    """Whether the text says the same persons, and that version."""
    with _beside(folder, current, text) as place:
        try:
            policy = load_policy(place)
        except KeyringError:
            return False
    return policy.persons == current.policy.persons and policy.version == wanted


@contextlib.contextmanager
def _beside(folder: Path, current: Held, text: str) -> Iterator[Path]:
    """A keyring folder with the current keys and another signers.toml, for a moment."""
    place = folder / _NEW
    try:
        _write(place, {**current.policy.files, "signers.toml": text.encode()})
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _keep(folder: Path, current: Held) -> None:
    """Put the current version whole into the history; it is there whole, or not at all."""
    target = folder / HISTORY / str(current.version.number)
    if target.exists():  # of a rotation that was cut short: the same keys; list and signatures may have come since
        target.rename(folder / _NEW)
        shutil.rmtree(folder / _NEW)
    _write(folder / _NEW, current.files)
    target.parent.mkdir(exist_ok=True)
    (folder / _NEW).rename(target)
    _sync(target.parent)
    _sync(folder)


def _count_up(folder: Path, text: bytes) -> None:
    """Put the next signers.toml in the place of the current one: from here on it is the next version."""
    (folder / _NEW).mkdir()
    write_whole(folder / _NEW / "signers.toml", text)
    (folder / _NEW / "signers.toml").replace(folder / "signers.toml")
    _sync(folder)


def _write(place: Path, files: Mapping[str, bytes]) -> None:
    (place / "keys").mkdir(parents=True)
    for name, data in files.items():
        write_whole(place / name, data)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
