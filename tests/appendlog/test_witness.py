"""The witness: it cosigns what continues what it saw, and nothing else; its state is on disk before its word is."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appendlog.log_making import KEY, ORIGIN, fill, new_store, seal, sealed_log
from sealwright_appendlog import layout
from sealwright_appendlog.audit import LogBroken, check_log
from sealwright_appendlog.cosignature import Cosignature, WitnessKey, check_cosignatures, cosignature_line
from sealwright_appendlog.keyfile import read_or_make_key
from sealwright_appendlog.note import Checkpoint, NoteError, VerifierKey, sign_note, split_note
from sealwright_appendlog.store import Store
from sealwright_appendlog.witness import Witness, WitnessError, add_line, cosign

VKEY = VerifierKey(ORIGIN, KEY.public_key().public_bytes_raw())
WITNESS = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
NAME = "witness.example/w1"
NOW = 1_800_000_000


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    (tmp_path / "witness").mkdir()
    return Witness(NAME, WITNESS, tmp_path / "witness" / "seen")


def grown(store: Store, events: int) -> None:
    for number in range(events):
        store.event("engine", {"e": "made.up", "number": number}, "uid:0")
    store.commit()
    store.publish()


def checkpoint(log: Path) -> bytes:
    return (log / layout.CHECKPOINT).read_bytes()


def cosigned(log: Path, witness: Witness) -> list[Cosignature]:
    return check_cosignatures(checkpoint(log), VKEY, [witness.public])[0]


def kept(witness: Witness) -> set[bytes]:
    return {path.read_bytes() for path in witness.state.parent.glob("seen.refused-*")}


def test_a_log_that_grows_is_cosigned_at_every_size(tmp_path: Path, witness: Witness) -> None:
    store = new_store(tmp_path / "log")
    for step, more in enumerate((1, 1, 5, 300, 257)):
        grown(store, more)
        cosign(witness, store.path, VKEY, NOW + step, first=step == 0)
        assert cosigned(store.path, witness) == [Cosignature(witness.public, NOW + step)]
        assert split_note(witness.state.read_bytes())[0] == split_note(checkpoint(store.path))[0]


def test_a_sealed_log_stays_whole_and_its_sealed_checkpoint_untouched(tmp_path: Path, witness: Witness) -> None:
    log = sealed_log(tmp_path / "log")
    before = {path: path.read_bytes() for path in log.rglob("*") if path.is_file()}
    cosign(witness, log, VKEY, NOW, first=True)
    changed = {path.name for path in log.rglob("*") if path.is_file() and before.get(path) != path.read_bytes()}
    assert changed == {layout.CHECKPOINT}
    report = check_log(log, sums=True, witnesses=[witness.public])
    assert report.cosigned == [Cosignature(witness.public, NOW)]


def test_who_cosigned_already_does_not_do_so_again(tmp_path: Path, witness: Witness) -> None:
    log = sealed_log(tmp_path / "log")
    cosign(witness, log, VKEY, NOW, first=True)
    once = checkpoint(log)
    assert cosign(witness, log, VKEY, NOW + 60).time == NOW
    assert checkpoint(log) == once


def test_two_witnesses_cosign_one_checkpoint(tmp_path: Path, witness: Witness) -> None:
    log = sealed_log(tmp_path / "log")
    other = Witness("witness.example/w2", Ed25519PrivateKey.generate(), tmp_path / "other")
    cosign(witness, log, VKEY, NOW, first=True)
    cosign(other, log, VKEY, NOW + 1, first=True)
    report = check_log(log, witnesses=[witness.public, other.public])
    assert [(word.witness.name, word.time) for word in report.cosigned] == [(NAME, NOW), (other.name, NOW + 1)]


def test_the_logs_own_signature_comes_first(tmp_path: Path, witness: Witness) -> None:
    log = sealed_log(tmp_path / "log")
    text = split_note(checkpoint(log))[0]
    (log / layout.CHECKPOINT).write_text(sign_note(text, ORIGIN, Ed25519PrivateKey.generate()))
    with pytest.raises(NoteError, match="no known key"):
        cosign(witness, log, VKEY, NOW, first=True)
    assert not witness.state.exists()


def test_a_log_without_records_is_not_cosigned(tmp_path: Path, witness: Witness) -> None:
    empty = sign_note(Checkpoint(ORIGIN, 0, bytes(32)).text(), ORIGIN, KEY)
    (tmp_path / layout.CHECKPOINT).write_text(empty)
    with pytest.raises(WitnessError, match="no records"):
        cosign(witness, tmp_path, VKEY, NOW, first=True)
    assert not witness.state.exists()


def test_a_smaller_tree_is_refused_and_both_notes_are_kept(tmp_path: Path, witness: Witness) -> None:
    store = new_store(tmp_path / "log")
    grown(store, 5)
    shutil.copytree(store.path, tmp_path / "older")
    grown(store, 5)
    cosign(witness, store.path, VKEY, NOW, first=True)
    seen, shown = witness.state.read_bytes(), checkpoint(tmp_path / "older")
    for _ in range(2):
        with pytest.raises(WitnessError, match="smaller than it was") as caught:
            cosign(witness, tmp_path / "older", VKEY, NOW)
        assert caught.value.notes == (seen, shown)
        assert kept(witness) == {seen, shown}
    assert witness.state.read_bytes() == seen
    assert checkpoint(tmp_path / "older") == shown


@pytest.mark.parametrize(("before", "after"), [(5, 5), (5, 6), (5, 700), (300, 301)])
def test_a_split_view_is_refused_and_both_notes_are_kept(
    tmp_path: Path, witness: Witness, before: int, after: int
) -> None:
    one, two = new_store(tmp_path / "one"), new_store(tmp_path / "two")  # their clocks are an hour apart
    grown(one, before)
    grown(two, after)
    cosign(witness, one.path, VKEY, NOW, first=True)
    seen, shown = witness.state.read_bytes(), checkpoint(two.path)
    with pytest.raises(WitnessError, match="root"):
        cosign(witness, two.path, VKEY, NOW)
    assert kept(witness) == {seen, shown}
    assert (witness.state.read_bytes(), checkpoint(two.path)) == (seen, shown)


@pytest.mark.parametrize("how", ["missing", "changed", "short", "link"])
def test_a_proof_is_believed_only_as_far_as_it_verifies(tmp_path: Path, witness: Witness, how: str) -> None:
    store = new_store(tmp_path / "log")
    grown(store, 5)
    cosign(witness, store.path, VKEY, NOW, first=True)
    grown(store, 600)
    tile = store.path / "tile/0/000"
    data = tile.read_bytes()
    tile.unlink()
    if how == "changed":
        tile.write_bytes(bytes(len(data)))
    elif how == "short":
        tile.write_bytes(data[:-1])
    elif how == "link":
        tile.symlink_to("/dev/zero")
    before = checkpoint(store.path)
    with pytest.raises(WitnessError):
        cosign(witness, store.path, VKEY, NOW)
    assert checkpoint(store.path) == before
    assert len(kept(witness)) == 2


def test_a_state_file_that_is_missing_is_made_only_on_request(tmp_path: Path, witness: Witness) -> None:
    log = sealed_log(tmp_path / "log")
    before = checkpoint(log)
    with pytest.raises(WitnessError, match="no state file"):
        cosign(witness, log, VKEY, NOW)
    assert checkpoint(log) == before
    assert not witness.state.exists()


@pytest.mark.parametrize("state", [b"", b"junk\n", sign_note("x\n", "other", KEY).encode()])
def test_a_state_that_is_no_checkpoint_of_this_log_is_refused(
    tmp_path: Path, witness: Witness, state: bytes
) -> None:
    log = sealed_log(tmp_path / "log")
    witness.state.write_bytes(state)
    with pytest.raises(NoteError, match="state file"):
        cosign(witness, log, VKEY, NOW, first=True)
    assert cosigned(log, witness) == []


def test_the_state_is_on_disk_before_the_line_is_there(tmp_path: Path, witness: Witness) -> None:
    """What stops between the two leaves a state that knows more than was said, and the next run says it."""
    log = sealed_log(tmp_path / "log")
    before = checkpoint(log)
    (log / ".checkpoint.cosigned").mkdir()
    with pytest.raises(OSError):
        cosign(witness, log, VKEY, NOW, first=True)
    assert witness.state.read_bytes() == before == checkpoint(log)
    (log / ".checkpoint.cosigned").rmdir()
    cosign(witness, log, VKEY, NOW + 1)
    assert cosigned(log, witness) == [Cosignature(witness.public, NOW + 1)]


def test_without_a_durable_state_nothing_is_signed(tmp_path: Path, witness: Witness) -> None:
    log = sealed_log(tmp_path / "log")
    before = checkpoint(log)
    (witness.state.parent / ".seen.new").mkdir()
    with pytest.raises(OSError):
        cosign(witness, log, VKEY, NOW, first=True)
    assert checkpoint(log) == before


def test_one_run_holds_the_state_at_a_time(tmp_path: Path, witness: Witness) -> None:
    log = sealed_log(tmp_path / "log")
    with (witness.state.parent / "seen.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(WitnessError, match="another run"):
            cosign(witness, log, VKEY, NOW, first=True)
    cosign(witness, log, VKEY, NOW, first=True)


def test_a_checkpoint_that_the_log_wrote_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    store = new_store(tmp_path / "log")
    grown(store, 5)
    checked = checkpoint(store.path)
    line = cosignature_line(split_note(checked)[0], NAME, WITNESS, NOW)
    grown(store, 5)
    newer = checkpoint(store.path)
    with pytest.raises(WitnessError, match="meanwhile"):
        add_line(store.path / layout.CHECKPOINT, checked, line.encode() + b"\n", VKEY)
    assert checkpoint(store.path) == newer


def test_a_line_under_the_own_key_that_does_not_verify_is_refused(tmp_path: Path, witness: Witness) -> None:
    log = sealed_log(tmp_path / "log")
    line = cosignature_line("other\n", NAME, WITNESS, NOW)
    with (log / layout.CHECKPOINT).open("a") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(NoteError, match="does not verify"):
        cosign(witness, log, VKEY, NOW, first=True)


def test_a_note_that_would_have_too_many_lines_stays_as_it_is(tmp_path: Path, witness: Witness) -> None:
    log = sealed_log(tmp_path / "log")
    with (log / layout.CHECKPOINT).open("a") as stream:
        stream.writelines(f"{cosignature_line('x', f'w{n}', WITNESS, NOW)}\n" for n in range(99))
    before = checkpoint(log)
    with pytest.raises(NoteError, match="too many"):
        cosign(witness, log, VKEY, NOW, first=True)
    assert checkpoint(log) == before


def test_a_checkpoint_that_is_a_link_is_not_followed(tmp_path: Path, witness: Witness) -> None:
    log = sealed_log(tmp_path / "log")
    (log / layout.CHECKPOINT).unlink()
    (log / layout.CHECKPOINT).symlink_to(layout.SEALED)
    with pytest.raises(OSError, match="symbolic links"):
        cosign(witness, log, VKEY, NOW, first=True)


def test_a_bad_cosignature_of_a_witness_that_is_asked_for_breaks_the_log(tmp_path: Path, witness: Witness) -> None:
    log = sealed_log(tmp_path / "log")
    line = cosignature_line("other\n", NAME, WITNESS, NOW)
    with (log / layout.CHECKPOINT).open("a") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(LogBroken, match=f"checkpoint: the cosignature of {NAME} does not verify"):
        check_log(log, witnesses=[witness.public])
    report = check_log(log)
    assert [told for told in report.notices if f"{NAME}+{witness.public.key_id.hex()}" in told]


@pytest.mark.parametrize("there", [True, False])
def test_a_witness_that_did_not_cosign_is_told(tmp_path: Path, witness: Witness, there: bool) -> None:
    log = sealed_log(tmp_path / "log")
    if not there:
        (log / layout.CHECKPOINT).unlink()
    report = check_log(log, witnesses=[witness.public])
    assert report.cosigned == []
    assert f"witness {NAME} has not cosigned" in report.notices


def test_a_log_goes_on_over_a_cosigned_checkpoint(tmp_path: Path, witness: Witness) -> None:
    store = new_store(tmp_path / "log")
    fill(store)
    store.publish()
    cosign(witness, store.path, VKEY, NOW, first=True)
    store.close()
    store = new_store(tmp_path / "log")
    seal(store)
    cosign(witness, store.path, VKEY, NOW + 1)
    assert check_log(store.path, witnesses=[witness.public]).cosigned == [Cosignature(witness.public, NOW + 1)]


def program(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-m", "sealwright_appendlog.cli", *map(os.fspath, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_program_cosigns_verifies_and_shows_both_notes_of_a_refusal(tmp_path: Path) -> None:
    log, key, state = sealed_log(tmp_path / "log"), tmp_path / "key", tmp_path / "seen"
    who = ("--key", key, "--name", NAME)
    told = ("cosign", log, "--log", str(VKEY), *who, "--state", state)
    assert program(*told, "--first").returncode == 4
    assert not key.exists()
    vkey = program("witness-key", *who).stdout.strip()
    assert WitnessKey.parse(vkey).public == read_or_make_key(key).public_key().public_bytes_raw()
    assert key.stat().st_mode & 0o777 == 0o600
    missing = program(*told)
    assert (missing.returncode, "add --first" in missing.stderr) == (4, True)
    assert program(*told, "--first").stdout.startswith(f"cosigned: by {NAME} at 20")
    assert f"cosigned: by {NAME} at 20" in program("verify", log, "--witness", vkey).stdout
    other = sealed_log(tmp_path / "other", events=3)
    refused = program("cosign", other, *told[2:])
    assert refused.returncode == 4
    assert "smaller than it was" in refused.stderr
    assert "next: do not trust this log" in refused.stderr
    assert refused.stdout == f"seen last:\n{state.read_text()}\nshown now:\n{checkpoint(other).decode()}\n"
