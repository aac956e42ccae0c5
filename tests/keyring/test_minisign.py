"""minisign signatures: each rule of minisign, with the real program."""

from __future__ import annotations

import base64
import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealwright_keyring import minisign as module
from sealwright_keyring.errors import MalformedError
from sealwright_keyring.minisign import Minisign, parse_signature, verify_minisign
from sealwright_keyring.minisign_keys import MinisignKey, parse_key, parse_key_file
from sealwright_keyring.verdicts import Bad, Good, Verdict
from support.other_keys import OtherKeys

DATA = b"the bytes that were meant\n"


def judged(
    signature: bytes, *keys: MinisignKey, data: bytes | Path = DATA, tool: Minisign | None = None
) -> Verdict:
    return verify_minisign(signature, data, keys, tool=tool)


def code(verdict: Verdict) -> str:
    return verdict.reason_code if isinstance(verdict, Bad) else type(verdict).__name__


@pytest.mark.parametrize("options", [(), ("-l",)])
@pytest.mark.parametrize("as_path", [False, True])
def test_both_checks_agree_on_both_kinds(
    others: OtherKeys, tmp_path: Path, options: tuple[str, ...], as_path: bool
) -> None:
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "other").write_bytes(DATA + b"x")
    good, bad = (tmp_path / "data", tmp_path / "other") if as_path else (DATA, DATA + b"x")
    signature, key = others.minisign_sign("s1", DATA, *options), others.minisign("s1")
    before = datetime.now(UTC)
    verdict = judged(signature, others.minisign("outsider"), key, data=good)
    assert isinstance(verdict, Good), verdict
    assert verdict.fingerprint == key.fingerprint and before <= verdict.created <= datetime.now(UTC)
    assert verdict.evidence["second_check"] == "agrees" and "judged as of" in str(verdict.evidence["time"])
    assert code(judged(signature, key, data=bad)) == "signature-bad"
    assert code(judged(signature, others.minisign("outsider"), data=good)) == "signature-unknown-key"


def test_a_large_file_goes_through_in_parts_and_an_old_signature_over_one_is_refused(
    others: OtherKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = tmp_path / "large"
    large.write_bytes(DATA * 200_000)
    key = others.minisign("s1")
    assert code(judged(others.minisign_sign("s1", DATA * 200_000), key, data=large)) == "Good"
    legacy = others.minisign_sign("s1", DATA * 200_000, "-l")
    assert code(judged(legacy, key, data=large)) == "Good"
    monkeypatch.setattr(module, "MAX_LEGACY", len(DATA) * 200_000 - 1)
    assert code(judged(legacy, key, data=large)) == "algorithm-refused"


def test_a_signature_over_a_hash_is_none_over_the_file_that_holds_the_hash(others: OtherKeys) -> None:
    key, lines = others.minisign("s1"), others.minisign_sign("s1", DATA).split(b"\n")
    lines[1] = base64.b64encode(b"Ed" + base64.b64decode(lines[1])[2:])  # what nobody signed: which kind it is
    assert code(judged(b"\n".join(lines), key, data=hashlib.blake2b(DATA).digest())) == "algorithm-refused"
    assert code(judged(others.minisign_sign("s1", b"x" * 64), key, data=b"x" * 64)) == "Good"
    assert code(judged(others.minisign_sign("s1", b"x" * 63, "-l"), key, data=b"x" * 63)) == "Good"


def test_an_altered_trusted_comment_is_red(others: OtherKeys) -> None:
    signature = others.minisign_sign("s1", DATA, "-t", "release 1.0")
    assert b"release 1.0" in signature
    key = others.minisign("s1")
    assert code(judged(signature, key)) == "Good"
    for comment in (b"release 1.1", b"release 1.0 ", b"", b"release 1.0\x00", b"release 1.0\r"):
        altered = signature.replace(b"release 1.0", comment)
        assert code(judged(altered, key)) in ("signature-bad", "signature-malformed"), comment
    assert code(judged(signature.replace(b"release 1.0", b"release 1.1"), key)) == "signature-bad"


def test_comments_are_shown_escaped_and_the_untrusted_one_means_nothing(others: OtherKeys) -> None:
    signature = others.minisign_sign("s1", DATA, "-c", "plain", "-t", "timestamp:1\tfile:x")
    hostile = signature.replace(b"plain", b"\x1b[2J\xff\xe2\x80\xae trusted comment: evil")
    verdict = judged(hostile, others.minisign("s1"))
    assert code(verdict) == "Good"
    assert verdict.evidence["untrusted_comment"] == "\\x1b[2J\\xff\\u202e trusted comment: evil"
    assert verdict.evidence["trusted_comment"] == "timestamp:1\\tfile:x"


def test_only_four_lines_are_a_signature(others: OtherKeys) -> None:
    good, other = others.minisign_sign("s1", DATA), others.minisign_sign("outsider", DATA)
    first, value, trusted, over = good.splitlines()
    key = others.minisign("s1")
    for made in (
        good + good,
        good + other,
        good + b"\n",
        b"\n" + good,
        b"",
        good.replace(b"\n", b"\r\n"),
        b"\n".join([first, value]),
        b"\n".join([first, value, trusted, over, b"x"]),
        b"\n".join([first, value, trusted, over[:-4]]),
        b"\n".join([first, value + b" ", trusted, over]),
        b"\n".join([first.replace(b"untrusted", b"Untrusted"), value, trusted, over]),
        b"\n".join([first, value, trusted.replace(b"comment:", b"comment"), over]),
        b"\n".join([first + b"x" * 1024, value, trusted, over]),
        b"\n".join([first, base64.b64encode(b"RD" + base64.b64decode(value)[2:]), trusted, over]),
        b"\n".join([first, value[:-2] + b"x=", trusted, over]),
    ):
        assert code(judged(made, key)) == "signature-malformed", made
    assert code(judged(good.removesuffix(b"\n"), key)) == "Good"


def test_no_changed_byte_that_counts_is_accepted(others: OtherKeys) -> None:
    first, value, trusted, over = others.minisign_sign("s1", DATA).splitlines()
    key, raw, both = others.minisign("s1"), base64.b64decode(value), base64.b64decode(over)
    for place in (0, 1, 2, 9, 10, 40, 73):
        changed = bytearray(raw)
        changed[place] ^= 1
        made = b"\n".join([first, base64.b64encode(changed), trusted, over])
        wanted = {0: "signature-malformed", 1: "signature-malformed"}.get(
            place, "signature-unknown-key" if place < 10 else "signature-bad"
        )
        assert code(judged(made, key)) == wanted, place
    for place in (0, 63):
        changed = bytearray(both)
        changed[place] ^= 1
        made = b"\n".join([first, value, trusted, base64.b64encode(changed)])
        assert code(judged(made, key)) == "signature-bad"
    swapped = b"\n".join([first, base64.b64encode(b"Ed" + raw[2:]), trusted, over])
    assert code(judged(swapped, key)) == "signature-bad", "a signature over the hash is none over the document"


def test_a_key_with_the_same_id_is_another_key(others: OtherKeys) -> None:
    good, key = others.minisign_sign("s1", DATA), others.minisign("s1")
    twin = MinisignKey(key.key_id, others.minisign("outsider").public)
    assert twin.fingerprint != key.fingerprint
    assert code(judged(good, twin)) == "signature-bad"
    for keys in ((twin, key), (key, twin)):
        verdict = judged(good, *keys)
        assert isinstance(verdict, Good) and verdict.fingerprint == key.fingerprint


@given(st.binary(max_size=300), st.booleans())
def test_the_parsers_refuse_what_they_do_not_know_and_never_fail(data: bytes, framed: bool) -> None:
    text = b"untrusted comment: x\n" + data if framed else data
    for parse in (parse_signature, parse_key_file, parse_key):
        with pytest.raises(MalformedError):
            parse(text)


def test_a_key_file_is_two_lines(others: OtherKeys) -> None:
    data = others.minisign_file("s1").with_suffix(".minisign.pub").read_bytes()
    key = parse_key_file(data)
    assert parse_key(key.text.encode()) == MinisignKey(key.key_id, key.public)
    for made in (data + data, data + b"\n", key.text.encode(), data.replace(b"RW", b"RU"), data[:-5], b"x" + data):
        with pytest.raises(MalformedError):
            parse_key_file(made)


def liar(folder: Path, script: str) -> Minisign:
    path = folder / "minisign"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Minisign(str(path), timeout=5)


def test_a_minisign_that_lies_well_is_found_out(others: OtherKeys, tmp_path: Path) -> None:
    good, bad, key = (
        others.minisign_sign("s1", DATA),
        others.minisign_sign("s1", DATA + b"x"),
        others.minisign("s1"),
    )
    says_yes = liar(tmp_path, "cat >/dev/null; echo 'Signature and comment signature verified'")
    assert code(judged(bad, key, tool=says_yes)) == "verifiers-disagree"
    assert code(judged(good, key, tool=says_yes)) == "Good"
    says_no = liar(tmp_path, "cat >/dev/null; echo 'Signature verification failed' >&2; exit 1")
    assert code(judged(good, key, tool=says_no)) == "verifiers-disagree"


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("cat >/dev/null; exit 0", "verifier-confused"),
        ("cat >/dev/null; exit 2", "verifier-confused"),
        ("cat >/dev/null; echo 'Signature and comment signature verified'; exit 1", "verifier-confused"),
        ("cat >/dev/null; echo 'Signature verification failed' >&2; exit 0", "verifier-confused"),
        ("kill -11 $$", "verifier-killed"),
        ("exit 127", "verifier-missing"),
    ],
)
def test_a_crash_a_missing_tool_and_an_odd_answer_are_red(
    others: OtherKeys, tmp_path: Path, script: str, wanted: str
) -> None:
    tool = liar(tmp_path, script)
    assert code(judged(others.minisign_sign("s1", DATA), others.minisign("s1"), tool=tool)) == wanted


@pytest.mark.skipif(os.geteuid() != 0, reason="a uid of its own needs root")
@pytest.mark.parametrize("options", [(), ("-l",)])
def test_as_root_it_runs_as_another_user(others: OtherKeys, tmp_path: Path, options: tuple[str, ...]) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "data").chmod(0o600)
    signature, tool = others.minisign_sign("s1", DATA, *options), Minisign(uid=61190)
    verdict = judged(signature, others.minisign("s1"), data=tmp_path / "data", tool=tool)
    assert (code(verdict), verdict.evidence["tool_uid"]) == ("Good", 61190)
