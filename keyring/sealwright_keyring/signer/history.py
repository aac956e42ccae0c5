"""What a signer's record says of the past: logs that were seen, what was signed, and how often in the last while.

- A log's newest checkpoint is remembered by its origin.
- The last signed release is remembered by its name: what stands before the first dash that a digit follows.
- At most ten signings an hour; after three wrong confirmations in a row, a pause of five minutes. Both go by the
  record, so that a new start changes nothing, and a clock that was set back lets nobody in.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sealwright_keyring.signer.documents import read_sums
from sealwright_keyring.signer.refusals import DocumentError
from sealwright_keyring.signer.sealed import Seen
from sealwright_keyring.signer.statement import Statement, read_statement

MOST_AN_HOUR = 10
WRONG = 3
PAUSE = timedelta(minutes=5)
_HOUR = timedelta(hours=1)
_VERSION = re.compile(r"-(?=[0-9])")


@dataclass(frozen=True)
class Signed:
    """A release that was signed: when, the digest over its documents, its products' digests, provenance, log's key."""

    t: str
    digest: str
    products: Mapping[str, str]
    statement: Statement
    vkey: str


def split_release(release: str) -> tuple[str, str]:
    """Name and version of `name-version`: the version begins with the first digit behind a dash, or behind the last."""
    found = _VERSION.search(release)
    at = found.start() if found else release.rfind("-")
    return (release[:at], release[at + 1 :]) if at > 0 else (release, "")


class History:
    """Folded from a record's entries, in their order."""

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        self.last: dict[str, Signed] = {}
        self.releases: dict[str, Signed] = {}
        self._signings: list[datetime] = []
        self._wrong: list[datetime] = []

    def take(self, entry: Mapping[str, Any]) -> None:
        """Take the next entry. Raises KeyError, TypeError, ValueError: it is none."""
        t = datetime.fromisoformat(entry["t"])
        if "checkpoint" in entry:
            told = entry["checkpoint"]
            seen = Seen(str(told["vkey"]), str(told["note"]), told["sealed"] is True)
            self.seen[seen.checkpoint.origin] = seen
        if "signed" in entry:
            self._take_signed(entry["t"], entry["signed"])
            self._signings.append(t)
            self._wrong.clear()
        if entry.get("wrong"):
            self._wrong.append(t)

    def refusal(self, at: datetime) -> DocumentError | None:
        """Why nothing is signed at this time, by the limits; None if it may be."""
        recent = [t for t in self._signings if at - t < _HOUR]
        if len(recent) >= MOST_AN_HOUR:
            until = sorted(recent)[len(recent) - MOST_AN_HOUR] + _HOUR
            because = f"it signed {len(recent)} times within an hour, and signs {MOST_AN_HOUR} times at most"
            return DocumentError(because, f"look at its record for what that was; go on at {_clock(until)}")
        if len(self._wrong) % WRONG == 0 and self._wrong and at - max(self._wrong) < PAUSE:
            because = f"it was confirmed wrongly {len(self._wrong)} times in a row"
            return DocumentError(because, f"find out by whom; go on at {_clock(max(self._wrong) + PAUSE)}")
        return None

    def _take_signed(self, t: str, told: Mapping[str, Any]) -> None:
        statement = read_statement("provenance", base64.b64decode(told["provenance"]))
        products = read_sums("SHA256SUMS", str(told["sha256sums"]).encode())
        signed = Signed(t, str(told["digest"]), products, statement, str(told["vkey"]))
        self.last[split_release(statement.release)[0]] = signed
        self.releases[statement.release] = signed


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S} UTC"
