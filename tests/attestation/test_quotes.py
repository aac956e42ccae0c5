"""A quote is judged from its files alone: each rule of `attestation.structures` and `attestation.judge`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.quotes import (
    CHECKPOINT,
    DEVICE,
    FORGERS,
    KINDS,
    SWTPM,
    VALUES,
    forged,
    message,
    piece,
    recorded,
)
from sealwright_stages.attestation.judge import (
    Attested,
    fingerprint,
    judge,
    parse_pcrs,
    parse_words,
    read_key,
    write_pcrs,
    write_words,
)
from sealwright_stages.attestation.structures import StructureError, parse_public, parse_quote, parse_signature
from sealwright_stages.manifest_attestation import AttestationSpec

PARSERS: list[Callable[[bytes], object]] = [
    parse_quote,
    parse_signature,
    parse_public,
    parse_pcrs,
    parse_words,
    read_key,
]
DONT_CARE = {*range(10, 42), *range(76, 92), *range(93, 101)}
"""Bytes of a message that no rule is about: the digest in the key's name, clock and counters, firmware."""


def refusal(files: dict[str, bytes], spec: AttestationSpec = SWTPM, checkpoint: bytes = CHECKPOINT) -> str:
    """Why it is no good quote; empty if it is one."""
    try:
        judge(files, spec, checkpoint)
    except StructureError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_quote_of_swtpm_is_good_by_its_own_key_and_emulated(kind: str) -> None:
    files = recorded(kind)
    found = judge(files, SWTPM, CHECKPOINT)
    assert found == Attested(fingerprint(read_key(files["ak.pub"])), (0, 4, 7), found.digest, "IBM SW   TPM", True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["quote.msg", "quote.sig", "ak.pub", "pcrs", "tpm.json"])
def test_one_changed_byte_anywhere_is_a_no(kind: str, name: str) -> None:
    files = recorded(kind)
    for place in range(len(files[name])):
        changed = bytearray(files[name])
        changed[place] ^= 1
        if refusal(files | {name: bytes(changed)}):
            continue
        maker, vendor, emulated = parse_words(bytes(changed))  # the only other file is refused by each byte
        assert name == "tpm.json" and emulated and (maker, vendor) != ("IBM", "SW   TPM")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["quote.msg", "quote.sig", "ak.pub", "pcrs", "tpm.json"])
def test_what_is_cut_short_or_has_more_is_a_no(kind: str, name: str) -> None:
    files = recorded(kind)
    whole = files[name]
    for cut in [*(whole[:length] for length in range(len(whole))), whole + b"\0", whole + b"\n", whole + whole]:
        assert refusal(files | {name: cut})
    assert refusal({each: data for each, data in files.items() if each != name}) == f"{name} is missing"


@pytest.mark.parametrize("kind", KINDS)
def test_a_quote_over_another_release_is_none_over_this_one(kind: str) -> None:
    assert "another checkpoint" in refusal(recorded(kind), SWTPM, CHECKPOINT + b"\n")


OTHERS = [
    ("another checkpoint", "another checkpoint"),
    ("another bank", "PCRs of the bank 0x0004"),
    ("two banks", "2 banks"),
    ("other PCRs", "quotes the PCRs 0, 4, not 0, 4, 7"),
    ("a time", "attests a time"),
    ("another key", "attests another key"),
]


@pytest.mark.parametrize(("name", "because"), OTHERS)
def test_what_the_same_key_attested_otherwise_is_a_no(name: str, because: str) -> None:
    files = recorded("rsassa") | {"quote.msg": piece(name, "message"), "quote.sig": piece(name, "signature")}
    assert because in refusal(files)


def test_a_signature_by_another_key_or_kind_of_key_is_a_no() -> None:
    for kind in KINDS:
        for other in KINDS:
            if kind != other:
                assert refusal(recorded(kind) | {"ak.pub": recorded(other)["ak.pub"]}), (kind, other)
                assert refusal(recorded(kind) | {"quote.sig": recorded(other)["quote.sig"]}), (kind, other)


# Whoever holds an unrestricted key signs what he likes: the form must be held without the signature's help.


def test_what_a_key_signed_is_a_quote_only_in_the_form_of_a_tpm() -> None:
    assert refusal(forged(message()), DEVICE) == ""
    assert "TPM_GENERATED_VALUE" in refusal(forged(message(magic=b"\xffTCH")), DEVICE)
    for kind in (0x8014, 0x8015, 0x8016, 0x8017, 0x8019, 0x801A, 0x801C):
        assert "is no quote" in refusal(forged(message(kind=kind)), DEVICE)
    assert "0x4242, and is no quote" in refusal(forged(message(kind=0x4242)), DEVICE)


def test_a_changed_byte_of_what_is_signed_anew_is_a_no_where_a_rule_is_about_it() -> None:
    whole = message()
    let_pass = set()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 4
        if not refusal(forged(bytes(changed)), DEVICE):
            let_pass.add(place)
    assert let_pass == DONT_CARE


@given(st.integers(0, 144), st.binary(max_size=3), st.integers(0, 3))
def test_no_other_length_is_a_quote(place: int, more: bytes, gone: int) -> None:
    whole = message()
    changed = whole[:place] + more + whole[place + gone :]
    if len(changed) != len(whole):
        assert refusal(forged(changed), DEVICE)


HEADS = [
    b"",
    message()[:6],
    message()[:60],
    piece("ecdsa", "signature")[:6],
    piece("rsassa", "public")[:14],
    b'{"emulated":',
]


@given(st.sampled_from(PARSERS), st.tuples(st.sampled_from(HEADS), st.binary(max_size=300)).map(b"".join))
def test_nothing_but_a_refusal_comes_of_bytes_that_are_nothing(
    parse: Callable[[bytes], object], data: bytes
) -> None:
    try:
        parse(data)
    except StructureError:
        return
    assert data == b"" and parse is parse_pcrs  # no PCRs at all are none that a manifest can name


def test_values_must_be_those_quoted_each_once_and_in_order() -> None:
    other = bytes(32) + VALUES[32:]
    assert "are not those that were quoted" in refusal(
        forged(message()) | {"pcrs": write_pcrs((0, 4, 7), other)}, DEVICE
    )
    for pcrs in ((0, 4, 8), (4, 0, 7), (0, 4, 4)):
        assert refusal(forged(message()) | {"pcrs": write_pcrs(pcrs, VALUES)}, DEVICE)


def test_a_way_to_a_simulator_or_words_of_one_are_emulated_and_no_file_says_otherwise() -> None:
    way = AttestationSpec("swtpm:port=1", (0, 4, 7), "", True)
    real = write_words(DEVICE, "STM", "ST33")
    assert "says otherwise" in refusal(forged(message()) | {"tpm.json": real}, way)
    assert "says otherwise" in refusal(forged(message()) | {"tpm.json": write_words(way, "STM", "ST33")}, DEVICE)
    for maker, vendor in (("IBM", "SW   TPM"), ("MSFT", "xCG fTPM"), ("VMW", "any")):
        files = forged(message()) | {"tpm.json": write_words(DEVICE, maker, vendor)}
        assert judge(files, DEVICE, CHECKPOINT).emulated
    assert not judge(forged(message()), DEVICE, CHECKPOINT).emulated


def test_words_are_short_and_printable() -> None:
    for maker in ("a\x1b[31m", "x" * 17, "\u202e", 3, None):
        words = write_words(DEVICE, maker, "ST33")  # type: ignore[arg-type]
        with pytest.raises(StructureError):
            parse_words(words)


def test_a_key_that_could_sign_what_no_tpm_made_is_told_from_one_that_could_not() -> None:
    assert parse_public(piece("not restricted", "public")).lacks == ("restricted",)
    for kind in KINDS:
        assert parse_public(piece(kind, "public")).lacks == ()


@pytest.mark.parametrize("kind", KINDS)
def test_a_public_area_is_read_to_its_last_byte(kind: str) -> None:
    whole = piece(kind, "public")
    for cut in [*(whole[:length] for length in range(len(whole))), whole + b"\0"]:
        with pytest.raises(StructureError):
            parse_public(cut)


def test_a_fingerprint_is_of_the_key_and_not_of_its_file() -> None:
    key = read_key(forged(b"")["ak.pub"])
    assert fingerprint(key) == fingerprint(FORGERS.public_key())
    assert fingerprint(key).startswith("sha256:") and len(fingerprint(key)) == 71
