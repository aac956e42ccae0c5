"""Ten signed artefacts, each of whose bytes can be flipped, and what a check then accepts as signed.

- `accepted` is what the check vouches for: the signed bytes, and of each signature all that decides (its hashed
  part and its numbers). A flip that is not red must leave both as they were, or it is a false green.
- Places name where a byte stands, so that what is malleable can be listed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from hostile.doors import COMMIT, DSC, FILE, INRELEASE, TAG, clearsigned
from sealwright_keyring.armor import dearmor, enarmor
from sealwright_keyring.cleartext import split
from sealwright_keyring.openpgp import Bad, Keyring, Strangers
from sealwright_keyring.packets import SignaturePacket, detached_signatures, packets
from sealwright_keyring.policy import Person
from sealwright_stages.ports import Trust
from sealwright_stages.verdict import Failed
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.git_objects import parse_commit, parse_tag, plain_signature
from sealwright_stages.verify.settle import settle
from support.world import World
from verify.workbench import with_signature

MASKS = (0x01, 0x20, 0x80, 0xFF)
_BEGIN, _END = b"-----BEGIN PGP SIGNATURE-----", b"-----END PGP SIGNATURE-----"
Parts = Mapping[str, bytes]


@dataclass(frozen=True)
class Accepted:
    """What a check that is not red vouches for."""

    signed: bytes
    signatures: tuple[tuple[bytes, tuple[int, ...]], ...]


@dataclass(frozen=True)
class Artefact:
    """Something signed, in its parts, and the check of it: None is red."""

    name: str
    parts: Parts
    check: Callable[[Parts], Accepted | None]

    def flips(self) -> Iterator[tuple[str, int, int]]:
        """Every flip: part, position, mask."""
        for name, part in self.parts.items():
            yield from ((name, position, mask) for position in range(len(part)) for mask in MASKS)

    def after(self, flip: tuple[str, int, int]) -> Accepted | None:
        """What is accepted after a flip."""
        name, position, mask = flip
        changed = bytearray(self.parts[name])
        changed[position] ^= mask
        return self.check({**self.parts, name: bytes(changed)})


def decisive(found: tuple[SignaturePacket, ...]) -> tuple[tuple[bytes, tuple[int, ...]], ...]:
    """Of each signature its hashed part and its numbers."""
    return tuple(_decisive(next(packets(each.raw)).body) for each in found)


def _decisive(body: bytes) -> tuple[bytes, tuple[int, ...]]:
    end = 6 + int.from_bytes(body[4:6], "big")
    at = end + 2 + int.from_bytes(body[end : end + 2], "big") + 2
    numbers = []
    while at < len(body):
        size = (int.from_bytes(body[at : at + 2], "big") + 7) // 8
        numbers.append(int.from_bytes(body[at + 2 : at + 2 + size], "big"))
        at += 2 + size
    return body[:end], tuple(numbers)


@dataclass(frozen=True)
class Checks:
    """The checks over one open keyring, for flips by the thousand."""

    keyring: Keyring
    trust: Trust

    def detached(self, signature: bytes, signed: bytes) -> Accepted | None:
        """A detached signature, settled by persons as every kind settles it."""
        found = self.keyring.verify_detached_many(signature, signed)
        if isinstance(settle(found, self.trust, "x", hashlib.sha256(signed).hexdigest()), Failed):
            return None
        return Accepted(signed, decisive(detached_signatures(signature)))

    def parts(self, parts: Parts) -> Accepted | None:
        """Data and signature; `packets` get a fresh armor with the right checksum, as an attacker gives them."""
        signature = enarmor(parts["packets"], "SIGNATURE") if "packets" in parts else parts["signature"]
        return self.detached(signature, parts["data"])

    def object(self, parts: Parts) -> Accepted | None:
        """A tag or commit, under whatever name its bytes hash to."""
        raw = parts["object"]
        try:
            found = parse_tag(raw, "v1.0") if raw.startswith(b"object") else parse_commit(raw)
            return self.detached(plain_signature(found.signature, "object"), found.payload)
        except RefusedError:
            return None

    def document(self, parts: Parts) -> Accepted | None:
        """A clearsigned document."""
        verdict, text = self.keyring.verify_clearsigned(parts["document"], strangers=Strangers.REFUSE)
        if isinstance(verdict, Bad):
            return None
        return Accepted(text, decisive(split(parts["document"], 1 << 20).signatures))


def artefacts(world: World, keyring: Keyring, payloads: Mapping[str, bytes]) -> tuple[Artefact, ...]:
    """All of them; `payloads` are what is signed, by door."""
    data, tag, commit = payloads[FILE], payloads[TAG], payloads[COMMIT]
    persons = tuple(Person(name, (world.fpr[name],)) for name in ("s1", "s2"))
    one, two = (Checks(keyring, Trust((), persons, need)) for need in (1, 2))

    def packets_by(*names: str, options: tuple[str, ...] = ()) -> Parts:
        made = (dearmor(world.sign(name, data=data, options=options), "SIGNATURE") for name in names)
        return {"data": data, "packets": b"".join(made)}

    def clear(text: bytes, *names: str) -> Parts:
        document = world.clearsign(*names, data=text)
        return {"document": clearsigned(text, document[document.rindex(_BEGIN) :])}

    commented = world.sign("s1", options=("--comment", "made by a test"), data=data)
    binary = world.sign("s2", data=data, armor=False)
    raw_commit = with_signature(commit, world.sign("s2", data=commit))
    return (
        Artefact("detached, ed25519, with a comment", {"data": data, "signature": commented}, one.parts),
        Artefact("detached, ed25519, packets", packets_by("s1"), one.parts),
        Artefact("detached, rsa3072, packets", packets_by("s2"), one.parts),
        Artefact("detached, binary", {"data": data, "signature": binary}, one.parts),
        Artefact("two signers, packets", packets_by("s1", "s2"), two.parts),
        Artefact("text mode, packets", packets_by("s1", options=("--textmode",)), one.parts),
        Artefact("git tag", {"object": tag + world.sign("s1", data=tag)}, one.object),
        Artefact("git commit", {"object": raw_commit}, one.object),
        Artefact(".dsc", clear(payloads[DSC], "s1"), one.document),
        Artefact("InRelease", clear(payloads[INRELEASE], "s2"), one.document),
        Artefact("clearsigned by two", clear(payloads[INRELEASE], "s1", "s2"), one.document),
    )


def place(part: str, data: bytes, position: int) -> str:
    """Where a byte stands."""
    if part == "data":
        return "signed bytes"
    if data[:1] >= b"\x80":
        return _in_packet(data, position)
    where, at = "head of the document" if part == "document" else "signed bytes", 0
    for line in data.splitlines(keepends=True):
        where = _next_line(where, line.strip())
        at += len(line)
        if position < at:
            return where
    raise AssertionError("beyond the end")


def _next_line(before: str, line: bytes) -> str:
    """Where a line stands, by where the line before it stood."""
    if line == _BEGIN or line == b"gpgsig " + _BEGIN:
        return "begin of the armor"
    if line == _END:
        return "end of the armor"
    if before == "end of the armor" or (before == "head of the document" and not line):
        return "signed bytes"
    if before in ("begin of the armor", "armor header"):
        return "armor header" if line else "armor body"
    return "armor checksum" if before == "armor body" and line.startswith(b"=") else before


def _in_packet(data: bytes, position: int) -> str:
    at = 0
    for packet in packets(data):
        if position >= at + len(packet.raw):
            at += len(packet.raw)
            continue
        inside = position - at - (len(packet.raw) - len(packet.body))
        body = packet.body
        hashed = 6 + int.from_bytes(body[4:6], "big")
        unhashed = hashed + 2 + int.from_bytes(body[hashed : hashed + 2], "big")
        if inside < 0:
            return "packet header"
        if inside < hashed:
            return "hashed area"
        if inside < unhashed:
            return "unhashed area"
        if inside < unhashed + 2:
            return "first two octets of the digest"
        number = unhashed + 2
        while True:
            size = (int.from_bytes(body[number : number + 2], "big") + 7) // 8
            if inside < number + 2:
                return "count of a number's bits"
            if inside < number + 2 + size:
                return "number"
            number += 2 + size
    raise AssertionError("beyond the end")
