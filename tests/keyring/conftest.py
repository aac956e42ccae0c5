"""The world of throw-away keys as fixtures; what must not count is revoked after it has signed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from support.world import DATA, ENVIRONMENT, World, a_world, revoke

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
    argv = ["gpg", "--homedir", str(world.home), "--no-options", "--no-tty", "--command-fd", "0", "--quiet"]
    argv += ["--trust-model", "always", "--pinentry-mode", "loopback", "--passphrase", ""]
    talk = b"key 1\nrevkey\ny\n0\n\ny\nsave\n"
    argv += ["--expert", "--edit-key", world.fpr["halfrevoked"]]
    subprocess.run(argv, input=talk, capture_output=True, env=ENVIRONMENT, check=True, timeout=60)
    return signature
