"""Rows 63 to 68 and 118 to 121: what is wrong with a clearsigned document, or with what it says."""

from __future__ import annotations

from collections.abc import Callable

from hostile.doors import CLEAR, DSC, INRELEASE, Row
from hostile.pen import Pen
from hostile.rows_signatures import signed

_BROKEN = {INRELEASE: "document-malformed", "*": "document-malformed"}
_HASH = b"\nHash: "


def _changed(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """Replace once in the document, after it was signed."""

    def spoil(document: bytes) -> bytes:
        assert old in document
        return document.replace(old, new, 1)

    return spoil


def _without_hash(document: bytes) -> bytes:
    start = document.index(_HASH)
    return document[:start] + document[document.index(b"\n", start + 1) :]


def _md5(document: bytes) -> bytes:
    start = document.index(_HASH)
    return document[:start] + b"\nHash: MD5" + document[document.index(b"\n", start + 1) :]


def says(old: bytes, new: bytes) -> Callable[[Pen], bytes]:
    """S1 truly signs a text that says something else."""

    def make(pen: Pen) -> bytes:
        assert old in pen.payload
        pen.means(pen.payload.replace(old, new, 1))
        return pen.sign("s1")

    return make


def _doc(number: str, name: str, spoil: Callable[[bytes], bytes], dsc: str = "document-malformed") -> Row:
    return Row(number, name, signed("s1"), {DSC: dsc, "*": "document-malformed"}, CLEAR, spoil)


def _index(number: str, name: str, old: bytes, new: bytes, code: str) -> Row:
    return Row(number, name, says(old, new), code, (INRELEASE,))


ROWS = (
    _doc("63", "text before the signed part", lambda d: b"Evil: yes\n" + d),
    _doc("63", "text after the signed part", lambda d: d + b"Evil: yes\n", "signature-malformed"),
    Row(
        "63",
        "text added at the end of the signed part",
        signed("s1"),
        "signature-bad",
        CLEAR,
        _changed(b"\n-----BEGIN PGP SIGNATURE", b"\nEvil: yes\n-----BEGIN PGP SIGNATURE"),
    ),
    _doc("64", "a NotDashEscaped header", _changed(_HASH, b"\nNotDashEscaped: You need GnuPG\nHash: ")),
    _doc("65", "the Hash header removed", _without_hash),
    _doc("65", "the Hash header set to MD5", _md5),
    _doc("65", "text hidden behind the Hash header", _changed(_HASH, b"\nEvil: yes\nHash: ")),
    _doc("67", "two documents in a file", lambda d: d + d, "signature-malformed"),
    _doc("67", "an unsigned document, then the signed one", lambda d: b"Source: evil\n\n" + d),
    _doc("68", "a form feed before a line", _changed(b"\n\n", b"\n\n\x0c")),
    _doc("68", "a form feed as the line that ends the headers", _changed(b"\n\n", b"\n\x0c\nEvil: yes\n\n")),
    Row("118", "by a maintainer of another keyring", signed("outsider"), "signature-unknown-key", (DSC,)),
    _index(
        "119",
        "Valid-Until has passed",
        b"SHA256:",
        b"Valid-Until: Sat, 08 Mar 2025 10:00:00 UTC\nSHA256:",
        "archive-expired",
    ),
    _index("119", "a Date that is still to come", b"01 Mar 2025", b"01 Mar 2098", "archive-in-future"),
    _index(
        "120", "another suite", b"oldstable\nCodename: bookworm", b"sid\nCodename: sid", "archive-suite-mismatch"
    ),
    _index("121", "digests by MD5 only", b"SHA256:", b"MD5Sum:", "archive-index-malformed"),
    Row("121", "a .dsc of another version, truly signed", says(b"1.0-1", b"0.9-1"), "dsc-mismatch", (DSC,)),
    Row("121", "a .dsc that names another digest", says(b" 9 hi", b" 8 hi"), "dsc-mismatch", (DSC,)),
    Row(
        "121", "a .dsc that names one file less", says(b"hi_1.0.orig", b"hi_0.9.orig"), "dsc-file-unlisted", (DSC,)
    ),
)
assert {door for row in ROWS for door in row.doors} == set(CLEAR)
