"""The file of a private key: whoever reads or makes it, there is one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sealwright_appendlog.keyfile import read_key, read_or_make_key


def test_those_that_start_at_once_have_the_same_key(tmp_path: Path) -> None:
    for number in range(20):
        path, together = tmp_path / f"{number}.key", threading.Barrier(4)

        def made(path: Path = path, together: threading.Barrier = together) -> bytes:
            together.wait()
            return read_or_make_key(path).private_bytes_raw()

        with ThreadPoolExecutor(4) as pool:
            keys = {future.result() for future in [pool.submit(made) for _ in range(4)]}
        assert keys == {read_key(path).private_bytes_raw()}


def test_a_key_is_for_its_owner_alone_and_nothing_else_is_left(tmp_path: Path) -> None:
    (tmp_path / ".log.key.new").write_text("half of one, by somebody who was killed")
    read_or_make_key(tmp_path / "log.key")
    assert [path.name for path in tmp_path.iterdir()] == ["log.key"]
    assert (tmp_path / "log.key").stat().st_mode & 0o777 == 0o600


def test_what_is_no_key_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "log.key").write_text("mine")
    with pytest.raises(ValueError):
        read_or_make_key(tmp_path / "log.key")
    assert (tmp_path / "log.key").read_text() == "mine"
