"""What somebody can make who has a log's private key: any log of that origin, signed, whole in itself."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path

from sealwright_appendlog import layout, record
from sealwright_appendlog.keyfile import read_key
from sealwright_appendlog.note import Checkpoint, VerifierKey, sign_note
from sealwright_appendlog.tiles import TileWriter
from sealwright_appendlog.tree import CompactRange, leaf_hash

Lines = list[bytes]
Forge = Callable[[Lines, random.Random], Lines]
"""Gives other record lines; both without line feeds."""


def lines_of(log: Path) -> Lines:
    return list(layout.lines(log / layout.INDEX))


def signed(lines: Lines, key_file: Path, origin: str) -> bytes:
    """The checkpoint over these lines."""
    tree = CompactRange()
    for line in lines:
        tree.append(leaf_hash(line))
    return sign_note(Checkpoint(origin, tree.size, tree.root()).text(), origin, read_key(key_file)).encode()


def rewrite(log: Path, key_file: Path, lines: Lines) -> None:
    """Make `log` the log of these lines: index, tiles, checkpoint, and if it is sealed all that a seal makes."""
    origin = VerifierKey.parse((log / layout.VKEY).read_text().strip()).name
    (log / layout.INDEX).write_bytes(b"".join(line + b"\n" for line in lines))
    for old in [path for path in (log / "tile").rglob("*") if path.is_file()]:
        old.unlink()
    files: dict[str, bytes] = {}
    writer = TileWriter(files.__setitem__)
    for line in lines:
        writer.append(line)
    note = signed(lines, key_file, origin)
    files |= {**writer.partial(), layout.CHECKPOINT: note}
    if (log / layout.SEALED).exists():
        files[layout.SEALED] = note
    for name, data in files.items():
        (log / name).parent.mkdir(parents=True, exist_ok=True)
        (log / name).write_bytes(data)
    if (log / layout.SEALED).exists():
        hashes = {name: layout.sha256(log / name) for name in layout.segments(log)}
        (log / layout.SUMS).write_bytes(layout.sums(log, hashes))


def forge(log: Path, key_file: Path, how: Forge, rng: random.Random) -> None:
    """Rewrite `log` as `how` says."""
    before = lines_of(log)
    after = how(list(before), rng)
    assert after != before
    rewrite(log, key_file, after)


def fitted(entries: list[dict[str, object]]) -> Lines:
    """Records as lines, numbered anew; stamps stay with their places, so that no clock runs backwards."""
    return [record.encode({**entry, "n": n}) for n, entry in enumerate(entries)]


def _at(lines: Lines, kind: str, rng: random.Random) -> int:
    return rng.choice([n for n, line in enumerate(lines) if json.loads(line)["k"] == kind])


def event_changed(lines: Lines, rng: random.Random) -> Lines:
    """One event says something else."""
    n = _at(lines, "ev", rng)
    entry = json.loads(lines[n])
    lines[n] = record.encode({**entry, "body": {"e": "forged", "number": rng.randrange(1000)}})
    return lines


def time_changed(lines: Lines, rng: random.Random) -> Lines:
    """One event came a little later."""
    n = _at(lines, "ev", rng)
    entry = json.loads(lines[n])
    lines[n] = record.encode({**entry, "up": entry["up"] + 1})
    return lines


def source_changed(lines: Lines, rng: random.Random) -> Lines:
    """Some events, or all of them, came from somebody else."""
    entries = [json.loads(line) for line in lines]
    first = rng.choice([1, _at(lines, "ev", rng)])
    return fitted([{**entry, "src": "uid:12345"} if entry["n"] >= first else entry for entry in entries])


def event_removed(lines: Lines, rng: random.Random) -> Lines:
    """One event never was."""
    entries = [json.loads(line) for line in lines]
    rest = [n for n, entry in enumerate(entries) if entry["k"] == "ev" and not _data_after(entries, n)]
    del entries[rng.choice(rest)]
    return fitted(entries)


def _data_after(entries: list[dict[str, object]], n: int) -> bool:
    """Whether a segment would need another name."""
    return any(entry["k"] == "data" for entry in entries[n:])


def _exchanged(
    lines: Lines, rng: random.Random, fits: Callable[[dict[str, object], dict[str, object]], bool]
) -> Lines:
    entries = [json.loads(line) for line in lines]
    places = [n for n in range(1, len(entries) - 1) if fits(entries[n], entries[n + 1])]
    at = rng.choice(places)
    one, two = entries[at], entries[at + 1]
    stays = ("n", "t", "up", "boot")
    entries[at] = {**two, **{key: one[key] for key in stays}}
    entries[at + 1] = {**one, **{key: two[key] for key in stays}}
    return fitted(entries)


def streams_exchanged(lines: Lines, rng: random.Random) -> Lines:
    """Two neighbours of different streams change places."""
    return _exchanged(lines, rng, lambda one, two: one["s"] != two["s"])


def events_exchanged(lines: Lines, rng: random.Random) -> Lines:
    """Two neighbours of one stream change places."""
    return _exchanged(lines, rng, lambda one, two: one["k"] == two["k"] == "ev")


def output_changed(log: Path, key_file: Path, stream: str) -> None:
    """A stream holds other bytes, and all fits."""
    lines = lines_of(log)
    for n, line in enumerate(lines):
        entry = json.loads(line)
        if entry["k"] == "data" and entry["s"] == stream:
            path = log / entry["seg"]
            content = bytearray(path.read_bytes())
            content[entry["off"]] ^= 1
            path.write_bytes(content)
            chunk = bytes(content[entry["off"] : entry["off"] + entry["len"]])
            fields = {key: entry[key] for key in ("ch", "len", "seg", "off")}
            lines[n] = record.data_line(
                record.Stamp(entry["t"], entry["up"], entry["boot"]),
                n,
                entry["src"],
                stream,
                record.Chunk(
                    fields["ch"], fields["len"], hashlib.sha256(chunk).hexdigest(), fields["seg"], fields["off"]
                ),
            )
            break
    if (log / layout.SEALED).exists():
        hashes = {name: layout.sha256(log / name) for name in layout.segments(log)}
        seal = json.loads(lines[-1])
        lines[-1] = record.encode({**seal, "segments_sha256": layout.segments_sha256(hashes)})
    rewrite(log, key_file, lines)
