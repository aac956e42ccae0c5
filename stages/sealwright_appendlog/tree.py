"""Merkle trees as in RFC 6962 and RFC 9162: roots, inclusion and consistency proofs, made and checked.

- A leaf is `SHA256(0x00 || line)`, a node `SHA256(0x01 || left || right)`, the empty root `SHA256("")`.
- A root is streamed from a compact range: what is held grows with the logarithm of the size only.
- A proof that is too long, too short, of wrong-sized hashes, or about a size of zero is refused.
- Sizes and indices are plain integers below 2^63, hashes are bytes, a proof is a list or tuple: all else is refused.
- The empty root is no root of a tree that has leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()
HASH_SIZE = 32
_MAX_SIZE = 1 << 63
RangeHash = Callable[[int, int], bytes]
"""Gives the root of leaves [start, end)."""


class ProofError(ValueError):
    """A proof that proves nothing; the sentence says why."""


def leaf_hash(line: bytes) -> bytes:
    """Hash of a leaf (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x00" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class CompactRange:
    """The roots of the perfect subtrees that cover leaves [0, size), largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._hashes: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        carry, bits = leaf, self.size
        while bits & 1:
            carry = node_hash(self._hashes.pop(), carry)
            bits >>= 1
        self._hashes.append(carry)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._hashes:
            return EMPTY_ROOT
        root = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            root = node_hash(left, root)
        return root


def split(size: int) -> int:
    """The largest power of two smaller than `size` (at least 2)."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_proof(index: int, size: int, range_hash: RangeHash) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962, 2.1.1.

    Raises:
        ProofError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}")
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            proof.append(range_hash(middle, end))
            end = middle
        else:
            proof.append(range_hash(start, middle))
            start = middle
    return proof[::-1]


def consistency_proof(size1: int, size2: int, range_hash: RangeHash) -> list[bytes]:
    """PROOF(size1, D[size2]) of RFC 6962, 2.1.2.

    Raises:
        ProofError: sizes that have none.
    """
    if not 0 < size1 <= size2:
        raise ProofError(f"no consistency proof from {size1} to {size2}")
    proof: list[bytes] = []
    start, end, whole = 0, size2, True
    while size1 != end:
        middle = start + split(end - start)
        if size1 <= middle:
            proof.append(range_hash(middle, end))
            end = middle
        else:
            proof.append(range_hash(start, middle))
            start, whole = middle, False
    if not whole:
        proof.append(range_hash(start, end))
    return proof[::-1]


def verify_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check an inclusion proof (RFC 9162, 2.1.3.2).

    Raises:
        ProofError: it does not prove that the leaf is at `index` of the tree of `size` with `root`.
    """
    _check_numbers(index, size)
    _check_hashes(proof, leaf_hash, root)
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}")
    node, last, found = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            raise ProofError("the proof is too long")
        if node & 1 or node == last:
            found = node_hash(sibling, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ProofError("the proof is too short")
    if found != root:
        raise ProofError("the proof leads to another root")


def verify_consistency(size1: int, root1: bytes, size2: int, root2: bytes, proof: Sequence[bytes]) -> None:
    """Check a consistency proof (RFC 9162, 2.1.4.2).

    Raises:
        ProofError: it does not prove that the tree of `size2` continues the one of `size1`.
    """
    _check_numbers(size1, size2)
    _check_hashes(proof, root1, root2)
    if not 0 < size1 <= size2:
        raise ProofError(f"sizes {size1} and {size2} can't be consistent")
    if size1 == size2:
        if proof:
            raise ProofError("equal sizes have an empty proof")
        if root1 != root2:
            raise ProofError("two roots for one size")
        if root1 == EMPTY_ROOT:
            raise ProofError(f"a tree of {size1} does not have the empty root")
        return
    old, new = _two_roots(size1, root1, size2, proof)
    if old != root1:
        raise ProofError("the proof does not lead to the older root")
    if new != root2:
        raise ProofError("the proof does not lead to the newer root")


def _two_roots(size1: int, root1: bytes, size2: int, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The older and the newer root that a consistency proof leads to."""
    path = list(proof) if size1 & (size1 - 1) else [root1, *proof]
    if not path:
        raise ProofError("the proof is too short")
    node, last = size1 - 1, size2 - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("the proof is too long")
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ProofError("the proof is too short")
    return old, new


def _check_numbers(*numbers: int) -> None:
    for value in numbers:
        if type(value) is not int:
            raise ProofError(f"{type(value).__name__} is no size and no index")
        if not -_MAX_SIZE < value < _MAX_SIZE:
            raise ProofError("a size or an index of 2^63 or more")


def _check_hashes(proof: Sequence[bytes], *others: bytes) -> None:
    if not isinstance(proof, (list, tuple)):
        raise ProofError(f"{type(proof).__name__} is no proof")
    for value in (*others, *proof):
        if not isinstance(value, bytes):
            raise ProofError(f"{type(value).__name__} is no hash")
        if len(value) != HASH_SIZE:
            raise ProofError(f"a hash of {len(value)} bytes; SHA-256 has {HASH_SIZE}")
