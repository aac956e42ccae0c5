"""What a signer is shown of the sealed log: its key and checkpoint, the seal's proof, each product's, and that it
continues what that signer saw before.

- All comes from the evidence folder's `log/`, as it lies there: the signer believes none of it unproved.
- Where no proof can be made, none is shown, and the signer says what that means.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path

from sealwright_appendlog import layout
from sealwright_appendlog.note import Checkpoint, NoteError, split_note
from sealwright_appendlog.proof import make_proof
from sealwright_appendlog.tiles import TileReader
from sealwright_appendlog.tree import ProofError, consistency_proof
from sealwright_stages.errors import SigningError

_MAX_NOTE = 1 << 20
_MAX_PROOF = 1 << 16


def origin_of(log: Path) -> str:
    """The origin of the sealed log at `log`. Raises SigningError."""
    return _sealed(log).origin


def shown_log(log: Path, products: Iterable[str], seen: int) -> dict[str, object]:
    """The `log` of a proposal: of `products` by their published paths, to a signer that saw `seen` records.

    Raises:
        SigningError: a file of the log is missing or broken.
    """
    sealed = _sealed(log)
    try:
        vkey, note = (layout.whole(log / name, _MAX_NOTE).decode() for name in (layout.VKEY, layout.SEALED))
        proofs = {path: layout.whole(log / "proofs" / _proof_name(path), _MAX_PROOF).decode() for path in products}
        seal = make_proof(log, sealed.size - 1).decode()
    except (OSError, ValueError) as error:
        raise _broken(log, error) from error
    return {
        "vkey": vkey,
        "checkpoint": note,
        "consistency": _continues(log, seen, sealed.size),
        "seal": seal,
        "proofs": proofs,
    }


def _continues(log: Path, seen: int, size: int) -> list[str]:
    """Hashes that lead from what was seen to the seal; none where that can't be: the signer then refuses."""
    try:
        proof = consistency_proof(seen, size, TileReader(log, size).range_hash) if 0 < seen < size else []
    except ProofError:
        return []
    return [base64.b64encode(each).decode() for each in proof]


def _proof_name(path: str) -> str:
    """The file name of the proof of a product, by its published path: `products/<component>/<name>`."""
    return f"{path.removeprefix('products/').replace('/', '.', 1)}.tlog-proof"


def _sealed(log: Path) -> Checkpoint:
    try:
        return Checkpoint.parse(split_note(layout.whole(log / layout.SEALED, _MAX_NOTE))[0])
    except (OSError, NoteError) as error:
        raise _broken(log, error) from error


def _broken(log: Path, error: Exception) -> SigningError:
    why = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
    return SigningError(
        "nothing was shown to the signer",
        f"the sealed log at {log}: {why}",
        "run `sealwright audit` on its folder",
    )
