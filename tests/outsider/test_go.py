"""Go's own notes and trees (golang.org/x/mod/sumdb, as Debian packages it) read our logs, and we read theirs.

Needs `golang-go` and `golang-golang-x-mod-dev`; without them these tests are skipped. Nothing is fetched.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appendlog.log_making import KEY, ORIGIN, fill, new_store, seal, sealed_log
from sealwright_appendlog import layout
from sealwright_appendlog.note import Checkpoint, VerifierKey, open_checkpoint, sign_note
from sealwright_appendlog.proof import make_proof
from sealwright_appendlog.tiles import TileReader, TileWriter
from sealwright_appendlog.tree import (
    CompactRange,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from sealwright_appendlog.witness import Witness, cosign

GOPATH = Path("/usr/share/gocode")
pytestmark = pytest.mark.skipif(
    shutil.which("go") is None or not (GOPATH / "src/golang.org/x/mod/sumdb/tlog").is_dir(),
    reason="golang-go and golang-golang-x-mod-dev are not installed",
)
VKEY = str(VerifierKey(ORIGIN, KEY.public_key().public_bytes_raw()))
Go = Callable[..., Any]


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Go:
    """Runs the outsider, and gives what it says; an error is what it says too."""
    nest = tmp_path_factory.mktemp("go")
    environment = {"PATH": os.environ["PATH"], "HOME": str(nest), "GOCACHE": str(nest / "cache")}
    environment |= {"GO111MODULE": "off", "GOPATH": str(GOPATH), "GOPROXY": "off", "GOTOOLCHAIN": "local"}
    source = Path(__file__).with_name("main.go")
    subprocess.run(["go", "build", "-o", nest / "outsider", source], env=environment, check=True, timeout=300)

    def run(*words: object) -> Any:
        argv = [nest / "outsider", *map(str, words)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr.strip()

    return run


def tiled(folder: Path, size: int, kept: frozenset[int] = frozenset()) -> list[Path]:
    """A log of `size` lines by our tiles and notes alone; gives the notes of the sizes in `kept`."""
    tree, index, notes = CompactRange(), [], []

    def write(name: str, data: bytes) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    def signed() -> bytes:
        return sign_note(Checkpoint(ORIGIN, tree.size, tree.root()).text(), ORIGIN, KEY).encode()

    writer = TileWriter(write)
    for n in range(size):
        line = b'{"n":%d}' % n
        index.append(line)
        tree.append(leaf_hash(line))
        writer.append(line)
        if tree.size in kept:
            write(f"note-{tree.size}", signed())
            notes.append(folder / f"note-{tree.size}")
    for name, data in writer.partial().items():
        write(name, data)
    write(layout.INDEX, b"".join(line + b"\n" for line in index))
    write(layout.CHECKPOINT, signed())
    return notes


@pytest.mark.parametrize(
    "size", [1, 2, 255, 256, 257, 1000, 70_000, pytest.param(300_000, marks=pytest.mark.slow)]
)
def test_go_reads_our_notes_tiles_and_entries_at_every_kind_of_size(tmp_path: Path, go: Go, size: int) -> None:
    """70,000 is the specification's example, with partial tiles on three levels; 300,000 has a path of two elements."""
    kept = frozenset({1, 2, size // 3 or 1, 256, 65_536, size} & set(range(size + 1)))
    notes = tiled(tmp_path, size, kept)
    found = go("read", tmp_path, VKEY, *notes)
    assert found["Size"] == found["Entries"] == size, found
    assert found["Included"] == len(range(0, size, size // 1000 + 1))
    assert found["Consistent"] == len(kept) == len(notes)


def test_go_reads_a_sealed_log_of_the_real_store_and_the_notes_that_it_grew_by(tmp_path: Path, go: Go) -> None:
    store, notes = new_store(tmp_path / "log"), []
    for step in range(4):
        fill(store, events=150, chunks=3) if not step else store.event("engine", {"step": step}, "uid:0")
        store.commit()
        notes.append(tmp_path / f"note-{step}")
        notes[-1].write_text(store.publish())
    seal(store)
    found = go("read", store.path, VKEY, *notes)
    assert (found["Entries"], found["Included"], found["Consistent"]) == (store.next_n, store.next_n, 4), found


def test_go_reads_a_checkpoint_that_witnesses_cosigned(tmp_path: Path, go: Go) -> None:
    log = sealed_log(tmp_path / "log")
    for name in ("w1.example", "w2.example"):
        witness = Witness(name, Ed25519PrivateKey.generate(), tmp_path / name)
        cosign(witness, log, VerifierKey.parse(VKEY), 1_800_000_000, first=True)
    assert (log / layout.CHECKPOINT).read_text().count("\N{EM DASH} ") == 3
    assert go("read", log, VKEY)["Size"] == 315


def test_go_checks_a_proof_that_we_made(tmp_path: Path, go: Go) -> None:
    log = sealed_log(tmp_path / "log")
    lines = list(layout.lines(log / layout.INDEX))
    for n in (0, 7, 255, 256, len(lines) - 1):
        (tmp_path / "proof").write_bytes(make_proof(log, n))
        (tmp_path / "line").write_bytes(lines[n])
        assert go("prove", tmp_path / "proof", VKEY, tmp_path / "line") == "proved"
        (tmp_path / "line").write_bytes(lines[n - 1])
        assert go("prove", tmp_path / "proof", VKEY, tmp_path / "line") != "proved"


def test_go_finds_what_was_changed_in_our_files(tmp_path: Path, go: Go) -> None:
    """So that its yes, above, is worth something."""
    tiled(tmp_path, 700)
    for name, at in ((layout.CHECKPOINT, 30), (layout.INDEX, 500), ("tile/0/001", 40), ("tile/entries/000", 900)):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert isinstance(go("read", tmp_path, VKEY), str), name
        (tmp_path / name).write_bytes(whole)
    other = VerifierKey(ORIGIN, Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    assert "no verifiable signatures" in go("read", tmp_path, other)
    assert go("read", tmp_path, VKEY)["Size"] == 700


@pytest.mark.parametrize("size", [1, 2, 3, 100, 256, 600])
def test_we_read_notes_proofs_and_tiles_that_go_made(tmp_path: Path, go: Go, size: int) -> None:
    made = go("make", tmp_path, size)
    key = VerifierKey.parse(made["VKey"])
    notes = {int(at): open_checkpoint(note, key) for at, note in made["Notes"].items()}
    assert {at: checkpoint.size for at, checkpoint in notes.items()} == {n: n for n in range(1, size + 1)}
    root, tiles = notes[size].root, TileReader(tmp_path, size).range_hash
    for n in range(size):
        leaf = leaf_hash(made["Lines"][n].encode())
        proof = [base64.b64decode(value) for value in made["Inclusion"][n]]
        verify_inclusion(leaf, n, size, proof, root)
        assert proof == inclusion_proof(n, size, tiles)
        proof = [base64.b64decode(value) for value in made["Consistent"][str(n + 1)]]
        verify_consistency(n + 1, notes[n + 1].root, size, root, proof)
        assert proof == consistency_proof(n + 1, size, tiles)
