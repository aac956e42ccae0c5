"""A log on a disk that really is full: it can always be opened, ended and sealed."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from appendlog.log_making import new_store, seal
from sealwright_appendlog import layout
from sealwright_appendlog.audit import check_log, read_records
from sealwright_appendlog.store import Store, StoreError


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MiB; needs root and the right to mount."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("mounting a tmpfs needs root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill_disk(folder: Path) -> None:
    """Somebody else takes all the space that is left."""
    with (folder / "somebody-else").open("ab", buffering=0) as stream:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    stream.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC


def write_until_full(store: Store, chunks: int) -> None:
    """Output until the disk takes no more, `chunks` of 64 KiB to the batch."""
    with pytest.raises(StoreError, match="No space left"):
        while True:
            for _ in range(chunks):
                store.data("build/loud", "D", os.urandom(1 << 16), "uid:0")
            store.commit()


@pytest.mark.parametrize("chunks", [1, 8, 64])
def test_space_for_eof_and_seal_is_reserved(small_disk: Path, chunks: int) -> None:
    """The log fills the disk itself, somebody else takes what is left, and it is opened three times."""
    log = small_disk / "log"
    store = new_store(log)
    store.data("build/loud", "D", b"first", "uid:0")
    store.commit()
    write_until_full(store, chunks)
    store.close()
    fill_disk(small_disk)
    for _ in range(2):
        new_store(log).close()
    seal(new_store(log))
    report = check_log(log)
    assert report.unclean == ["build/loud"]


def test_an_open_log_on_a_full_disk_can_be_ended_and_sealed(small_disk: Path) -> None:
    log = small_disk / "log"
    store = new_store(log)
    store.data("build/quiet", "D", b"all of it", "uid:0")
    store.commit()
    fill_disk(small_disk)
    for number in range(40):
        store.event("engine", {"number": number, "filling": "x" * 3000}, "uid:0")
        store.commit()
        store.publish()
    store.eof("build/quiet", clean=True, exit_status=0, src="uid:0")
    seal(store)
    assert check_log(log).unclean == []


def test_without_the_reserve_no_output_is_taken(small_disk: Path) -> None:
    log = small_disk / "log"
    new_store(log).close()
    fill_disk(small_disk)
    (log / "reserve").unlink()
    with (small_disk / "somebody-else").open("ab", buffering=0) as stream:
        stream.write(bytes(3 << 20))
    store = new_store(log)
    assert not (log / "reserve").exists()
    with pytest.raises(StoreError, match="disk is full"):
        store.data("build/loud", "D", b"x", "uid:0")
    store.event("engine", {"e": "still.heard"}, "uid:0")
    seal(store)
    check_log(log)


def test_on_a_full_disk_what_is_torn_is_kept_in_the_space_that_it_took_up(small_disk: Path) -> None:
    log = small_disk / "log"
    new_store(log).close()
    stray = log / "data/build/never/00000099.log"
    stray.parent.mkdir(parents=True)
    torn = os.urandom(6 << 20)
    stray.write_bytes(torn)
    fill_disk(small_disk)
    seal(new_store(log))
    assert [path.read_bytes() for path in (log / "recovery").iterdir()] == [torn]
    assert [entry["len"] for entry, _ in read_records(log) if entry["k"] == "torn"] == [len(torn)]
    assert not list(log.rglob(".*.new")) and not stray.exists()
    assert (log / layout.SEALED).exists()
