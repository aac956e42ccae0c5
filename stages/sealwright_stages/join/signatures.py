"""Signatures of several copies put together: one armor block, in one order, with what verifies and nothing else.

- A good signature of a release signer, by the release's own keys, is never dropped; whatever else lies in a block is
  never taken in.
- Where all copies have the same bytes these stay as they are; else the block is made anew. So merging commutes, is
  associative, and merging twice is merging once.
"""

from __future__ import annotations

from collections.abc import Iterable

from sealwright_keyring.armor import enarmor
from sealwright_keyring.errors import MalformedError
from sealwright_keyring.packets import detached_signatures
from sealwright_stages.audit_signatures import Required
from sealwright_stages.sign.provenance import opened, pae
from sealwright_stages.sign.release_signatures import merged, persons_of, signatures_by


def together(blocks: Iterable[bytes], data: bytes, wants: Required) -> bytes:
    """The signatures over `data` of several copies: as they are if there is one such, or merged.

    Raises:
        SigningError: the verifier does not work.
    """
    different = set(blocks)
    return different.pop() if len(different) == 1 else merged_good(different, data, wants)


def merged_good(blocks: Iterable[bytes], data: bytes, wants: Required) -> bytes:
    """One block with each good signature over `data` out of `blocks`.

    Raises:
        SigningError: the verifier does not work.
    """
    return merged(
        single
        for single in sorted(set(_singles(blocks)))
        if signatures_by(single, data, wants.policy, wants.names)
    )


def better_envelope(envelopes: Iterable[bytes], wants: Required) -> bytes:
    """Of several envelopes of one person, one whose signature counts, if there is one; the least of those.

    Raises:
        SigningError: the verifier does not work.
        ValueError: one is no envelope.
    """
    different = sorted(set(envelopes))
    if len(different) == 1:
        return different[0]

    def rank(data: bytes) -> tuple[bool, bytes]:
        payload, signature = opened(data)
        return not persons_of(signature, pae(payload), wants.policy, wants.names), data

    return min(different, key=rank)


def _singles(blocks: Iterable[bytes]) -> Iterable[bytes]:
    """Each signature as a block of its own; what is no block of signatures holds none."""
    for block in blocks:
        try:
            found = detached_signatures(block)
        except MalformedError:
            continue
        yield from (enarmor(each.raw, "SIGNATURE") for each in found)
