"""The signer's record: it only grows, each line is bound to the one before, and one that is not whole opens for nobody."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.signer import record as record_module
from sealwright_keyring.signer.record import BrokenError, Record, check
from sealwright_keyring.signer.telling import tell
from support.proposals import Shown
from support.signing import Desk, line, typed


@pytest.fixture
def filled(desk: Desk, shown: Shown) -> Desk:
    """A record with a hello, a proposal and a signature."""
    assert [answer["ok"] for answer in desk.talk({"op": "hello"}, shown.proposal(), then=typed)] == [True] * 3
    return desk


def test_each_request_is_a_line_that_names_the_hash_of_the_one_before(filled: Desk) -> None:
    before = filled.record.read_bytes()
    filled.talk({"op": "hello"})
    after = filled.record.read_bytes()
    assert after.startswith(before)
    lines, last = after.splitlines(), "0" * 64
    for number, each in enumerate(lines):
        entry = json.loads(each)
        assert (entry["n"], entry["prev"]) == (number, last)
        last = hashlib.sha256(each).hexdigest()
    assert filled.record.with_name("record.jsonl.head").read_text() == f"{len(lines)} {last}\n"
    assert filled.record.stat().st_mode & 0o777 == 0o600
    assert check(filled.record) == len(lines) == 4


def test_what_was_signed_is_in_the_record_to_the_byte(filled: Desk, shown: Shown) -> None:
    (signed,) = (entry["signed"] for entry in filled.entries() if "signed" in entry)
    assert signed["sha256sums"].encode() == shown.documents()[0][2] and signed["digest"] == shown.digest()


def _cut(number: int) -> Callable[[bytes], bytes]:
    return lambda data: b"".join(data.splitlines(keepends=True)[:number])


@pytest.mark.parametrize(
    "change",
    [
        _cut(0),
        _cut(1),
        _cut(2),
        lambda data: data[:-5],
        lambda data: data.replace(b'"op":"hello"', b'"op":"holla"', 1),
        lambda data: data.replace(b'"ok":true', b'"ok":null', 1),
        lambda data: b"".join(data.splitlines(keepends=True)[1:]),
        lambda data: b"".join(sorted(data.splitlines(keepends=True), reverse=True)),
        lambda data: data + data.splitlines(keepends=True)[0],
        lambda data: data + b"not json\n",
        lambda data: b"\n" + data,
        lambda data: data[:-10] + b"xxxxxxxxx\n",
    ],
)
def test_a_record_that_is_broken_or_shortened_signs_nothing(
    filled: Desk, change: Callable[[bytes], bytes]
) -> None:
    data = filled.record.read_bytes()
    filled.record.write_bytes(change(data))
    held = filled.record.read_bytes()
    with pytest.raises(BrokenError) as caught:
        filled.talk({"op": "hello"})
    assert caught.value.because and "--record" in caught.value.next_step
    with pytest.raises(BrokenError):
        list(tell(filled.record))
    assert filled.record.read_bytes() == held, "it is left as it is"


@pytest.mark.parametrize(
    "head", [None, b"", b"3\n", b"9 " + b"0" * 64 + b"\n", b"1 " + b"0" * 64 + b"\n", b"0 x\n"]
)
def test_a_record_without_its_own_head_signs_nothing(filled: Desk, head: bytes | None) -> None:
    path = filled.record.with_name("record.jsonl.head")
    path.unlink()
    if head is not None:
        path.write_bytes(head)
    with pytest.raises(BrokenError):
        filled.talk({"op": "hello"})
    with pytest.raises(BrokenError):
        check(filled.record)


def test_a_last_line_that_was_written_anew_is_found(filled: Desk) -> None:
    lines = filled.record.read_bytes().splitlines(keepends=True)
    last = json.loads(lines[-1])
    del last["signed"]
    filled.record.write_bytes(b"".join(lines[:-1]) + line(last))
    for look in (lambda: filled.talk({"op": "hello"}), lambda: check(filled.record)):
        with pytest.raises(BrokenError):
            look()


def test_a_record_that_is_gone_is_missed(filled: Desk) -> None:
    filled.record.unlink()
    with pytest.raises(BrokenError, match="was shortened"):
        filled.talk({"op": "hello"})


def test_a_line_that_a_crash_left_unknown_to_the_head_is_taken(filled: Desk) -> None:
    lines = filled.record.read_bytes().splitlines()
    last = hashlib.sha256(lines[-2]).hexdigest()
    filled.record.with_name("record.jsonl.head").write_text(f"{len(lines) - 1} {last}\n")
    assert check(filled.record) == 3 and filled.talk({"op": "hello"})[0]["ok"] is True
    assert check(filled.record) == 4 and filled.signings() == 1


def test_a_part_of_a_line_that_a_crash_left_is_put_aside(filled: Desk) -> None:
    whole = filled.record.read_bytes()
    filled.record.write_bytes(whole + b'{"answer":{"ok"')
    assert filled.talk({"op": "hello"})[0]["ok"] is True
    assert filled.record.read_bytes().startswith(whole) and check(filled.record) == 4
    (torn,) = filled.folder.glob("record.jsonl.torn-*")
    assert torn.read_bytes() == b'{"answer":{"ok"'


def test_two_signers_do_not_have_one_record(filled: Desk) -> None:
    with filled.signer(), pytest.raises(KeyringError, match="another signer has it open"):
        filled.talk({"op": "hello"})
    assert filled.talk({"op": "hello"})[0]["ok"] is True


def test_who_writes_into_an_open_record_ends_it(filled: Desk, shown: Shown) -> None:
    from sealwright_keyring.signer.server import Conversation

    with filled.signer() as signer:
        talk = Conversation(signer)
        offered = talk.answer(line(shown.proposal()))
        with filled.record.open("ab") as stream:
            stream.write(b"{}\n")
        with pytest.raises(BrokenError, match="somebody else wrote"):
            talk.answer(line(typed(offered)))


def test_a_disk_that_takes_no_line_lets_no_answer_out(
    filled: Desk, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = filled.record.read_bytes()

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(record_module.os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            filled.talk(shown.proposal())
    assert filled.record.read_bytes() == whole and filled.talk({"op": "hello"})[0]["ok"] is True


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_record_that_others_can_write_is_refused(filled: Desk, mode: int) -> None:
    filled.record.chmod(mode)
    with pytest.raises(KeyringError, match="only this user can write"):
        filled.talk({"op": "hello"})


def test_a_record_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("fifo", "link"):
        with pytest.raises((KeyringError, OSError)):
            Record(tmp_path / name, lambda: datetime(2030, 1, 1, tzinfo=UTC), 0.1)


def test_the_record_is_told_in_plain_text(filled: Desk, shown: Shown) -> None:
    filled.talk(b'{"op":"\\u001b[2J"}\n')
    told = list(tell(filled.record))
    text = "\n".join(told)
    assert text.isascii() and "\x1b" not in text
    assert "SIGNED" in text and f"by key {filled.key.fingerprint}" in text and "    release: example-1.0" in told
    assert "because: there is no such operation" in text and shown.sealed.root.hex() in text
    assert told[-1] == "whole: 4 lines, each bound to the one before; 1 signings"
