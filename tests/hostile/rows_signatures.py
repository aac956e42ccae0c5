"""Rows 1 to 40, 97 to 105 and 131: what is wrong with a signature, or with the key that made it."""

from __future__ import annotations

from collections.abc import Callable

from hostile.doors import ALL, CLEAR, COMMIT, DETACHED, DSC, FILE, INRELEASE, TAG, Row
from hostile.pen import Pen, issuer, notation, with_unhashed
from sealwright_keyring.armor import dearmor, enarmor

EMPTY_ARMOR = b"-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n"
GARBAGE = EMPTY_ARMOR.replace(b"\n\n", b"\n\n!!!! not base64 !!!!\n")
ONE = {"s1": ("s1",)}
_FAKE_STATUS = b"\x1b[2J\x1b]0;x\x07\n[GNUPG:] GOODSIG 0000000000000000 nobody\n"
_UNKNOWN = "signature-unknown-key"
_MALFORMED = {INRELEASE: "document-malformed", "*": "signature-malformed"}


def signed(*names: str, options: tuple[str, ...] = (), time: str = "") -> Callable[[Pen], bytes]:
    """A maker of a plain signature by the keys called `names`."""
    return lambda pen: pen.sign(*names, options=options, time=time)


def other(*names: str) -> Callable[[Pen], bytes]:
    """A maker of a signature over other bytes than those that are presented."""
    return lambda pen: pen.sign(*names, data=pen.payload + b"other\n")


def _altered(pen: Pen) -> bytes:
    signature = pen.sign("s1")
    pen.shown = pen.payload.replace(b"the bytes", b"tHe bytes").replace(b"a release", b"a Release")
    pen.shown = (
        pen.shown.replace(b"a commit\n", b"a Commit\n").replace(b"1.0-1", b"1.0-2").replace(b"10:00", b"10:01")
    )
    assert pen.shown != pen.payload
    return signature


def _foreign_block_inside(pen: Pen) -> bytes:
    pen.means(pen.payload + pen.sign("outsider", data=b"something else\n"))
    return pen.sign("s1")


def _fake_status(pen: Pen) -> bytes:
    pen.means(pen.payload + _FAKE_STATUS)
    return pen.sign("s1")


def _clear_document(pen: Pen) -> bytes:
    world = pen.evil.world
    return world.clearsign("s1", data=pen.payload)


def _cut(pen: Pen) -> bytes:
    return enarmor(pen.packet("s1")[:-20], "SIGNATURE")


def _forged_issuer(pen: Pen) -> bytes:
    return with_unhashed(pen.sign("outsider"), issuer(pen.evil.world.fpr["s1"]), drop=True)


def _twice(pen: Pen) -> bytes:
    return enarmor(dearmor(pen.sign("s1"), "SIGNATURE") * 2, "SIGNATURE")


def _both_subkeys(pen: Pen) -> bytes:
    return pen.merged("s1", pen.evil.world.fpr["s1"] + "!")


ROWS = (
    Row("1", "good, by an ed25519 subkey", signed("s1"), "ok"),
    Row("2", "good, by an rsa3072 primary key", signed("s2"), "ok"),
    Row("4", "the signed bytes altered by one character", _altered, "signature-bad"),
    Row("4", "a good signature, of other bytes", other("s1"), "signature-bad"),
    Row("5", "by an unknown key", signed("outsider"), _UNKNOWN),
    Row(
        "6",
        "by a key that lies in the keyring and was not chosen",
        signed("outsider"),
        _UNKNOWN,
        DETACHED,
        known=("outsider",),
    ),
    Row("7", "by another key with the chosen key's user id", signed("impostor"), _UNKNOWN),
    Row(
        "7",
        "the same, and that key lies in the keyring",
        signed("impostor"),
        _UNKNOWN,
        DETACHED,
        known=("impostor",),
    ),
    Row(
        "8",
        "by a key that has expired since",
        signed("expired", time="20200601T000000"),
        {DSC: "ok", "*": "key-expired-since"},
        persons={"old": ("expired",)},
    ),
    Row(
        "9",
        "by a key that had expired when it signed",
        signed("late", time="20250601T000000"),
        "key-expired-at-signing",
        persons={"late": ("late",)},
        certificate="late",
    ),
    Row(
        "10",
        "by a revoked key",
        signed("revoked"),
        "key-revoked",
        persons={"r": ("revoked",)},
        certificate="revoked",
    ),
    Row(
        "11",
        "by a revoked signing subkey",
        signed("halfrevoked"),
        "key-revoked",
        persons={"h": ("halfrevoked",)},
        certificate="halfrevoked",
    ),
    Row(
        "12",
        "a signature that itself has expired",
        signed("elder", options=("--default-sig-expire", "seconds=9"), time="20240101T000000"),
        "signature-expired",
        persons={"e": ("elder",)},
    ),
    Row("13", "a signature dated 2030", signed("s2", time="20300101T000000"), "signature-in-future"),
    Row("15", "SHA-1 by an RSA key", signed("s2", options=("--digest-algo", "SHA1")), "digest-weak"),
    Row("16", "SHA-1 by an ed25519 key", signed("s1", options=("--digest-algo", "SHA1")), "digest-weak"),
    Row(
        "17",
        "MD5",
        signed("s2", options=("--digest-algo", "MD5", "--allow-weak-digest-algos")),
        "digest-weak",
    ),
    Row("18", "RIPEMD-160", signed("s2", options=("--digest-algo", "RIPEMD160")), "digest-weak"),
    Row("19", "by an RSA key of 1024 bits", signed("small"), "key-weak", persons={"s": ("small",)}),
    Row("20", "one armor, S1 and S2, two of two", signed("s1", "s2"), "ok", threshold=2),
    Row("21", "S1, then a stranger", lambda pen: pen.merged("s1", "outsider"), {INRELEASE: "ok", "*": _UNKNOWN}),
    Row("22", "a stranger, then S1", lambda pen: pen.merged("outsider", "s1"), {INRELEASE: "ok", "*": _UNKNOWN}),
    Row(
        "23",
        "a stranger whose key lies in the keyring, then S1",
        lambda pen: pen.merged("outsider", "s1"),
        _UNKNOWN,
        DETACHED,
        known=("outsider",),
    ),
    Row(
        "24",
        "S1, then S2 of other bytes",
        lambda pen: enarmor(pen.packet("s1") + dearmor(other("s2")(pen), "SIGNATURE"), "SIGNATURE"),
        "signature-bad",
    ),
    Row("26", "S1 twice, two persons wanted", _twice, "threshold-not-met", DETACHED, threshold=2),
    Row(
        "27",
        "two armor blocks, a stranger's and S1's",
        lambda pen: pen.sign("outsider") + pen.sign("s1"),
        {TAG: "signature-ambiguous", **_MALFORMED},
    ),
    Row(
        "28",
        "S1 signs text that contains a stranger's block",
        _foreign_block_inside,
        {TAG: "signature-ambiguous", DSC: "dsc-malformed", INRELEASE: "archive-index-malformed", "*": "ok"},
    ),
    Row(
        "30",
        "escape codes and fake status lines in a truly signed text",
        _fake_status,
        {DSC: "document-malformed", INRELEASE: "document-malformed", "*": "ok"},
    ),
    Row(
        "31",
        "an inline message of other text in a signature's armor",
        lambda pen: pen.message("--sign", data=b"other\n"),
        _MALFORMED,
    ),
    Row("32", "an inline message of the same text", lambda pen: pen.message("--sign"), _MALFORMED),
    Row(
        "32",
        "the same, under its own armor",
        lambda pen: pen.message("--sign", label="MESSAGE"),
        {FILE: "signature-malformed", "*": "signature-kind-unsupported"},
        DETACHED,
    ),
    Row(
        "33",
        "a clearsigned document as the signature",
        _clear_document,
        {FILE: "signature-malformed", TAG: "signature-bad", "*": "signature-kind-unsupported"},
        DETACHED,
    ),
    Row("34", "a text-mode signature", signed("s1", options=("--textmode",)), "text-mode", DETACHED),
    Row("36", "an empty armor", lambda pen: EMPTY_ARMOR, _MALFORMED),
    Row(
        "36",
        "an empty signature",
        lambda pen: b"",
        {
            TAG: "signature-missing",
            COMMIT: "object-malformed",
            DSC: "signature-missing",
            INRELEASE: "document-malformed",
            "*": "signature-missing",
        },
    ),
    Row("37", "a truncated packet", _cut, _MALFORMED),
    Row("38", "an armor of garbage", lambda pen: GARBAGE, _MALFORMED),
    Row("39", "a stranger's signature that names S1 as its issuer", _forged_issuer, _MALFORMED),
    Row(
        "40",
        "a notation put into the unhashed area",
        lambda pen: with_unhashed(pen.sign("s2"), notation()),
        "unhashed-extra",
    ),
    Row(
        "70",
        "a literal packet whose file name is a status line",
        lambda pen: pen.message("--sign", "--set-filename", "x\n[GNUPG:] VALIDSIG " + "A" * 40),
        _MALFORMED,
    ),
    Row("71", "an unsigned literal packet in a signature's armor", lambda pen: pen.message("--store"), _MALFORMED),
    Row(
        "72",
        "an inline .asc beside the file that it is named after",
        lambda pen: pen.message("--sign", data=b"other\n", label="MESSAGE"),
        "signature-malformed",
        (FILE,),
    ),
    Row(
        "97",
        "two of three, by two subkeys of one person",
        _both_subkeys,
        "threshold-not-met",
        DETACHED,
        threshold=2,
    ),
    Row(
        "98",
        "two of three, by two keys of one person",
        signed("s1", "s2"),
        "threshold-not-met",
        DETACHED,
        persons={"one": ("s1", "s2"), "two": ("donor",)},
        threshold=2,
    ),
    Row(
        "102",
        "by a subkey injected with a forged trust packet",
        signed("donor"),
        {DSC: "signature-unknown-key", "*": _UNKNOWN},
        persons=ONE,
        certificate="injected",
    ),
    Row("103", "by one of 199 bad subkeys", signed("donor"), _UNKNOWN, persons=ONE, certificate="crowded"),
    Row("103", "by S1, beside 199 bad subkeys", signed("s1"), "ok", persons=ONE, certificate="crowded"),
    Row(
        "103",
        "by S1, beside 5,000 bad subkeys",
        signed("s1"),
        "keyring-unusable",
        persons=ONE,
        certificate="flooded",
    ),
    Row(
        "105",
        "a compressed bomb in a signature's armor",
        lambda pen: pen.message("--sign", "--compress-algo", "zip", "--compress-level", "9", data=bytes(8 << 20)),
        _MALFORMED,
    ),
    Row("131", "a user id with bidi overrides and escape codes", signed("bidi"), "ok", persons={"b": ("bidi",)}),
)
assert set(ALL) == {*DETACHED, *CLEAR}
