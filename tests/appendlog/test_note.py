"""Signed notes, verifier keys and checkpoints: the public vectors, and what must be refused."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_appendlog.note import Checkpoint, NoteError, VerifierKey, open_checkpoint, open_note, sign_note

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
NAME = "example.org/log"
VKEY = VerifierKey(NAME, KEY.public_key().public_bytes_raw())
TEXT = f"{NAME}\n7\n{base64.b64encode(bytes(32)).decode()}\n"
NOTE = sign_note(TEXT, NAME, KEY)
DASH = "\N{EM DASH} "

# The example of Go's sumdb/note documentation.
PETER = VerifierKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
PETER_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\N{EM DASH} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_the_note_of_the_reference_implementation_verifies() -> None:
    assert open_note(PETER_NOTE, [PETER]).endswith("what your problem is.\n")


def test_a_checkpoint_survives_its_note() -> None:
    assert open_checkpoint(NOTE, VKEY) == Checkpoint(NAME, 7, bytes(32))


def test_a_verifier_key_is_read_back() -> None:
    assert VerifierKey.parse(str(VKEY)) == VKEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        NAME,
        f"{NAME}+{VKEY.key_id.hex()}",
        f"{NAME}+00000000+{str(VKEY).split('+', 2)[2]}",
        f"{NAME}+{VKEY.key_id.hex()[:6]}+{str(VKEY).split('+', 2)[2]}",
        f"other+{VKEY.key_id.hex()}+{str(VKEY).split('+', 2)[2]}",
        f"+{str(VKEY).partition('+')[2]}",
        f"{VKEY}\n",
        f"{VKEY}A",
        str(VKEY)[:-4],
        f"a b+{VKEY.key_id.hex()}+{str(VKEY).split('+', 2)[2]}",
        f"{NAME}+{VKEY.key_id.hex()}+{base64.b64encode(bytes([2]) + VKEY.public).decode()}",
        f"{NAME}+{VKEY.key_id.hex()}+{base64.b64encode(b'').decode()}",
        f"{NAME}+{VKEY.key_id.hex()}+{base64.urlsafe_b64encode(bytes([1]) + bytes([255]) * 32).decode()}",
    ],
)
def test_a_malformed_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        VerifierKey.parse(text)


SIGNATURE = NOTE.split("\n\n")[1]
ENCODED = SIGNATURE.split(" ")[2].strip()


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        TEXT,
        TEXT + "\n",
        TEXT + SIGNATURE,
        NOTE[:-1],
        NOTE + "\n",
        NOTE + "more\n",
        NOTE.replace(DASH, "-- "),
        NOTE.replace(DASH, "\N{EM DASH}"),
        NOTE.replace(DASH, "\N{EN DASH} "),
        NOTE.replace(ENCODED, ENCODED[:-4]),
        NOTE.replace(ENCODED, ENCODED + "="),
        NOTE.replace(ENCODED, " " + ENCODED),
        NOTE.replace(ENCODED, ENCODED + " "),
        NOTE.replace(ENCODED, "AAAA"),
        NOTE.replace(ENCODED, ""),
        NOTE.replace(f"{DASH}{NAME}", DASH),
        NOTE.replace(f"{DASH}{NAME}", f"{DASH}a+b"),
        NOTE.replace("7\n", "7\r\n"),
        NOTE.replace("7\n", "7\t\n"),
        NOTE.replace("7\n", "8\n"),
        NOTE.replace("7\n", "7\x00\n"),
        "x" + NOTE,
        TEXT + "\n" + SIGNATURE * 101,
    ],
)
def test_a_malformed_or_altered_note_is_refused(note: str) -> None:
    with pytest.raises(NoteError):
        open_note(note, [VKEY])


def test_a_note_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(NoteError, match="UTF-8"):
        open_note(NOTE.encode().replace(b"7\n", b"\xff\n"), [VKEY])


def test_a_signature_of_an_unknown_key_is_passed_over() -> None:
    stranger = sign_note(TEXT, "stranger.example", OTHER).split("\n\n")[1]
    assert open_note(NOTE + stranger, [VKEY]) == TEXT
    assert open_note(TEXT + "\n" + stranger + SIGNATURE, [VKEY]) == TEXT


def test_a_key_that_shares_only_the_name_or_only_the_id_is_unknown() -> None:
    same_name = sign_note(TEXT, NAME, OTHER).split("\n\n")[1]
    same_id = f"{DASH}elsewhere {ENCODED}\n"
    assert open_note(NOTE + same_name + same_id, [VKEY]) == TEXT
    for lines in (same_name, same_id):
        with pytest.raises(NoteError, match="no known key"):
            open_note(f"{TEXT}\n{lines}", [VKEY])


def test_a_known_keys_signature_that_does_not_verify_refuses_the_note() -> None:
    bad = base64.b64encode(VKEY.key_id + bytes(64)).decode()
    with pytest.raises(NoteError, match="does not verify"):
        open_note(NOTE + f"{DASH}{NAME} {bad}\n", [VKEY])


def test_a_note_without_a_signature_of_a_known_key_is_refused() -> None:
    with pytest.raises(NoteError, match="no known key"):
        open_note(NOTE, [PETER])


def test_sixteen_signatures_are_accepted() -> None:
    lines = "".join(sign_note(TEXT, f"witness{n}.example", OTHER).split("\n\n")[1] for n in range(15))
    assert open_note(NOTE + lines, [VKEY]) == TEXT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n7\n",
        TEXT.replace("7", "07"),
        TEXT.replace("7", "-7"),
        TEXT.replace("7", "+7"),
        TEXT.replace("7", ""),
        TEXT.replace("7", "7 "),
        TEXT.replace("7", "\N{FULLWIDTH DIGIT SEVEN}"),
        TEXT.replace("7", "\N{SUPERSCRIPT TWO}"),
        TEXT.replace("7", "9" * 20),
        TEXT.replace(NAME, ""),
        TEXT + "extension\n",
        TEXT + "\n",
        TEXT[:-1],
        f"{NAME}\n7\n{base64.b64encode(bytes(31)).decode()}\n",
        f"{NAME}\n7\n{base64.b64encode(bytes(33)).decode()}\n",
        f"{NAME}\n7\n{bytes(32).hex()}\n",
        f"{NAME}\n7\nnot base64\n",
        f"{NAME}\n7\n{base64.b64encode(bytes(32)).decode()[:-2]}B=\n",
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        Checkpoint.parse(text)


def test_another_logs_checkpoint_is_refused() -> None:
    text = TEXT.replace(NAME, "example.org/other")
    with pytest.raises(NoteError, match="checkpoint of"):
        open_checkpoint(sign_note(text, NAME, KEY), VKEY)


@pytest.mark.parametrize("text", ["no newline", "tab\there\n", "cr\r\n", "nul\0\n"])
def test_no_note_is_signed_that_could_not_be_read(text: str) -> None:
    with pytest.raises(NoteError):
        sign_note(text, NAME, KEY)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n", "a\N{NO-BREAK SPACE}b"])
def test_no_note_is_signed_under_a_name_that_a_key_can_not_have(name: str) -> None:
    with pytest.raises(NoteError):
        sign_note(TEXT, name, KEY)


@given(st.integers(0, len(NOTE.encode()) - 1), st.integers(1, 255))
@settings(max_examples=200, deadline=None)
def test_no_changed_byte_goes_unseen(at: int, flip: int) -> None:
    data = bytearray(NOTE.encode())
    data[at] ^= flip
    with pytest.raises(NoteError):
        open_note(bytes(data), [VKEY])


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_no_text_makes_the_parsers_fail_otherwise(text: str) -> None:
    for parse in (VerifierKey.parse, Checkpoint.parse, lambda note: open_note(note, [VKEY])):
        with pytest.raises(NoteError):
            parse(text)
