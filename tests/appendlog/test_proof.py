"""Tiles, entry bundles and inclusion proofs as files."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appendlog.log_making import new_store, seal, sealed_log
from sealwright_appendlog import layout
from sealwright_appendlog.note import VerifierKey
from sealwright_appendlog.proof import check_carried, check_proof, is_product, make_proof, parse_proof
from sealwright_appendlog.tiles import tile_path
from sealwright_appendlog.tree import ProofError, leaf_hash
from sealwright_appendlog.witness import Witness, cosign

HASH = base64.b64encode(bytes(32)).decode()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sealed_log(tmp_path_factory.mktemp("proof") / "log", events=800)


def key_of(log: Path) -> VerifierKey:
    return VerifierKey.parse((log / layout.VKEY).read_text().strip())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_record_has_a_proof_and_no_other_line_fits_it(log: Path, data: st.DataObject) -> None:
    lines = list(layout.lines(log / layout.INDEX))
    index = data.draw(st.integers(0, len(lines) - 1))
    proof = make_proof(log, index)
    assert check_proof(proof, lines[index], key_of(log)).size == len(lines)
    with pytest.raises(ProofError):
        check_proof(proof, lines[index - 1], key_of(log))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_changed_byte_of_a_proof_goes_unseen(log: Path, data: st.DataObject) -> None:
    line = list(layout.lines(log / layout.INDEX))[700]
    proof = bytearray(make_proof(log, 700))
    proof[data.draw(st.integers(0, len(proof) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ProofError):
        check_carried(bytes(proof), key_of(log))
    if line == carried(bytes(proof)):
        with pytest.raises(ProofError):
            check_proof(bytes(proof), line, key_of(log))


def carried(proof: bytes) -> bytes:
    """The record that a proof carries, if it can be read."""
    try:
        return parse_proof(proof).extra
    except ProofError:
        return b""


def other_extra(proof: bytes, extra: bytes) -> bytes:
    """The proof with another extra line, or with none."""
    lines = proof.split(b"\n")
    assert lines[1].startswith(b"extra ")
    lines[1:2] = [b"extra " + base64.b64encode(extra)] if extra else []
    return b"\n".join(lines)


def test_extra_data_is_read_and_never_believed(log: Path) -> None:
    line = list(layout.lines(log / layout.INDEX))[5]
    proof = other_extra(make_proof(log, 5), b"hello")
    assert parse_proof(proof).extra == b"hello"
    check_proof(proof, line, key_of(log))
    with pytest.raises(ProofError, match="another root"):
        check_carried(proof, key_of(log))
    with pytest.raises(ProofError, match="carries no record"):
        check_carried(other_extra(proof, b""), key_of(log))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_proof_carries_its_record_and_no_other_passes(log: Path, data: st.DataObject) -> None:
    lines = list(layout.lines(log / layout.INDEX))
    index = data.draw(st.integers(0, len(lines) - 1))
    proof = make_proof(log, index)
    assert check_carried(proof, key_of(log)).record["n"] == index
    with pytest.raises(ProofError):
        check_carried(other_extra(proof, lines[index - 1]), key_of(log))


def test_a_proof_has_the_cosignatures_of_the_newest_checkpoint_and_they_can_be_demanded(
    log: Path, tmp_path: Path
) -> None:
    shutil.copytree(log, tmp_path / "log")
    names = ("w1.example", "w2.example")
    one, two = (Witness(name, Ed25519PrivateKey.generate(), tmp_path / name) for name in names)
    cosign(one, tmp_path / "log", key_of(log), 1_800_000_000, first=True)
    proof = make_proof(tmp_path / "log", 7)
    found = check_carried(proof, key_of(log), [one.public])
    assert [(said.witness.name, said.time) for said in found.cosigned] == [("w1.example", 1_800_000_000)]
    with pytest.raises(ProofError, match=r"w2\.example has not cosigned"):
        check_carried(proof, key_of(log), [one.public, two.public])
    (tmp_path / "log" / layout.CHECKPOINT).unlink()
    with pytest.raises(ProofError, match=r"w1\.example has not cosigned"):
        check_carried(make_proof(tmp_path / "log", 7), key_of(log), [one.public])


def test_only_a_record_that_says_so_makes_a_file_a_product(tmp_path: Path) -> None:
    store = new_store(tmp_path / "log")
    digest = "ab" * 32
    for body in ({"e": "product.collected", "sha256": digest}, {"e": "file.deleted", "sha256": digest}):
        store.event("engine", body, "uid:0")
    seal(store)
    said = [check_carried(make_proof(store.path, n), key_of(store.path)) for n in range(store.next_n)]
    assert [is_product(each, digest) for each in said] == [False, True, False, False, False]
    assert not is_product(said[1], "cd" * 32)


def test_no_proof_is_made_of_an_index_that_is_not_the_sealed_one(log: Path, tmp_path: Path) -> None:
    shutil.copytree(log, tmp_path / "log")
    index = tmp_path / "log" / layout.INDEX
    index.write_bytes(index.read_bytes().replace(b'"number":7}', b'"number":8}'))
    with pytest.raises(ProofError, match="another root"):
        make_proof(tmp_path / "log", 8)
    make_proof(tmp_path / "log", 9)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v1\n",
        "c2sp.org/tlog-proof@v2\nindex 0\n\nnote\n",
        "c2sp.org/tlog-proof@v1\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n\n",
        "c2sp.org/tlog-proof@v1\nindex 00\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nindex -1\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nindex +1\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nindex 1 \n\nnote\n",
        "c2sp.org/tlog-proof@v1\nindex \n\nnote\n",
        "c2sp.org/tlog-proof@v1\nindex \N{SUPERSCRIPT TWO}\n\nnote\n",
        f"c2sp.org/tlog-proof@v1\nindex {'9' * 5000}\n\nnote\n",
        f"c2sp.org/tlog-proof@v1\nindex {1 << 63}\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nextra \nindex 0\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nextra\nindex 0\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nindex notanumber\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nextra !!\nindex 0\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nextra aGVsbG8\nindex 0\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nextra aGVsbG9=\nindex 0\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nindex 0\nextra aGVsbG8=\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nextra aGVsbG8=\nextra aGVsbG8=\nindex 0\n\nnote\n",
        f"c2sp.org/tlog-proof@v1\nindex 0\n{HASH[:-4]}\n\nnote\n",
        f"c2sp.org/tlog-proof@v1\nindex 0\n {HASH}\n\nnote\n",
        f"c2sp.org/tlog-proof@v1\r\nindex 0\r\n{HASH}\r\n\r\nnote\r\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n" + f"{HASH}\n" * 64 + "\nnote\n",
    ],
)
def test_a_malformed_proof_is_refused(text: str) -> None:
    with pytest.raises(ProofError):
        parse_proof(text.encode())


def test_an_index_may_be_as_large_as_a_tree() -> None:
    assert parse_proof(f"c2sp.org/tlog-proof@v1\nindex {(1 << 63) - 1}\n\nnote\n".encode()).index == (1 << 63) - 1


def test_a_proof_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(ProofError, match="UTF-8"):
        parse_proof(b"\xff")


@pytest.mark.parametrize("index", [-1, 10_000])
def test_no_proof_is_made_of_a_record_that_is_not_there(log: Path, index: int) -> None:
    with pytest.raises(ProofError, match="no leaf"):
        make_proof(log, index)


def test_a_missing_or_short_tile_makes_no_proof(log: Path, tmp_path: Path) -> None:
    shutil.copytree(log, tmp_path / "log")
    tile = tmp_path / "log/tile/0/000"
    tile.write_bytes(tile.read_bytes()[:-1])
    with pytest.raises(ProofError, match="wrong size"):
        make_proof(tmp_path / "log", 5)
    tile.unlink()
    with pytest.raises(ProofError, match="missing"):
        make_proof(tmp_path / "log", 5)


@pytest.mark.parametrize(
    ("number", "width", "path"),
    [
        (0, 256, "tile/0/000"),
        (1234067, 256, "tile/0/x001/x234/067"),
        (5, 17, "tile/0/005.p/17"),
        (1000, 256, "tile/0/x001/000"),
    ],
)
def test_tiles_lie_where_tlog_tiles_says(number: int, width: int, path: str) -> None:
    assert tile_path(0, number, width) == path


def test_tiles_hold_leaf_hashes_and_bundles_hold_the_lines(log: Path) -> None:
    lines = list(layout.lines(log / layout.INDEX))
    full, rest = divmod(len(lines), 256)
    assert (log / "tile/0/000").read_bytes() == b"".join(leaf_hash(line) for line in lines[:256])
    bundle = (log / f"tile/entries/00{full}.p/{rest}").read_bytes()
    assert bundle == b"".join(len(line).to_bytes(2, "big") + line for line in lines[full * 256 :])
    assert len((log / f"tile/1/000.p/{full}").read_bytes()) == full * 32
