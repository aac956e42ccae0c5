"""The packet and armor readers: strict, and unable to fail in any other way than by refusing."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sealwright_keyring.armor import crc24, dearmor, enarmor
from sealwright_keyring.certificates import certificates
from sealwright_keyring.cleartext import split
from sealwright_keyring.errors import MalformedError
from sealwright_keyring.packets import detached_signatures, packets
from sealwright_keyring.status import parse
from sealwright_keyring.text import printable


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
@example(b"\xc2\xff\xff\xff\xff\xff")
@example(b"\x8b")
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for reader in (detached_signatures, certificates, parse, lambda d: split(d, 1 << 20)):
        with suppress(MalformedError):
            reader(data)


@settings(deadline=None, max_examples=100)
@given(st.binary(min_size=1, max_size=300))
def test_armor_gives_back_what_went_in(data: bytes) -> None:
    assert dearmor(enarmor(data, "SIGNATURE"), "SIGNATURE") == data


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=100) | st.binary(max_size=100))
def test_printable_text_is_printable_ascii(value: str | bytes) -> None:
    assert all(" " <= character <= "~" for character in printable(value))


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_no_changed_signature_packet_reads_as_more_than_one(world: Any, data: st.DataObject) -> None:
    raw = bytearray(_signature(world))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(MalformedError):
        assert len(detached_signatures(bytes(raw))) == 1


_KEPT: dict[str, bytes] = {}


def _signature(world: Any) -> bytes:
    return _KEPT.setdefault("s1", world.sign("s1", armor=False))


@pytest.mark.parametrize("header", [b"\xc2\xe0\x01", b"\x8b", b"\xc2\xfe"])
def test_indefinite_and_partial_lengths_are_refused(header: bytes) -> None:
    with pytest.raises(MalformedError, match="no definite length"):
        list(packets(header + b"\x00" * 20))


def test_a_key_file_may_hold_prose_around_its_blocks_and_no_block_of_another_kind(world: Any) -> None:
    one, two = (enarmor(world.cert(name), "PUBLIC KEY BLOCK") for name in ("s1", "s2"))
    prose = b"Keys of the developers.\r\n\npub ed25519 caf\xc3\xa9 \x1b[2J -- \n"
    text = prose + one + prose + two + prose
    assert [c.fingerprint for c in certificates(text)] == [world.fpr["s1"], world.fpr["s2"]]
    for kind in ("PRIVATE KEY BLOCK", "SIGNATURE", "MESSAGE", "SIGNED MESSAGE"):
        with pytest.raises(MalformedError, match="something other"):
            certificates(text + enarmor(b"abc", kind))
    for spoiled in (prose, text[: text.rindex(b"-----END")], text.replace(b"-----BEGIN PGP PUBLIC", b"", 1)):
        with pytest.raises(MalformedError):
            certificates(spoiled)


def test_a_revocation_in_a_block_of_its_own_is_refused_and_not_lost(world: Any) -> None:
    text = (world.home / "openpgp-revocs.d" / f"{world.fpr['s2']}.rev").read_bytes()
    revocation = text[text.index(b":-----") + 1 :]
    for file in (revocation, enarmor(world.cert("s2"), "PUBLIC KEY BLOCK") + revocation):
        with pytest.raises(MalformedError, match="revocation stands beside its key"):
            certificates(file)


@pytest.mark.parametrize("text", [b"YWJ=", b"YWI", b"YWI==", b"YW I=", b"YWI=YWI=", b"Y" * 77])
def test_base64_that_is_not_canonical_is_refused(text: bytes) -> None:
    armor = b"-----BEGIN PGP SIGNATURE-----\n\n%s\n-----END PGP SIGNATURE-----\n"
    assert dearmor(armor % b"YWI=", "SIGNATURE") == b"ab"
    with pytest.raises(MalformedError, match="base64"):
        dearmor(armor % text, "SIGNATURE")


def test_a_checksum_that_is_wrong_is_refused() -> None:
    armored = enarmor(b"abc", "SIGNATURE")
    wrong = enarmor(b"abd", "SIGNATURE").split(b"\n")[3]
    with pytest.raises(MalformedError, match="checksum"):
        dearmor(armored.replace(armored.split(b"\n")[3], wrong), "SIGNATURE")
    assert crc24(b"") == 0xB704CE


def test_bytes_after_the_numbers_are_refused(world: Any) -> None:
    raw = _signature(world)
    body = raw[2:] + b"x"
    with pytest.raises(MalformedError, match="follow"):
        detached_signatures(b"\xc2\xff" + len(body).to_bytes(4, "big") + body)


def test_other_versions_are_refused(world: Any) -> None:
    body = b"\x03" + _signature(world)[3:]
    with pytest.raises(MalformedError, match="version 3"):
        detached_signatures(b"\xc2\xff" + len(body).to_bytes(4, "big") + body)


@pytest.mark.parametrize("tag", [1, 4, 6, 8, 10, 11, 13, 21])
def test_a_detached_signature_consists_of_signature_packets_only(world: Any, tag: int) -> None:
    raw = _signature(world)
    body = raw[2:]
    other = bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4, "big") + body
    for data in (other, raw + other, other + raw):
        with pytest.raises(MalformedError, match="only signatures may"):
            detached_signatures(data)


def test_too_many_signatures_are_refused(world: Any) -> None:
    with pytest.raises(MalformedError, match="more than"):
        detached_signatures(_signature(world) * 33)


_GOOD = b"[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG BBBBBBBBBBBBBBBB x\n"
_VALID = b"[GNUPG:] VALIDSIG %s 2026-01-01 1767225600 0 4 0 22 8 00 %s\n" % (b"B" * 40, b"B" * 40)


def test_status_of_one_good_signature_is_read() -> None:
    report = parse(_GOOD + _VALID)
    assert report.valid is not None
    assert report.valid.primary == "B" * 40


@pytest.mark.parametrize(
    "status",
    [
        b"",
        _GOOD,
        _VALID,
        _GOOD + _VALID + _VALID,
        _GOOD + _VALID[:-1],
        _GOOD + _GOOD + _VALID,
        _GOOD + b"[GNUPG:] BADSIG BBBBBBBBBBBBBBBB x\n" + _VALID,
        _GOOD + _VALID + b"[GNUPG:] NODATA 1\n",
        _GOOD + _VALID + b"[GNUPG:] SOMETHING_NEW\n",
        _GOOD + _VALID + b"[GNUPG:] FAILURE verify 1\n",
        _GOOD + _VALID + b"gpg: chatter\n",
        _GOOD + _VALID + b"[GNUPG:] KEY_CONSIDERED BBBB",
        _GOOD.replace(b"BB x", b"CC x") + _VALID,
        _GOOD + _VALID.replace(b" 4 0 22", b" 3 0 22"),
        _GOOD + _VALID.replace(b"B" * 40, b"B" * 16),
        _GOOD + _VALID.replace(b"1767225600", b"99999999999999999999"),
    ],
)
def test_status_that_is_not_of_one_whole_signature_is_refused(status: bytes) -> None:
    with pytest.raises(MalformedError):
        parse(status)
