"""A `.tlog-proof` for each product: that its entry is in the sealed log (C2SP tlog-proof)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sealwright_appendlog.proof import make_proof
from sealwright_stages.files import write_whole
from sealwright_stages.state import Product


def write_proofs(log: Path, products: Sequence[Product]) -> None:
    """Write `proofs/<component>.<name>.tlog-proof` below `log`, one per product."""
    folder = log / "proofs"
    folder.mkdir(exist_ok=True)
    for product in products:
        write_whole(folder / proof_name(product), make_proof(log, product.n))


def proof_name(product: Product) -> str:
    """The file name of a product's proof."""
    return f"{product.component}.{product.name}.tlog-proof"
