"""Clearsigned documents: only what was signed comes out, and only of one plain document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sealwright_keyring.openpgp import Bad, Good, Keyring, Strangers, Verdict

TEXT = b"Format: 1.0\nFiles:\n abc  \n- dash\n-----BEGIN PGP SIGNED MESSAGE-----\nlast\n"


def check(world: Any, document: bytes | Path, *chosen: str, **options: Any) -> tuple[Verdict, bytes]:
    names = chosen or ("s1",)
    with Keyring.of([world.cert(*names)], [world.fpr[name] for name in names]) as ring:
        return ring.verify_clearsigned(document, **options)


def refused(world: Any, document: bytes) -> str:
    verdict, text = check(world, document)
    assert isinstance(verdict, Bad)
    assert text == b""
    return verdict.reason_code


def test_the_signed_bytes_come_back_and_nothing_else(world: Any, tmp_path: Path) -> None:
    document = world.clearsign("s1", data=TEXT)
    (tmp_path / "f").write_bytes(document)
    for given in (document, tmp_path / "f"):
        verdict, text = check(world, given)
        assert isinstance(verdict, Good)
        assert [line.rstrip() for line in text.splitlines()] == [line.rstrip() for line in TEXT.splitlines()]


def test_a_changed_letter_is_red(world: Any) -> None:
    assert refused(world, world.clearsign("s1", data=TEXT).replace(b"Format", b"Formas")) == "signature-bad"


@pytest.mark.parametrize("form", [b"before\n%s", b"%safter\n", b"\x0c%s", b"%s\x00"])
def test_text_around_the_document_is_red(world: Any, form: bytes) -> None:
    assert refused(world, form % world.clearsign("s1", data=TEXT)) in ("document-malformed", "signature-malformed")


def test_two_documents_in_a_file_are_red(world: Any) -> None:
    one = world.clearsign("s1", data=TEXT)
    assert refused(world, one + one) == "document-malformed"


@pytest.mark.parametrize(
    "header", [b"NotDashEscaped: yes\nHash: SHA256", b"Hash: MD5", b"Comment: x\nHash: SHA256", b"\rHash: SHA256"]
)
def test_other_headers_than_the_right_hash_are_red(world: Any, header: bytes) -> None:
    assert (
        refused(world, world.clearsign("s1", data=TEXT).replace(b"Hash: SHA256", header)) == "document-malformed"
    )


def test_a_removed_hash_header_is_red(world: Any) -> None:
    document = world.clearsign("s1", data=TEXT).replace(b"Hash: SHA256\n", b"")
    assert refused(world, document) == "document-malformed"


def test_a_form_feed_in_the_text_is_red(world: Any) -> None:
    assert refused(world, world.clearsign("s1", data=b"a\x0cb\n")) == "document-malformed"


def test_a_line_that_gpg_would_cut_is_red(world: Any) -> None:
    assert refused(world, world.clearsign("s1", data=b"x" * 19_990 + b"\n")) == "document-malformed"


def test_an_unescaped_dash_is_red(world: Any) -> None:
    assert refused(world, world.clearsign("s1", data=TEXT).replace(b"- - dash", b"- dash")) in (
        "document-malformed",
        "signature-bad",
    )
    assert refused(world, world.clearsign("s1", data=TEXT).replace(b"- - dash", b"-dash")) == "document-malformed"


def test_a_stranger_beside_the_chosen_signer_is_tolerated_only_if_asked(world: Any) -> None:
    document = world.clearsign("outsider", "s1", data=TEXT)
    verdict, text = check(world, document)
    assert isinstance(verdict, Good)
    assert text
    verdict, text = check(world, document, strangers=Strangers.REFUSE)
    assert isinstance(verdict, Bad)
    assert text == b""


def test_strangers_alone_are_red(world: Any) -> None:
    assert refused(world, world.clearsign("outsider", data=TEXT)) == "signature-unknown-key"


@pytest.mark.parametrize("junk", [b"", b"\n", b"hello\n", b"-----BEGIN PGP SIGNED MESSAGE-----\n"])
def test_junk_is_red(world: Any, junk: bytes) -> None:
    assert refused(world, junk) == "document-malformed"


def test_a_document_that_is_no_regular_file_is_red(world: Any, tmp_path: Path) -> None:
    verdict, _ = check(world, tmp_path / "missing")
    assert isinstance(verdict, Bad)
    assert verdict.reason_code == "data-unreadable"
