"""The world of throw-away keys as fixtures; what must not count is revoked after it has signed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.other_keys import OtherKeys
from support.world import DATA, World, a_world, revoke, revoke_subkey

__all__ = ["DATA", "World"]


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with a_world() as made:
        yield made


@pytest.fixture(scope="session")
def revoked_signature(world: World) -> bytes:
    """A signature by a key that was revoked afterwards."""
    signature = world.sign("revoked")
    revoke(world, "revoked")
    return signature


@pytest.fixture(scope="session")
def revoked_subkey_signature(world: World) -> bytes:
    """A signature by a signing subkey that was revoked afterwards; the primary key stands."""
    signature = world.sign("halfrevoked")
    revoke_subkey(world, "halfrevoked")
    return signature


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> OtherKeys:
    """SSH and minisign keys."""
    return OtherKeys(tmp_path_factory.mktemp("others"))
