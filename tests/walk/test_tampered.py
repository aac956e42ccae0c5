"""Evidence that was changed: `audit` and `check` say no, with exit 1 and a line that names what."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from walk.walking import Done, Walk

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]


def cut(path: Path) -> None:
    """Half of it is gone."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def emptied(path: Path) -> None:
    """All of it is gone."""
    path.write_bytes(b"")


def edited(path: Path) -> None:
    """One letter in the middle is another."""
    data = bytearray(path.read_bytes())
    at = next(i for i in range(len(data) // 2, len(data)) if chr(data[i]).isalnum())
    data[at] = ord("x") if data[at] != ord("x") else ord("y")
    path.write_bytes(data)


def missing(path: Path) -> None:
    """It is not there."""
    path.unlink()


def noise(path: Path) -> None:
    """It is bytes that are no text in any encoding that we read."""
    path.write_bytes(b"\xff\xfe\x00\x80" * 40)


KINDS = {
    "product": ("products/greeting/greeting.out", "products"),
    "sums": ("SHA256SUMS", "SHA256SUMS"),
    "signature": ("SHA256SUMS.asc", "signatures"),
    "log-signature": ("log/SHA256SUMS.asc", "signatures"),
    "log-sums": ("log/SHA256SUMS", "log"),
    "index": ("log/index.jsonl", "log"),
    "segment": ("log/data/build/greeting/*/*.log", "log"),
    "sealed-checkpoint": ("log/checkpoint.sealed", "log"),
    "verifier-key": ("log/log.vkey", "log"),
    "proof": ("log/proofs/*", "proofs"),
    "manifest": ("policy/release.toml", "policy"),
    "signers": ("policy/signers.toml", "policy"),
    "provenance": ("provenance.manager.dsse.json", "provenance"),
    "sbom": ("sbom.cdx.json", "sbom.cdx.json"),
}


@pytest.fixture
def evidence(finished: Walk) -> Iterator[Path]:
    """A copy of its evidence."""
    base = Path(tempfile.mkdtemp(dir=finished.folder.parent))
    yield shutil.copytree(finished.evidence, base / "evidence")
    shutil.rmtree(base)


def says_no(done: Done, what: str) -> None:
    """Exit 1, a verdict, and a line about it."""
    assert done.exit == 1, done.told()
    assert done.err == "", done.told()
    assert done.out.splitlines()[-1] == "verdict: NO", done.told()
    assert any(line.startswith("✗ BAD") and what in line for line in done.out.splitlines()), done.told()


HARMS = [
    pytest.param(cut, id="cut"),
    pytest.param(edited, id="edited"),
    pytest.param(missing, id="missing"),
    pytest.param(emptied, id="emptied", marks=pytest.mark.slow),
    pytest.param(noise, id="noise", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("kind", KINDS)
def test_evidence_that_was_changed_is_refused_and_named(
    finished: Walk, evidence: Path, kind: str, harm: Callable[[Path], None]
) -> None:
    name, what = KINDS[kind]
    (path,) = evidence.glob(name)
    harm(path)
    asked = finished.say if kind == "product" else finished.look
    says_no(asked("audit", evidence, "--keyring", finished.folder / "keyring"), what)


@pytest.mark.parametrize("kind", KINDS)
def test_a_product_of_changed_evidence_is_not_vouched_for(finished: Walk, evidence: Path, kind: str) -> None:
    name, what = KINDS[kind]
    (path,) = evidence.glob(name)
    edited(path)
    product = finished.evidence / "products" / "greeting" / "greeting.out"
    keyring = finished.folder / "keyring"
    asked = finished.say if kind == "product" else finished.look
    says_no(asked("check", product, "--evidence", evidence, "--keyring", keyring), what)
