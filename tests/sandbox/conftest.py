"""The uids of the builds' tests."""

from build.conftest import identities

__all__ = ["identities"]
