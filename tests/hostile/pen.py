"""The attacker's pen: keys that must not count, certificates that lie, and signatures of every bad kind.

- The world signs first; what is revoked, expired or injected later is put into the certificate, not into the home,
  so that one home serves every row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sealwright_keyring.armor import dearmor, enarmor
from sealwright_keyring.certificates import certificates
from sealwright_keyring.packets import packets
from support.world import World, a_world, revoke_subkey
from verify.workbench import Repository

_MARK = b"-----BEGIN PGP SIGNATURE-----"


@dataclass
class Evil:
    """Keys by name, certificates that differ from what the home holds, a repository, and a folder to work in."""

    world: World
    repository: Repository
    work: Path
    certificates: dict[str, bytes] = field(default_factory=dict)

    def certificate(self, name: str) -> bytes:
        """The binary certificate called `name`."""
        if name not in self.certificates:
            self.certificates[name] = self.world.cert(name)
        return self.certificates[name]


@dataclass
class Pen:
    """What one row writes: the bytes that are meant, those that are presented, and whether text is signed."""

    evil: Evil
    payload: bytes
    clear: bool
    shown: bytes = b""

    def __post_init__(self) -> None:
        self.shown = self.payload

    def means(self, payload: bytes) -> None:
        """Sign and present other bytes from here on."""
        self.payload = self.shown = payload

    def sign(self, *names: str, options: tuple[str, ...] = (), time: str = "", data: bytes | None = None) -> bytes:
        """One armored signature file by the keys called `names`, over the payload or over `data`."""
        world, data = self.evil.world, self.payload if data is None else data
        if not self.clear:
            return world.sign(*names, data=data, options=options, time=time)
        users = [word for name in names for word in ("--local-user", world.fpr.get(name, name))]
        document = world.gpg(*users, *options, "--output", "-", "--clear-sign", stdin=data, time=time)
        return document[document.rindex(_MARK) :]

    def packet(self, *names: str, options: tuple[str, ...] = (), time: str = "") -> bytes:
        """The same in binary."""
        return dearmor(self.sign(*names, options=options, time=time), "SIGNATURE")

    def merged(self, *names: str) -> bytes:
        """One armor around a signature of each, in this order."""
        return enarmor(b"".join(self.packet(name) for name in names), "SIGNATURE")

    def message(self, *words: str, data: bytes | None = None, label: str = "SIGNATURE") -> bytes:
        """An inline message of S1, whose armor claims to be a `label`."""
        user = ("--local-user", self.evil.world.fpr["s1"])
        made = self.evil.world.gpg(*user, *words, "--output", "-", stdin=self.payload if data is None else data)
        return enarmor(made, label)


def with_unhashed(signature: bytes, extra: bytes, *, drop: bool = False) -> bytes:
    """An armored signature whose unhashed area was extended by subpackets, or replaced by them."""
    (packet,) = packets(dearmor(signature, "SIGNATURE"))
    body = packet.body
    start = 6 + int.from_bytes(body[4:6], "big")
    length = int.from_bytes(body[start : start + 2], "big")
    area = (b"" if drop else body[start + 2 : start + 2 + length]) + extra
    body = body[:start] + len(area).to_bytes(2, "big") + area + body[start + 2 + length :]
    return enarmor(b"\xc2\xff" + len(body).to_bytes(4, "big") + body, "SIGNATURE")


def issuer(fingerprint: str) -> bytes:
    """The subpacket that names the 64-bit id of a key."""
    return b"\x09\x10" + bytes.fromhex(fingerprint[-16:])


def notation() -> bytes:
    """A subpacket with a notation a=b."""
    return b"\x0b\x14\x80\0\0\0\0\x01\0\x01ab"


def _revoked(world: World, name: str) -> bytes:
    """The certificate of a key with its revocation put in."""
    text = (world.home / "openpgp-revocs.d" / f"{world.fpr[name]}.rev").read_bytes()
    revocation = dearmor(text[text.index(b":-----") + 1 :], "PUBLIC KEY BLOCK")
    primary, *rest = packets(world.cert(name))
    return primary.raw + revocation + b"".join(packet.raw for packet in rest)


def _subkey_revoked(world: World, name: str) -> bytes:
    secret = world.gpg("--export-secret-keys", world.fpr[name])
    with a_world(filled=False) as other:
        other.fpr = world.fpr
        other.gpg("--import", stdin=secret)
        revoke_subkey(other, name)
        return other.cert(name)


def _late(world: World) -> bytes:
    """A key that signs in 2025, and whose certificate says that it expired in 2021."""
    world.make("late", expire="20300101T000000", time="20200101T000000")
    world.gpg("--quick-set-expire", world.fpr["late"], "20210101T000000", time="20200201T000000")
    expired = world.cert("late")
    world.gpg("--quick-set-expire", world.fpr["late"], "20300101T000000", time="20200301T000000")
    return expired


def _forged(world: World) -> Mapping[str, bytes]:
    """S1's certificate with subkeys that S1 never bound: injected with a trust packet, or by the thousand."""
    (mine,), (theirs,) = certificates(world.cert("s1")), certificates(world.cert("donor"))
    subkey, binding = (packet.raw for packet in list(packets(theirs.raw))[-2:])
    trusted = mine.raw + subkey + binding + b"\xb0\x02\x00\x03"
    return {
        "injected": trusted,
        "crowded": mine.raw + (subkey + binding) * 199,
        "flooded": mine.raw + (subkey + binding) * 5000,
    }


@contextmanager
def an_evil_world(work: Path) -> Iterator[Evil]:
    """The whole world of the attacker; `work` is an empty folder."""
    with a_world() as world:
        world.make("elder", time="20200101T000000")
        world.make("bidi", uid="Ada \u202egnp.exe\x1b[2J <ada@example.org>")
        evil = Evil(world, Repository(work / "upstream.git"), work)
        evil.certificates |= {
            "revoked": _revoked(world, "revoked"),
            "halfrevoked": _subkey_revoked(world, "halfrevoked"),
            "late": _late(world),
            **_forged(world),
        }
        yield evil
