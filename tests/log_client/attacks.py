"""Attacks on a log as a whole, each against real processes: what is done, where the console finds it, what is kept.

`cd tests && python -m log_client.attacks [TIMES]` runs them all and prints the table. Who attacks has the log's folder,
its private key, or the way to it; never the console's own files.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from log_client import forging, rows_log, rows_words
from log_client.scene import SEEN, SHOWN, Scene, another_authority, work
from sealwright_stages.errors import LogError
from sealwright_stages.log import LogLost, log_error

# -- the table ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """An attack, where it is found, what is kept, a word of what is said; `chance`: it has random places."""

    attack: Callable[[Scene], str | None]
    where: str
    kept: frozenset[str]
    says: str
    chance: bool = False

    @property
    def refused(self) -> bool:
        """Whether it is a client's word that the authority does not take: the log stays as it was."""
        return self.where == _REFUSED

    @property
    def shown(self) -> bool:
        """Whether the console prints what it kept; a witness does so by itself."""
        return self.where != _WITNESS

    @property
    def name(self) -> str:
        return " ".join((self.attack.__doc__ or "").split())


NOTES = frozenset({SEEN, SHOWN})
PROVED = NOTES | {"proof"}
RECORD = frozenset({SEEN, SHOWN, "acknowledged", "found"})
_RECONNECT, _SEAL, _EXPORT, _AT_ONCE = "at the reconnect", "at the seal", "at the export", "at once"
_AUTHORITY, _REFUSED, _WITNESS = "by the authority", "refused by the authority", "by the witness"
ROWS = [
    Row(rows_log.whole_folder_rolled_back, _RECONNECT, NOTES, "the log had", chance=True),
    Row(rows_log.index_rolled_back, _AUTHORITY, frozenset(), "checkpoint", chance=True),
    Row(
        rows_log.rolled_back_to_what_was_seen,
        _RECONNECT,
        frozenset({SEEN, "acknowledged"}),
        "acknowledged",
        chance=True,
    ),
    Row(
        rows_log.acknowledged_record_replaced,
        _RECONNECT,
        RECORD,
        "is not the one that was acknowledged",
        chance=True,
    ),
    Row(rows_log.forged_anew(forging.event_changed), _RECONNECT, NOTES, "two roots", chance=True),
    Row(rows_log.forged_anew(forging.time_changed), _RECONNECT, NOTES, "two roots", chance=True),
    Row(rows_log.forged_anew(forging.source_changed), _RECONNECT, NOTES, "", chance=True),
    Row(rows_log.forged_anew(forging.event_removed), _RECONNECT, NOTES, "the log had", chance=True),
    Row(rows_log.forged_anew(forging.streams_exchanged), _RECONNECT, NOTES, "two roots", chance=True),
    Row(rows_log.forged_anew(forging.events_exchanged), _RECONNECT, NOTES, "two roots", chance=True),
    Row(rows_log.split_view, _RECONNECT, PROVED, "root", chance=True),
    Row(rows_log.another_log_of_key_and_origin, _RECONNECT, NOTES, "the log had"),
    Row(rows_log.another_key, _RECONNECT, NOTES, "another one than before"),
    Row(rows_log.another_origin, _RECONNECT, NOTES, "another one than before"),
    Row(rows_log.another_key_elsewhere, _RECONNECT, NOTES, "no known key has signed"),
    Row(rows_log.rolled_back_elsewhere, _RECONNECT, PROVED, "came here"),
    Row(rows_log.split_view_at_the_seal, _SEAL, PROVED, "rollback or split view"),
    Row(rows_log.split_view_at_the_export, _EXPORT, NOTES, "is not the one whose checkpoint was proved"),
    Row(
        rows_log.lying("ack", "An acknowledgement names another record than the one that was sent."),
        _AT_ONCE,
        frozenset({SEEN, "acknowledged"}),
        "does not say what was sent",
    ),
    Row(
        rows_log.lying("line", "The records that are followed are others than those in the log."),
        "at the next checkpoint",
        PROVED,
        "are not those that came here",
    ),
    Row(
        rows_log.lying("both", "The authority acknowledges and tells one record, and logs another."),
        "at the next checkpoint",
        PROVED,
        "are not those that came here",
    ),
    Row(rows_log.logged_otherwise, _EXPORT, frozenset({SEEN, "acknowledged", "found"}), "is not the one that was"),
    Row(
        rows_log.lying("output", "A build's output is changed on its way into the log."),
        _EXPORT,
        frozenset({SEEN}),
        "does not hold",
    ),
    Row(
        rows_log.exported_after(rows_log.changed_event, "The exported log has another event, and is signed anew."),
        _EXPORT,
        NOTES,
        "proved",
    ),
    Row(
        rows_log.exported_after(rows_log.changed_output, "The exported log has other output, and is signed anew."),
        _EXPORT,
        NOTES,
        "proved",
    ),
    Row(
        rows_log.exported_after(rows_log.torn, "A byte of the exported index is another."),
        _EXPORT,
        frozenset(),
        "not whole",
        chance=True,
    ),
    Row(rows_words.event_with_stamps, _REFUSED, frozenset(), "stays inside its body"),
    Row(rows_words.event_of_a_build, _REFUSED, frozenset(), "only the stream engine tells events"),
    Row(rows_words.builder_as_engine, _REFUSED, frozenset(), "stream engine belongs to"),
    Row(rows_words.anothers_stream, _REFUSED, frozenset(), "is open already"),
    Row(rows_words.anothers_ended_stream, _REFUSED, frozenset(), "has ended"),
    Row(rows_words.second_identity, _REFUSED, frozenset(), "not an identity"),
    Row(
        rows_words.witnessed(rows_log.changed_event, "A cosigned log has another event, and is signed anew."),
        _WITNESS,
        NOTES,
        "root",
        chance=True,
    ),
    Row(
        rows_words.witnessed(rows_words.older, "A cosigned log is one of an earlier time."),
        _WITNESS,
        NOTES,
        "smaller than it was",
    ),
]


def well_here(scene: Scene) -> str:
    """Nobody attacks the log: a run, a crash, a run to the end."""
    rows_log.crashed(scene, 3)
    session = scene.embedded()
    work(session, "last")
    session.seal()
    session.export(scene.root / "out")
    return "well"


def well_elsewhere(scene: Scene) -> str:
    """Nobody attacks the log elsewhere: a run, a console that was killed, a run to the end."""
    with another_authority(scene.root):
        first = scene.remote()
        work(first, "first")
        first._connection.close()
        last = scene.remote(str(scene.root / "s"), "-", "-")
        work(last, "last")
        last.seal()
        last.export(scene.root / "out")
        last.close()
        scene.remote().export(scene.root / "again")
    return "well"


UNHARMED = [Row(attack, "nowhere", frozenset(), "well") for attack in (well_here, well_elsewhere)]


@dataclass(frozen=True)
class Found:
    """What came of an attack."""

    said: str
    code: int
    kept: frozenset[str]
    exhibits: frozenset[str]


def run(row: Row, seed: int) -> Found:
    """Carry an attack out in a fresh folder; the sessions are closed, the authorities ended, the folder is gone."""
    rng = random.Random(f"{row.name} {seed}")  # noqa: S311 - places to try, no secrets
    with tempfile.TemporaryDirectory() as nest:
        scene = Scene(Path(nest) / "scene", rng)
        try:
            said = row.attack(scene) or "NOT FOUND"
            return Found(said, 0, frozenset(scene.kept()), frozenset())
        except (LogLost, LogError) as error:
            told = error if isinstance(error, LogError) else log_error(error)
            names = frozenset(exhibit.file.name.rpartition(".")[2] for exhibit in told.exhibits)
            return Found(f"{told.what}: {told.because}", int(told.exit_code), frozenset(scene.kept()), names)
        finally:
            scene.close()


def main() -> int:
    """Print the table; gives 1 if a row went otherwise than it says."""
    times, wrong = int(sys.argv[1]) if len(sys.argv) > 1 else 1, 0
    print("found / tried | exit | kept | where | attack")
    for row in ROWS:
        tries = [run(row, seed) for seed in range(times if row.chance else 1)]
        good = [found for found in tries if row.says in found.said and found.kept == row.kept]
        wrong += len(tries) - len(good)
        codes, kept = sorted({found.code for found in tries}), " ".join(sorted(row.kept)) or "-"
        print(f"{len(good)}/{len(tries)} | {codes} | {kept} | {row.where} | {row.name}", flush=True)
        for found in [found for found in tries if found not in good][:2]:
            print(f"    {found}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
