"""Certificates and signatures that are made to cost: the answer comes within a limit, and it is no hang."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from sealwright_keyring.certificates import MAX_SUBKEYS, certificates
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.gpg import Gpg
from sealwright_keyring.openpgp import Bad, Good, Keyring
from sealwright_keyring.packets import packets
from support.world import DATA, World, a_world

TIMEOUT = 10.0


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with a_world() as made:
        yield made


def flooded(world: World, kind: str, count: int) -> bytes:
    """S1's certificate, blown up."""
    (mine,), (theirs,) = (certificates(world.cert(name)) for name in ("s1", "donor"))
    primary, user, *rest = (packet.raw for packet in packets(mine.raw))
    foreign = [packet.raw for packet in packets(theirs.raw)]
    if kind == "strange subkeys":
        return mine.raw + b"".join(foreign[-2:]) * count
    if kind == "own subkeys":
        return mine.raw + b"".join(rest[-2:]) * count
    if kind == "bindings":
        return mine.raw + foreign[-1] * count
    if kind == "user ids":
        return primary + user + b"".join(rest) + b"".join(b"\xcd\x0euser %09d" % n for n in range(count))
    assert kind == "third parties"
    return primary + user + rest[0] + foreign[2] * count + b"".join(rest[1:])


def answer(certificate: bytes, world: World, timeout: float = TIMEOUT) -> str:
    """What comes of a signature by S1 and one by a stranger; no more than each run's time is spent."""
    begun = time.monotonic()
    try:
        with Keyring.of([certificate], [world.fpr["s1"]], gpg=Gpg(timeout=timeout)) as ring:
            assert isinstance(ring.verify_detached(world.sign("donor"), DATA), Bad)
            mine = ring.verify_detached(world.sign("s1"), DATA)
        said = "good" if isinstance(mine, Good) else "bad"
    except KeyringError as error:
        assert error.next_step
        said = error.because
    print(f"{len(certificate) >> 10} KiB: {said[:60]} after {time.monotonic() - begun:.2f} s")
    assert time.monotonic() - begun < 4 * timeout
    return said


@pytest.mark.parametrize("kind", ["strange subkeys", "own subkeys"])
def test_a_certificate_with_too_many_subkeys_is_refused_before_gpg_sees_it(world: World, kind: str) -> None:
    begun = time.monotonic()
    assert "no honest one" in answer(flooded(world, kind, MAX_SUBKEYS + 1), world)
    assert "no honest one" in answer(flooded(world, kind, 5_000), world)
    assert time.monotonic() - begun < TIMEOUT


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("strange subkeys", MAX_SUBKEYS - 1),
        ("own subkeys", MAX_SUBKEYS - 1),
        ("bindings", 5_000),
        ("user ids", 5_000),
        ("third parties", 5_000),
    ],
)
def test_a_flooded_certificate_costs_a_bounded_time(world: World, kind: str, count: int) -> None:
    assert answer(flooded(world, kind, count), world) == "good"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bindings", "user ids", "third parties"])
def test_a_flood_without_end_is_stopped_by_the_limits(world: World, kind: str) -> None:
    said = answer(flooded(world, kind, 100_000), world, timeout=5)
    assert said == "good" or "too long" in said or "exit status" in said
