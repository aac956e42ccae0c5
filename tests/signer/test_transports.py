"""Ways to a signer: a socket by the caller's uid, an ssh forced command, qrexec. Who may not come is not heard."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.signer.keys import SigningKey
from sealwright_keyring.signer.listen import Listener, peer_uid
from signer.program import PROGRAM, signed
from support.proposals import Shown
from support.rooms import short_folder
from transports.ends import QREXEC, answers, running, sshd, wait_for

INSTALLED = Path(sys.executable).with_name("sealwright-signer")
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
HELLO = b'{"op":"hello"}\n'
Held = tuple[Path, SigningKey]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="another uid needs root")


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder with a short path that others may enter, for a socket."""
    folder = short_folder("sw-sig-")
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def listening(held: Held, root: Path, *allowed: int) -> Iterator[subprocess.Popen[bytes]]:
    """A signer that listens at `root`/s."""
    words = ["--socket", str(root / "s"), "--home", str(held[0]), "--record", str(root / "r")]
    words += [word for uid in allowed for word in ("--allow-uid", str(uid))]
    with running([*PROGRAM, "listen", *words]) as child:
        wait_for(lambda: answers(root / "s"))
        yield child


def bridge(root: Path, *words: object) -> list[str]:
    """The argument list that leads to it."""
    return [*PROGRAM, "connect", "--socket", str(root / "s"), *map(str, words)]


def hello(argv: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Say hello at the other end."""
    return subprocess.run(argv, input=HELLO, capture_output=True, timeout=30, check=False)


def test_a_release_is_signed_over_the_socket_and_the_record_names_who_asked(
    held: Held, root: Path, shown: Shown
) -> None:
    with listening(held, root, os.geteuid()):
        answer = signed(bridge(root), shown)
    assert answer["ok"] is True and answer["fingerprint"] == held[1].fingerprint
    entries = [json.loads(each) for each in (root / "r").read_bytes().splitlines()]
    assert {entry["peer"] for entry in entries} == {f"uid:{os.geteuid()}"}


@as_root
def test_a_uid_that_was_not_named_is_refused_before_it_is_heard(held: Held, root: Path) -> None:
    with listening(held, root, 61997), socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(root / "s"))
        refused = json.loads(sock.makefile("rb").readline())
        assert refused["ok"] is False and "uid 0 may not speak" in refused["because"] and refused["next"]
        assert b"may not speak" in hello(bridge(root)).stdout
        wait_for(lambda: (root / "r").read_bytes().endswith(b"\n"))
        (entry,) = map(json.loads, (root / "r").read_bytes().splitlines())  # once, however often it comes
        assert (entry["op"], entry["peer"], entry["answer"]["ok"]) == ("connect", "uid:0", False)
        script = f"import socket as s; c=s.socket(s.AF_UNIX); c.connect({str(root / 's')!r}); c.send({HELLO!r})"
        script += "; print(c.makefile().readline())"
        done = subprocess.run(
            ["/usr/bin/python3", "-c", script], user=61997, group=61997, capture_output=True, check=True, cwd="/"
        )
        assert held[1].fingerprint.encode() in done.stdout


def test_a_bridge_says_nothing_to_another_users_socket(root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as fake:
        fake.bind(str(root / "s"))
        fake.listen()
        done = hello(bridge(root, "--server-uid", os.geteuid() + 1))
        taken, _ = fake.accept()
        with taken:
            assert taken.recv(100) == b""
    assert done.returncode == 5 and f"uid {os.geteuid()} listens there".encode() in done.stderr


@as_root
def test_a_bridge_without_a_name_speaks_to_its_own_user_and_root_alone(root: Path) -> None:
    script = f"import socket as s; c=s.socket(s.AF_UNIX); c.bind({str(root / 's')!r}); c.listen(); c.accept()"
    root.chmod(0o777)
    argv = ["/usr/bin/python3", "-c", script]
    with subprocess.Popen(argv, user=61997, group=61997, stdin=subprocess.DEVNULL, cwd="/"):
        wait_for((root / "s").exists)
        done = hello(bridge(root))
    assert done.returncode == 5 and b"--server-uid 61997" in done.stderr and not done.stdout


def test_nobody_listens_without_a_name_or_in_anothers_place(held: Held, root: Path) -> None:
    with pytest.raises(KeyringError, match="nobody may connect"):
        Listener(root / "s", [])
    (root / "file").write_text("x")
    with pytest.raises(KeyringError, match="something else is there"):
        Listener(root / "file", [0])
    with listening(held, root, os.geteuid()), pytest.raises(KeyringError, match="listens there already"):
        Listener(root / "s", [0])
    assert (root / "file").read_text() == "x"


def test_a_socket_that_a_killed_signer_left_is_replaced(held: Held, root: Path) -> None:
    with listening(held, root, os.geteuid()) as child:
        child.kill()
        child.wait()
        assert (root / "s").exists()
    with listening(held, root, os.geteuid()):
        assert b'"ok": true' in hello(bridge(root)).stdout
    assert not (root / "s").exists(), "one that ends in order takes it away"


def test_a_client_that_says_nothing_keeps_nobody_waiting(held: Held, root: Path) -> None:
    with listening(held, root, os.geteuid()), socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(root / "s"))
        idle.send(b'{"op":')
        assert b'"ok": true' in hello(bridge(root)).stdout


def test_at_most_sixteen_speak_with_it(held: Held, root: Path) -> None:
    with listening(held, root, os.geteuid()):
        idle = [socket.socket(socket.AF_UNIX) for _ in range(16)]
        for each in idle:
            each.connect(str(root / "s"))
        assert b"16 others speak" in hello(bridge(root)).stdout
        for each in idle:
            each.close()
        deadline = time.monotonic() + 10
        while b'"ok": true' not in hello(bridge(root)).stdout:
            assert time.monotonic() < deadline


def test_a_record_that_somebody_wrote_to_ends_the_signer(held: Held, root: Path) -> None:
    with listening(held, root, os.geteuid()) as child:
        hello(bridge(root))
        with (root / "r").open("ab") as stream:
            stream.write(b"{}\n")
        assert hello(bridge(root)).stdout == b""
        assert child.wait(10) == 5


def test_the_kernel_says_who_is_at_the_other_end() -> None:
    one, two = socket.socketpair()
    with one, two:
        assert peer_uid(one) == os.geteuid()


def test_an_ssh_forced_command_reaches_the_signer_and_nothing_else(held: Held, root: Path, shown: Shown) -> None:
    text = (EXAMPLES / "ssh" / "authorized_keys").read_text().splitlines()[-1]
    options = text.partition(" ssh-ed25519")[0]
    assert options.startswith('restrict,command="')
    options = re.sub(r'command="\S+', f'command="{INSTALLED}', options).replace(
        "/run/sealwright-signer/socket", str(root / "s")
    )
    options = re.sub(r"--server-uid \d+", f"--server-uid {os.geteuid()}", options)
    with listening(held, root, os.geteuid()), sshd(root, options) as argv:
        answer = signed(argv, shown)
        assert answer["ok"] is True and answer["fingerprint"] == held[1].fingerprint
        other = hello([*argv, "cat /etc/passwd"])
        assert b'"signer"' in other.stdout and b"root:" not in other.stdout


def test_qrexec_reaches_the_signer_by_our_service_and_policy_from_one_qube(
    held: Held, root: Path, shown: Shown
) -> None:
    (root / "q" / "rpc").mkdir(parents=True)
    policy = (EXAMPLES / "qubes" / "31-sealwright-signer.policy").read_text()
    # The stand-in knows no dialog: who clicks yes is played here, who clicks no is below.
    for name, word in (("q", "allow"), ("no", "deny")):
        (root / name / "policy.d").mkdir(parents=True, exist_ok=True)
        text = re.sub(r"ask default_target=\S+", word, policy)
        (root / name / "policy.d" / "31-sealwright-signer.policy").write_text(text)
    service = (EXAMPLES / "qubes" / "sealwright.Signer").read_text()
    service = re.sub(r"(?m)^exec \S+", f"exec {INSTALLED}", service).replace(
        "/run/user/1000/sealwright-signer", str(root / "s")
    )
    (root / "q" / "rpc" / "sealwright.Signer").write_text(service)
    (root / "q" / "rpc" / "sealwright.Signer").chmod(0o755)
    call = ["release-vm", "signer-vm", "sealwright.Signer"]
    with listening(held, root, os.geteuid()):
        assert signed([QREXEC, root / "q", *call], shown)["ok"] is True
        for folder, words in (
            ("no", call),
            ("q", ["evil-vm", *call[1:]]),
            ("q", [*call[:2], "sealwright.Signer+--server-uid"]),
        ):
            done = hello([str(QREXEC), str(root / folder), *words])
            assert done.returncode == 126 and b"Request refused" in done.stderr


def test_a_listener_ends_in_order_by_a_signal(held: Held, root: Path) -> None:
    with listening(held, root, os.geteuid()) as child:
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 128 + signal.SIGTERM
    assert not (root / "s").exists()
