"""Far ends to speak with, each real: a host of logs in a process of its own, and every way that leads to one.

- `embedded`: the child that a console starts. `socket`: a host on a unix socket. `activated`: a host that is started by
  the first connection to a socket that `systemd-socket-activate` holds. `ssh`: a real sshd on loopback, with its own
  configuration and keys, and a forced command. `qrexec`: a stand-in with qrexec's contract, our service file and our
  policy.
- Nothing of the machine is touched: all lies below the test's folder, and all ends with the test.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from sealwright_appendlog.host import host_key as told_key
from sealwright_appendlog.note import VerifierKey
from sealwright_appendlog.service import setup_file
from sealwright_stages.log import LogSession, open_embedded, open_transport

PROGRAM = [sys.executable, "-I", "-m", "sealwright_appendlog.cli"]
INSTALLED = Path(sys.executable).with_name("sealwright-appendlog")
QREXEC = Path(__file__).with_name("qrexec-client-vm")
NAME = "log.example.org/releases"
WAYS = ("embedded", "socket", "activated", "ssh", "qrexec")
ELSEWHERE = WAYS[1:]
_SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/usr/local/sbin")


@dataclass
class End:
    """A far end: how it is reached, under which identity, and the processes that keep it."""

    way: str
    root: Path
    argv: list[str] = field(default_factory=list)
    key: VerifierKey | None = None
    identity: str = ""
    sessions: list[LogSession] = field(default_factory=list)
    others: set[psutil.Process] = field(default_factory=set)

    def open(self, work: str = "work") -> LogSession:
        """A session as a console's with a work folder of this name opens it."""
        folder = self.root / work
        (folder / "private").mkdir(parents=True, exist_ok=True)
        saved = folder / "private" / "checkpoint"
        self.others = set(psutil.Process().children())
        if self.key is None:
            (folder / "log").mkdir(exist_ok=True)
            session = open_embedded(folder / "log", folder / "private" / "log.key", "small-1.0", None, None, saved)
        else:
            session = open_transport(self.argv, self.key, "small-1.0", folder / "log", saved)
        self.sessions.append(session)
        return session

    @property
    def log(self) -> Path:
        """The one log's folder at the far end."""
        if self.key is None:
            return self.root / "work" / "log"
        (found,) = (self.root / "host" / "logs").glob("*/log")
        return found

    def authority(self) -> psutil.Process:
        """The one process that has the log."""
        (found,) = below("serve", "told")
        return found

    def transport(self) -> psutil.Process:
        """The one program that this process speaks through."""
        (found,) = set(psutil.Process().children()) - self.others
        return found

    def rest(self) -> None:
        """Close what is open, and wait until no process has the log."""
        self.close()
        for process in below("serve", "told"):
            process.terminate()
        wait_for(lambda: not below("serve", "told"))

    def close(self) -> None:
        """Let go of what a test left open."""
        for session in self.sessions:
            session.close()


def below(*words: str) -> list[psutil.Process]:
    """The processes below this one that have one of `words` as an argument."""
    return [p for p in psutil.Process().children(recursive=True) if not {*words}.isdisjoint(_words(p))]


def _words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        if process.status() != psutil.STATUS_ZOMBIE:
            return process.cmdline()
    return []


@contextlib.contextmanager
def end(way: str, root: Path, *more: str) -> Iterator[End]:
    """The far end that is reached in this way, while the block runs; `more` are arguments of its host."""
    with contextlib.ExitStack() as stack:
        if way == "embedded":
            made = End(way, root, identity=f"uid:{os.getuid()}")
        elif way == "activated":
            made = _on(root, stack.enter_context(activated(root, *more)), way)
        else:
            made = _on(root, stack.enter_context(hosted(root, *more)), way)
        if way == "ssh":
            made.argv = stack.enter_context(sshd(root, forced(root, "ssh:console")))
            made.identity = f"uid:{os.getuid()} ssh:console"
        elif way == "qrexec":
            made.argv = qrexec(root)
            made.identity = f"uid:{os.getuid()} qrexec:release-vm"
        stack.callback(made.close)
        yield made


def _on(root: Path, path: Path, way: str) -> End:
    argv = [*PROGRAM, "connect", "--socket", str(path)]
    return End(way, root, argv, host_key(root), f"uid:{os.getuid()} local")


def host_key(root: Path) -> VerifierKey:
    """The key of the host below `root`, as `sealwright-appendlog host-key` tells it."""
    (root / "host").mkdir(exist_ok=True)
    return told_key(root / "host", NAME)[1]


def host_words(root: Path, *more: str) -> list[str]:
    """The arguments that serve the host below `root`."""
    return [*PROGRAM, "host", "--root", str(root / "host"), "--name", NAME, *more]


@contextlib.contextmanager
def hosted(root: Path, *more: str) -> Iterator[Path]:
    """A host on a socket of its own; gives the socket's path."""
    path = root / "s"
    with running([*host_words(root), "--socket", str(path), *more]):
        wait_for(lambda: answers(path))
        yield path


@contextlib.contextmanager
def activated(root: Path, *more: str) -> Iterator[Path]:
    """A host that `systemd-socket-activate` starts at the first connection."""
    tool = shutil.which("systemd-socket-activate")
    if tool is None:
        pytest.skip("systemd-socket-activate is not here")
    path = root / "s"
    with running([tool, "--listen", str(path), *host_words(root, *more)], umask=0o177):
        wait_for(path.exists)
        yield path


def forced(root: Path, name: str) -> str:
    """The line of authorized_keys without its key, as our own template has it."""
    line = setup_file("authorized_keys").splitlines()[-1].partition(" ssh-ed25519")[0]
    program = re.search(r'command="(\S+)', line)
    assert program is not None
    line = line.replace(program[1], str(INSTALLED)).replace("/run/sealwright-appendlog.socket", str(root / "s"))
    return line.replace("ssh:console", name)


@contextlib.contextmanager
def sshd(root: Path, line: str, *more: str) -> Iterator[list[str]]:
    """An sshd on loopback that lets one key in, with `line` before it; gives the argument list that gets there."""
    if _SSHD is None:
        assert os.environ.get("SEALWRIGHT_REQUIRE_SSHD") != "1", "sshd is required, and not here"
        pytest.skip("sshd is not here: install openssh-server")
    folder = root / "ssh"
    folder.mkdir(mode=0o700)
    for name in ("host", "user"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(make, check=True, stdin=subprocess.DEVNULL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "authorized_keys").write_text(f"{line} {(folder / 'user.pub').read_text()}")
    host = (folder / "host.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host}")
    settings = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder / 'host'}",
        f"AuthorizedKeysFile {folder / 'authorized_keys'}",
        f"PidFile {folder / 'pid'}",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin forced-commands-only",
        "AcceptEnv QREXEC_* LC_*",
        *more,
    ]
    (folder / "config").write_text("".join(f"{each}\n" for each in settings))
    if os.geteuid() == 0:  # its privilege separation wants an empty folder, which others may be using too
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with running([_SSHD, "-D", "-e", "-f", str(folder / "config")]):
        wait_for(lambda: _listens(port))
        options = ["BatchMode=yes", f"UserKnownHostsFile={folder / 'known_hosts'}", "IdentitiesOnly=yes"]
        argv = ["ssh", "-F", "none", "-T", "-p", str(port), "-i", str(folder / "user")]
        argv += [word for option in options for word in ("-o", option)]
        yield [*argv, f"{getpass.getuser()}@127.0.0.1"]


def qrexec(root: Path, policy: str | None = None, service: str | None = None) -> list[str]:
    """Our service file and policy where the stand-in looks for them; gives the argument list that gets there."""
    folder = root / "qubes"
    (folder / "policy.d").mkdir(parents=True, exist_ok=True)
    (folder / "rpc").mkdir(exist_ok=True)
    (folder / "policy.d" / "30-sealwright.policy").write_text(policy or setup_file("30-sealwright.policy"))
    text = service or setup_file("qubes.AppendLog")
    text = re.sub(r"(?m)^exec \S+", f"exec {INSTALLED}", text)
    text = text.replace("/run/sealwright-appendlog.socket", str(root / "s"))
    (folder / "rpc" / "qubes.AppendLog").write_text(text)
    (folder / "rpc" / "qubes.AppendLog").chmod(0o755)
    return [str(QREXEC), str(folder), "release-vm", "log-vm", "qubes.AppendLog"]


@contextlib.contextmanager
def running(argv: Sequence[str], *, pipe: bool = False, umask: int = -1) -> Iterator[subprocess.Popen[bytes]]:
    """A program, ended with the block, and with it whatever it started."""
    stdin = subprocess.PIPE if pipe else subprocess.DEVNULL
    with subprocess.Popen(argv, stdin=stdin, stderr=subprocess.DEVNULL, umask=umask) as child:
        try:
            yield child
        finally:
            left = psutil.Process(child.pid).children(recursive=True) if child.poll() is None else []
            child.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(10)
            _, alive = psutil.wait_procs(left, 5)
            for process in alive:
                process.kill()
            child.kill()


def wait_for(ready: Callable[[], object], seconds: float = 20.0) -> None:
    """Poll until it is so."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not ready():
        assert time.monotonic() < deadline, "waited in vain"
        pause.wait(0.02)


def answers(path: Path) -> bool:
    """Whether somebody listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(path)) == 0


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
