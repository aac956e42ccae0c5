"""Checkpoints that are published in a thread, beside the writing."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from appendlog.log_making import fill, new_store
from sealwright_appendlog import layout, publishing
from sealwright_appendlog.note import open_checkpoint
from sealwright_appendlog.store import Store, StoreError
from sealwright_appendlog.tree import verify_consistency


def ended(store: Store, *, due: bool = True) -> str:
    """Begin a publishing and wait for its end; gives the note."""
    told = threading.Event()
    assert store.begin_publish(told.set, due=due)
    assert told.wait(10)
    return store.end_publish()


def test_a_checkpoint_tells_of_what_was_durable_when_it_was_begun(tmp_path: Path) -> None:
    store = new_store(tmp_path / "log")
    old = open_checkpoint((tmp_path / "log" / layout.CHECKPOINT).read_bytes(), store.vkey)
    fill(store)
    told = threading.Event()
    store.begin_publish(told.set, due=True)
    size = store.durable
    for _ in range(300):
        store.event("engine", {"e": "later"}, "uid:0")
    store.commit()
    assert told.wait(10)
    new = open_checkpoint(store.end_publish().encode(), store.vkey)
    assert new.size == size < store.durable
    assert open_checkpoint((tmp_path / "log" / layout.CHECKPOINT).read_bytes(), store.vkey) == new
    verify_consistency(old.size, old.root, new.size, new.root, store.consistency(old.size))
    store.close()


def test_nothing_is_published_without_need(tmp_path: Path) -> None:
    store = new_store(tmp_path / "log")
    assert not store.begin_publish(lambda: None, due=True)
    store.event("engine", {"e": "made.up"}, "uid:0")
    store.commit()
    assert not store.begin_publish(lambda: None, due=False)
    assert ended(store)
    assert store.end_publish() == ""
    store.close()


def test_tiles_that_take_up_memory_are_published_before_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "BULK", 1000)
    store = new_store(tmp_path / "log")
    fill(store)
    assert ended(store, due=False)
    assert not store.begin_publish(lambda: None, due=False)
    store.close()


@pytest.mark.parametrize("again", ["end", "publish", "seal"])
def test_a_publishing_that_fails_ends_the_store_wherever_it_is_heard_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    store = new_store(tmp_path / "log")
    fill(store)
    told = threading.Event()

    def rename(self: Path, target: Path) -> Path:
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(Path, "rename", rename)
    store.begin_publish(told.set, due=True)
    assert told.wait(10)
    monkeypatch.undo()
    with pytest.raises(StoreError, match="Input/output error"):
        if again == "end":
            store.end_publish()
        elif again == "publish":
            store.publish()
        else:
            store.eof("engine", clean=True, exit_status=0, src="uid:0")
            store.commit()
            store.seal("uid:0", store.hash_segments())
    with pytest.raises(StoreError):
        store.event("engine", {"e": "late"}, "uid:0")
    store.close()
