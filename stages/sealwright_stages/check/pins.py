"""Pins: whose keys signed a release when a person first looked, by full fingerprint, in a file of that person's own.

- The file is `$XDG_STATE_HOME/sealwright/pins.toml`, owned by who reads it, mode 0600, in a folder that nobody else can
  write to. A file that is not so, or holds anything that is not known here, is refused whole, with its line.
- It is changed under a lock, and written whole: temporary name, fsync, rename. A crash leaves the old file or the new.
- A pin is never replaced unless that is what was asked for.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sealwright_keyring.policy_reader import FINGERPRINT
from sealwright_keyring.toml_lines import line_of
from sealwright_stages.errors import MachineError, ManifestError
from sealwright_stages.files import write_whole

_MOST = 4 << 20
_WAIT = 20.0  # seconds for whoever holds the lock
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,99}\Z")
_FIELDS: Mapping[str, type] = {
    "pinned": str, "from": str, "release": str, "threshold": int, "policy_sha256": str, "policy_version": int,
    "person": dict,
}  # fmt: skip
_HEAD = "# Whose keys count for which release: written by `sealwright check`. One table a release.\n"


@dataclass(frozen=True)
class Pin:
    """Who signs a release: persons by the full fingerprints of their OpenPGP keys, and how many of them must.

    `pinned` is when (UTC), `source` from which evidence folder, `release` by which version of the release;
    `policy_sha256` (hex) and `policy_version` (0: none) are those of its keyring.
    """

    name: str
    persons: Mapping[str, tuple[str, ...]]
    threshold: int
    pinned: str = ""
    source: str = ""
    release: str = ""
    policy_sha256: str = ""
    policy_version: int = 0

    def same_keys(self, other: Pin) -> bool:
        """Whether the persons have the same keys, whatever the persons are called."""
        return _sets(self) == _sets(other)


def _sets(pin: Pin) -> set[frozenset[str]]:
    return {frozenset(keys) for keys in pin.persons.values()}


def pins_file() -> Path:
    """Where the pins are kept.

    Raises:
        MachineError: nobody knows where this user's home is.
    """
    base = os.environ.get("XDG_STATE_HOME") or ""
    try:
        folder = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise MachineError("the pins", str(error), "set HOME or XDG_STATE_HOME") from None
    return folder / "sealwright" / "pins.toml"


def read_pins(file: Path) -> dict[str, Pin]:
    """The pins by the releases' names; none if there is no file.

    Raises:
        ManifestError: the file says what is not known here; with the line.
        MachineError: it can't be read, or somebody else may have written it.
    """
    data = _bytes(file)
    try:
        text = data.decode("utf-8")
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        place = re.search(r"\(at line (\d+)", str(error))
        line = int(place[1]) if place else 1
        raise _wrong(file, line, f"it is no TOML: {error}") from None
    return _Reader(file, text).pins(raw)


def _bytes(file: Path) -> bytes:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    except OSError as error:
        link = " (a link is not followed)" if file.is_symlink() else ""
        raise MachineError(f"the pins {file}", f"{error.strerror}{link}", _MEND) from None
    with os.fdopen(descriptor, "rb") as stream:
        held = os.fstat(stream.fileno())
        if not stat.S_ISREG(held.st_mode):
            raise MachineError(f"the pins {file}", "it is no regular file", _MEND)
        _own(file, held, 0o600)
        _own(file.parent, file.parent.stat(), 0o755)
        data = stream.read(_MOST + 1)
    if len(data) > _MOST:
        raise MachineError(f"the pins {file}", f"it has more than {_MOST} bytes", _MEND)
    return data


_MEND = "look who made it so; without the file, keys are pinned anew"


def _own(path: Path, held: os.stat_result, most: int) -> None:
    """Refuse what somebody else owns, or may do more with than `most`."""
    if held.st_uid != os.geteuid():
        raise MachineError(f"the pins {path}", f"it belongs to uid {held.st_uid}, and not to you", _MEND)
    mode = stat.S_IMODE(held.st_mode)
    if mode & ~most & 0o777:
        raise MachineError(
            f"the pins {path}", f"others may use it: its mode is {mode:03o}", f"look into it, then chmod {most:o}"
        )


def _wrong(file: Path, line: int, because: str) -> ManifestError:
    return ManifestError(f"the pins {file}:{line}", because, "mend that line, or move the file away and pin anew")


class _Reader:
    """Reads the tables strictly."""

    def __init__(self, file: Path, text: str) -> None:
        self._file, self._text = file, text

    def pins(self, raw: Mapping[str, Any]) -> dict[str, Pin]:
        tables = raw.get("release", {})
        for key in raw:
            if key != "release":
                raise self._fail((key,), f"unknown key {key!r}")
        if not isinstance(tables, dict):
            raise self._fail(("release",), "it is no table")
        return {name: self._pin(name, table) for name, table in tables.items()}

    def _fail(self, where: tuple[str, ...], because: str) -> ManifestError:
        return _wrong(self._file, line_of(self._text, where), because)

    def _pin(self, name: str, table: Any) -> Pin:
        where = ("release", name)
        if not _NAME.match(name) or not isinstance(table, dict):
            raise self._fail(where, f"{name!r} is no plain name of a release with a table")
        for key, value in table.items():
            if type(value) is not _FIELDS.get(key):
                raise self._fail((*where, key), f"{key!r} is not known here, or of another type")
        if missing := _FIELDS.keys() - table.keys():
            raise self._fail(where, f"it has no {min(missing)!r}")
        persons = self._persons(where, table["person"])
        if not 1 <= table["threshold"] <= len(persons):
            raise self._fail((*where, "threshold"), f"{table['threshold']} of {len(persons)} persons")
        if not _TIME.match(table["pinned"]):
            raise self._fail((*where, "pinned"), "it is no time such as 2026-01-31T12:00:00Z")
        if not _HEX.match(table["policy_sha256"]):
            raise self._fail((*where, "policy_sha256"), "it is no SHA-256 in hex")
        if table["policy_version"] < 0:
            raise self._fail((*where, "policy_version"), "it is below 0")
        return Pin(
            name,
            persons,
            table["threshold"],
            table["pinned"],
            table["from"],
            table["release"],
            table["policy_sha256"],
            table["policy_version"],
        )

    def _persons(self, where: tuple[str, ...], tables: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        persons: dict[str, tuple[str, ...]] = {}
        seen: set[str] = set()
        for name, table in tables.items():
            place = (*where, "person", name)
            keys = table.get("openpgp") if isinstance(table, dict) and len(table) == 1 else None
            if not _NAME.match(name) or not isinstance(keys, list) or not keys:
                raise self._fail(
                    place, "a person is a plain name with openpgp, a list of fingerprints, and no more"
                )
            for key in keys:
                if not isinstance(key, str) or not FINGERPRINT.match(key):
                    raise self._fail((*place, "openpgp"), f"{key!r} is no full fingerprint in capitals")
                if key in seen:
                    raise self._fail((*place, "openpgp"), f"{key} stands here twice")
                seen.add(key)
            persons[name] = tuple(keys)
        return persons


class OtherPinError(Exception):
    """A pin stands there already, with other keys or another threshold."""


def keep(file: Path, pin: Pin, *, instead: Pin | None = None) -> None:
    """Keep a pin. One that stands there is replaced only if it is `instead`, as the caller saw it.

    Raises:
        OtherPinError: another one stands there.
        ManifestError: the file is refused.
        MachineError: it can't be written.
    """
    with _locked(file):
        pins = read_pins(file)
        known = pins.get(pin.name)
        if known is not None and known != instead:
            if known.same_keys(pin) and known.threshold == pin.threshold:
                return
            raise OtherPinError(pin.name)
        pins[pin.name] = pin
        for left in file.parent.glob(f".{file.name}.*.new"):  # by a process that was killed; the lock is ours
            left.unlink(missing_ok=True)
        write_whole(file, written(pins).encode(), 0o600)


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold the lock of the pins. It lies beside them, since they are exchanged whole."""
    folder = file.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(file.with_suffix(".lock"), flags, 0o600)
    except OSError as error:
        raise MachineError(f"the pins {file}", error.strerror or str(error), "make the folder writable") from None
    try:
        _own(folder, folder.stat(), 0o755)
        end = time.monotonic() + _WAIT
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    because = f"somebody else has held their lock for {_WAIT:.0f} seconds"
                    raise MachineError(f"the pins {file}", because, "end that program, then run again") from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def written(pins: Mapping[str, Pin]) -> str:
    """The file's text."""
    return _HEAD + "".join(_table(pins[name]) for name in sorted(pins))


def _table(pin: Pin) -> str:
    name = _text(pin.name)
    lines = [
        f"\n[release.{name}]",
        f"pinned = {_text(pin.pinned)}",
        f"from = {_text(pin.source)}",
        f"release = {_text(pin.release)}",
        f"threshold = {pin.threshold}",
        f"policy_sha256 = {_text(pin.policy_sha256)}",
        f"policy_version = {pin.policy_version}",
    ]
    for person, keys in pin.persons.items():
        listed = ", ".join(map(_text, keys))
        lines += ["", f"[release.{name}.person.{_text(person)}]", f"openpgp = [{listed}]"]
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    """A basic string of TOML, in printable ASCII; what is no character at all becomes a question mark."""
    return '"' + "".join(map(_character, value)) + '"'


def _character(each: str) -> str:
    if each in '"\\':
        return f"\\{each}"
    if " " <= each <= "~":
        return each
    code = ord(each)
    return "?" if 0xD800 <= code < 0xE000 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def now_pinned(pin: Pin, source: str) -> Pin:
    """The pin, made now from there."""
    return replace(pin, pinned=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), source=source)
