"""Whether the installed gpg has the fixes for the holes that matter to whoever verifies.

- A fix is there if the release of gpg has it, or if the distribution's changelog of the package names it.
- Without a fix for forged status lines gpg's word means nothing: it is refused.
- Without a fix for a crash it is a reason to upgrade: gpg runs under a uid and limits of its own, and a second
  check of the mathematics must agree with it.
- A version that can't be read is refused.

Sources: NEWS of GnuPG 2.2.36, 2.3.7, 2.4.8, 2.4.9, 2.5.5 and 2.5.14; <https://gpg.fail> for the armor parser.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHANGELOG = Path("/usr/share/doc/gpg/changelog.Debian.gz")
_MAX_CHANGELOG = 8 << 20
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class Fix:
    """A hole: its name, what it lets an attacker do, and by series of gpg the first release without it.

    A series older than those named never got the fix, one newer than all of them always had it.
    """

    name: str
    hole: str
    first: Mapping[tuple[int, int], int]
    needed: bool

    def released_in(self, version: tuple[int, int, int]) -> bool:
        """Whether that release of gpg has the fix."""
        series, patch = version[:2], version[2]
        if series in self.first:
            return patch >= self.first[series]
        return series > max(self.first)


FIXES = (
    Fix("CVE-2022-34903", "a signature can forge what gpg says of it", {(2, 2): 36, (2, 3): 7}, needed=True),
    Fix("CVE-2025-30258", "a key can keep gpg busy without end", {(2, 4): 8, (2, 5): 5}, needed=False),
    Fix("CVE-2025-68973", "an armored file can crash gpg", {(2, 2): 51, (2, 4): 9, (2, 5): 14}, needed=False),
)


def missing_fixes(version: str, changelog: str = "") -> tuple[Fix, ...]:
    """The fixes that neither the release `version` (as "2.2.40") nor the distribution's changelog has.

    A version that can't be read has none of them.
    """
    match = _VERSION.search(version)
    if match is None:
        return FIXES
    release = (int(match[1]), int(match[2]), int(match[3]))
    return tuple(fix for fix in FIXES if not fix.released_in(release) and fix.name not in changelog)


def changelog_of(program: str, path: Path = CHANGELOG) -> str:
    """The distribution's changelog, if `program` (an absolute path) is the distribution's gpg; else nothing."""
    if program not in ("/usr/bin/gpg", "/bin/gpg"):
        return ""
    try:
        with gzip.open(path, "rb") as stream:
            return stream.read(_MAX_CHANGELOG).decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error):
        return ""
