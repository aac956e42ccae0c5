"""What the start and the doctor screen show in tests: made-up work folders, findings and attempts, and attacks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from console import made_up
from console.hostile import attack
from sealwright_console.recent import Recent
from sealwright_stages import events as ev
from sealwright_stages.doctor import Finding
from sealwright_stages.selftest.attempts import ATTEMPTS, Result, Tried
from support.past_log import Seal, Told, write_past

Tell = Callable[[Sequence[Tried]], None]


def work_folder(root: Path, name: str, story: made_up.Story) -> Recent:
    """A work folder whose log tells a story."""
    work = root / f"{name}.release"
    work.mkdir(parents=True)
    told: list[Told] = [ev.from_body(entry.body) if entry.kind == "ev" else Seal() for entry in story.entries]
    write_past(work / "log", told, step=2000)
    return Recent(work, root / "release.toml")


def findings() -> list[Finding]:
    """One of each grade."""
    return [
        Finding("python", "good", "3.11.2"),
        Finding("gpg", "good", "2.2"),
        Finding("minisign", "advice", "missing", "install minisign"),
        Finding("clock", "bad", "2020-01-01 00:00 UTC, which is in the past", "set the clock"),
        Finding(
            "limits", "advice", "processes by looks", "for exact limits start where control groups may be made"
        ),
    ]


def hostile_findings() -> list[Finding]:
    """Parts that say what no part should."""
    return [Finding(attack("M-name"), "bad", attack("M-found"), attack("M-cure"))]


def hostile_trial(tell: Tell, stop: threading.Event) -> None:
    """Attempts whose words are an attack."""
    tell([Tried(attempt, Result.BROKEN, attack("M-why")) for attempt in ATTEMPTS[:2]])


def good_trial(tell: Tell, stop: threading.Event) -> None:
    """All are held, in two groups."""
    tell([Tried(attempt, Result.HELD, "") for attempt in ATTEMPTS[:40]])
    tell([Tried(attempt, Result.HELD, "") for attempt in ATTEMPTS[40:]])
