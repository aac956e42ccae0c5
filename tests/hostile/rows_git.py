"""Rows 3, 41 to 62 and 128: what is wrong with a git object, or with the tree below a truly signed one."""

from __future__ import annotations

import re
from collections.abc import Callable

from hostile.doors import COMMIT, GIT, TAG, Row
from hostile.pen import Evil, Pen
from hostile.rows_signatures import signed
from verify.workbench import with_signature

_REFUSED = "tree-refused"


def _replaced(old: bytes, new: bytes) -> Callable[[Pen], bytes]:
    """S1 truly signs the object with `old` replaced by `new`."""

    def make(pen: Pen) -> bytes:
        assert old in pen.payload
        pen.means(pen.payload.replace(old, new, 1))
        return pen.sign("s1")

    return make


def _unsigned(pen: Pen) -> bytes:
    return b""


def _without_gpgsig(raw: bytes) -> bytes:
    return raw.replace(b"\ngpgsig \n", b"\n", 1)


def _second_gpgsig(raw: bytes) -> bytes:
    return with_signature(raw, b"-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n")


def _header_after(header: bytes, added: bytes) -> Callable[[bytes], bytes]:
    """Put a line into the object, behind the line that begins with `header`, after it was signed."""
    return lambda raw: re.sub(rb"(?m)^(" + header + rb" .*)$", rb"\1\n" + added, raw, count=1)


PROOF = (
    b"-----BEGIN OPENTIMESTAMPS GIT TIMESTAMP-----\n\n"
    b"AQHwIDiR4UAFcoBFCPqtVnf9COeVwAriqCHS3Xs0qjrRkZVGCP/wEGP8+pX5F8xg\nY2FsZW5kYXIub3Jn\n"
    b"-----END OPENTIMESTAMPS GIT TIMESTAMP-----\n"
)


def _followed(by: bytes, wanted: str = "signature-ambiguous") -> Row:
    what = "a proof by OpenTimestamps" if by == PROOF else f"a proof spoiled: ...{by[-30:]!r}"
    name = f"below the signature {what}"
    return Row("40", name, signed("s1"), wanted, (TAG,), spoil=lambda raw: raw + by)


def tree_of(name: bytes, mode: str = "100644", content: bytes = b"evil\n") -> Callable[[Evil], str]:
    """A tree with one entry of this name."""

    def make(evil: Evil) -> str:
        repository = evil.repository
        if mode == "40000":
            return repository.tree([(mode, name, repository.files({"config": content}))])
        return repository.tree([(mode, name, "11" * 20 if mode == "160000" else repository.put("blob", content))])

    return make


def _twins(evil: Evil) -> str:
    one, two = (evil.repository.put("blob", text) for text in (b"one\n", b"two\n"))
    return evil.repository.tree([("100644", b"a", one), ("100644", b"a", two)])


def _link_and_folder(evil: Evil) -> str:
    repository = evil.repository
    link = repository.put("blob", b".git/hooks")
    return repository.tree(
        [("120000", b"a", link), ("40000", b"a", repository.files({"post-checkout": b"evil\n"}))]
    )


def _disguise(name: bytes) -> Row:
    return Row(
        "55",
        f"a truly signed tree with the name {name!r}",
        signed("s1"),
        _REFUSED,
        GIT,
        tree=tree_of(name, "40000"),
    )


ROWS = (
    Row("3", "an annotated tag without a signature", _unsigned, "signature-missing", (TAG,)),
    Row("3", "a commit without a signature", _unsigned, "signature-missing", (COMMIT,), spoil=_without_gpgsig),
    Row(
        "41",
        "the ref v1.0 leads to a truly signed tag v0.9",
        _replaced(b"tag v1.0", b"tag v0.9"),
        "tag-name-mismatch",
        (TAG,),
    ),
    Row(
        "43",
        "a second object header, signed",
        _replaced(b"\ntype", b"\nobject " + b"c" * 40 + b"\ntype"),
        "object-malformed",
        (TAG,),
    ),
    Row(
        "43",
        "a second tree header, signed",
        _replaced(b"\nauthor", b"\ntree " + b"c" * 40 + b"\nauthor"),
        "object-malformed",
        (COMMIT,),
    ),
    Row(
        "48",
        "a second gpgsig header of garbage",
        signed("s1"),
        "object-malformed",
        (COMMIT,),
        spoil=_second_gpgsig,
    ),
    Row(
        "49",
        "a header added after signing",
        signed("s1"),
        "signature-bad",
        (COMMIT,),
        spoil=_header_after(b"committer", b"encoding latin-1"),
    ),
    Row(
        "49",
        "an unknown header added after signing",
        signed("s1"),
        "object-malformed",
        (COMMIT,),
        spoil=_header_after(b"committer", b"x-evil y"),
    ),
    Row(
        "49",
        "a header added to a tag after signing",
        signed("s1"),
        "object-malformed",
        (TAG,),
        spoil=_header_after(b"tagger", b"x-evil y"),
    ),
    Row("50", "the signed tag names a tree", _replaced(b"type commit", b"type tree"), "tag-not-a-commit", (TAG,)),
    _followed(PROOF, "tag-timestamped"),
    _followed(PROOF[:-1], "tag-timestamped"),
    _followed(PROOF * 2),
    _followed(PROOF + b"more\n"),
    _followed(PROOF.replace(b"AQHw", b"evil: yes\nAQHw")),
    _followed(PROOF.replace(b"AQHw", b"-----BEGIN PGP SIGNATURE-----\n\nAQHw")),
    _followed(PROOF.replace(b"GIT TIMESTAMP", b"TIMESTAMP")),
    _followed(b"more\n" + PROOF),
    *(_disguise(name) for name in (b".git", b".GIT", b"GIT~1", b"..", b"../x", b"/abs")),
    _disguise(".g\u200cit".encode()),
    Row("57", "a tree with one name twice", signed("s1"), _REFUSED, GIT, tree=_twins),
    Row("58", "a link a to .git/hooks beside a folder a", signed("s1"), _REFUSED, GIT, tree=_link_and_folder),
    Row("59", "a link to /etc/passwd", signed("s1"), _REFUSED, GIT, tree=tree_of(b"x", "120000", b"/etc/passwd")),
    Row("59", "a link out of the tree", signed("s1"), _REFUSED, GIT, tree=tree_of(b"x", "120000", b"../../x")),
    Row(
        "60",
        ".gitmodules as a link",
        signed("s1"),
        _REFUSED,
        GIT,
        tree=tree_of(b".gitmodules", "120000", b"README"),
    ),
    Row("62", "a file name with LF and escape codes", signed("s1"), _REFUSED, GIT, tree=tree_of(b"a\n\x1b[2J")),
    Row(
        "131",
        "a file name with a bidi override",
        signed("s1"),
        _REFUSED,
        GIT,
        tree=tree_of("\u202egpj.exe".encode()),
    ),
)
