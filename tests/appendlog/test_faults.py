"""The real authority under faults at its file calls: what was acknowledged is there, and the log opens and verifies."""

from __future__ import annotations

import errno
import itertools
import os
import random
import re
import resource
import shutil
import stat
from collections import Counter
from pathlib import Path

import pytest

from appendlog.faulting import (
    CALLS,
    FAULTS,
    PHASES,
    Fault,
    can_trace,
    check_promises,
    counts,
    prepare,
    reopened,
    run_traced,
)
from appendlog.log_making import new_store, seal
from appendlog.real_program import connect, served
from appendlog.traced_order import acknowledged
from sealwright_appendlog import layout
from sealwright_appendlog.audit import LogBroken, check_log, read_records
from sealwright_appendlog.store import StoreError

traced = pytest.mark.skipif(not can_trace(), reason="strace is not here, or may not trace")


def clean_counts(root: Path, phase: str) -> dict[str, int]:
    """How often each call is made in the phase when nothing fails."""
    durable = prepare(root, phase)
    outcome = run_traced(root, phase)
    assert outcome.exit == 0, outcome.said
    check_promises(root, outcome, durable, Fault(phase, "none", 0, "EIO"))
    return counts(outcome.trace)


def kinds(call: str) -> list[str]:
    """Only a write can be short, and reading needs no space and leaves nothing half done."""
    if call in ("read", "getdents64"):
        return ["EIO"]
    return [kind for kind in FAULTS if kind != "short" or call in ("write", "writev")]


def every_fault(phase: str, clean: dict[str, int]) -> list[Fault]:
    """Each call, each occurrence, each kind of fault that the call knows."""
    return [
        Fault(phase, call, number, kind)
        for call in CALLS
        for number in range(1, clean.get(call, 0) + 1)
        for kind in kinds(call)
    ]


def suffer(root: Path, fault: Fault) -> str:
    """Run one fault and check all promises; says how the authority ended."""
    durable = prepare(root, fault.phase)
    outcome = run_traced(root, fault.phase, fault.rule)
    try:
        check_promises(root, outcome, durable, fault)
    except Exception as error:
        error.add_note(f"{fault}: exit {outcome.exit}, said {outcome.said!r}")
        raise
    shutil.rmtree(root)
    if not outcome.hit:
        return "not reached"
    return {0: "went on", 4: "ended in order", -9: "killed"}.get(outcome.exit, f"exit {outcome.exit}")


@traced
@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("phase", PHASES)
def test_after_any_fault_at_any_file_call_what_was_acknowledged_is_there(tmp_path: Path, phase: str) -> None:
    clean = clean_counts(tmp_path / "clean", phase)
    assert set(clean) <= set(CALLS), "a file call that no fault is tried at"
    table: Counter[tuple[str, str, str]] = Counter()
    broken = []
    for at, fault in enumerate(every_fault(phase, clean)):
        try:
            end = suffer(tmp_path / f"{at}", fault)
        except (AssertionError, OSError, EOFError, LogBroken) as error:
            broken.append(f"{type(error).__name__} {error} {getattr(error, '__notes__', [])}")
            end = "BROKEN"
        table[fault.call, fault.kind, end] += 1
    for (call, kind, end), number in sorted(table.items()):
        print(f"{phase:8} {call:10} {kind:6} {end:15} {number:4}")
    missed = sum(number for (_, _, end), number in table.items() if end == "not reached")
    print(f"{phase:8} {table.total()} faults, {missed} not reached")
    assert broken == []
    assert missed <= table.total() // 20


_SAMPLE = {
    "begin": ["openat", "write", "fsync", "fdatasync", "rename", "mkdir"],
    "append": ["write", "writev", "fdatasync", "openat"],
    "seal": ["write", "fsync", "rename", "fdatasync"],
    "recover": ["ftruncate", "fsync", "rename", "unlink"],
}
_SEEDED = random.Random(4)  # noqa: S311 - picks a sample


@traced
@pytest.mark.parametrize(
    "fault",
    [
        Fault(phase, call, 1 if call in ("ftruncate", "fdatasync") else _SEEDED.randint(1, 2), kind)
        for phase, calls in _SAMPLE.items()
        for call in calls
        for kind in [_SEEDED.choice(["EIO", "ENOSPC", "KILL"])]
    ]
    + [
        Fault("append", "write", 1, "short"),
        Fault("append", "writev", 1, "short"),
        Fault("begin", "fsync", 3, "ENOSPC"),
        Fault("seal", "fsync", 1, "EIO"),
    ],
    ids=lambda fault: f"{fault.phase}-{fault.call}-{fault.number}-{fault.kind}",
)
def test_after_a_fault_what_was_acknowledged_is_there(tmp_path: Path, fault: Fault) -> None:
    assert suffer(tmp_path / "log", fault) != "not reached"


@traced
def test_nothing_is_acknowledged_before_the_sync_of_the_index_that_holds_it(tmp_path: Path) -> None:
    prepare(tmp_path / "root", "append")
    outcome = run_traced(tmp_path / "root", "append")
    told = list(acknowledged(outcome.trace, outcome.base))
    index = (tmp_path / "root/log" / layout.INDEX).read_bytes()
    assert len(told) >= len(outcome.lines) >= 4
    assert all(n < index[:synced].count(b"\n") for n, synced in told)
    unsynced = re.sub(r"\bfdatasync\b", "write", outcome.trace)  # had the authority not synced, it would be seen
    assert not all(n < index[:synced].count(b"\n") for n, synced in acknowledged(unsynced, outcome.base))


@pytest.mark.parametrize("room", [1, 50, 200])
def test_a_line_of_which_only_a_part_fits_is_never_acknowledged(tmp_path: Path, room: int) -> None:
    """A write that really is short: the kernel lets the index grow by so many bytes and no further."""
    root = tmp_path / "root"
    prepare(root, "append")
    with served(root) as child:
        client = connect(root)
        client.hello("engine")
        client.wait("C")
        size = (root / "log" / layout.INDEX).stat().st_size
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (size + room, resource.RLIM_INFINITY))
        client.say("J", b'{"e":"' + b"x" * 200 + b'"}')
        assert b"File too large" in client.wait("R")
        with pytest.raises(EOFError):
            client.wait_line()
        client.close()
        assert child.wait(10) == 4
    assert (root / "log" / layout.INDEX).stat().st_size == size + room
    reopened(root)
    assert [e["len"] for e, _ in read_records(root / "log") if e["k"] == "torn"] == [room]


@pytest.mark.parametrize("written", ["a kept piece", "the names in a folder"])
def test_a_failed_fsync_that_says_the_disk_is_full_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """The reserve is there to give way, and must not: a second fsync may say yes to what the first one lost."""
    store = new_store(tmp_path / "log")
    store.event("engine", {"e": "made.up"}, "uid:0")
    store.commit()
    real, failed = os.fsync, []

    def fsync(descriptor: int) -> None:
        if not failed and stat.S_ISDIR(os.fstat(descriptor).st_mode) == (written == "the names in a folder"):
            failed.append(descriptor)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StoreError, match="No space left"):
        store.publish()
    assert failed and (tmp_path / "log/reserve").exists()
    store.close()
    seal(new_store(tmp_path / "log"))
    check_log(tmp_path / "log")


CUT_BATCHES = 2


def written_in_batches(log: Path) -> list[tuple[int, int]]:
    """Four batches of one chunk each, the first two published: sizes of index and data after each."""
    store = new_store(log)
    sizes = []
    for number in range(4):
        store.data("build/xen", "D", b"%d bytes" % number, "uid:0")
        store.commit()
        if number < 4 - CUT_BATCHES:
            store.publish()
        (segment,) = layout.segments(log)
        sizes.append(((log / layout.INDEX).stat().st_size, (log / segment).stat().st_size))
    store.close()
    return sizes


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "all"])
def test_the_log_opens_wherever_the_last_two_batches_are_cut(tmp_path: Path, step: int) -> None:
    """Byte by byte, in the order of writing: a batch's data first, and its lines once all of its data is there.

    Some are each fifth byte, and those beside an end of a line or of a batch.
    """
    sizes = written_in_batches(tmp_path / "whole")
    (segment,) = layout.segments(tmp_path / "whole")
    whole = (tmp_path / "whole" / layout.INDEX).read_bytes()
    cuts = []
    for (index, data), (next_index, next_data) in itertools.pairwise(sizes[-CUT_BATCHES - 1 :]):
        cuts += [(index, at) for at in range(data, next_data)]
        cuts += [(at, next_data) for at in range(index, next_index + 1)]
    assert len(cuts) > 400
    ends = {end for pair in sizes for end in pair} | {
        at for at in range(len(whole)) if whole[at - 1 : at] == b"\n"
    }
    beside = {end + by for end in ends for by in (-1, 0, 1)}
    tried = [cut for number, cut in enumerate(cuts) if number % step == 0 or beside.intersection(cut[:1])]
    for number, (index, data) in enumerate(tried):
        log = tmp_path / "cut"
        shutil.copytree(tmp_path / "whole", log)
        os.truncate(log / layout.INDEX, index)
        os.truncate(log / segment, data)
        store = new_store(log)
        if number % 16 == 0:  # the audit asks for a seal, and takes the longest
            seal(store)
            check_log(log)
        store.close()
        lines = whole[:index].rpartition(b"\n")[0] + b"\n"
        assert (log / layout.INDEX).read_bytes().startswith(lines), (index, data)
        shutil.rmtree(log)
