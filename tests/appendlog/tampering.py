"""Ways to tamper with a sealed log: each takes the log's files and a source of chance, and gives the files it changes.

A changed file is its new bytes, or None where it is taken away. Which record is the first bad one is worked out here
from the files before and after, by no code of the audit.
"""

from __future__ import annotations

import hashlib
import json
import random
import string
import struct
from collections.abc import Callable, Mapping
from typing import Any

from sealwright_appendlog import layout, record

Files = Mapping[str, bytes]
Change = dict[str, bytes | None]
Tamper = Callable[[Files, random.Random], Change]


def lines_of(files: Files) -> list[bytes]:
    """The index's lines, each with its LF."""
    return files[layout.INDEX].splitlines(keepends=True)


def index(lines: list[bytes]) -> Change:
    return {layout.INDEX: b"".join(lines)}


def segments(files: Files) -> list[str]:
    return sorted(name for name in files if name.startswith("data/"))


def flipped(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    changed[rng.randrange(len(content))] ^= rng.randrange(1, 256)
    return bytes(changed)


def first_bad(before: Files, change: Change) -> int | None:
    """The first record whose line, or whose data, is no longer what it was."""
    after = {**before, **change}
    bad = []
    old, new = lines_of(before), (after[layout.INDEX] or b"").split(b"\n")
    new = [line + b"\n" for line in new[:-1]] + new[-1:]
    for n in range(max(len(old), len(new) - 1)):
        if old[n : n + 1] != new[n : n + 1]:
            bad.append(n)
            break
    for line in old:
        entry = json.loads(line)
        if entry["k"] == "data":
            place = slice(entry["off"], entry["off"] + entry["len"])
            if before[entry["seg"]][place] != (after[entry["seg"]] or b"")[place]:
                bad.append(entry["n"])
                break
    return min(bad, default=None)


# -- the index ----------------------------------------------------------------------------------------------


def index_byte(files: Files, rng: random.Random) -> Change:
    return {layout.INDEX: flipped(files[layout.INDEX], rng)}


def other(value: Any, rng: random.Random) -> Any:
    """A value of the same type that is not the same."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice([value + 1, value - 1, value ^ 1 << rng.randrange(20), rng.randrange(1 << 40)])
    if isinstance(value, str):
        at = rng.randrange(len(value))
        return value[:at] + rng.choice(string.ascii_letters + string.digits) + value[at + 1 :]
    key = rng.choice(sorted(value))
    return {**value, key: other(value[key], rng)}


def field(files: Files, rng: random.Random) -> Change:
    lines = lines_of(files)
    n = rng.randrange(len(lines))
    entry = json.loads(lines[n])
    changed = entry
    while changed == entry:
        key = rng.choice(sorted(entry))
        changed = {**entry, key: other(entry[key], rng)}
    lines[n] = record.encode(changed) + b"\n"
    return index(lines)


def removed(files: Files, rng: random.Random) -> Change:
    lines = lines_of(files)
    del lines[rng.randrange(len(lines))]
    return index(lines)


def inserted(files: Files, rng: random.Random) -> Change:
    """Another record's line, as it is or with the sequence number of its new place."""
    lines = lines_of(files)
    at, line = rng.randrange(len(lines) + 1), rng.choice(lines)
    if rng.random() < 0.5:
        line = record.encode({**json.loads(line), "n": at}) + b"\n"
        if at < len(lines) and line == lines[at]:
            line = lines[at - 1]
    lines.insert(at, line)
    return index(lines)


def swapped(files: Files, rng: random.Random) -> Change:
    lines = lines_of(files)
    i, j = rng.sample(range(len(lines)), 2)
    lines[i], lines[j] = lines[j], lines[i]
    return index(lines)


def reordered(files: Files, rng: random.Random) -> Change:
    """Two neighbours of different streams change places; sequence numbers, and perhaps times, stay with the place."""
    lines = lines_of(files)
    entries = [json.loads(line) for line in lines]
    pairs = [n for n in range(len(lines) - 1) if entries[n]["s"] != entries[n + 1]["s"]]
    at = rng.choice(pairs)
    kept = rng.choice([("n",), ("n", "t", "up", "boot")])
    one, two = entries[at], entries[at + 1]
    for place, entry, stays in ((at, two, one), (at + 1, one, two)):
        lines[place] = record.encode({**entry, **{key: stays[key] for key in kept}}) + b"\n"
    return index(lines)


def cut(files: Files, rng: random.Random) -> Change:
    """The end of the index gone, at any byte or between two lines."""
    content, lines = files[layout.INDEX], lines_of(files)
    if rng.random() < 0.5:
        return {layout.INDEX: content[: rng.randrange(len(content))]}
    return index(lines[: rng.randrange(len(lines))])


# -- the data -----------------------------------------------------------------------------------------------


def data_byte(files: Files, rng: random.Random) -> Change:
    name = rng.choice(segments(files))
    return {name: flipped(files[name], rng)}


def data_cut(files: Files, rng: random.Random) -> Change:
    name = rng.choice(segments(files))
    return {name: files[name][: rng.randrange(len(files[name]))]}


def data_grown(files: Files, rng: random.Random) -> Change:
    name = rng.choice(segments(files))
    more = rng.randbytes(rng.randrange(1, 50))
    at = rng.choice([len(files[name]), rng.randrange(len(files[name]))])
    return {name: files[name][:at] + more + files[name][at:]}


def segment_renamed(files: Files, rng: random.Random) -> Change:
    name = rng.choice(segments(files))
    folder, _, file = name.rpartition("/")
    new = rng.choice([f"{folder}/{int(file[:8]) + 1:08d}.log", f"{folder}/x/{file}", f"data/{file}", f"{name}~"])
    return {name: None} if new in files else {name: None, new: files[name]}


def segments_swapped(files: Files, rng: random.Random) -> Change:
    one, two = rng.sample(segments(files), 2)
    return {one: files[two], two: files[one]}


# -- what is made from them ---------------------------------------------------------------------------------


def sums_of(files: Files) -> bytes:
    """The SHA256SUMS that fits the files."""
    named = sorted([*segments(files), layout.INDEX, layout.SEALED, layout.VKEY])
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in named).encode()


def fitted(files: Files, change: Change) -> Change:
    """The change, with a SHA256SUMS that fits it."""
    after = {name: content for name, content in {**files, **change}.items() if content is not None}
    return {**change, layout.SUMS: sums_of(after)}


def sums(files: Files, rng: random.Random) -> Change:
    """SHA256SUMS alone: a byte, a line gone, a line twice, two lines swapped, a line more."""
    lines = files[layout.SUMS].splitlines(keepends=True)
    at = rng.randrange(len(lines))
    way = rng.randrange(5)
    if way == 0:
        return {layout.SUMS: flipped(files[layout.SUMS], rng)}
    if way == 1:
        del lines[at]
    elif way == 2:
        lines.insert(at, lines[at])
    elif way == 3:
        lines[at - 1], lines[at] = lines[at], lines[at - 1]
    else:
        lines.insert(at, f"{rng.randbytes(32).hex()}  data/build/xen/{rng.randrange(1000):08d}.log\n".encode())
    return {layout.SUMS: b"".join(lines)}


def sums_fit(files: Files, rng: random.Random) -> Change:
    """Any change of index or data, with a SHA256SUMS that fits it."""
    ways: list[Tamper] = [index_byte, field, removed, inserted, swapped, reordered, cut]
    ways += [data_byte, data_cut, data_grown, segment_renamed, segments_swapped]
    return fitted(files, rng.choice(ways)(files, rng))


def tile(files: Files, rng: random.Random) -> Change:
    """A tile's byte changed, or its end cut off."""
    name = rng.choice(sorted(name for name in files if name.startswith("tile/")))
    if rng.random() < 0.7:
        return {name: flipped(files[name], rng)}
    return {name: files[name][: rng.randrange(len(files[name]))]}


def record_of_tile(name: str, before: bytes, after: bytes) -> int:
    """The first record that a changed tile says something else of."""
    level, number = name.removeprefix("tile/").split("/")[:2]
    first = int(number.removesuffix(".p")) * 256
    at = next((at for at, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), len(after))
    if level != "entries":
        return int((first + at // 32) * 256 ** int(level))
    end = 0
    while end <= at:
        end += 2 + int(struct.unpack_from(">H", before, end)[0])
        first += 1
    return first - 1
