from __future__ import annotations

import os
import pwd
import threading

import psutil
import pytest

from sealwright_stages.sandbox.identity import Identities

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has uids to choose")


def _all(chosen: Identities) -> set[int]:
    named = {chosen.log, chosen.signer, chosen.fetcher, *chosen.builders}
    return {uid for uid in named if uid is not None}


def test_no_chosen_uid_has_an_entry_or_a_process() -> None:
    chosen = Identities.choose()
    try:
        owned = {entry.pw_uid for entry in pwd.getpwall()}
        running = {p.info["uids"].real for p in psutil.process_iter(["uids"]) if p.info["uids"]}
        assert len(_all(chosen)) == 3 + len(chosen.builders)
        assert not _all(chosen) & (owned | running | {0})
    finally:
        chosen.release()


def test_two_consoles_never_share_a_uid() -> None:
    one, other = Identities.choose(), Identities.choose()
    try:
        assert not _all(one) & _all(other)
    finally:
        one.release()
        other.release()


def test_two_builds_at_a_time_never_share_a_uid() -> None:
    chosen = Identities.choose()
    try:
        with chosen.builder() as first, chosen.builder() as second:
            assert first is not None
            assert first != second
    finally:
        chosen.release()


def test_a_build_waits_when_all_uids_are_lent() -> None:
    chosen = Identities.choose()
    got: list[int | None] = []
    lent = [chosen.builder() for _ in chosen.builders]
    try:
        uids = [each.__enter__() for each in lent]

        def late() -> None:
            with chosen.builder() as uid:
                got.append(uid)

        thread = threading.Thread(target=late)
        thread.start()
        thread.join(0.1)
        assert got == []
        lent.pop().__exit__(None, None, None)
        thread.join(5)
        assert got == [uids[-1]]
    finally:
        for each in lent:
            each.__exit__(None, None, None)
        chosen.release()
