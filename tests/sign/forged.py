"""Sets of signatures that are not what they look like, each named by its rule, with who counts all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sealwright_keyring.armor import dearmor, enarmor
from sealwright_keyring.packets import packets
from support.world import World, a_world, revoke

SUMS = b"%064d  products/xen/xen.tar\n" % 1
LOG = b"%064d  checkpoint.sealed\n" % 2
OTHER = b"%064d  products/xen/xen.tar\n" % 3
NAMES = ("one", "two", "expired", "revoked", "small", "late", "scoped")
PERSONS = """
[person.one]
openpgp = ["{one}"]
[person.two]
openpgp = ["{two}", "{two-too}"]
[person.expired]
openpgp = ["{expired}"]
[person.revoked]
openpgp = ["{revoked}"]
[person.small]
openpgp = ["{small}"]
[person.late]
openpgp = ["{late}"]
not_after = 2020-01-01
[person.scoped]
openpgp = ["{scoped}"]
components = ["xen"]
[person.unasked]
openpgp = ["{unasked}"]
"""

Pair = tuple[bytes, bytes]


@dataclass(frozen=True)
class Forged:
    """The two blocks of signatures, over SUMS and LOG; and those who signed both, who count whatever else is there."""

    rule: str
    make: Callable[[World], Pair]
    counts: frozenset[str] = frozenset()


@contextmanager
def filled() -> Iterator[World]:
    """The keys; what must not count is revoked or expired after it has signed."""
    with a_world(filled=False) as world:
        for name in ("one", "two", "two-too", "revoked", "late", "scoped", "unasked", "foreign"):
            world.make(name)
        world.make("impostor", uid="one <one@example.org>")
        world.make("small", "rsa1024")
        world.make("expired", time="20200101T000000")
        for _ in range(2):
            world.gpg("--quick-add-key", world.fpr["one"], "ed25519", "sign", "never")
        lines = [
            line.split(":") for line in world.gpg("--with-colons", "-K", world.fpr["one"]).decode().splitlines()
        ]
        prints = [line[9] for line in lines if line[0] == "fpr"]
        world.fpr |= {"first subkey": f"{prints[1]}!", "second subkey": f"{prints[2]}!"}
        EARLIER.update({name: both(name)(world) for name in ("expired", "revoked")})
        revoke(world, "revoked")
        world.gpg("--quick-set-expire", world.fpr["expired"], "20210101T000000", time="20200601T000000")
        yield world


EARLIER: dict[str, Pair] = {}


def both(*names: str, options: tuple[str, ...] = (), time: str = "") -> Callable[[World], Pair]:
    """A block by each of the keys, over both files."""
    return lambda world: (
        joined(world, *(world.sign(name, data=SUMS, options=options, time=time, armor=False) for name in names)),
        joined(world, *(world.sign(name, data=LOG, options=options, time=time, armor=False) for name in names)),
    )


def joined(_: World, *parts: bytes) -> bytes:
    return enarmor(b"".join(parts), "SIGNATURE")


def each(change: Callable[[World, bytes, bytes], bytes], name: str = "one") -> Callable[[World], Pair]:
    """Both blocks, good ones, changed; the change is given the packets, and what they are over."""

    def made(world: World) -> Pair:
        sums, log = (change(world, world.sign(name, data=data, armor=False), data) for data in (SUMS, LOG))
        return sums, log

    return made


def _other(world: World, packet: bytes, data: bytes) -> bytes:
    return world.sign("one", data=OTHER, armor=False)


def _self_signature(world: World, packet: bytes, data: bytes) -> bytes:
    certificate = world.cert("one")
    return enarmor(next(each.raw for each in packets(certificate) if each.tag == 2), "SIGNATURE")


MARKER = b"\xca\x03PGP"
UNKNOWN = b"\xfc\x01x"

TABLE = (
    Forged("one key twice is one person", both("one", "one"), frozenset({"one"})),
    Forged("two subkeys of one key are one person", both("first subkey", "second subkey"), frozenset({"one"})),
    Forged("two keys of one person are one person", both("two", "two-too"), frozenset({"two"})),
    Forged(
        "a bad one before a good one counts nothing",
        each(lambda w, good, data: joined(w, _other(w, good, data), w.sign("two", data=data, armor=False))),
        frozenset({"two"}),
    ),
    Forged(
        "a bad one after a good one counts nothing",
        each(lambda w, good, data: joined(w, w.sign("two", data=data, armor=False), _other(w, good, data))),
        frozenset({"two"}),
    ),
    Forged("made after its key expired", lambda world: EARLIER["expired"]),
    Forged("by a key that was revoked, even afterwards", lambda world: EARLIER["revoked"]),
    Forged("over another manifest", each(lambda w, good, data: joined(w, _other(w, good, data)))),
    Forged(
        "armor blocks one after the other",
        each(lambda w, good, data: joined(w, good) + joined(w, w.sign("two", data=data, armor=False))),
    ),
    Forged("a clear-signed document", each(lambda w, good, data: w.clearsign("one", data=data))),
    Forged("armor cut short", each(lambda w, good, data: joined(w, good)[:-60])),
    Forged("a packet cut short", each(lambda w, good, data: joined(w, good[:-5]))),
    Forged("by somebody outside of the keyring", both("foreign")),
    Forged("by a key with a signer's name on it", both("impostor")),
    Forged("by a person of the keyring who was not asked", both("unasked")),
    Forged("by a person who may vouch for components only", both("scoped")),
    Forged("by a person whose time was over", both("late")),
    Forged("with a packet of an unknown type beside it", each(lambda w, good, data: joined(w, good, UNKNOWN))),
    Forged("with a marker packet before it", each(lambda w, good, data: joined(w, MARKER, good))),
    Forged("a signature of another type", each(_self_signature)),
    Forged("of a time to come", both("one", time="20900101T000000")),
    Forged("over the products' sums only", lambda w: (both("one")(w)[0], both("two")(w)[1])),
    Forged("over the sums of another log", lambda w: (both("one")(w)[0], joined(w, _other(w, b"", b"")))),
    Forged("over SHA-1", both("one", options=("--digest-algo", "SHA1", "--weak-digest", "MD5"))),
    Forged("by an RSA key of 1024 bits", both("small")),
    Forged("nothing at all", lambda w: (b"", b"")),
    Forged("armor around nothing", lambda w: (enarmor(b"", "SIGNATURE"),) * 2),
    Forged("ten thousand signatures", each(lambda w, good, data: joined(w, good * 10_000))),
)


def dearmored(block: bytes) -> bytes:
    """The packets of a block."""
    return dearmor(block, "SIGNATURE")
