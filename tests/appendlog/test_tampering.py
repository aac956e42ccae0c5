"""Attacks on sealed logs of the real store, at many random places: the audit and verify.py find every one.

- Where a record's line or data is concerned, the audit names the first record that is not what it was.
- Who recomputes all that can be recomputed without the log's key is found by the signature.
- The fast suite tries a sample of each kind; `make test-slow` a thousand places. `pytest -s` prints the counts.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import random
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import sealwright_appendlog
from appendlog import tampering
from appendlog.log_making import KEY, ORIGIN, Times
from appendlog.tampering import Change, Files, Tamper, first_bad, fitted, lines_of, record_of_tile
from sealwright_appendlog import layout, record, streams
from sealwright_appendlog.audit import LogBroken, check_log
from sealwright_appendlog.note import Checkpoint, VerifierKey, sign_note
from sealwright_appendlog.store import Store
from sealwright_appendlog.tiles import TileWriter
from sealwright_appendlog.tree import CompactRange, leaf_hash

VERIFY = compile(Path(sealwright_appendlog.__file__).with_name("verify.py").read_text(), "verify.py", "exec")
FEW, MANY = 12, 1000
THIEF = Ed25519PrivateKey.from_private_bytes(bytes(32))


def chance(seed: object) -> random.Random:
    """The same chance for the same seed, on every machine."""
    return random.Random(str(seed))  # noqa: S311 - places to try, no secrets


@dataclass
class Log:
    """A sealed log: its folder, its files, and the checkpoints that it had before its last."""

    folder: Path
    files: Files
    earlier: list[bytes] = field(default_factory=list)

    @contextlib.contextmanager
    def changed(self, change: Change) -> Iterator[None]:
        """The log with some files changed, while the block runs."""
        try:
            for name, content in change.items():
                self._put(name, content)
            yield
        finally:
            for name in change:
                self._put(name, self.files.get(name))

    def _put(self, name: str, content: bytes | None) -> None:
        path = self.folder / name
        if content is None:
            path.unlink()
            if name not in self.files and not any(path.parent.iterdir()):
                path.parent.rmdir()
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)


def some_output(store: Store, rng: random.Random, times: Times, names: list[str], count: int) -> None:
    """Records of every kind but `open`, `torn` and `seal`, on streams that run side by side."""
    for number in range(count):
        way = rng.random()
        if way < 0.35:
            store.event("engine", {"e": "made.up", "number": number, "in": {"ok": True}}, "uid:0")
        elif way < 0.37:
            store.reject("engine", "a frame of \N{SNOWMAN}", "uid:0")
        elif way < 0.39:
            times.wall_ns += rng.choice([-1, 1]) * 5 * 10**9
        else:
            store.data(rng.choice(names), rng.choice("DE"), rng.randbytes(rng.randrange(1, 900)), "uid:0")
    if len(names) > 2:
        store.eof(names.pop(), clean=True, exit_status=0, src="uid:0")


def made(folder: Path, seed: int, count: int, key: Ed25519PrivateKey = KEY) -> Log:
    """A sealed log with segments of a few KiB, opened twice: the first time ended by a crash."""
    rng, times, earlier = chance(seed), Times(), []
    for again in (False, True):
        folder.mkdir(exist_ok=True)
        store = Store(key, ORIGIN, folder, times.clock())
        names = [f"{name}-{again:d}" for name in ("build/xen", "build/xen/doc", "build/linux", "evidence/1")]
        for _ in range(4):
            some_output(store, rng, times, names, count // 8)
            store.commit()
            earlier.append(store.publish().encode())
        if not again:
            store.close()
            with (folder / layout.INDEX).open("ab") as stream:
                stream.write(b'{"half')
    for name in [*store._streams.open_now]:
        store.eof(name, clean=True, exit_status=0, src="uid:0")
    store.eof("engine", clean=True, exit_status=0, src="uid:0")
    store.commit()
    store.seal("uid:0", store.hash_segments())
    store.close()
    shutil.rmtree(folder / "recovery")
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return Log(folder, files, earlier)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[Log]:
    """Two logs of the same key and origin; the third is of the same origin only."""
    nest = tmp_path_factory.mktemp("logs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "SEGMENT_LIMIT", 6000)
        found = [made(nest / "a", 1, 290), made(nest / "b", 2, 530), made(nest / "c", 3, 290, THIEF)]
    for log in found:
        kinds = check_log(log.folder, sums=True).kinds
        assert set(kinds) == {"open", "data", "ev", "clock", "torn", "rej", "eof", "seal"}
        assert audited(log, {}) == verified(log, {}) == ("whole", None)
        assert len(tampering.segments(log.files)) > 10
    return found


def audited(log: Log, change: Change, *, sums: bool = False) -> tuple[str, int | None]:
    """What the audit says of the changed log, and the record that it names."""
    with log.changed(change):
        try:
            check_log(log.folder, sums=sums)
        except LogBroken as error:
            return str(error), error.record
    return "whole", None


def verified(log: Log, change: Change) -> tuple[str, int | None]:
    """What the shipped verify.py says, run in this process for speed; an exception ends it too."""
    with log.changed(change), pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves closing to the end of its process
        patch.setattr(sys, "argv", ["verify.py", str(log.folder)])
        try:
            with contextlib.redirect_stdout(io.StringIO()) as said:
                exec(VERIFY, {"__name__": "__main__"})  # noqa: S102 - our own file
        except SystemExit as end:
            named = re.search(r"record (\d+)", str(end.code))
            return str(end.code), int(named[1]) if named else None
        except Exception as error:  # noqa: BLE001 - what a reviewer would see
            return repr(error), None
        return said.getvalue().partition(":")[0], None


@dataclass
class Tally:
    """Counts of one kind of tampering, and the cases that went wrong."""

    kind: str
    tried: int = 0
    named: int = 0
    wrong: list[str] = field(default_factory=list)

    def tell(self) -> None:
        print(f"\n{self.kind}: tried {self.tried}, with a record named {self.named}, wrong {len(self.wrong)}")
        assert self.tried and not self.wrong, "\n".join(self.wrong[:10])


def places(count: int) -> pytest.MarkDecorator:
    """A sample for the fast suite, and all for the slow one."""
    return pytest.mark.parametrize(
        "count", [FEW, pytest.param(count, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
    )


def attack(logs: list[Log], tamper: Tamper, count: int) -> None:
    """Tamper at `count` places; audit and verify.py find it, and the audit names the first bad record."""
    tally = Tally(tamper.__name__)
    for seed in range(count):
        rng, log = chance(f"{tamper.__name__} {seed}"), logs[seed % 2]
        change = tamper(log.files, rng)
        assert any(log.files.get(name) != content for name, content in change.items())
        wanted, alone = first_bad(log.files, change), verified(log, change)
        said, named = audited(log, change, sums=seed % 4 > 1)
        tally.tried += 1
        tally.named += named is not None
        misnamed = tamper in VERIFY_NAMES and alone[1] not in {wanted, None}
        if said == "whole" or named != wanted or alone[0] == "whole" or misnamed:
            tally.wrong.append(f"seed {seed}: wanted {wanted}, audit {named} {said!r}, verify.py {alone}")
    tally.tell()


VERIFY_NAMES = {
    tampering.removed,
    tampering.swapped,
    tampering.data_byte,
    tampering.data_cut,
    tampering.data_grown,
    tampering.segments_swapped,
}
KINDS = [
    tampering.index_byte,
    tampering.field,
    tampering.removed,
    tampering.inserted,
    tampering.swapped,
    tampering.reordered,
    tampering.cut,
    tampering.data_byte,
    tampering.data_cut,
    tampering.data_grown,
    tampering.segment_renamed,
    tampering.segments_swapped,
    tampering.sums,
    tampering.sums_fit,
]


@places(MANY)
@pytest.mark.parametrize("tamper", KINDS, ids=lambda tamper: tamper.__name__)
def test_what_is_tampered_with_is_found_and_its_first_record_named(
    logs: list[Log], tamper: Tamper, count: int
) -> None:
    attack(logs, tamper, count)


@places(MANY)
def test_a_changed_tile_is_found_and_its_first_record_named(logs: list[Log], count: int) -> None:
    """verify.py does not read tiles: they can be made from the index."""
    tally = Tally("tile")
    for seed in range(count):
        log = logs[seed % 2]
        change = tampering.tile(log.files, chance(f"tile {seed}"))
        ((name, content),) = change.items()
        wanted, (said, named) = record_of_tile(name, log.files[name], content or b""), audited(log, change)
        tally.tried += 1
        tally.named += named is not None
        if named != wanted or name not in said:
            tally.wrong.append(f"seed {seed}: wanted {wanted} {name}, audit {named} {said!r}")
    tally.tell()


@places(MANY)
def test_a_checkpoint_of_another_log_or_of_an_earlier_time_is_found(logs: list[Log], count: int) -> None:
    """In the place of the sealed one, the newest or both, with SHA256SUMS as it was or made to fit."""
    tally = Tally("checkpoint")
    for seed in range(count):
        rng, log = chance(f"checkpoint {seed}"), logs[seed % 2]
        others = [another for another in logs if another is not log]
        foreign = [note for another in others for note in (*another.earlier, another.files[layout.SEALED])]
        note = rng.choice(rng.choice([log.earlier, foreign]))
        names = rng.choice([[layout.SEALED], [layout.CHECKPOINT], [layout.SEALED, layout.CHECKPOINT]])
        change: Change = dict.fromkeys(names, note)
        if rng.random() < 0.5:
            change = fitted(log.files, change)
        tally.tried += 1
        said = audited(log, change, sums=seed % 4 > 1)
        alone = verified(log, change) if layout.SEALED in names else ("not read by verify.py", None)
        if "whole" in (said[0], alone[0]):
            tally.wrong.append(f"seed {seed}: {names} audit {said}, verify.py {alone}")
    tally.tell()


def recomputed(log: Log, rng: random.Random) -> tuple[Change, list[bytes]]:
    """A record or its data changed, left out or put in, and all made to fit but the checkpoints; also the lines."""
    entries = [json.loads(line) for line in lines_of(log.files)]
    data: Change = {}
    at = rng.choice([n for n in range(1, len(entries) - 1) if entries[n]["k"] in {"ev", "data", "rej"}])
    chosen = entries[at]
    if chosen["k"] == "data":
        content = bytearray(log.files[chosen["seg"]])
        content[chosen["off"]] ^= rng.randrange(1, 256)
        data[chosen["seg"]] = bytes(content)
        place = content[chosen["off"] : chosen["off"] + chosen["len"]]
        chosen["sha256"] = hashlib.sha256(place).hexdigest()
    elif rng.random() < 0.4:
        chosen["src"] = "uid:1"
    elif (rng.random() < 0.5 or chosen["k"] == "rej") and not any(e["k"] == "data" for e in entries[at:]):
        del entries[at]
    else:
        chosen["s"], chosen["src"] = "engine", "uid:2"
    named = {**{name: log.files[name] for name in tampering.segments(log.files)}, **data}
    hashes = {name: hashlib.sha256(content or b"").hexdigest() for name, content in named.items()}
    entries[-1] |= {"records": len(entries), "segments_sha256": layout.segments_sha256(hashes)}
    lines = [record.encode({**entry, "n": n}) for n, entry in enumerate(entries)]
    return {**data, **derived(log, lines)}, lines


def derived(log: Log, lines: list[bytes]) -> Change:
    """The index and its tiles."""
    change: Change = {name: None for name in log.files if name.startswith("tile/")}
    writer = TileWriter(change.__setitem__)
    for line in lines:
        writer.append(line)
    return {**change, **writer.partial(), layout.INDEX: b"".join(line + b"\n" for line in lines)}


def forged(log: Log, change: Change, lines: list[bytes], way: str) -> Change:
    """The checkpoint that a tamperer without the key can put beside the new index."""
    tree = CompactRange()
    for line in lines:
        tree.append(leaf_hash(line))
    text = Checkpoint(ORIGIN, tree.size, tree.root()).text()
    old = log.files[layout.SEALED].decode().partition("\n\n")[2]
    notes = {
        "old note": log.files[layout.SEALED].decode(),
        "old signature": f"{text}\n{old}",
        "no signature": text,
        "random signature": f"{text}\n\N{EM DASH} {ORIGIN} {forged_signature(log)}\n",
        "another key": sign_note(text, ORIGIN, THIEF),
        "another key and its vkey": sign_note(text, ORIGIN, THIEF),
    }
    note = notes[way].encode()
    more: Change = {layout.SEALED: note, layout.CHECKPOINT: note}
    if way == "another key and its vkey":
        more[layout.VKEY] = f"{VerifierKey(ORIGIN, THIEF.public_key().public_bytes_raw())}\n".encode()
    return fitted(log.files, {**change, **more})


def forged_signature(log: Log) -> str:
    key = VerifierKey.parse(log.files[layout.VKEY].decode().strip())
    return base64.b64encode(key.key_id + bytes(64)).decode()


SIGNED = {
    "old note": "another root than the sealed checkpoint",
    "old signature": "does not verify",
    "no signature": "no signatures",
    "random signature": "does not verify",
    "another key": "no known key has signed",
    "another key and its vkey": "it does not open a log of format 1 with this origin and key",
}


@places(MANY)
@pytest.mark.parametrize("way", SIGNED)
def test_who_recomputes_all_but_the_signature_is_found_by_it(logs: list[Log], way: str, count: int) -> None:
    """verify.py checks no signature of the log: it trusts SHA256SUMS, which people sign."""
    tally = Tally(f"recomputed, {way}")
    for seed in range(max(count // len(SIGNED), 5)):
        log = logs[seed % 2]
        change, lines = recomputed(log, chance(f"recomputed {seed}"))
        said = audited(log, forged(log, change, lines, way))[0]
        tally.tried += 1
        if SIGNED[way] not in said:
            tally.wrong.append(f"seed {seed}: {said!r}")
    tally.tell()


def test_the_recomputed_logs_lack_nothing_but_the_signature(logs: list[Log]) -> None:
    """With the log's key they pass: so it is the signature that the test above is about."""
    for seed in range(10):
        log = logs[seed % 2]
        change, lines = recomputed(log, chance(f"recomputed {seed}"))
        tree = CompactRange()
        for line in lines:
            tree.append(leaf_hash(line))
        note = sign_note(Checkpoint(ORIGIN, tree.size, tree.root()).text(), ORIGIN, KEY).encode()
        whole = fitted(log.files, {**change, layout.SEALED: note, layout.CHECKPOINT: note})
        assert audited(log, whole) == verified(log, whole) == ("whole", None)


def test_the_tests_own_log_comes_back_as_it_was(logs: list[Log]) -> None:
    for log in logs:
        now = {p.relative_to(log.folder).as_posix(): p.read_bytes() for p in log.folder.rglob("*") if p.is_file()}
        assert now == log.files
