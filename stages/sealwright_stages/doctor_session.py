"""What the machine does to a run that nobody looks at: whether a log-out ends it, and who keeps its clock.

- logind's settings are read as it reads them: its own file, then the pieces in folders by their names; a piece in /etc
  takes the place of one of the same name elsewhere (logind.conf(5)).
- A user who lingers keeps what runs in a scope of the user's own; what a session started goes with that session.
- The kernel knows whether its clock is kept in step with others (adjtimex(2)).
"""

from __future__ import annotations

import ctypes
from pathlib import Path

_LOGIND = "systemd/logind.conf"
_BASES = ("etc", "run", "usr/local/lib", "usr/lib")  # the first that has a name counts
_YES = frozenset({"1", "yes", "y", "true", "t", "on"})
_MOST = 1 << 16
_OUT_OF_STEP = 5  # TIME_ERROR
_TIMEX = 512  # bytes; the kernel's structure has 208


def ends_at_logout(user: str, root: Path = Path("/")) -> bool:
    """Whether logind ends what this process would start, once `user` has logged out."""
    if not (root / "run/systemd/system").is_dir():
        return False
    told = {"KillUserProcesses": "no", "KillOnlyUsers": "", "KillExcludeUsers": "root", **_settings(root)}
    only, spared = told["KillOnlyUsers"].split(), told["KillExcludeUsers"].split()
    if told["KillUserProcesses"].lower() not in _YES or user in spared or (only and user not in only):
        return False
    lingers = (root / "var/lib/systemd/linger" / user).exists()
    in_session = any("/session-" in line for line in _lines(root / "proc/self/cgroup"))
    return in_session or not lingers


def in_step() -> bool | None:
    """Whether the kernel's clock is kept in step with others; None where it does not say."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _OUT_OF_STEP


def _settings(root: Path) -> dict[str, str]:
    """logind's settings, the last word on each."""
    whole = [root / base / _LOGIND for base in _BASES]
    pieces = {
        piece.name: piece for base in reversed(_BASES) for piece in (root / base / f"{_LOGIND}.d").glob("*.conf")
    }
    files = [
        next((path for path in whole if path.is_file()), whole[0]),
        *(pieces[name] for name in sorted(pieces)),
    ]
    pairs = (line.partition("=") for path in files for line in _lines(path))
    return {
        name.strip(): value.strip() for name, equals, value in pairs if equals and name.lstrip()[:1] not in "#;"
    }


def _lines(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(_MOST).splitlines()
    except OSError:
        return []
