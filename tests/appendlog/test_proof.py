"""Tiles, entry bundles and inclusion proofs as files."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appendlog.log_making import sealed_log
from sealwright_appendlog import layout
from sealwright_appendlog.note import VerifierKey
from sealwright_appendlog.proof import check_proof, make_proof, parse_proof
from sealwright_appendlog.tiles import tile_path
from sealwright_appendlog.tree import ProofError, leaf_hash

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
        check_proof(bytes(proof), line, key_of(log))


def test_extra_data_is_read_and_never_believed(log: Path) -> None:
    line = list(layout.lines(log / layout.INDEX))[5]
    proof = make_proof(log, 5).replace(b"@v1\n", b"@v1\nextra aGVsbG8=\n")
    assert parse_proof(proof).extra == b"hello"
    check_proof(proof, line, key_of(log))


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
