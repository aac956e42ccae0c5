"""The forger of evidence, with keys that are made once."""

from audit.conftest import forger, keys

__all__ = ["forger", "keys"]
