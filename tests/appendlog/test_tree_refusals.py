"""What `verify_inclusion` and `verify_consistency` refuse, against a naive reading of RFC 6962 that shares no code."""

from __future__ import annotations

import hashlib
import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealwright_appendlog.tree import EMPTY_ROOT, ProofError, verify_consistency, verify_inclusion

H = hashlib.sha256(b"some hash").digest()


def mth(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, over the leaves' inputs."""
    if len(leaves) < 2:
        return hashlib.sha256(b"".join([b"\x00" + leaf for leaf in leaves])).digest()
    k = max(1 << bit for bit in range(16) if 1 << bit < len(leaves))
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D[n]) of RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    k = max(1 << bit for bit in range(16) if 1 << bit < len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    """SUBPROOF(m, D[n], b) of RFC 6962, 2.1.2."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = max(1 << bit for bit in range(16) if 1 << bit < len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole=whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], whole=False), mth(leaves[:k])]


def inputs(size: int) -> list[bytes]:
    return [b"leaf %d" % number for number in range(size)]


def test_the_signatures_are_those_that_were_agreed() -> None:
    assert list(inspect.signature(verify_inclusion).parameters) == ["leaf_hash", "index", "size", "proof", "root"]
    assert list(inspect.signature(verify_consistency).parameters) == ["size1", "root1", "size2", "root2", "proof"]
    assert issubclass(ProofError, ValueError)


@given(st.integers(1, 90), st.data())
def test_an_inclusion_proof_by_the_rfc_is_taken_for_its_own_place_only(size: int, data: st.DataObject) -> None:
    leaves, index = inputs(size), data.draw(st.integers(0, size - 1))
    leaf, proof, root = mth([leaves[index]]), path(index, leaves), mth(leaves)
    verify_inclusion(leaf, index, size, proof, root)
    verify_inclusion(leaf, index, size, tuple(proof), root)
    at, other = data.draw(st.integers(0, size + 1)), data.draw(st.integers(0, size - 1))
    if at != index:
        with pytest.raises(ProofError):
            verify_inclusion(leaf, at, size, proof, root)
    if other != index:
        with pytest.raises(ProofError):
            verify_inclusion(mth([leaves[other]]), index, size, proof, root)


@given(st.integers(1, 90), st.data())
def test_a_consistency_proof_by_the_rfc_is_taken_for_its_own_roots_only(size: int, data: st.DataObject) -> None:
    leaves, older = inputs(size), data.draw(st.integers(1, size))
    old, new, proof = mth(leaves[:older]), mth(leaves), subproof(older, leaves)
    verify_consistency(older, old, size, new, proof)
    verify_consistency(older, old, size, new, tuple(proof))
    for bad in ((older, H, size, new, proof), (older, old, size, H, proof), (older, old, size, new, [*proof, H])):
        with pytest.raises(ProofError):
            verify_consistency(*bad)
    other = data.draw(st.integers(1, size).filter(lambda value: value != older or size == 1))
    if other != older:
        with pytest.raises(ProofError):
            verify_consistency(other, old, size, new, proof)


@given(st.integers(2, 90), st.data())
def test_a_proof_with_surplus_missing_or_changed_nodes_is_refused(size: int, data: st.DataObject) -> None:
    leaves = inputs(size)
    index, older = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size - 1))
    for proof, check in (
        (path(index, leaves), lambda p: verify_inclusion(mth([leaves[index]]), index, size, p, mth(leaves))),
        (subproof(older, leaves), lambda p: verify_consistency(older, mth(leaves[:older]), size, mth(leaves), p)),
    ):
        check(proof)
        at = data.draw(st.integers(0, len(proof) - 1))
        bit = 1 << data.draw(st.integers(0, 255))
        flipped = (int.from_bytes(proof[at], "big") ^ bit).to_bytes(32, "big")
        for bad in (
            [*proof[:at], *proof[at + 1 :]],
            [*proof[:at], proof[at], *proof[at:]],
            [*proof[:at], flipped, *proof[at + 1 :]],
            [*proof[:at], proof[at][:-1], *proof[at + 1 :]],
            [*proof[:at], proof[at] + b"\x00", *proof[at + 1 :]],
            [*proof, EMPTY_ROOT],
            [],
        ):
            with pytest.raises(ProofError):
                check(bad)


NO_SIZES: list[Any] = [0, -1, -(1 << 70), 1 << 63, 1 << 64, 1 << 4000, True, False, 2.0, "2", None]


@pytest.mark.parametrize("bad", NO_SIZES, ids=lambda bad: f"{bad!r:.12}")
def test_sizes_and_indices_that_are_none_are_refused(bad: Any) -> None:
    leaves = inputs(2)
    leaf, proof, root = mth([leaves[1]]), path(1, leaves), mth(leaves)
    verify_inclusion(leaf, 1, 2, proof, root)
    with pytest.raises(ProofError):
        verify_inclusion(leaf, bad, 2, proof, root)
    with pytest.raises(ProofError):
        verify_inclusion(leaf, 1, bad, proof, root)
    with pytest.raises(ProofError):
        verify_consistency(bad, leaf, 2, root, subproof(1, leaves))
    with pytest.raises(ProofError):
        verify_consistency(1, leaf, bad, root, subproof(1, leaves))
    with pytest.raises(ProofError):
        verify_consistency(bad, root, bad, root, [])


NO_HASHES: list[Any] = [b"", H[:31], H + b"\0", H.hex()[:32], None, 32, bytearray(H), [0] * 32]


@pytest.mark.parametrize("bad", NO_HASHES, ids=lambda bad: f"{type(bad).__name__}-{bad!r:.12}")
def test_what_is_no_hash_is_refused(bad: Any) -> None:
    leaves = inputs(2)
    leaf, root = mth([leaves[1]]), mth(leaves)
    for arguments in (
        (bad, 1, 2, path(1, leaves), root),
        (leaf, 1, 2, [bad], root),
        (leaf, 1, 2, path(1, leaves), bad),
    ):
        with pytest.raises(ProofError):
            verify_inclusion(*arguments)
    for more in (
        (1, bad, 2, root, [leaf]),
        (1, leaf, 2, bad, [leaf]),
        (1, leaf, 2, root, [bad]),
        (2, bad, 2, bad, []),
    ):
        with pytest.raises(ProofError):
            verify_consistency(*more)


@pytest.mark.parametrize(
    "bad",
    [None, 0, b"", H, "", {}, {H}, iter([])],
    ids=lambda bad: f"{type(bad).__name__}-{len(str(bad))}" if not hasattr(bad, "__next__") else "iterator",
)
def test_what_is_no_list_of_hashes_is_refused(bad: Any) -> None:
    root = mth(inputs(1))
    verify_inclusion(root, 0, 1, [], root)
    with pytest.raises(ProofError):
        verify_inclusion(root, 0, 1, bad, root)
    with pytest.raises(ProofError):
        verify_consistency(1, root, 1, root, bad)


@given(st.integers(1, 90), st.integers(0, 90))
def test_an_index_outside_and_an_older_tree_that_is_larger_are_refused(size: int, more: int) -> None:
    leaves = inputs(size)
    with pytest.raises(ProofError):
        verify_inclusion(mth(leaves[-1:]), size + more, size, path(size - 1, leaves), mth(leaves))
    with pytest.raises(ProofError):
        verify_consistency(size + more + 1, mth(inputs(size + more + 1)), size, mth(leaves), [])


@given(st.integers(1, 90))
def test_equal_sizes_have_one_root_and_an_empty_proof(size: int) -> None:
    root = mth(inputs(size))
    verify_consistency(size, root, size, root, [])
    for bad in ((size, root, size, H, []), (size, H, size, root, []), (size, root, size, root, [root])):
        with pytest.raises(ProofError):
            verify_consistency(*bad)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_empty_root_is_no_root_of_a_tree_that_has_leaves(size: int) -> None:
    leaves = inputs(size)
    with pytest.raises(ProofError):
        verify_consistency(size, EMPTY_ROOT, size, EMPTY_ROOT, [])
    with pytest.raises(ProofError):
        verify_inclusion(mth(leaves[:1]), 0, size, path(0, leaves), EMPTY_ROOT)
    with pytest.raises(ProofError):
        verify_consistency(1, EMPTY_ROOT, size, mth(leaves), subproof(1, leaves))
