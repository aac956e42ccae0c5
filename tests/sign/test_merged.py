"""Signatures of several persons in one block: the same bytes, however they came together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_keyring.armor import enarmor
from sealwright_keyring.packets import detached_signatures
from sealwright_stages.errors import SigningError
from sealwright_stages.sign.release_signatures import merged


def packet(issuer: int, number: int, form: int) -> bytes:
    """A signature packet that can be parsed, with a header in one of four forms."""
    hashed = bytes([5, 2, 0, 0, 0, number]) + bytes([22, 33, 4, *[issuer] * 20])
    unhashed = bytes([9, 16, *[issuer] * 8])
    body = bytes([4, 0, 22, 10]) + len(hashed).to_bytes(2, "big") + hashed
    body += len(unhashed).to_bytes(2, "big") + unhashed + b"\0\0" + bytes([0, 8, 0xFF, 0, 8, 0x80 | number])
    size = len(body)
    header = [bytes([0x88, size]), b"\x89" + size.to_bytes(2, "big"), bytes([0xC2, size])]
    header.append(b"\xc2\xff" + size.to_bytes(4, "big"))
    return header[form] + body


PACKETS = st.builds(packet, st.integers(1, 4), st.integers(1, 2), st.integers(0, 3))


def block(parts: Sequence[bytes], armored: bool) -> bytes:
    data = b"".join(parts)
    return enarmor(data, "SIGNATURE") if parts and armored else data


BLOCKS = st.lists(st.builds(block, st.lists(PACKETS, max_size=4), st.booleans()), max_size=6)


@settings(max_examples=150, deadline=None)
@given(BLOCKS, st.randoms(use_true_random=False))
def test_the_order_and_the_grouping_of_what_is_merged_do_not_matter(blocks, shuffle) -> None:  # type: ignore[no-untyped-def]
    whole = merged(blocks)
    other = list(blocks)
    shuffle.shuffle(other)
    assert merged(other) == whole
    assert reduce(lambda one, two: merged([one, two]), other, b"") == whole
    assert merged([whole, *blocks, whole]) == whole
    for each in blocks:
        assert merged([whole, each]) == whole


@settings(max_examples=100, deadline=None)
@given(BLOCKS)
def test_each_signature_is_there_once_and_none_is_lost(blocks: list[bytes]) -> None:
    def said(found: bytes) -> list[tuple[object, ...]]:
        return [(each.issuers, each.created) for each in detached_signatures(found)] if found else []

    there = said(merged(blocks))
    assert len(there) == len(set(there))
    assert set(there) == {each for every in blocks for each in said(every)}


@pytest.mark.parametrize(
    "block_", [b"x", b"\xca\x03PGP", enarmor(packet(1, 1, 0), "SIGNATURE") * 2, packet(1, 1, 0)[:-1]]
)
def test_what_is_no_file_of_detached_signatures_is_not_merged(block_: bytes) -> None:
    with pytest.raises(SigningError, match="signatures"):
        merged([packet(2, 1, 0), block_])
