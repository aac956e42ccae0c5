"""The signer's own policy for signing without a person: a file on the signer's side, for one release.

- The file names one release, the most products it may have, and whether warnings are allowed; nothing else.
- What goes beyond the file is refused; there is no default that allows.

    [release]
    name = "example"
    version = "1.0"
    max_products = 100
    allow_warnings = false
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from sealwright_keyring.errors import PolicyError

_FIELDS = {"name": str, "version": str, "max_products": int, "allow_warnings": bool}


@dataclass(frozen=True)
class SigningPolicy:
    """For which release, and within which limits, the signer signs unasked."""

    release: str
    max_products: int
    allow_warnings: bool

    def refusal(self, release: str, products: int, warnings: int) -> str:
        """Why this is not covered; empty if it is."""
        if release != self.release:
            return f"the signer's policy is for {self.release}, not for {release}"
        if products > self.max_products:
            return f"{products} products are more than the policy's {self.max_products}"
        return f"{warnings} warnings, and the policy allows none" if warnings and not self.allow_warnings else ""


def load_signing_policy(path: Path) -> SigningPolicy:
    """Read the policy, strictly.

    Raises:
        PolicyError: it can't be read, or holds anything but the four keys above.
    """
    try:
        raw = tomllib.loads(path.read_bytes().decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyError(path, 1, str(error), "mend the signer's policy") from error
    table = raw.get("release")
    if set(raw) != {"release"} or not isinstance(table, dict) or set(table) != set(_FIELDS):
        raise PolicyError(path, 1, f"it wants [release] with exactly {', '.join(_FIELDS)}", "mend it")
    for key, kind in _FIELDS.items():
        if type(table[key]) is not kind:
            raise PolicyError(path, 1, f"{key} is not {kind.__name__}", "mend it")
    return SigningPolicy(f"{table['name']}-{table['version']}", table["max_products"], table["allow_warnings"])
