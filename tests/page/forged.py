"""Forgeries of what an evidence page holds by one who has every key: all fits together again but for one thing.

Each is aimed at one demand of `check.js`: where the page doesn't make it, the forgery is a yes, or at least another word.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from audit.forge import Forger
from page.harms import Data, block
from sealwright_appendlog.tree import CompactRange, leaf_hash

Bytes = Callable[[bytes], bytes]
INDEX = re.compile(rb"[0-9a-f]{64}  index.jsonl\n")


@dataclass
class Forgery:
    """What is changed at each step before all that depends on it is made again, and signed.

    `note` takes origin, size and root and gives others; `named` and `signed` change the last line of the checkpoint.
    """

    lines: Callable[[list[str]], list[str]] = list
    vkey: Bytes = bytes
    note: Callable[[str, int, bytes], tuple[str, int, bytes]] = lambda *told: told
    named: Callable[[str], str] = str
    signed: Bytes = bytes
    log_sums: Bytes = bytes
    sums: Bytes = bytes
    sign: Callable[[Forger, bytes], bytes] = Forger.signed
    last: Callable[[Data], object] = field(default=lambda data: None)
    short: bool = False


def made(forger: Forger, page: bytes, forgery: Forgery) -> tuple[Data, Data]:
    """The two blocks of data with the forgery in them."""
    data = copy.deepcopy(block(page, "evidence"))
    files = {name: base64.b64decode(text) for name, text in data["files"].items()}
    lines = forgery.lines([line for chunk in data["log"] for line in chunk])
    vkey = forgery.vkey(files["log/log.vkey"])
    tree = CompactRange()
    for line in lines:
        tree.append(leaf_hash(line.encode()))
    name, _, key = vkey.decode().strip().split("+", 2)
    public = base64.b64decode(key)
    origin, size, root = forgery.note(name, len(lines), tree.root())
    body = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    key_id = hashlib.sha256(f"{name}\n".encode() + public).digest()[:4]
    signature = forgery.signed(key_id + forger.key.sign(body.encode()))
    note = f"{body}\n\u2014 {forgery.named(name)} {base64.b64encode(signature).decode()}\n".encode()
    files |= {"log/checkpoint.sealed": note, "log/log.vkey": vkey}
    sums = files["log/SHA256SUMS"]
    index = "".join(f"{line}\n" for line in lines).encode()
    for each, content in {"checkpoint.sealed": note, "log.vkey": vkey, "index.jsonl": index}.items():
        listed = f"{hashlib.sha256(content).hexdigest()}  {each}\n".encode()
        sums = re.sub(rb"[0-9a-f]{64}  %s\n" % each.encode(), listed, sums)
    files["log/SHA256SUMS"] = forgery.log_sums(sums)
    files["SHA256SUMS"] = forgery.sums(files["SHA256SUMS"])
    data["files"] = {name: base64.b64encode(each).decode() for name, each in files.items()}
    data["log"] = [[*map(_short, lines)] if forgery.short else lines]
    forgery.last(data)
    held = {}
    for each in ("SHA256SUMS", "log/SHA256SUMS"):
        held[each] = base64.b64encode(forgery.sign(forger, files[each])).decode()
    return data, held


def _short(line: str) -> str:
    """A record, or its hash where the page reads no such record."""
    read = '"k":"open"', '"k":"seal"', '"e":"run.started"', '"e":"product.collected"'
    return line if any(mark in line for mark in read) else base64.b64encode(leaf_hash(line.encode())).decode()


def _record(mark: str, change: Callable[[dict[str, Any]], object]) -> Callable[[list[str]], list[str]]:
    """Change the first record with that mark."""

    def lines(held: list[str]) -> list[str]:
        n = next(n for n, line in enumerate(held) if mark in line)
        record = json.loads(held[n])
        change(record)
        return [*held[:n], json.dumps(record, sort_keys=True, separators=(",", ":")), *held[n + 1 :]]

    return lines


def _gone(mark: str) -> Callable[[list[str]], list[str]]:
    """Exchange each record with that mark for one that says nothing; it keeps its number."""
    return lambda held: [
        json.dumps({"body": {"e": "item.progress"}, "k": "ev", "n": n}) if mark in line else line
        for n, line in enumerate(held)
    ]


def _again(held: list[str]) -> list[str]:
    """A product is collected once more, with other bytes, before the seal."""
    line = next(line for line in held if '"e":"product.collected"' in line)
    more = json.loads(line)
    more["n"], more["body"]["sha256"] = len(held) - 1, "0" * 64
    seal = json.loads(held[-1])
    seal["n"] = len(held)
    return [*held[:-1], *(json.dumps(each, sort_keys=True, separators=(",", ":")) for each in (more, seal))]


def _blank(name: str) -> Callable[[Data], object]:
    def change(data: Data) -> None:
        data["files"][name] = data["files"][name][:8] + " " + data["files"][name][8:]

    return change


def _typed(vkey: bytes) -> bytes:
    """The same key as one of another kind."""
    name, _, key = vkey.decode().strip().split("+", 2)
    other = b"\x04" + base64.b64decode(key)[1:]
    key_id = hashlib.sha256(f"{name}\n".encode() + other).digest()[:4].hex()
    return f"{name}+{key_id}+{base64.b64encode(other).decode()}\n".encode()


def _textual(forger: Forger, data: bytes) -> bytes:
    """Signed as text: line ends may differ then."""
    words = ["gpg", "--homedir", str(forger.signers[0].home), "--batch", "--armor", "--textmode", "--detach-sign"]
    return subprocess.run([*words, "-"], input=data, check=True, capture_output=True).stdout


def _doubled(sums: bytes) -> bytes:
    return b"0" * 64 + sums.partition(b"\n")[0][64:] + b"\n" + sums


def _twice_named(data: Data) -> None:
    data["signers"].append({**data["signers"][0], "name": "somebody-else"})
    data["threshold"] = 2


def forgeries(stranger: Forger) -> Iterator[tuple[str, Forgery]]:
    """Each with its name; that of one whose digests the browser itself gets wrong begins with `sick`."""
    later = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%dT%H:%M:%S}.000000Z"
    flip: Bytes = lambda data: bytes([data[0] ^ 1]) + data[1:]  # noqa: E731 - one bit
    yield "base64 with a blank", Forgery(last=_blank("SHA256SUMS"))
    yield "sums that end in half a line", Forgery(sums=lambda old: old + b"dead")
    yield "a product listed twice", Forgery(sums=_doubled)
    yield "sick digests", Forgery(short=True)
    yield "a log without a seal", Forgery(lines=lambda held: held[:-1])
    yield "another size", Forgery(note=lambda o, size, root: (o, size + 1, root))
    yield "another root", Forgery(note=lambda o, size, root: (o, size, flip(root)))
    yield "another number", Forgery(lines=_record('"e":"product.collected"', lambda r: r.update(n=r["n"] + 1)))
    yield "a key of another kind", Forgery(vkey=_typed)
    yield "a key id that is wrong", Forgery(vkey=lambda key: re.sub(rb"\+[0-9a-f]{8}\+", b"+01234567+", key))
    yield "a checkpoint of another log", Forgery(note=lambda o, size, root: ("example.org/log/other", size, root))
    yield "a signature in another name", Forgery(named=lambda name: f"{name}x")
    yield "a signature of another key id", Forgery(signed=flip)
    yield "a signature that is longer", Forgery(signed=lambda old: old + b"x")
    yield "a signature that is wrong", Forgery(signed=lambda old: old[:-1] + bytes([old[-1] ^ 1]))
    yield (
        "a log that another opened",
        Forgery(lines=_record('"k":"open"', lambda r: r.update(origin="example.org/x"))),
    )
    yield (
        "sums of another checkpoint",
        Forgery(log_sums=lambda old: re.sub(rb"[0-9a-f]{64}(  check)", b"0" * 64 + rb"\1", old)),
    )
    yield "sums without the index", Forgery(log_sums=lambda old: INDEX.sub(b"", old), short=True)
    yield "sums of another index", Forgery(log_sums=lambda old: INDEX.sub(b"0" * 64 + b"  index.jsonl\n", old))
    yield (
        "a product that was never collected",
        Forgery(lines=_record('"e":"product.collected"', lambda r: r["body"].update(e="product.dreamt"))),
    )
    yield "a product of other bytes", Forgery(sums=lambda old: b"0" * 64 + old[64:])
    yield "a product that is not listed", Forgery(sums=lambda old: old.partition(b"\n")[2])
    yield "a product that nobody built", Forgery(sums=lambda old: old + b"0" * 64 + b"  products/xen/evil.tar\n")
    yield "a product that was collected again", Forgery(lines=_again)
    yield (
        "another keyring",
        Forgery(lines=_record('"e":"run.started"', lambda r: r["body"].update(policy_sha256="0" * 64))),
    )
    yield (
        "another manifest",
        Forgery(lines=_record('"e":"run.started"', lambda r: r["body"].update(manifest_sha256="0" * 64))),
    )
    yield "a run that never began", Forgery(lines=_gone('"e":"run.started"'))
    yield (
        "a key that signers.toml has not",
        Forgery(last=lambda d: d["signers"].append({**d["signers"][0], "openpgp": ["0" * 40], "name": "x"})),
    )
    yield "a piece of a fingerprint", Forgery(last=lambda data: data["signers"][0]["openpgp"].append("0"))
    yield "a key of two persons", Forgery(last=_twice_named)
    yield "builders without number", Forgery(last=lambda data: data.pop("builders"))
    yield "no builder", Forgery(last=lambda data: data.update(builders=0))
    yield "nobody needed", Forgery(last=lambda data: data.update(threshold=0))
    yield "no number needed", Forgery(last=lambda data: data.update(threshold="some"))
    yield "a seal at no time", Forgery(lines=_record('"k":"seal"', lambda r: r.update(t="tomorrow")))
    yield "signed before the seal", Forgery(lines=_record('"k":"seal"', lambda r: r.update(t=later)))
    yield "signed out of time", Forgery(last=lambda data: data["signers"][0].update(not_after="2020-01-01"))
    yield "signed as text", Forgery(sign=_textual)
    yield "signed twice over", Forgery(sign=lambda forger, data: forger.signed(data) * 2)
    yield "signed by nobody who may", Forgery(sign=lambda forger, data: stranger.signed(data))
