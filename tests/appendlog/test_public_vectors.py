"""The public conformance vectors of Merkle proofs, where somebody has put them: `SEALWRIGHT_VECTORS=FOLDER`.

FOLDER is `testdata` of transparency-dev's merkle (Apache-2.0): a JSON file a proof, in `inclusion/` and `consistency/`.
They are not shipped here. Where they take something else for a hash than 32 bytes, we differ, and mean to.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from sealwright_appendlog.tree import HASH_SIZE, ProofError, verify_consistency, verify_inclusion

FOLDER = Path(os.environ.get("SEALWRIGHT_VECTORS", "/nonexistent"))
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="SEALWRIGHT_VECTORS names no folder")


def decoded(vector: dict[str, Any], *names: str) -> list[bytes]:
    return [base64.b64decode(vector.get(name) or "") for name in names]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("inclusion/**/*.json")), ids=str)
def test_a_vector_of_an_inclusion_proof_ends_as_it_says(path: Path) -> None:
    vector = json.loads(path.read_text())
    leaf, root = decoded(vector, "leafHash", "root")
    proof = [base64.b64decode(value) for value in vector.get("proof") or []]
    arguments = (leaf, vector.get("leafIdx", 0), vector.get("treeSize", 0), proof, root)
    if vector["wantErr"] or any(len(value) != HASH_SIZE for value in (leaf, root, *proof)):
        with pytest.raises(ProofError):
            verify_inclusion(*arguments)
    else:
        verify_inclusion(*arguments)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("consistency/**/*.json")), ids=str)
def test_a_vector_of_a_consistency_proof_ends_as_it_says(path: Path) -> None:
    vector = json.loads(path.read_text())
    one, two = decoded(vector, "root1", "root2")
    proof = [base64.b64decode(value) for value in vector.get("proof") or []]
    arguments = (vector.get("size1", 0), one, vector.get("size2", 0), two, proof)
    if vector["wantErr"] or any(len(value) != HASH_SIZE for value in (one, two, *proof)):
        with pytest.raises(ProofError):
            verify_consistency(*arguments)
    else:
        verify_consistency(*arguments)
