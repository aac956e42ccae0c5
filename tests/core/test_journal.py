"""The journal: the log first, then the state; and nothing from outside breaks a record."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealwright_stages import events as ev
from sealwright_stages.events import Stage
from sealwright_stages.fold import fold
from sealwright_stages.journal import TEXT_LIMIT, Journal, clip
from sealwright_stages.log import LogLost
from sealwright_stages.ports import Deleted
from sealwright_stages.state import Record, State
from sealwright_stages.verdict import Failed, Passed, Status, Waiver, Warned
from support.memory_log import Kept, MemoryLog
from support.stories import HOSTILE_TEXT, POLICY, begun, sha

WARNED = Warned("expired-since", "signed before its key expired", "waive it", sha("bytes"))
WAIVER = Waiver("xen/tag", "expired-since", "manager-a", "known", sha("bytes"), POLICY)
LONG_TEXT = HOSTILE_TEXT.flatmap(lambda text: st.integers(1, 60).map(lambda times: text * times))
_numbers = itertools.count()


def journal(folder: Path, *waivers: Waiver, die_at: int = 0) -> Journal:
    """A journal over a new log in memory, in which xen/tag is declared."""
    made = Journal(MemoryLog(Kept(folder / str(next(_numbers))), die_at), State(), waivers)
    made.tell(begun())
    made.declare("xen/tag", "xen", Stage.VERIFY, "git-tag", "signature of the tag")
    return made


def entries(of: Journal) -> list[Record]:
    assert isinstance(of.log, MemoryLog)
    return list(of.log.kept.entries)


def test_the_state_is_the_fold_of_what_was_acknowledged(tmp_path: Path) -> None:
    made = journal(tmp_path)
    made.tell(ev.ItemStarted("xen/tag"))
    made.verdict("xen/tag", Passed("fine", sha("x"), {"argv": ["gpg"]}))
    assert fold(entries(made)) == made.state


def test_what_the_log_did_not_acknowledge_changes_nothing(tmp_path: Path) -> None:
    made = journal(tmp_path, die_at=3)
    with pytest.raises(LogLost):
        made.verdict("xen/tag", Passed("fine", sha("x")))
    assert made.state.items["xen/tag"].status is Status.PENDING
    with pytest.raises(LogLost):
        made.tell(ev.ItemStarted("xen/tag"))


def test_a_listener_hears_of_an_event_after_the_state_does(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    made = Journal(MemoryLog(Kept(tmp_path)), State(), (), lambda r: heard.append((r.n, made.state.last_n)))
    made.tell(begun())
    made.tell(ev.StageStarted(Stage.GET_SOURCES))
    assert heard == [(0, 0), (1, 1)]


def test_what_builds_add_to_while_others_look_is_read_under_the_lock(tmp_path: Path) -> None:
    looks: list[threading.Thread] = []

    def listen(_record: Record) -> None:  # the pen is still in somebody's hand
        looks.append(threading.Thread(target=lambda: made.products("xen")))
        looks[-1].start()
        looks[-1].join(0.05)
        assert looks[-1].is_alive()

    made = Journal(MemoryLog(Kept(tmp_path)), State(), (), listen)
    made.tell(begun())
    looks[0].join(10)
    assert not looks[0].is_alive()


def test_an_item_is_declared_once(tmp_path: Path) -> None:
    made = journal(tmp_path)
    made.declare("xen/tag", "xen", Stage.VERIFY, "git-tag", "again")
    assert len(entries(made)) == 2


@given(
    LONG_TEXT, LONG_TEXT, st.dictionaries(HOSTILE_TEXT, LONG_TEXT | st.lists(LONG_TEXT, max_size=3), max_size=4)
)
def test_no_text_from_outside_makes_a_record_that_the_log_refuses(
    tmp_path_factory: pytest.TempPathFactory, reason: str, advice: str, evidence: dict[str, object]
) -> None:
    made = journal(tmp_path_factory.getbasetemp() / "journal")
    made.verdict("xen/tag", Failed("refused", reason, advice, sha("x"), evidence))
    made.deleted(Deleted("xen/tag", reason, sha("x"), 1, advice))
    made.verdict("xen/tag", WARNED)
    made.waive(Waiver("xen/tag", "expired-since", "x" + reason, "x" + advice, sha("bytes"), POLICY))
    assert made.state.items["xen/tag"].green
    assert fold(entries(made)) == made.state


@given(LONG_TEXT)
def test_a_clipped_text_is_short_and_begins_like_the_text(text: str) -> None:
    clipped = clip(text)
    assert len(clipped) <= TEXT_LIMIT
    assert len(clipped.encode("utf-8", "replace")) <= 600
    assert clipped == text or clipped.endswith("…")
    assert text.encode("utf-8", "replace").decode().startswith(clipped.rstrip("…")) or clipped == text


@pytest.mark.parametrize("size", [1, 5000])
def test_evidence_is_in_the_log_whole_and_named_by_its_digest(tmp_path: Path, size: int) -> None:
    made = journal(tmp_path)
    evidence = {"status": "x" * size, "argv": ["gpg", "--verify"]}
    made.verdict("xen/tag", Passed("fine", sha("x"), evidence))
    item = made.state.items["xen/tag"]
    text = item.evidence.encode()
    if item.evidence_stream:
        assert isinstance(made.log, MemoryLog)
        text = (made.log.kept.folder / "data" / item.evidence_stream / "00000000.log").read_bytes()
    assert bool(item.evidence_stream) == (size == 5000)
    assert json.loads(text) == evidence
    assert hashlib.sha256(text).hexdigest() == item.evidence_sha256


def test_each_long_evidence_has_a_stream_of_its_own(tmp_path: Path) -> None:
    made = journal(tmp_path)
    for number in range(3):
        made.verdict("xen/tag", Passed("fine", sha("x"), {"n": number, "status": "x" * 5000}))
    streams = {record.body["stream"] for record in entries(made) if record.kind == "eof"}
    assert len(streams) == 3


def test_no_evidence_has_no_digest(tmp_path: Path) -> None:
    made = journal(tmp_path)
    made.verdict("xen/tag", Passed("fine", sha("x")))
    assert made.state.items["xen/tag"].evidence_sha256 == ""


def test_a_warning_that_the_manifest_waives_is_waived_on_the_record(tmp_path: Path) -> None:
    made = journal(tmp_path, WAIVER)
    made.verdict("xen/tag", WARNED)
    assert made.state.items["xen/tag"].green
    assert [e.body["e"] for e in entries(made)][-2:] == ["item.verdict", "item.waived"]


@pytest.mark.parametrize(
    "waiver",
    [
        Waiver("xen/other", "expired-since", "manager-a", "known", sha("bytes"), POLICY),
        Waiver("xen/tag", "other-code", "manager-a", "known", sha("bytes"), POLICY),
        Waiver("xen/tag", "expired-since", "manager-a", "known", sha("other bytes"), POLICY),
        Waiver("xen/tag", "expired-since", "manager-a", "known", sha("bytes"), sha("other policy")),
    ],
    ids=["item", "code", "bytes", "policy"],
)
def test_a_waiver_for_something_else_waives_nothing(tmp_path: Path, waiver: Waiver) -> None:
    made = journal(tmp_path, waiver)
    made.verdict("xen/tag", WARNED)
    assert not made.state.items["xen/tag"].green


def test_red_is_never_waived_by_the_manifest(tmp_path: Path) -> None:
    made = journal(tmp_path, WAIVER)
    made.verdict("xen/tag", Failed("expired-since", "no", "stop", sha("bytes")))
    assert made.state.items["xen/tag"].status is Status.FAILED
    assert entries(made)[-1].body["e"] == "item.verdict"
