"""What a second build finds otherwise than the first, and what not. Pure, but for `Machine.of`, which looks.

- Each name of `VARIATIONS` is in the answer once: as changed, with both values, or as kept, with the reason.
- What the manifest leaves out of `vary` is kept, and so is what the recipe or the machine does not allow.
- The sandbox is never loosened: a host name, a uid inside, variables, a folder, fewer processors and an order of names
  are all that changes.
- The zone of the time is one in which another day is, so that a date that a build writes down differs with it. Where the
  first build began on another day, that is a day ahead: it is no day on which the first can have been at work.
- The clock is left alone, and goes on by itself: a build that writes down the second is found, too.
- The folder is varied for `deb` only where the manifest names it: its packages are made to be compared with the archive's.
- An order can be given to names only where the file system lists them as they were made; ext4 lists them by a hash.

Source: reproducible-builds.org on variations in the build environment; the manual of reprotest.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sealwright_stages.manifest_build import VARIATIONS
from sealwright_stages.ports import BuildJob, Varied

OTHER_UID = 1000
_LOCALE = re.compile(r"[a-z]{2,3}_[A-Z]{2}(@[a-z]+)?\.(utf8|UTF-8)\Z")
_PLACE = "/build/a-second/place"
_NOON = 12
_FILES = ["b", "d", "a", "e", "c"]


@dataclass(frozen=True)
class Machine:
    """What a machine and a build root offer: processors, names of locales, the hour (UTC), which entry of a folder is
    listed first, the `newest` or the `oldest` (empty: neither), and whether it is a `later` day than the first build's."""

    processors: tuple[int, ...]
    locales: frozenset[str]
    hour: int
    listing: str
    later: bool = False

    @classmethod
    def of(cls, root: Path | None, out: Path, since: str = "") -> Machine:
        """This machine, the root (None: the host's /usr), and the file system of `out`; the first build began at `since`
        (ISO 8601, UTC; empty: today)."""
        try:
            locales = frozenset(path.name for path in ((root or Path("/")) / "usr/lib/locale").iterdir())
        except OSError:
            locales = frozenset()
        now = time.gmtime()
        later = bool(since) and not since.startswith(time.strftime("%Y-%m-%d", now))
        return cls(tuple(sorted(os.sched_getaffinity(0))), locales, now.tm_hour, listing(out), later)


def listing(folder: Path) -> str:
    """Which entry the file system of `folder` lists first: the `newest`, the `oldest`, or neither (empty)."""
    with tempfile.TemporaryDirectory(prefix=".order-", dir=folder) as name:
        for each in _FILES:
            Path(name, each).touch()
        found = [path.name for path in Path(name).iterdir()]
    return "oldest" if found == _FILES else "newest" if found == _FILES[::-1] else ""


def vary(job: BuildJob, asked: Sequence[str] | None, machine: Machine) -> Varied:
    """Other surroundings for a second build of `job`; `asked` names what (None: all that recipe and machine allow)."""
    around, changed, kept = job.around, {}, {}
    for name in VARIATIONS:
        if asked is not None and name not in asked:
            kept[name] = "the manifest leaves it out"
            continue
        found = _ONE[name](job, machine, asked is not None)
        if isinstance(found, str):
            kept[name] = found
        else:
            around = replace(around, **found.change)
            changed[name] = found.both
    return Varied(around, changed, kept)


@dataclass(frozen=True)
class _Other:
    change: Mapping[str, Any]
    both: tuple[str, str]


_How = Callable[[BuildJob, Machine, bool], "_Other | str"]


def _hostname(job: BuildJob, machine: Machine, named: bool) -> _Other | str:
    return _Other({"hostname": "rebuild"}, (job.around.hostname, "rebuild"))


def _locale(job: BuildJob, machine: Machine, named: bool) -> _Other | str:
    other = min((name for name in machine.locales if _LOCALE.match(name)), default="C")
    return _Other({"locale": other}, (job.around.locale, other))


def _timezone(job: BuildJob, machine: Machine, named: bool) -> _Other | str:
    other = "AHEAD-14" if machine.hour >= _NOON else "BEHIND+12"  # POSIX's form: no root lacks it
    if machine.later:
        other = "AHEAD-24"
    return _Other({"timezone": other}, (job.around.timezone, other))


def _uid(job: BuildJob, machine: Machine, named: bool) -> _Other | str:
    if job.recipe == "deb":
        return "fakeroot wants uid 0 inside the sandbox"
    return _Other({"uid": OTHER_UID}, (str(job.around.uid), str(OTHER_UID)))


def _path(job: BuildJob, machine: Machine, named: bool) -> _Other | str:
    if job.recipe == "deb" and not named:
        return "a Debian package is built where the archive's rebuilders do, unless the manifest names it"
    return _Other({"place": _PLACE}, (job.around.place, _PLACE))


def _parallel(job: BuildJob, machine: Machine, named: bool) -> _Other | str:
    if len(machine.processors) == 1:
        return "the machine has one processor"
    fewer = machine.processors[:-1]
    return _Other({"processors": fewer}, (str(len(machine.processors)), str(len(fewer))))


def _order(job: BuildJob, machine: Machine, named: bool) -> _Other | str:
    if job.recipe == "rpm":
        return "an RPM's spec unpacks its sources itself"
    if not machine.listing:
        return "the file system lists names in an order of its own, however they were made"
    return _Other({"order": machine.listing}, ("as it comes", "the other way round"))


_ONE: Mapping[str, _How] = {
    "hostname": _hostname,
    "locale": _locale,
    "timezone": _timezone,
    "uid": _uid,
    "path": _path,
    "parallel": _parallel,
    "order": _order,
}
assert tuple(_ONE) == VARIATIONS  # noqa: S101 - what a manifest may name is what there is
