"""What is kept when a log contradicts itself: the notes that don't fit together, whole, in files of the console's own.

- The pieces lie beside the remembered checkpoint, as `<its name>.refused-<id>.<piece>`; nothing replaces them.
- The same pieces are kept once, however often they are shown.
- The error names every file, and carries what is in it, so that a face can print it.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

from sealwright_stages.errors import Exhibit, LogError
from sealwright_stages.files import write_whole
from sealwright_stages.log.connection import LogLost, LogRollback
from sealwright_stages.log.promises import BrokenPromise

SEEN, SHOWN, PROOF = "seen", "shown", "proof"
PROMISED, FOUND = "acknowledged", "found"
_WHAT = {
    SEEN: "the checkpoint seen last",
    SHOWN: "the checkpoint shown now",
    PROOF: "what came with it as its proof",
    PROMISED: "the record as it was acknowledged",
    FOUND: "what the log has in its place",
}
_ONE_AT_A_TIME = threading.Lock()  # two threads may find the same contradiction
CONTRADICTION = "the log contradicts what it said before"
CONTRADICTION_NEXT = (
    "trust nothing of this release: keep the whole work folder, ask whoever keeps the log (and its witnesses) which "
    "of the two it stands by, and begin anew with another --work DIR and a log whose key nobody else has"
)


def keep(saved: Path, why: str, pieces: dict[str, bytes]) -> LogRollback:
    """Keep `pieces` (of those named here; empty ones are left out) beside `saved`; gives the error to raise.

    Raises:
        MachineError: the disk is full or the folder refuses.
    """
    pieces = {name: data for name, data in pieces.items() if data}
    digest = hashlib.sha256(b"\0".join(pieces.values())).hexdigest()[:16]
    exhibits = []
    for name, data in pieces.items():
        path = saved.with_name(f"{saved.name}.refused-{digest}.{name}")
        with _ONE_AT_A_TIME:
            if not path.exists():
                write_whole(path, data, 0o600)
        exhibits.append(Exhibit(_WHAT[name], path, data))
    where = f"{saved.parent}/{saved.name}.refused-{digest}.*"
    return LogRollback(f"{why}; kept as evidence: {where}", tuple(exhibits))


def broken(saved: Path, seen: bytes, shown: bytes, why: BrokenPromise) -> LogRollback:
    """A broken promise as the error to raise, with the checkpoints seen last and shown now (`shown`, if another).

    Raises:
        MachineError: the disk is full or the folder refuses.
    """
    notes = {SEEN: seen, SHOWN: shown if shown != seen else b""}
    return keep(saved, str(why), {**notes, PROMISED: why.promised, FOUND: why.found})


def log_error(error: LogLost) -> LogError:
    """A lost log as the error that a person reads."""
    if isinstance(error, LogRollback):
        return LogError(CONTRADICTION, str(error), CONTRADICTION_NEXT, error.exhibits)
    return LogError(
        "the log", str(error), "find out why; keep the work folder as it is, and run again when it is back"
    )
