"""Ways to harm what an evidence page holds: each takes its two blocks of data, and changes something in one.

The data is all that an attacker can change and still have the scripts of the page run: these are named in its policy.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sealwright_stages.publish.markup import data_block

Data = dict[str, Any]
Harm = Callable[[Data, Data], object]
BLOCKS = ("evidence", "signatures")


def harmed(path: Path, harm: Harm) -> Path:
    """The page with other data in it, beside it."""
    data = path.read_bytes()
    blocks = [block(data, name) for name in BLOCKS]
    harm(*blocks)
    for name, told in zip(BLOCKS, blocks, strict=True):
        old = re.search(_BLOCK % name.encode(), data)
        assert old
        data = data.replace(old[0], data_block(name, told).encode())
    other = path.with_name("harmed.html")
    other.write_bytes(data)
    return other


_BLOCK = rb'<script type="application/json" id="%s">(.*?)</script>'


def block(data: bytes, name: str) -> Data:
    """A block of data of a page."""
    found = re.search(_BLOCK % name.encode(), data)
    assert found
    told: Data = json.loads(found[1])
    return told


def flipped(encoded: str, at: int, bit: int = 0) -> str:
    """Base64 of the same bytes with one bit another."""
    data = bytearray(base64.b64decode(encoded))
    data[at % len(data)] ^= 1 << bit
    return base64.b64encode(bytes(data)).decode()


def dearmored(text: bytes) -> bytearray:
    """The packets of a signature that gpg armored."""
    lines = text.decode().split("\n\n", 1)[1].splitlines()
    return bytearray(base64.b64decode("".join(line for line in lines if not line.startswith(("=", "-")))))


def armored(packets: bytes) -> bytes:
    """The same without a checksum, as RFC 9580 would have it."""
    body = base64.encodebytes(packets).decode()
    return f"-----BEGIN PGP SIGNATURE-----\n\n{body}-----END PGP SIGNATURE-----\n".encode()


def changed_file(name: str, chance: random.Random) -> Harm:
    """One bit of a file."""

    def harm(data: Data, _: Data) -> None:
        data["files"][name] = flipped(data["files"][name], chance.randrange(1 << 20), chance.randrange(8))

    return harm


def changed_record(chance: random.Random) -> Harm:
    """One byte of a record."""

    def harm(data: Data, _: Data) -> None:
        chunk = data["log"][0]
        n = chance.randrange(len(chunk))
        at = chance.randrange(len(chunk[n]))
        chunk[n] = chunk[n][:at] + ("x" if chunk[n][at] != "x" else "y") + chunk[n][at + 1 :]

    return harm


def changed_product(chance: random.Random) -> Harm:
    """One digit of a product's SHA-256 in the log."""

    def harm(data: Data, _: Data) -> None:
        n = chance.choice(data["products"])
        text = data["log"][0][n]
        at = text.index('"sha256":"') + 10 + chance.randrange(64)
        data["log"][0][n] = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]

    return harm


def changed_key(chance: random.Random) -> Harm:
    """One bit of a certificate."""

    def harm(data: Data, _: Data) -> None:
        held = next(each for each in data["keys"] if "base64" in each)
        held["base64"] = flipped(held["base64"], chance.randrange(1 << 20), chance.randrange(8))

    return harm


def changed_signature(name: str, chance: random.Random) -> Harm:
    """One bit of a signature's packet."""

    def harm(_: Data, held: Data) -> None:
        packet = dearmored(base64.b64decode(held[name]))
        packet[chance.randrange(len(packet))] ^= 1 << chance.randrange(8)
        held[name] = base64.b64encode(armored(bytes(packet))).decode()

    return harm


def lost_record(chance: random.Random) -> Harm:
    """A record is not there."""
    return lambda data, _: data["log"][0].pop(chance.randrange(len(data["log"][0])))


def doubled_record(chance: random.Random) -> Harm:
    """A record is there twice."""

    def harm(data: Data, _: Data) -> None:
        n = chance.randrange(len(data["log"][0]))
        data["log"][0].insert(n, data["log"][0][n])

    return harm


def moved_record(chance: random.Random) -> Harm:
    """Two records have changed places."""

    def harm(data: Data, _: Data) -> None:
        n = chance.randrange(1, len(data["log"][0]))
        data["log"][0][n - 1 : n + 1] = reversed(data["log"][0][n - 1 : n + 1])

    return harm


def unlisted(data: Data, _: Data) -> None:
    """A product's record is not looked at."""
    data["products"].pop()


def mistaken(data: Data, _: Data) -> None:
    """Another record is taken for a product's."""
    data["products"][0] += 1


def keyless(data: Data, _: Data) -> None:
    """No certificate is there."""
    data["keys"] = [each for each in data["keys"] if "base64" not in each]


def other_fingerprint(data: Data, _: Data) -> None:
    """A signer has a key that signers.toml does not name."""
    data["signers"][0]["openpgp"] = ["0" * 40]


def exchanged(_: Data, held: Data) -> None:
    """Each signature stands over the other file."""
    held["SHA256SUMS"], held["log/SHA256SUMS"] = held["log/SHA256SUMS"], held["SHA256SUMS"]


def _file(data: Data, name: str, change: Callable[[bytes], bytes]) -> None:
    data["files"][name] = base64.b64encode(change(base64.b64decode(data["files"][name]))).decode()


def _summed(data: Data) -> None:
    """Make log/SHA256SUMS name what is there now."""
    lines = "".join(f"{line}\n" for chunk in data["log"] for line in chunk)
    held = {name: base64.b64decode(data["files"][f"log/{name}"]) for name in ("checkpoint.sealed", "log.vkey")}
    for name, content in {**held, "index.jsonl": lines.encode()}.items():
        digest = hashlib.sha256(content).hexdigest()
        _file(
            data,
            "log/SHA256SUMS",
            lambda old, n=name, d=digest: re.sub(rb"[0-9a-f]{64}  %s\n" % n.encode(), f"{d}  {n}\n".encode(), old),
        )  # type: ignore[misc]


def other_log_key(data: Data, _: Data) -> None:
    """The log's name and key id, and a signature by another key."""
    _file(data, "log/checkpoint.sealed", resigned)
    _summed(data)


def resigned(note: bytes) -> bytes:
    """The note with the last bytes of its signature changed."""
    head, _, encoded = note.rstrip().rpartition(b" ")
    return head + b" " + flipped(encoded.decode(), 40).encode() + b"\n"


def other_record(data: Data, _: Data) -> None:
    """A record says something else, and the sums go with it."""
    n = next(n for n, line in enumerate(data["log"][0]) if '"verdict":"warned"' in line)
    data["log"][0][n] = data["log"][0][n].replace('"warned"', '"passed"')
    _summed(data)


def other_index_sum(data: Data, _: Data) -> None:
    """The sums name another index."""
    _file(data, "log/SHA256SUMS", lambda old: re.sub(rb"[0-9a-f]{64}(  index)", b"0" * 64 + rb"\1", old))


def other_product(data: Data, _: Data) -> None:
    """SHA256SUMS has another hash of a product."""
    _file(data, "SHA256SUMS", lambda old: (b"0" if old[:1] != b"0" else b"1") + old[1:])


def one_product_less(data: Data, _: Data) -> None:
    """SHA256SUMS lacks a product."""
    _file(data, "SHA256SUMS", lambda old: old.partition(b"\n")[2])


def one_product_more(data: Data, _: Data) -> None:
    """SHA256SUMS has a product that nobody built."""
    _file(data, "SHA256SUMS", lambda old: old + b"0" * 64 + b"  products/xen/evil.tar\n")


def other_manifest(data: Data, _: Data) -> None:
    """A manifest with a remark."""
    _file(data, "policy/release.toml", lambda old: old + b"# one will do\n")


def other_keyring(data: Data, _: Data) -> None:
    """A keyring with a remark."""
    _file(data, "policy/signers.toml", lambda old: old + b"# and me\n")
