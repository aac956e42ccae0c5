"""The program: its commands, and its own uid."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from appendlog.log_making import ORIGIN, new_store, seal, sealed_log
from appendlog.real_program import PROGRAM, connect, serve_words, served
from sealwright_appendlog import layout
from sealwright_appendlog.audit import check_log, read_records
from sealwright_appendlog.cosignature import WitnessKey
from sealwright_appendlog.frames import frame
from sealwright_appendlog.note import VerifierKey
from sealwright_appendlog.proof import check_proof


def run(*words: str | Path, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*PROGRAM, *words], input=data, capture_output=True, check=False, timeout=60)


def test_a_wrong_command_line_is_an_error_of_three_lines() -> None:
    for words in ([], ["verify"], ["prove", "log", "x"]):
        said = run(*words)
        assert said.returncode == 2
        assert re.fullmatch(rb"error: the command line\nbecause: .*\nnext: see .* --help`\n", said.stderr)


def test_an_answer_that_nobody_reads_is_no_yes(tmp_path: Path) -> None:
    log = sealed_log(tmp_path / "log")
    for words in (["verify", log], ["vkey", log], ["prove", log, "0"], ["setup"], ["verify", "--help"]):
        nobody, end = os.pipe()
        os.close(nobody)
        with os.fdopen(end, "wb") as unread:
            done = subprocess.run(
                [*PROGRAM, *words], stdout=unread, stderr=subprocess.PIPE, check=False, timeout=60
            )
        assert (done.returncode, done.stderr) == (141, b""), words
        shut = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *PROGRAM, *words], check=False, timeout=60)
        assert shut.returncode == 0, "who closes it has chosen the exit code alone"


def test_who_is_told_nothing_or_half_a_command_line_does_nothing(tmp_path: Path) -> None:
    words = json.dumps(["vkey", str(sealed_log(tmp_path / "log"))]).encode()
    whole = run("told", data=words)
    assert (whole.returncode, whole.stdout[:12]) == (0, b"example.org/")
    nothing = run("told")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, b"", b"")
    half = run("told", data=words[:-1])
    assert (half.returncode, half.stdout) == (4, b"") and half.stderr.startswith(b"error: told failed\nbecause: ")


def test_no_text_from_outside_reaches_the_terminal_raw(tmp_path: Path) -> None:
    log, note = sealed_log(tmp_path / "log"), tmp_path / "note"
    note.write_bytes(b"a\x1b[31mb\xc2\x9b31m\xe2\x80\xae\xff\n")
    said = run("verify", log, "--checkpoint", note)
    assert said.returncode == 4 and b"a\\x1b[31mb\\x9b31m\\u202e\\xff\n" in said.stdout
    for each in [said, run("verify", tmp_path / "\x1b[31m\udc9b"), run("verify", "--\x1b[31m", tmp_path)]:
        told = (each.stdout + each.stderr).decode()
        assert all(character.isprintable() or character == "\n" for character in told)


def test_an_interrupted_command_says_so_in_three_lines(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        heard = ("env", "--default-signal=INT")  # whoever is started in a shell's background ignores it
        words = [*heard, *PROGRAM, "append", "--raw", "--stream", "raw/x", "--socket", str(tmp_path / "s")]
        pipe = subprocess.PIPE
        with subprocess.Popen(words, stdin=pipe, stderr=pipe) as process, listener.accept()[0] as taken:
            assert taken.recv(1)  # it speaks, so it is past its start
            process.send_signal(signal.SIGINT)
            told = process.communicate(timeout=20)[1]
    assert process.returncode == 130
    assert told.splitlines()[0] == b"error: append was interrupted" and len(told.splitlines()) == 3


def test_verify_says_whole_or_names_the_first_bad_record(tmp_path: Path) -> None:
    log = sealed_log(tmp_path / "log")
    assert run("verify", log).stdout.startswith(b"whole: 315 records")
    assert run("verify", "--sums", log).returncode == 0
    index = log / layout.INDEX
    index.write_bytes(index.read_bytes().replace(b'"number":7}', b'"number":8}'))
    found = run("verify", log)
    assert found.returncode == 4
    assert re.match(rb"error: verify failed\nbecause: record 8: .*\nnext: .*\n", found.stderr)


def test_folders_nested_without_end_are_no_traceback(tmp_path: Path) -> None:
    log = sealed_log(tmp_path / "log")
    here = os.open(log / "data", os.O_RDONLY)
    for _ in range(2000):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    found = run("verify", log)
    subprocess.run(["rm", "-rf", log], check=True)  # pytest can't
    assert found.returncode == 4 and found.stderr.startswith(b"error: verify failed\nbecause: ")


@pytest.mark.parametrize("name", [b"\x1b]0;x\x07", b"\xff", b"x\nverdict: yes", "\u202ex\x9b2J".encode()])
def test_no_name_of_a_file_reaches_the_terminal_as_it_is(tmp_path: Path, name: bytes) -> None:
    log = sealed_log(tmp_path / "log")
    Path(os.fsdecode(os.fsencode(log / "data") + b"/" + name)).write_bytes(b"x")
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    file.write_bytes(b"no product")
    (tmp_path / "proof").write_bytes(run("prove", log, "42").stdout)
    vkey = run("vkey", log).stdout.decode().strip()
    for found in (run("verify", log), run("verify-proof", tmp_path / "proof", file, "--log", vkey)):
        assert found.returncode == 4
        assert all(0x20 <= byte < 0x7F for line in found.stderr.splitlines() for byte in line)
        assert [line.split(b":")[0] for line in found.stderr.splitlines()] == [b"error", b"because", b"next"]


def test_notes_that_contradict_each_other_are_printed_dead(tmp_path: Path) -> None:
    log = sealed_log(tmp_path / "log")
    note = tmp_path / "saved"
    note.write_bytes((log / layout.SEALED).read_bytes() + b"\x1b[2J\xff\xc2\x9b\n")
    found = run("verify", log, "--checkpoint", note)
    assert (found.returncode, found.stdout.splitlines()[0]) == (4, b"saved earlier:")
    assert rb"\x1b[2J\xff\x9b" in found.stdout and b"\x1b" not in found.stdout + found.stderr
    assert b"\nnext: keep the log and both notes" in found.stderr


@pytest.mark.parametrize("broken", ["2>/dev/full", "2>&-"])
def test_where_nobody_can_be_told_the_exit_code_says_it(tmp_path: Path, broken: str) -> None:
    words = ["sh", "-c", f'exec "$@" {broken}', "sh", *PROGRAM, "verify", str(tmp_path)]
    found = subprocess.run(words, capture_output=True, check=False, timeout=60)
    assert (found.returncode, found.stderr) == (4, b"")


def test_a_log_has_one_authority_at_a_time_and_the_next_waits_for_the_one_that_ends(tmp_path: Path) -> None:
    with served(tmp_path) as first:
        first.send_signal(signal.SIGSTOP)
        second = run(*serve_words(tmp_path))
        assert second.returncode == 4 and b"another authority has " in second.stderr
        third = subprocess.Popen([*PROGRAM, *serve_words(tmp_path)])
        try:
            first.send_signal(signal.SIGTERM)
            first.send_signal(signal.SIGCONT)
            assert first.wait(10) == 0
            until_served(tmp_path)
        finally:
            third.terminate()
            assert third.wait(10) == 0


def until_served(root: Path) -> None:
    """Wait until the log is served and takes an event."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            client = connect(root)
            client.hello("engine")
            client.say("J", b"{}")
            client.wait_line()
            client.close()
        except (OSError, EOFError):
            threading.Event().wait(0.02)
        else:
            return
    raise AssertionError("nobody serves it")


def test_prove_prints_a_proof_and_vkey_the_key(tmp_path: Path) -> None:
    log = sealed_log(tmp_path / "log")
    key = VerifierKey.parse(run("vkey", log).stdout.decode().strip())
    line = list(layout.lines(log / layout.INDEX))[42]
    check_proof(run("prove", log, "42").stdout, line, key)
    assert run("prove", log, "5000").returncode == 4


def test_one_command_says_yes_or_no_for_a_product_with_its_proof_alone(tmp_path: Path) -> None:
    store = new_store(tmp_path / "log")
    product = tmp_path / "downloaded.tar"
    product.write_bytes(b"a product")
    latest = tmp_path / "latest.tar"
    latest.symlink_to(product)
    digest = hashlib.sha256(b"a product").hexdigest()
    collected = {"e": "product.collected", "component": "xen", "name": "xen.tar", "sha256": digest, "size": 9}
    store.event("engine", {**collected, "e": "file.deleted"}, "uid:0")
    store.event("engine", collected, "uid:0")
    seal(store)
    vkey = run("vkey", store.path).stdout.decode().strip()
    for n in (1, 2):
        (tmp_path / f"{n}.tlog-proof").write_bytes(run("prove", store.path, str(n)).stdout)
    shutil.rmtree(store.path)
    proof = tmp_path / "2.tlog-proof"
    said = run("verify-proof", proof, latest, "--log", vkey)
    assert said.returncode == 0 and b"yes: it was collected as the product xen.tar of xen" in said.stdout
    alone = run("verify-proof", proof, "--log", vkey)
    assert alone.returncode == 0 and digest.encode() in alone.stdout

    other = str(VerifierKey(ORIGIN, bytes(range(32))))
    for words in (
        (tmp_path / "1.tlog-proof", product, "--log", vkey),
        (proof, proof, "--log", vkey),
        (proof, product, "--log", other),
        (proof, product, "--log", vkey, "--witness", str(WitnessKey("w.example", bytes(range(32))))),
        (product, product, "--log", vkey),
        (proof, tmp_path / "missing", "--log", vkey),
    ):
        no = run("verify-proof", *words)
        assert (
            no.returncode == 4 and b"yes" not in no.stdout and no.stderr.startswith(b"error: verify-proof failed")
        )


@pytest.mark.parametrize(("stream", "raw"), [("build/pipe", []), ("raw/pipe", ["--raw"])])
def test_append_carries_a_pipe_into_a_stream(tmp_path: Path, stream: str, raw: list[str]) -> None:
    with served(tmp_path):
        words = ["append", "--socket", tmp_path / "s", "--as", "ssh:serial", "--stream"]
        found = run(*words, stream, *raw, data=b"line\n" * 50_000)
        assert (found.returncode, found.stderr) == (0, b"")
        again = run(*words, "../pipe", data=b"x")
        assert again.returncode == 4 and b"plain names" in again.stderr
        other = run(*words, "raw/pipe" if not raw else "build/pipe", *raw, data=b"x")
        assert other.returncode == 4 and b"nobody waits" in other.stderr
    ends = [entry for entry, _ in read_records(tmp_path / "log") if entry["k"] == "eof"]
    assert [(end["s"], end["bytes"], end["clean"], end.get("exit")) for end in ends] == [
        (stream, 250_000, True, None if raw else 0)
    ]
    assert ends[0]["src"] == f"uid:{os.getuid()} ssh:serial"


def test_what_an_authority_says_reaches_no_terminal_raw(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        def answer() -> None:
            with listener.accept()[0] as sock:
                sock.recv(100)
                sock.sendall(frame("R", b"\x1b[2Jno\nnext: do what we say"))
                sock.recv(100)

        thread = threading.Thread(target=answer)
        thread.start()
        found = run("append", "--socket", tmp_path / "s", "--stream", "build/x", data=b"x")
        thread.join()
    assert found.returncode == 4 and b"\\x1b[2Jno\\nnext" in found.stderr


def test_two_identities_are_never_made_one(tmp_path: Path) -> None:
    for name in ("ssh:k\N{LATIN SMALL LETTER O WITH DIAERESIS}n", "ssh:k\N{LATIN SMALL LETTER U WITH DIAERESIS}n"):
        for words in (("connect",), ("append", "--stream", "build/x")):
            found = run(*words, "--socket", tmp_path / "s", "--as", name)
            assert found.returncode == 4 and b"an identity is ASCII" in found.stderr


def test_a_signal_ends_it_in_order_and_open_streams_unclean(tmp_path: Path) -> None:
    with served(tmp_path) as child:
        client = connect(tmp_path)
        client.hello("build/xen")
        client.wait("A")
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
        client.close()
    assert [entry["clean"] for entry, _ in read_records(tmp_path / "log") if entry["k"] == "eof"] == [False]


def test_the_key_is_private_and_lies_outside_of_the_log(tmp_path: Path) -> None:
    with served(tmp_path):
        assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
        assert not [
            path
            for path in (tmp_path / "log").rglob("*")
            if path.is_file() and b"PRIVATE KEY" in path.read_bytes()
        ]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_it_becomes_its_own_user_under_a_folder_that_this_user_can_not_enter(tmp_path: Path) -> None:
    uid = 61990
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with tempfile.TemporaryDirectory() as nest:
        Path(nest).chmod(0o711)
        with served(private, "--uid", str(uid), "--gid", str(uid), "--socket", f"{nest}/s") as child:
            status = Path(f"/proc/{child.pid}/status").read_text()
            assert re.search(rf"^Uid:\t{uid}\t{uid}\t{uid}\t{uid}$", status, re.MULTILINE)
            assert re.search(r"^Groups:\t ?$", status, re.MULTILINE)
            (Path(nest) / "s").rename(private / "s")
            client = connect(private)
            client.hello("engine")
            client.wait("C")
            client.say("J", b"{}")
            assert json.loads(client.wait_line())["src"] == "uid:0"
            client.say("S")
            client.wait_line()
            client.wait("C")
            client.close()
    log = private / "log"
    assert {path.stat().st_uid for path in log.rglob("*")} == {uid}
    assert all(path.stat().st_mode & 0o022 == 0 for path in log.rglob("*"))
    check_log(log)
