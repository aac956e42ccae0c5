"""Where the key may be: a home, a file that is kept in memory, another qube; and a raw key beside it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.openpgp import Good, Keyring
from sealwright_keyring.signer.gpg_sign import SigningGpg, make_throwaway_key, own_agent
from sealwright_keyring.signer.keys import SigningKey, home_in_memory, read_ed25519, read_secret
from signer.program import PROGRAM, program, signed
from support.proposals import Shown
from support.rooms import short_folder
from support.signing import Desk, line, typed
from transports.ends import wait_for

WRAPPER = Path(__file__).with_name("qubes-gpg-client-wrapper")
Held = tuple[Path, SigningKey]


def secret_of(held: Held, folder: Path) -> Path:
    """The secret key as a file that is its owner's alone."""
    argv = ["gpg", "--homedir", str(held[0]), "--batch", "--export-secret-keys", held[1].fingerprint]
    path = folder / "secret.key"
    path.write_bytes(subprocess.run(argv, capture_output=True, check=True).stdout)
    path.chmod(0o600)
    return path


def check(held: Held, shown: Shown, answer: dict[str, object]) -> None:
    """The answer has a good signature over SHA256SUMS by the key."""
    assert answer["ok"] is True, answer
    assert answer["fingerprint"] == held[1].fingerprint
    argv = ["gpg", "--homedir", str(held[0]), "--batch", "--export", held[1].fingerprint]
    certificate = subprocess.run(argv, capture_output=True, check=True).stdout
    signatures = answer["signatures"]
    assert isinstance(signatures, list)
    (armor,) = (each["armor"] for each in signatures if each["name"] == "SHA256SUMS")
    with Keyring.of([certificate], [held[1].fingerprint]) as ring:
        assert isinstance(ring.verify_detached(armor.encode(), shown.documents()[0][2]), Good)


def left(pid: int = 0) -> set[str]:
    """Homes in memory of this process, or of those that are no more: other tests go on beside this one."""
    found = [path for place in ("/dev/shm", "/run") for path in Path(place).glob("sealwright-key-*-*")]
    whose = [(str(path), path.name.split("-")[2]) for path in found]
    return {path for path, of in whose if (of == str(pid) if pid else not Path("/proc", of).exists())}


def test_a_key_file_signs_from_memory_and_is_gone_afterwards(held: Held, shown: Shown, tmp_path: Path) -> None:
    before, path = left(), secret_of(held, tmp_path)
    argv = [*PROGRAM, "serve", "--key-file", path, "--record", tmp_path / "r"]
    check(held, shown, signed(argv, shown))
    wait_for(lambda: left() <= before)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_key_file_is_gone_from_memory_also_after_a_kill(
    held: Held, tmp_path: Path, number: signal.Signals
) -> None:
    path = secret_of(held, tmp_path)
    argv = [*PROGRAM, "serve", "--key-file", str(path), "--record", str(tmp_path / "r")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin and child.stdout
        child.stdin.write(b'{"op":"hello"}\n')
        child.stdin.flush()
        assert held[1].fingerprint.encode() in child.stdout.readline()
        (home,) = left(child.pid)
        child.send_signal(number)
        child.wait(10)
    deadline = time.monotonic() + 10
    while Path(home).exists():
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.02)
    agents = subprocess.run(["pgrep", "-f", home], capture_output=True, check=False).stdout
    assert not agents, "no agent keeps the key"


def test_a_key_that_was_left_in_memory_is_removed_unless_its_signer_lives(held: Held, tmp_path: Path) -> None:
    secret = secret_of(held, tmp_path).read_bytes()
    with home_in_memory(secret) as home:
        dead = home.with_name("sealwright-key-of-a-dead-signer")
        dead.mkdir(0o700)
        (dead / "key").write_bytes(secret)
        for each in (dead, home):
            os.utime(each, (1, 1))
        with home_in_memory(secret):
            assert home.exists() and not dead.exists()
    assert not home.exists()


@pytest.mark.parametrize("data", [b"", b"no key", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"])
def test_a_key_file_that_holds_no_secret_key_is_refused(tmp_path: Path, data: bytes) -> None:
    before = left(os.getpid())
    with pytest.raises(KeyringError), home_in_memory(data) as home:
        SigningKey(SigningGpg(home))
    assert left(os.getpid()) == before


def test_a_secret_that_others_can_read_is_refused(held: Held, tmp_path: Path) -> None:
    path = secret_of(held, tmp_path)
    assert read_secret(path)
    for mode in (0o640, 0o604, 0o666):
        path.chmod(mode)
        with pytest.raises(KeyringError, match="others can read it"):
            read_secret(path)
    path.chmod(0o600)
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OSError, match="symbolic"):
        read_secret(tmp_path / "link")


def test_split_gpg_signs_by_options_that_it_allows(held: Held, shown: Shown, tmp_path: Path) -> None:
    env = {**os.environ, "QUBES_GPG_DOMAIN": str(held[0])}
    env.pop("GNUPGHOME", None)
    argv = [*PROGRAM, "serve", "--gpg", WRAPPER, "--record", tmp_path / "r", "--key", held[1].fingerprint]
    check(held, shown, signed(argv, shown, env))


@pytest.mark.parametrize("words", [["--homedir", "x"], ["--no-options"], ["--armo"], ["--output", "file"]])
def test_the_stand_in_of_split_gpg_refuses_what_the_real_one_does(held: Held, words: list[str]) -> None:
    argv = [str(WRAPPER), *words, "--list-secret-keys"]
    done = subprocess.run(argv, env={"QUBES_GPG_DOMAIN": str(held[0])}, capture_output=True, check=False)
    assert done.returncode == 1 and not done.stdout


def pem(key: Ed25519PrivateKey | X25519PrivateKey, how: KeySerializationEncryption, folder: Path) -> Path:
    path = folder / "raw.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))
    path.chmod(0o600)
    return path


def test_a_raw_key_signs_the_provenance_too_and_nothing_else(held: Held, shown: Shown, tmp_path: Path) -> None:
    raw = Ed25519PrivateKey.generate()
    argv = [*PROGRAM, "serve", "--home", held[0], "--record", tmp_path / "r"]
    answer = signed([*argv, "--ed25519", pem(raw, NoEncryption(), tmp_path)], shown)
    check(held, shown, answer)
    told = {each["name"]: each.get("ed25519") for each in answer["signatures"]}
    assert told["SHA256SUMS"] is told["log/SHA256SUMS"] is None
    statement = shown.documents()[2][2]
    pae = b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(statement), statement)
    raw.public_key().verify(base64.b64decode(told["provenance"]), pae)


def test_what_is_no_raw_key_is_refused(tmp_path: Path) -> None:
    locked = pem(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"x"), tmp_path)
    with pytest.raises(KeyringError, match="no Ed25519 key"):
        read_ed25519(locked)
    with pytest.raises(KeyringError, match="no Ed25519 key"):
        read_ed25519(pem(X25519PrivateKey.generate(), NoEncryption(), tmp_path))
    locked.write_text("no key")
    with pytest.raises(KeyringError, match="no Ed25519 key"):
        read_ed25519(locked)


def test_several_keys_want_one_to_be_named_in_full(held: Held, tmp_path: Path) -> None:
    folder = short_folder("sw-two-")
    try:
        first, second = (make_throwaway_key(folder / "h", name) for name in ("one", "two"))
        with own_agent(folder / "h"):
            for wanted in (None, first[-16:], second[:8], "A" * 40):
                with pytest.raises(KeyringError, match="keys that fit"):
                    SigningKey(SigningGpg(folder / "h"), wanted)
            with contextlib.closing(SigningKey(SigningGpg(folder / "h"), second.lower())) as key:
                assert key.fingerprint == second
    finally:
        shutil.rmtree(folder)


def test_a_subkeys_signature_is_told_by_the_primary_key(shown: Shown, tmp_path: Path) -> None:
    folder = short_folder("sw-sub-")
    home = ["gpg", "--homedir", str(folder), "--batch", "--passphrase", "", "--pinentry-mode", "loopback"]
    try:
        with own_agent(folder):
            subprocess.run(
                [*home, "--quick-generate-key", "a", "ed25519", "cert"], check=True, capture_output=True
            )
            ((primary, _),) = SigningGpg(folder).secret_keys()
            subprocess.run([*home, "--quick-add-key", primary, "ed25519", "sign"], check=True, capture_output=True)
            (tmp_path / "d").mkdir()
            with contextlib.closing(SigningKey(SigningGpg(folder))) as key:
                answer = Desk(key, tmp_path / "d").talk(shown.proposal(), then=typed)[-1]
        assert answer["ok"] is True and answer["fingerprint"] == primary
    finally:
        shutil.rmtree(folder)


def test_an_expired_key_signs_nothing(shown: Shown, tmp_path: Path) -> None:
    folder = short_folder("sw-old-")
    home = ["gpg", "--homedir", str(folder), "--batch", "--passphrase", "", "--pinentry-mode", "loopback"]
    clock = ["--faked-system-time", "20200101T000000"]
    try:
        with own_agent(folder):
            made = [*home, *clock, "--quick-generate-key", "a", "ed25519", "sign", "1y"]
            subprocess.run(made, check=True, capture_output=True)
            (tmp_path / "d").mkdir()
            with contextlib.closing(SigningKey(SigningGpg(folder))) as key:
                desk = Desk(key, tmp_path / "d")
                answer = desk.talk(shown.proposal(), then=typed)[-1]
        assert answer["ok"] is False and answer["next"] and desk.signings() == 0
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("tty", ["", "/dev/pts/closed"])
def test_a_passphrase_that_can_not_be_asked_for_is_told_as_such(
    tmp_path: Path, shown: Shown, monkeypatch: pytest.MonkeyPatch, tty: str
) -> None:
    for name in ("GPG_TTY", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if tty:
        monkeypatch.setenv("GPG_TTY", tty)
    with tempfile.TemporaryDirectory(prefix="sw-signer-", dir="/tmp") as name:
        argv = ["gpg", "--homedir", name, "--batch", "--pinentry-mode", "loopback", "--passphrase", "secret"]
        make = [*argv, "--quick-generate-key", "a", "ed25519", "sign", "never"]
        subprocess.run(make, check=True, capture_output=True)
        subprocess.run(["gpgconf", "--homedir", name, "--kill", "gpg-agent"], check=True)
        (tmp_path / "d").mkdir()
        with own_agent(Path(name)), contextlib.closing(SigningKey(SigningGpg(Path(name)))) as key:
            refused = Desk(key, tmp_path / "d").talk(shown.proposal(), then=typed)[-1]
    assert refused["ok"] is False
    assert "no prompt can appear" in refused["because"] and "elsewhere" in refused["next"]


def test_the_program_answers_and_ends_with_its_input(held: Held, tmp_path: Path) -> None:
    words = ["serve", "--home", held[0], "--record", tmp_path / "r", "--key", held[1].fingerprint]
    done = program(*words, stdin=b'{"op":"hello"}\n')
    assert done.returncode == 0
    assert json.loads(done.stdout)["ok"] is True


def test_the_program_refuses_in_three_lines(held: Held, tmp_path: Path) -> None:
    done = program("serve", "--home", tmp_path, "--record", tmp_path / "r")
    assert done.returncode == 5
    lines = done.stderr.decode().splitlines()
    assert [each.split(":")[0] for each in lines] == ["error", "because", "next"]
    for words in (["--uid", "0", "--gid", "0"], ["--uid", "61184"]):
        done = program("serve", "--home", held[0], "--record", tmp_path / "r", *words)
        assert done.returncode == 5
        assert b"both are needed" in done.stderr


def test_the_program_shows_and_checks_a_record(held: Held, shown: Shown, desk: Desk) -> None:
    desk.talk(shown.proposal(), then=typed)
    done = program("record", "--record", desk.record)
    assert done.returncode == 0 and b"SIGNED" in done.stdout
    desk.record.write_bytes(desk.record.read_bytes().replace(b"example", b"exbmple", 1))
    done = program("record", "--record", desk.record)
    assert done.returncode == 1 and done.stderr.startswith(b"error: the record")
    done = program("serve", "--home", held[0], "--record", desk.record, stdin=line({"op": "hello"}))
    assert done.returncode == 5 and not done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="dropping a uid needs root")
def test_the_program_gives_up_root_before_it_reads(tmp_path: Path) -> None:
    uid = 61999
    folder = short_folder("sw-drop-")
    try:
        make_throwaway_key(folder / "h", "demo")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, uid, uid, follow_symlinks=False)
        words = ["--home", folder / "h", "--record", folder / "r", "--uid", uid, "--gid", uid]
        done = program("serve", *words, stdin=b'{"op":"hello"}\n')
        assert json.loads(done.stdout)["ok"] is True
        assert (folder / "r").stat().st_uid == uid
    finally:
        shutil.rmtree(folder, ignore_errors=True)
