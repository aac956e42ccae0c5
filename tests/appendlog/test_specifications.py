"""C2SP's rules, one by one: what each says, what is taken and what is refused because of it.

Read in the texts of 2026-07: signed-note, tlog-checkpoint, tlog-tiles, tlog-proof, tlog-cosignature, tlog-witness.
Where we take less than a specification allows, the row says `narrower`, and why. Tiles are held against another
implementation in `tests/outsider`; the witness against its rules in `test_witness.py`.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealwright_appendlog.cosignature import WitnessKey, check_cosignatures
from sealwright_appendlog.note import Checkpoint, NoteError, VerifierKey, open_checkpoint, open_note
from sealwright_appendlog.proof import parse_proof
from sealwright_appendlog.tiles import tile_path
from sealwright_appendlog.tree import ProofError

KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
NAME, WITNESS = "example.org/log", "witness.example/w"
DASH = "\N{EM DASH} "
ROOT = base64.b64encode(bytes(range(32))).decode()
BODY = f"{NAME}\n7\n{ROOT}\n"


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def key_id(name: str, key: Ed25519PrivateKey, kind: int = 1) -> bytes:
    return hashlib.sha256(name.encode() + bytes([10, kind]) + public(key)).digest()[:4]


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def line(text: str, name: str = NAME, key: Ed25519PrivateKey = KEY, kind: int = 1) -> str:
    """A signature line over `text`, made by hand."""
    return f"{DASH}{name} {encoded(key_id(name, key, kind) + key.sign(text.encode()))}\n"


def note(text: str = BODY, *more: str) -> str:
    return f"{text}\n{line(text)}{''.join(more)}"


def vkey(name: str = NAME, key: Ed25519PrivateKey = KEY) -> str:
    return f"{name}+{key_id(name, key).hex()}+{encoded(bytes([1]) + public(key))}"


LOG = VerifierKey.parse(vkey())
W = WitnessKey(WITNESS, public(OTHER))


def stamped(time: int, said: int | None = None, body: str = BODY, kind: int = 4) -> str:
    """A cosignature's line: `time` in the structure, `said` in the signed message."""
    message = f"cosignature/v1\ntime {time if said is None else said}\n{body}".encode()
    return f"{DASH}{WITNESS} {encoded(key_id(WITNESS, OTHER, kind) + struct.pack('>Q', time) + OTHER.sign(message))}\n"


def proof(head: str = "", index: str = "0", hashes: str = "") -> Callable[[], object]:
    return reads(f"c2sp.org/tlog-proof@v1\n{head}index {index}\n{hashes}\n{note()}")


def parses(key: str) -> Callable[[], object]:
    return lambda: VerifierKey.parse(key)


def reads(text: str) -> Callable[[], object]:
    return lambda: parse_proof(text.encode())


def opens(whole: str | bytes) -> Callable[[], object]:
    return lambda: open_note(whole, [LOG])


def body(text: str) -> Callable[[], object]:
    return lambda: open_checkpoint(note(text), LOG)


def cosigned(*lines: str) -> Callable[[], object]:
    def check() -> None:
        found, _ = check_cosignatures(note(BODY, *lines), LOG, [W])
        if not found:
            raise NoteError("nobody cosigned")

    return check


@dataclass(frozen=True)
class Rule:
    """A rule of a specification, and what is taken and refused by it."""

    of: str
    says: str
    taken: tuple[Callable[[], object], ...] = ()
    refused: tuple[Callable[[], object], ...] = ()


N, C, P, S, T = "signed-note", "tlog-checkpoint", "tlog-proof", "tlog-cosignature", "tlog-tiles"
RULES = [
    Rule(N, "the text ends in a newline, then an empty line, then one or more signature lines",
         (opens(note()),), (opens(f"{BODY}{line(BODY)}"), opens(f"{BODY}\n"), opens(BODY), opens("\n\n"), opens(""))),
    Rule(N, "a line is em dash, space, name, space, base64, newline",
         (), (*(opens(note().replace(DASH, dash)) for dash in ("- ", "\N{EM DASH}", "\N{EN DASH} ", " " + DASH, "")),
              opens(note()[:-1]), opens(note().replace(NAME + " ", NAME)), opens(note() + "\n"), opens(note() + "x\n"))),
    Rule(N, "MUST be valid UTF-8", (opens(note("\N{SNOWMAN}\n")), opens(note("\N{SNOWMAN}\n").encode())),
         (opens(b"\xff" + note().encode()), opens(note().encode() + b"\xe2\x80\n"), opens("\ud800" + note()))),
    Rule(N, "MUST NOT contain ASCII control characters other than newline; DEL is none",
         (opens(note("\x7f\n")),), (*(opens(note(f"{chr(c)}\n")) for c in range(32) if c != 10),
                                     *(opens(note(BODY, line(BODY, f"a{chr(c)}b"))) for c in range(32) if c != 10))),
    Rule(N, "the text includes its final newline, and not the empty line", (opens(note()),),
         (opens(f"{BODY}\n{line(BODY[:-1])}"), opens(f"{BODY}\n{line(BODY + chr(10))}"))),
    Rule(N, "the text MAY contain empty lines; the last one parts it from the signatures",
         (opens(note("a\n\nb\n")), opens(note("\n")), opens(note("\n\n")), opens(note(f"a\n\n{line('a' + chr(10))}"))),
         (opens(f"{note()}\n{line(BODY)}"),)),
    Rule(N, "names MUST be non-empty, without Unicode spaces and plus signs",
         tuple(opens(note(BODY, line(BODY, name))) for name in ("x", "\N{SNOWMAN}", "a\N{ZERO WIDTH SPACE}b", "a\x7f")),
         tuple(opens(note(BODY, line(BODY, name))) for name in
               ("", "a+b", "a b", "a\x85b", "a\xa0b", "a\u1680b", "a\u2003b", "a\u2028b", "a\u202fb", "a\u3000b"))),
    Rule(N, "a signature is the base64 of 4+n bytes",
         (opens(note(BODY, f"{DASH}x {encoded(b'12345')}\n")),),
         tuple(opens(note(BODY, f"{DASH}x {text}\n")) for text in
               ("", encoded(b"1234"), encoded(b"1"), "AAAAAAA", "AAAAAA==x", "AAAA AAAA", "AA-_AAAA", "=AAAAAAA"))),
    Rule(N, "base64 is RFC 4648's, 4 (narrower: bits behind the end are zero, which decoders MAY demand)",
         (), (opens(note(BODY, f"{DASH}x {encoded(b'12345')[:-2]}V=\n")),)),
    Rule(N, "verifiers MUST accept at least 16 signatures",
         (opens(note(BODY, *(line(BODY, f"w{n}") for n in range(15)))),),
         (opens(note(BODY, *(line(BODY, f"w{n}") for n in range(100)))),)),
    Rule(N, "post-quantum signatures have up to nearly 5 kB",
         (opens(note(BODY, *(f"{DASH}w{n} {encoded(bytes(5000))}\n" for n in range(16)))),)),
    Rule(N, "signatures of unknown keys MUST be ignored, also where name or id (not both) are a known key's",
         (opens(note(BODY, line(BODY, NAME, OTHER), line(BODY, "other").replace("other", "elsewhere"))),
          opens(note(BODY, line("other\n", kind=4)))),
         (opens(f"{BODY}\n{line(BODY, NAME, OTHER)}"), opens(f"{BODY}\n{line(BODY).replace(NAME, 'elsewhere')}"))),
    Rule(N, "a known key's signature MUST be verified; one that fails SHOULD refuse the note, wherever it stands",
         (opens(note(BODY, line(BODY))),), (opens(note(BODY, line("other\n"))), opens(f"{BODY}\n{line('x')}{line(BODY)}"))),
    Rule(N, "without a verified signature of a known key the note MUST be rejected",
         (), (opens(f"{BODY}\n{line(BODY, 'x', OTHER)}"),)),
    Rule(N, "the Ed25519 key id is of name, newline, 0x01 and key; a verifier key is name+hex+base64 of 0x01 and key",
         (lambda: VerifierKey.parse(vkey()),),
         tuple(parses(text) for text in (
             vkey().replace("+", "+0", 1), vkey().upper(), vkey() + "\n", vkey() + "=", vkey("a b"), vkey(""),
             f"{NAME}+{key_id(NAME, KEY, 4).hex()}+{encoded(bytes([1]) + public(KEY))}",
             f"{NAME}+{key_id(NAME, KEY, 4).hex()}+{encoded(bytes([4]) + public(KEY))}",
             f"{NAME}+{key_id(NAME, KEY).hex()}+{encoded(bytes([1]) + public(KEY)[:-1])}"))),
    Rule(C, "three non-empty lines at least (narrower: and no extension lines, since format 1 has none)",
         (body(BODY),), (body(f"{NAME}\n7\n"), body(f"\n7\n{ROOT}\n"), body(f"{NAME}\n\n{ROOT}\n"), body(BODY + "more\n"),
                         body(BODY + "\n"), body(""))),
    Rule(C, "the origin is non-empty, and no form of it may be assumed",
         (lambda: Checkpoint.parse(f"any thing + \N{SNOWMAN}\n7\n{ROOT}\n"),)),
    Rule(C, "the size is ASCII decimal without leading zeros (narrower: below 2^63, as in Go)",
         tuple(body(f"{NAME}\n{size}\n{ROOT}\n") for size in (0, 1, 10, 1 << 53, (1 << 63) - 1)),
         tuple(body(f"{NAME}\n{size}\n{ROOT}\n") for size in
               ("00", "07", "-1", "+1", " 1", "1 ", "1.0", "0x1", "1e3", "1_0", "\N{FULLWIDTH DIGIT ONE}",
                "\N{SUPERSCRIPT TWO}", 1 << 63, 1 << 64, "9" * 5000))),
    Rule(C, "the root is the base64 of a hash of RFC 6962", (),
         tuple(body(f"{NAME}\n7\n{root}\n") for root in
               (ROOT[:-1], ROOT + "=", ROOT + " ", encoded(bytes(31)), encoded(bytes(33)), bytes(32).hex(), "",
                base64.urlsafe_b64encode(b"\xff" * 32).decode(), ROOT[:-2] + "9="))),
    Rule(C, "the key's name SHOULD be the origin (narrower: it must)", (), (body(f"other.example\n7\n{ROOT}\n"),)),
    Rule(P, "the first line MUST be the string", (proof(),), tuple(
        reads(text) for text in (
            f"c2sp.org/tlog-proof@v2\nindex 0\n\n{note()}", f" c2sp.org/tlog-proof@v1\nindex 0\n\n{note()}",
            f"c2sp.org/tlog-proof@v1\r\nindex 0\n\n{note()}", f"index 0\n\n{note()}", ""))),
    Rule(P, "the second line MAY be extra and base64; it is left out if there is none",
         (proof("extra aGVsbG8=\n"),), (proof("extra \n"), proof("extra\n"), proof("extra aGVsbG8\n"), proof("extra  aA==\n"),
                                        proof("extra aA==\nextra aA==\n"), proof("Extra aA==\n"), proof("extra aB==\n"))),
    Rule(P, "the next line MUST be the index, zero-based, decimal without leading zeros",
         (proof(index="0"), proof(index=str((1 << 63) - 1))),
         tuple(proof(index=index) for index in
               ("00", "01", "-0", "+1", " 1", "1 ", "", "x", "\N{SUPERSCRIPT TWO}", str(1 << 63), "9" * 5000))),
    Rule(P, "zero or more lines, each the base64 of a SHA-256 (at most 63, as in tlog-witness)",
         (proof(hashes=f"{ROOT}\n"), proof(hashes=f"{ROOT}\n" * 63)),
         (proof(hashes=f"{ROOT}\n" * 64), proof(hashes=f"{encoded(bytes(31))}\n"), proof(hashes=f"{ROOT} \n"),
          proof(hashes=f"{ROOT[:-1]}\n"), proof(hashes="index 1\n"))),
    Rule(P, "after an empty line the checkpoint stands, verbatim", (),
         (lambda: parse_proof(b"c2sp.org/tlog-proof@v1\nindex 0\n"),
          lambda: parse_proof(b"c2sp.org/tlog-proof@v1\nindex 0\n\n"))),
    Rule(S, "the key id MUST be of name, newline, 0x04 and key; others are ignored",
         (cosigned(stamped(1)), cosigned(stamped(1, 2, kind=6), stamped(1))), (cosigned(stamped(1, kind=1)), cosigned())),
    Rule(S, "the signature MUST be eight bytes of big-endian time and 64 of signature",
         (), tuple(cosigned(f"{DASH}{WITNESS} {encoded(key_id(WITNESS, OTHER, 4) + bytes(size))}\n") for size in
                   (1, 8, 64, 71, 73, 2428))),
    Rule(S, "the time MUST NOT exceed 2^63-1 (narrower: nor the year 9999, nor be zero, as tlog-witness has it)",
         (cosigned(stamped(1)), cosigned(stamped(253402300799))),
         tuple(cosigned(stamped(time)) for time in (0, 253402300800, (1 << 63) - 1, 1 << 63, (1 << 64) - 1))),
    Rule(S, "the message MUST be header, the same time without leading zeros, and the whole body",
         (), (cosigned(stamped(5, 6)), cosigned(stamped(5, body=BODY[:-1])), cosigned(stamped(5, body=BODY + "x\n")))),
    Rule(S, "one Ed25519 key MUST NOT be of two cosigners",
         (), (lambda: check_cosignatures(note(), LOG, [W, WitnessKey("w2.example", public(OTHER))]),)),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.of}: {rule.says}")
def test_a_rule_of_the_specifications_is_kept(rule: Rule) -> None:
    assert rule.taken or rule.refused
    for each in rule.taken:
        each()
    for number, each in enumerate(rule.refused):
        with pytest.raises((NoteError, ProofError)):
            each()
            pytest.fail(f"{rule.says}: number {number} of what is to be refused was taken")


@pytest.mark.parametrize(
    ("number", "path"),
    [
        (0, "000"),
        (67, "067"),
        (999, "999"),
        (1000, "x001/000"),
        (1234067, "x001/x234/067"),
        (10**9, "x001/x000/x000/000"),
    ],
)
def test_tlog_tiles_paths_have_three_digits_an_element_and_all_but_the_last_an_x(number: int, path: str) -> None:
    assert tile_path(0, number) == f"tile/0/{path}"
    assert tile_path("entries", number, 255) == f"tile/entries/{path}.p/255"
