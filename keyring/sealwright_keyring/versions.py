"""All versions that a keyring folder holds: the current one, and those before it whole, in `history/<n>/`.

- A history has each version from 1 to the one before the current, and nothing else: no gap, no stranger, no link.
- A folder of it holds `signers.toml`, the key files, the list over them and its signatures, and nothing else.
- A history beside a `signers.toml` that says no version is refused: else to strike that out would be to shake it off.
- What a rotation left that was cut short before it counted, a copy of the current version, is passed over.
- The number of versions, of files and of bytes is bounded before anything is parsed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sealwright_keyring.errors import PolicyError
from sealwright_keyring.policy import Policy, load_policy, read_key_file
from sealwright_keyring.policy_sums import SUMS, is_signature, signature_names
from sealwright_keyring.text import printable
from sealwright_keyring.version import HISTORY, MOST, Version

_NUMBER = re.compile(r"[1-9][0-9]{0,3}\Z")
_MAX_FILES = 1000
_MAX_BYTES = 64 << 20
_REMOVE = "find out who put it there, and remove it"


@dataclass(frozen=True)
class Held:
    """A version: its policy, and the list over it with its signatures, as far as they are there, by name."""

    policy: Policy
    beside: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def version(self) -> Version:
        """What its `signers.toml` says of itself."""
        assert self.policy.version is not None  # noqa: S101 - nothing else is held
        return self.policy.version

    @property
    def files(self) -> Mapping[str, bytes]:
        """All its files by their path below its folder."""
        return {**self.policy.files, **self.beside}


def read_versions(folder: Path, current: Policy | None = None) -> tuple[Held, ...]:
    """All versions that `folder` holds, the oldest first; none if its `signers.toml` says no version.

    `current` is the policy there, if it was read already.

    Raises:
        PolicyError: the current one or its history is not exactly as it must be.
    """
    current = current or load_policy(folder)
    numbers = _numbers(folder / HISTORY)
    if current.version is None:
        if numbers:
            because = "it says no version, and history/ holds earlier ones"
            raise PolicyError(folder / "signers.toml", 1, because, "put its [policy] table back")
        return ()
    last = current.version.number
    budget = _Budget()
    past = [_past(folder / HISTORY / str(number), number, budget) for number in numbers if number <= last]
    if past and past[-1].version.number == last and past.pop().policy.files != current.files:
        because = f"history/{last} is another version {last} than the current one"
        raise PolicyError(folder / HISTORY, 1, because, "find out which is the true one, and remove the other")
    surplus = [number for number in numbers if number > last]
    missing = sorted(set(range(1, last)) - set(numbers))
    if surplus or missing:
        because = (
            f"it holds version {surplus[0]}, and the current one is {last}"
            if surplus
            else f"version {missing[0]} is missing: a version {last} has {last - 1} before it"
        )
        raise PolicyError(folder / HISTORY, 1, because, "put back what is missing, remove what came to it")
    return (*past, Held(current, _beside(folder)))


def files_of(versions: Sequence[Held]) -> dict[str, bytes]:
    """What there is of a history in the folder of its last version, by path: earlier versions, list, signatures."""
    found = {
        f"{HISTORY}/{held.version.number}/{name}": data
        for held in versions[:-1]
        for name, data in held.files.items()
    }
    return {**found, **(versions[-1].beside if versions else {})}


class _Budget:
    """Counts the bytes of a history against the limit."""

    def __init__(self) -> None:
        self.bytes = 0

    def take(self, folder: Path, size: int) -> None:
        """Take those of one more version."""
        self.bytes += size
        if self.bytes > _MAX_BYTES:
            because = f"a history has at most {_MAX_BYTES} bytes"
            raise PolicyError(folder, 1, because, "keep just the keys that count")


def _numbers(folder: Path) -> list[int]:
    """The versions in `history/`, by its names alone."""
    if not folder.is_symlink() and not folder.exists():
        return []
    names = _entries(folder, MOST + 1, stat.S_ISDIR)
    for name in names:
        if not _NUMBER.match(name) or int(name) > MOST:
            because = f"{printable(name, 80)} is no version from 1 to {MOST}"
            raise PolicyError(folder, 1, because, _REMOVE)
    return sorted(int(name) for name in names)


def _past(folder: Path, number: int, budget: _Budget) -> Held:
    top = _entries(folder, _MAX_FILES)
    keys = _entries(folder / "keys", _MAX_FILES, stat.S_ISREG)
    for name in top:
        if name not in ("signers.toml", "keys", SUMS) and not is_signature(name):
            raise PolicyError(folder, 1, f"{printable(name, 80)} belongs to no version of a keyring", _REMOVE)
    budget.take(folder, sum(top.values()) + sum(keys.values()))
    policy = load_policy(folder)
    if policy.version is None or policy.version.number != number:
        said = "no version" if policy.version is None else f"version {policy.version.number}"
        raise PolicyError(folder / "signers.toml", 1, f"it says {said}, and lies in history/{number}", _REMOVE)
    if strange := sorted({f"keys/{name}" for name in keys} - set(policy.files)):
        raise PolicyError(folder, 1, f"{printable(strange[0], 80)} is no key file", _REMOVE)
    return Held(policy, _beside(folder))


def _entries(folder: Path, most: int, is_right: Callable[[int], bool] | None = None) -> dict[str, int]:
    """Name -> size of all in a folder that is none by a link; sorted. `is_right` judges the mode of each.

    Raises:
        PolicyError: it is no folder, holds more than `most` things, or one that is not right.
    """
    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise PolicyError(folder, 1, "it is no folder", _REMOVE)
        found = {}
        with os.scandir(folder) as entries:
            for entry in entries:
                held = entry.stat(follow_symlinks=False)
                if is_right is not None and not is_right(held.st_mode):
                    because = f"{printable(entry.name, 80)} is no plain file or folder"
                    raise PolicyError(folder, 1, because, _REMOVE)
                found[entry.name] = held.st_size
                if len(found) > most:
                    raise PolicyError(folder, 1, f"it holds more than {most} things", _REMOVE)
    except OSError as error:
        raise PolicyError(folder, 1, error.strerror or "it can't be read", "put it back") from error
    return dict(sorted(found.items()))


def _beside(folder: Path) -> dict[str, bytes]:
    """The list and its signatures, as far as they are there."""
    path = folder / SUMS
    names = (SUMS,) if path.is_symlink() or path.exists() else ()
    return {
        name: read_key_file(folder / name, "put the file itself there, not a link")
        for name in (*names, *signature_names(folder))
    }
