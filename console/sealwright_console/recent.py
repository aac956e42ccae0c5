"""The releases that were walked lately: a small list of work folders, and how each stands by its own log.

- The list is a file of the user's state folder, written whole; at most twenty folders, the newest first.
- Nothing in it is trusted: what is not a pair of absolute paths is left out, and folders are only looked at.
- How a release stands is read from its log, of which at most some megabytes are read; more is said to be too much here.
- A folder that is gone, or holds no log that can be read, is told.
- Not being able to remember is no error: a release is walked without.
"""

from __future__ import annotations

import contextlib
import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.errors import SealwrightError
from sealwright_stages.files import read_small, write_whole
from sealwright_stages.verdict import Status

_MOST = 20
_FILE = 64 << 10  # bytes of the list
_LOG = 32 << 20  # bytes of a log that is read to say how it stands
_MANIFEST = 4 << 20
_PATH = 4096


@dataclass(frozen=True)
class Recent:
    """A release that was walked: its work folder and its manifest, both absolute."""

    work: Path
    manifest: Path


@dataclass(frozen=True)
class Stand:
    """How it stands: name, stage, worst status, last time in its log; `trouble` says why that can't be told."""

    recent: Recent
    release: str = ""
    stage: str = ""
    status: Status = Status.PENDING
    at: str = ""
    trouble: str = ""
    gone: bool = False
    sealed: bool = False


def state_file() -> Path:
    """Where the list is kept."""
    base = os.environ.get("XDG_STATE_HOME") or ""
    folder = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return folder / "sealwright" / "recent.json"


def remembered(file: Path | None = None) -> list[Recent]:
    """What is in the list, the newest first; nothing if there is no list, or it is none."""
    try:
        found = json.loads(read_small(file or state_file(), _FILE))
    except (OSError, ValueError, RecursionError, RuntimeError):
        return []
    pairs = found if isinstance(found, list) else []
    whole = [
        tuple(pair) for pair in pairs if isinstance(pair, list) and len(pair) == 2 and all(map(_is_path, pair))
    ]
    return [Recent(Path(work), Path(manifest)) for work, manifest in dict.fromkeys(whole)][:_MOST]


def _is_path(text: object) -> bool:
    return isinstance(text, str) and text.startswith("/") and "\0" not in text and len(text) <= _PATH


def remember(manifest: Path, work: Path | None, file: Path | None = None) -> None:
    """Put a release on top of the list; nothing if its manifest can't be read."""
    with contextlib.suppress(OSError, SealwrightError, ValueError, KeyError, TypeError, RuntimeError):
        told = tomllib.loads(read_small(manifest, _MANIFEST, follow=True).decode())["release"]
        folder = work or Path(f"{told['name']}-{told['version']}.release")
        new = Recent(folder.absolute(), manifest.absolute())
        place = file or state_file()
        others = [each for each in remembered(place) if each.work != new.work]
        listed = [[str(each.work), str(each.manifest)] for each in (new, *others)][:_MOST]
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(place, json.dumps(listed).encode() + b"\n", 0o600)


def stand(recent: Recent) -> Stand:
    """How a release stands, by the log in its work folder."""
    from sealwright_stages.events import STAGES  # noqa: PLC0415 - a run that is only remembered needs none of this
    from sealwright_stages.gate import decide  # noqa: PLC0415
    from sealwright_stages.release import folded  # noqa: PLC0415

    index = recent.work / "log" / "index.jsonl"
    try:
        if not recent.work.is_dir():
            return Stand(recent, trouble="the folder is gone", gone=True)
        if not index.is_file():
            return Stand(recent, trouble="there is no log in it")
        if index.stat().st_size > _LOG:
            return Stand(recent, trouble="its log is long: `sealwright status` reads it")
        state = folded(recent.work / "log")
    except (SealwrightError, OSError, ValueError, RecursionError) as error:
        return Stand(recent, trouble=f"its log can't be read: {error}")
    counts = decide(STAGES[-1], state)
    status = Status.FAILED if counts.failed else Status.WARNED if counts.warned else Status.PASSED
    if status is Status.PASSED and counts.pending:
        status = Status.PENDING
    begun = [str(stage) for stage in STAGES if stage in state.stages_started]
    stage = "sealed" if state.sealed else begun[-1] if begun else ""
    return Stand(recent, f"{state.release}-{state.version}", stage, status, state.last_t, sealed=state.sealed)
