from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.other_keys import OtherKeys
from verify import rpms
from verify.repeating import judged
from verify.workbench import Keys, Repository

__all__ = ["judged"]


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    made = Keys(tmp_path_factory.mktemp("k") / "home")
    yield made
    subprocess.run(["gpgconf", "--homedir", str(made.home), "--kill", "all"], check=False)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "upstream.git")


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> OtherKeys:
    """SSH and minisign keys."""
    return OtherKeys(tmp_path_factory.mktemp("others"))


@pytest.fixture(scope="session")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return rpms.build(tmp_path_factory.mktemp("rpm"))


@pytest.fixture(scope="session")
def signed(unsigned: bytes, keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The package hi, signed by s1 with rpmsign."""
    return rpms.sign(unsigned, keys, keys.fingerprint("s1"), tmp_path_factory.mktemp("rpm"))


@pytest.fixture(scope="session")
def other(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Another package by the same signer."""
    folder = tmp_path_factory.mktemp("rpm")
    return rpms.sign(rpms.build(folder, "ho"), keys, keys.fingerprint("s1"), folder)
