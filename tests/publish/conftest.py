"""The forger of the audit's tests makes what is published."""

from __future__ import annotations

from audit.conftest import forger, keys

__all__ = ["forger", "keys"]
