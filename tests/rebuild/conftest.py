"""The forger of the audits' tests: evidence of a small release, by somebody who holds every key."""

from audit.conftest import forger, keys

__all__ = ["forger", "keys"]
