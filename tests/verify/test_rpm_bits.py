"""Each byte of an RPM package: whichever is changed, somebody refuses it."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from sealwright_keyring.openpgp import Bad, Keyring
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.rpm_header import SIGNATURES
from sealwright_stages.verify.rpm_package import read_package
from sealwright_stages.verify.verifier import verifier
from verify import rpms
from verify.rpms import apart, write_header
from verify.workbench import Keys

UNCOVERED = {
    "lead: architecture": "a number of 1996 that rpm wrote by the machine it was built on, and that nothing reads",
    "signature header: payload size": "how long the payload is unpacked: rpm's progress bar goes by it",
}


def _uncovered(signed: bytes) -> set[int]:
    parts = apart(signed)
    raw = write_header(SIGNATURES, parts.signatures)
    value = parts.signatures[rpms.ARCHIVE].data
    index = 16 + 16 * (1 + len(parts.signatures))
    place = 96 + raw.index(value, index)
    assert signed[place : place + 4] == value
    return {9, *range(place, place + 4)}


def _refused(changed: bytes, keyring: Keyring) -> bool:
    try:
        package = read_package(io.BytesIO(changed))
    except RefusedError:
        return True
    (verdict,) = keyring.verify_detached_many(package.signature.raw, package.header)
    return isinstance(verdict, Bad)


def _flips(signed: bytes, keys: Keys, masks: Callable[[int], list[int]]) -> None:
    uncovered = _uncovered(signed)
    trust = keys.trust("s1")
    with Keyring.of(trust.certificates, [keys.fingerprint("s1")], gpg=verifier()) as keyring:
        for place in range(len(signed)):
            for mask in masks(place):
                changed = bytearray(signed)
                changed[place] ^= mask
                assert _refused(bytes(changed), keyring) != (place in uncovered), (place, mask)


def test_each_byte_is_somebodys(signed: bytes, keys: Keys) -> None:
    assert len(UNCOVERED) == 2
    _flips(signed, keys, lambda place: [1 << place % 8])


@pytest.mark.slow
def test_each_bit_is_somebodys(signed: bytes, keys: Keys) -> None:
    _flips(signed, keys, lambda place: [1 << bit for bit in range(8)])
