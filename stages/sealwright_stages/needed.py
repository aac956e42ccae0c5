"""What a build sees of the components that it needs: their products, each as the log has it.

- They are hashed again right before the build that sees them; one that is changed, missing or surplus is refused.
- The products of what the manifest names in `needs` are seen, not those of what that needs in turn.
- One text names them all, component by component, so one SHA-256 says whether a build saw the same as another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from sealwright_stages.files import sha256_file
from sealwright_stages.manifest import ComponentSpec
from sealwright_stages.state import Product, State
from sealwright_stages.verdict import Failed
from sealwright_stages.verify.codes import failed, shown

_AGAIN = "run again, or retry what made it: that is built again; find out who changed it"


def seen_by(components: Iterable[ComponentSpec]) -> dict[str, tuple[str, ...]]:
    """For each component that is built, the components whose products it sees, sorted."""
    built = {component.name: component for component in components if component.build}
    return {name: tuple(sorted(n for n in each.needs if n in built)) for name, each in built.items()}


def listed(products: Iterable[Product]) -> dict[str, str]:
    """Products as they are named: `component/name` -> SHA-256."""
    return {f"{product.component}/{product.name}": product.sha256 for product in products}


def digest(listing: Mapping[str, str]) -> str:
    """The SHA-256 of the text that names them; empty if there are none."""
    return hashlib.sha256(json.dumps(listing, sort_keys=True).encode()).hexdigest() if listing else ""


def digest_now(state: State, components: Collection[str]) -> str:
    """That SHA-256 for the products that stand now."""
    return digest(listed(each for each in state.products.values() if each.component in components))


def changed(component: str, folder: Path, products: Collection[Product]) -> Failed | None:
    """Hash the products of `component` in `folder` again; says what is not as logged."""
    known = {product.name: product.sha256 for product in products}
    try:
        found = {path.name for path in folder.iterdir()}
        odd = sorted(found ^ known.keys()) or [
            n for n, sha256 in known.items() if sha256_file(folder / n) != sha256
        ]
    except OSError as error:
        return failed("need-changed", f"products of {component} can't be read: {error.strerror}", _AGAIN)
    if not known or odd:
        what = shown(odd[0]) if odd else "nothing"
        return failed("need-changed", f"{what} among the products of {component} is not as it was logged", _AGAIN)
    return None
