"""Cosignatures: what is signed, byte by byte, as an independent computation says; and what must be refused."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_appendlog.cosignature import (
    Cosignature,
    WitnessKey,
    check_cosignatures,
    cosignature_line,
    parse_cosignature,
)
from sealwright_appendlog.note import NoteError, VerifierKey, open_checkpoint, sign_note

LOG = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SEED = bytes(range(1, 33))
WITNESS = Ed25519PrivateKey.from_private_bytes(SEED)
ORIGIN = "example.org/log"
NAME = "witness.example/w1"
VKEY = VerifierKey(ORIGIN, LOG.public_key().public_bytes_raw())
PUBLIC = WITNESS.public_key().public_bytes_raw()
KEY = WitnessKey(NAME, PUBLIC)
TEXT = f"{ORIGIN}\n7\n{base64.b64encode(bytes(32)).decode()}\n"
NOTE = sign_note(TEXT, ORIGIN, LOG)
TIME = 1_679_315_147
DASH = "\N{EM DASH} "

# The example in C2SP's tlog-cosignature.
PUBLISHED = (
    f"{DASH}witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZ"
    "qhf5nNo0xUe+mbIUBkBIfZ+qnA=="
)


def by_hand(message: bytes, time: int = TIME, name: str = NAME, kind: int = 4) -> str:
    """A cosignature's line, put together from the specification and nothing of the module's."""
    key_id = hashlib.sha256(name.encode() + bytes([10, kind]) + PUBLIC).digest()[:4]
    blob = key_id + time.to_bytes(8, "big") + WITNESS.sign(message)
    return f"{DASH}{name} {base64.b64encode(blob).decode()}"


def note(*lines: str) -> str:
    return NOTE + "".join(f"{line}\n" for line in lines)


GOOD = by_hand(f"cosignature/v1\ntime {TIME}\n{TEXT}".encode())


def test_what_is_signed_is_the_header_the_time_and_the_whole_body() -> None:
    assert cosignature_line(TEXT, NAME, WITNESS, TIME) == GOOD
    assert check_cosignatures(note(GOOD), VKEY, [KEY]) == ([Cosignature(KEY, TIME)], [])
    assert Cosignature(KEY, TIME).when() == "2023-03-20T12:25:47Z"


def test_the_published_example_is_read() -> None:
    name, key_id, time, signature = parse_cosignature(PUBLISHED)
    assert (name, key_id.hex(), time) == ("witness.example.com/w1", "8d66cf3f", TIME)
    assert len(signature) == 64


@pytest.mark.parametrize(
    "message",
    [
        TEXT,
        f"time {TIME}\n{TEXT}",
        f"cosignature/v1\ntime {TIME + 1}\n{TEXT}",
        f"cosignature/v1\ntime 0{TIME}\n{TEXT}",
        f"cosignature/v2\ntime {TIME}\n{TEXT}",
        f"cosignature/v1\ntime {TIME}\n{TEXT[:-1]}",
        f"cosignature/v1\ntime {TIME}\n{TEXT}\n",
        f"cosignature/v1\ntime {TIME}\n{TEXT.replace('7', '8', 1)}",
        f"cosignature/v1\r\ntime {TIME}\n{TEXT}",
    ],
)
def test_a_known_witness_who_signed_anything_else_refuses_the_note(message: str) -> None:
    with pytest.raises(NoteError, match="does not verify"):
        check_cosignatures(note(by_hand(message.encode())), VKEY, [KEY])


def test_a_bad_line_beside_a_good_one_refuses_the_note() -> None:
    with pytest.raises(NoteError, match="does not verify"):
        check_cosignatures(note(GOOD, by_hand(b"")), VKEY, [KEY])


def test_a_witness_is_named_by_a_verifier_key_of_type_4() -> None:
    key_id = hashlib.sha256(NAME.encode() + b"\n\x04" + PUBLIC).hexdigest()[:8]
    assert str(KEY) == f"{NAME}+{key_id}+{base64.b64encode(bytes([4]) + PUBLIC).decode()}"
    assert WitnessKey.parse(str(KEY)) == KEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        NAME,
        str(VerifierKey(NAME, PUBLIC)),
        f"{NAME}+{KEY.key_id.hex()}",
        f"{NAME}+00000000+{str(KEY).split('+', 2)[2]}",
        f"{NAME}+{KEY.key_id.hex().upper()}+{str(KEY).split('+', 2)[2]}",
        f"other+{str(KEY).partition('+')[2]}",
        f"a b+{str(KEY).partition('+')[2]}",
        f"+{str(KEY).partition('+')[2]}",
        f"{KEY}\n",
        f"{KEY}A",
        str(KEY)[:-4],
        str(WitnessKey(NAME, PUBLIC + b"x")),
        str(WitnessKey(NAME, PUBLIC[:-1])),
        f"{NAME}+{KEY.key_id.hex()}+{base64.b64encode(bytes([6]) + PUBLIC).decode()}",
    ],
)
def test_a_malformed_witness_key_or_one_of_a_log_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        WitnessKey.parse(text)


def test_a_witness_key_is_no_log_key() -> None:
    with pytest.raises(NoteError, match="not an Ed25519 verifier key"):
        VerifierKey.parse(str(KEY))


def test_a_cosignature_does_not_stand_for_the_logs_signature() -> None:
    alone = f"{TEXT}\n{GOOD}\n"
    with pytest.raises(NoteError, match="no known key"):
        open_checkpoint(alone, VerifierKey(ORIGIN, PUBLIC))


def blob(data: bytes, name: str = NAME) -> str:
    return f"{DASH}{name} {base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (blob(KEY.key_id + bytes(71)), "71 bytes"),
        (blob(KEY.key_id + bytes(73)), "73 bytes"),
        (blob(KEY.key_id + bytes(64)), "64 bytes"),
        (blob(KEY.key_id + bytes(72)), "seconds since 1970"),
        (by_hand(f"cosignature/v1\ntime 0\n{TEXT}".encode(), 0), "seconds since 1970"),
        (by_hand(f"cosignature/v1\ntime {1 << 63}\n{TEXT}".encode(), 1 << 63), "seconds since 1970"),
        (by_hand(f"cosignature/v1\ntime 253402300800\n{TEXT}".encode(), 253402300800), "seconds since 1970"),
        (blob(KEY.key_id), "too short"),
        (GOOD.replace(DASH, "- "), "malformed"),
        (GOOD.replace(DASH, " "), "malformed"),
        (GOOD + "=", "base64"),
        (GOOD + "\r", "control"),
        (GOOD.replace(NAME + " ", NAME + "  "), "base64"),
        (GOOD.replace(NAME + " ", " "), "name"),
        (GOOD.replace(NAME, "a+b"), "name"),
        (GOOD.replace(NAME, "a\x1b[1m"), "control"),
        ("", "malformed"),
    ],
)
def test_a_malformed_line_is_refused(line: str, why: str) -> None:
    with pytest.raises(NoteError, match=why):
        check_cosignatures(note(line), VKEY, [KEY])


@pytest.mark.parametrize("time", [0, -1, 253402300800, 1 << 63, 1 << 64])
def test_no_line_is_made_with_a_time_that_is_none(time: int) -> None:
    with pytest.raises(NoteError, match="seconds since 1970"):
        cosignature_line(TEXT, NAME, WITNESS, time)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n"])
def test_no_line_is_made_for_a_name_that_is_none(name: str) -> None:
    with pytest.raises(NoteError, match="name"):
        cosignature_line(TEXT, name, WITNESS, TIME)


def test_lines_of_nobody_known_are_passed_over_and_named() -> None:
    strange = blob(bytes([1, 2, 3, 4, 5]), "stranger.example")
    other_type = by_hand(TEXT.encode(), kind=1)
    found, unknown = check_cosignatures(note(strange, GOOD, other_type), VKEY, [KEY])
    assert found == [Cosignature(KEY, TIME)]
    wrong_id = hashlib.sha256(NAME.encode() + b"\n\x01" + PUBLIC).hexdigest()[:8]
    assert unknown == ["stranger.example+01020304", f"{NAME}+{wrong_id}"]
    assert check_cosignatures(note(GOOD), VKEY, []) == ([], [f"{NAME}+{KEY.key_id.hex()}"])


def test_a_name_of_nobody_known_is_told_dead() -> None:
    """The specification allows it; whoever reads our words must not be fooled by it."""
    odd = blob(bytes([1, 2, 3, 4, 5]), "w\N{RIGHT-TO-LEFT OVERRIDE}\x7f\x9b2J")
    found, unknown = check_cosignatures(note(odd, GOOD), VKEY, [KEY])
    assert found == [Cosignature(KEY, TIME)]
    assert unknown == [r"w\u202e\x7f\x9b2J+01020304"]


def test_two_known_witnesses_have_two_keys() -> None:
    with pytest.raises(NoteError, match="one key"):
        check_cosignatures(note(GOOD), VKEY, [KEY, WitnessKey("witness.example/w2", PUBLIC)])
    assert check_cosignatures(note(GOOD), VKEY, [KEY, KEY])[0] == [Cosignature(KEY, TIME)]


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=0, max_size=90), st.integers(1, 253402300799))
def test_what_is_made_is_read_back_and_a_changed_byte_is_not(junk: bytes, time: int) -> None:
    line = cosignature_line(TEXT, NAME, WITNESS, time)
    assert check_cosignatures(note(line), VKEY, [KEY])[0] == [Cosignature(KEY, time)]
    with pytest.raises(NoteError):
        check_cosignatures(note(blob(KEY.key_id + junk)), VKEY, [KEY])


@settings(max_examples=200, deadline=None)
@given(st.integers(32, 76 * 8 - 1))
def test_no_bit_of_time_or_signature_can_change(bit: int) -> None:
    data = bytearray(base64.b64decode(GOOD.split(" ")[2]))
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NoteError):
        check_cosignatures(note(blob(bytes(data))), VKEY, [KEY])


def test_the_made_line_verifies_without_the_module() -> None:
    data = base64.b64decode(cosignature_line(TEXT, NAME, WITNESS, TIME).split(" ")[2])
    WITNESS.public_key().verify(data[12:], f"cosignature/v1\ntime {TIME}\n{TEXT}".encode())
    with pytest.raises(InvalidSignature):
        WITNESS.public_key().verify(data[12:], TEXT.encode())
