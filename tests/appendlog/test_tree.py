"""RFC 6962 trees and proofs, against the RFC's own definitions written naively, and known vectors."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sealwright_appendlog.tree import (
    EMPTY_ROOT,
    CompactRange,
    ProofError,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]  # roots of the first 0..8 LEAVES, as Certificate Transparency's own tests have them


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, as it is written there; leaves are hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(naive_root(leaves[:k]), naive_root(leaves[k:]))


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if index < k:
        return [*naive_path(index, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(index - k, leaves[k:]), naive_root(leaves[:k])]


def hashes(count: int) -> list[bytes]:
    return [leaf_hash(b"leaf %d" % number) for number in range(count)]


def ranges(leaves: list[bytes]):
    return lambda start, end: naive_root(leaves[start:end])


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_certificate_transparency_vectors(size: int) -> None:
    tree = CompactRange()
    for leaf in LEAVES[:size]:
        tree.append(leaf_hash(leaf))
    assert tree.root().hex() == ROOTS[size]


def test_the_empty_root_is_the_hash_of_nothing() -> None:
    assert CompactRange().root() == EMPTY_ROOT == hashlib.sha256().digest()


@given(st.integers(1, 300))
@settings(max_examples=60, deadline=None)
def test_a_compact_range_has_the_root_of_the_definition(size: int) -> None:
    leaves = hashes(size)
    tree = CompactRange()
    for leaf in leaves:
        tree.append(leaf)
    assert tree.root() == naive_root(leaves)


@given(st.integers(1, 130), st.data())
@settings(max_examples=100, deadline=None)
def test_every_inclusion_proof_is_the_one_of_the_definition_and_verifies(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = hashes(size)
    proof = inclusion_proof(index, size, ranges(leaves))
    assert proof == naive_path(index, leaves)
    verify_inclusion(leaves[index], index, size, proof, naive_root(leaves))


@given(st.integers(1, 130), st.data())
@settings(max_examples=100, deadline=None)
def test_every_consistency_proof_verifies(size: int, data: st.DataObject) -> None:
    older = data.draw(st.integers(1, size))
    leaves = hashes(size)
    proof = consistency_proof(older, size, ranges(leaves))
    verify_consistency(older, naive_root(leaves[:older]), size, naive_root(leaves), proof)


@given(st.integers(2, 70), st.data())
@settings(max_examples=150, deadline=None)
def test_a_changed_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = hashes(size)
    root, proof = naive_root(leaves), inclusion_proof(index, size, ranges(leaves))
    change = data.draw(st.sampled_from(["index", "leaf", "root", "flip", "drop", "more", "swap", "short"]))
    leaf = leaves[index]
    if change == "index":
        index = data.draw(st.integers(-2, size + 2).filter(lambda other: other != index))
    elif change == "leaf":
        leaf = leaf_hash(b"another")
    elif change == "root":
        root = leaf_hash(b"another")
    elif change == "flip":
        at = data.draw(st.integers(0, len(proof) - 1))
        proof[at] = bytes([proof[at][0] ^ 1]) + proof[at][1:]
    elif change == "drop":
        del proof[data.draw(st.integers(0, len(proof) - 1))]
    elif change == "more":
        proof.insert(data.draw(st.integers(0, len(proof))), leaf_hash(b"more"))
    elif change == "swap":
        assume(len(proof) > 1)
        proof = proof[::-1]
    else:
        proof[0] = proof[0][:31]
    with pytest.raises(ProofError):
        verify_inclusion(leaf, index, size, proof, root)


@given(st.integers(2, 70), st.data())
@settings(max_examples=150, deadline=None)
def test_a_changed_consistency_proof_is_refused(size: int, data: st.DataObject) -> None:
    older = data.draw(st.integers(1, size - 1))
    leaves = hashes(size)
    old, new = naive_root(leaves[:older]), naive_root(leaves)
    proof = consistency_proof(older, size, ranges(leaves))
    change = data.draw(st.sampled_from(["old", "new", "flip", "drop", "more", "short"]))
    if change == "old":
        old = leaf_hash(b"another")
    elif change == "new":
        new = leaf_hash(b"another")
    elif change == "flip":
        at = data.draw(st.integers(0, len(proof) - 1))
        proof[at] = bytes([proof[at][0] ^ 1]) + proof[at][1:]
    elif change == "drop":
        del proof[data.draw(st.integers(0, len(proof) - 1))]
    elif change == "more":
        proof.append(leaf_hash(b"more"))
    else:
        proof[-1] = b""
    with pytest.raises(ProofError):
        verify_consistency(older, old, size, new, proof)


@pytest.mark.parametrize(
    ("size1", "size2", "proof"),
    [(0, 0, []), (0, 4, []), (5, 4, []), (-1, 4, []), (4, 4, [b"\0" * 32]), (4, 8, []), (3, 8, [])],
)
def test_sizes_that_have_no_proof_are_refused(size1: int, size2: int, proof: list[bytes]) -> None:
    root = leaf_hash(b"")
    with pytest.raises(ProofError):
        verify_consistency(size1, root, size2, root, proof)


def test_two_roots_for_one_size_are_refused() -> None:
    with pytest.raises(ProofError, match="two roots"):
        verify_consistency(4, leaf_hash(b"a"), 4, leaf_hash(b"b"), [])


def test_a_proof_about_a_tree_of_size_zero_is_refused() -> None:
    with pytest.raises(ProofError):
        verify_inclusion(leaf_hash(b""), 0, 0, [], EMPTY_ROOT)


@pytest.mark.parametrize("index", [-1, 4])
def test_no_proof_is_made_for_a_leaf_that_is_not_there(index: int) -> None:
    with pytest.raises(ProofError):
        inclusion_proof(index, 4, ranges(hashes(4)))
