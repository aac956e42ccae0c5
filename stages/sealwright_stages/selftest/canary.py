"""Sets out the bait: files, listeners, a terminal, an open descriptor, processes. All of it is ours, and goes again."""

from __future__ import annotations

import contextlib
import os
import pty
import secrets
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil

from sealwright_stages import process
from sealwright_stages.selftest.probes.common import Bait

SECRET = b"the canary sings\n"


class Canary:
    """The bait and the folders around it; a context manager."""

    def __enter__(self) -> Canary:
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            self._set_out(undo)
            self._stack = undo.pop_all()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()

    def _set_out(self, stack: contextlib.ExitStack) -> None:
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sealwright-canary-")))
        self.folder.chmod(0o755)
        self.sources = self._below("sources")
        self.other = self._below("other")
        self.token = f"canary-{secrets.token_hex(8)}"
        for path in (self.folder / "secret", self.other / "secret"):
            path.write_bytes(SECRET)
            path.chmod(0o644)
        local = stack.enter_context(_local(str(self.other / "socket")))
        Path(local.getsockname()).chmod(0o777)
        stack.enter_context(_local(f"\0{self.token}"))
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.descriptor = os.open(self.folder / "secret", os.O_RDONLY)
        stack.callback(os.close, self.descriptor)
        ends = pty.openpty()
        for end in ends:
            stack.callback(os.close, end)
        terminal = os.ttyname(ends[1])
        Path(terminal).chmod(0o666)
        self.bait = Bait(
            file=str(self.folder / "secret"),
            other=str(self.other / "secret"),
            socket=str(self.other / "socket"),
            abstract=self.token,
            tcp=tcp.getsockname()[1],
            tcp6=_listen6(stack),
            udp=_echo(stack),
            token=self.token,
            fd=self.descriptor,
            pty=terminal,
        )

    def _below(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        folder.chmod(0o777)
        return folder

    @contextlib.contextmanager
    def beside(self, uid: int | None) -> Iterator[Bait]:
        """The bait with a process outside, which belongs to `uid` and ends with us."""
        drop = () if uid is None else ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups")
        with subprocess.Popen(
            [*drop, "sh", "-c", "echo; read end", self.token],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(process.BASE_ENVIRONMENT),
            cwd="/",
        ) as child:
            assert child.stdout is not None  # noqa: S101 - it is a pipe
            child.stdout.readline()
            yield replace(self.bait, pid=child.pid)
            child.kill()

    def living(self, kind: str) -> list[psutil.Process]:
        """The processes outside that a probe left there as `kind`."""
        mark = f"{self.token}-{kind}"
        return [each for each in psutil.process_iter(["cmdline"]) if mark in (each.info["cmdline"] or [])]


def _local(address: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(16)
    return listener


def _listen6(stack: contextlib.ExitStack) -> int:
    """A port on the loopback of IPv6; 0 on a machine without it."""
    try:
        listener = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
    except OSError:
        return 0
    return int(listener.getsockname()[1])


def _echo(stack: contextlib.ExitStack) -> int:
    """A port that answers datagrams with themselves, as a name server would begin to."""
    answering = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    answering.bind(("127.0.0.1", 0))
    answering.settimeout(0.2)
    ended = threading.Event()

    def answer() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError):
                data, sender = answering.recvfrom(512)
                answering.sendto(data, sender)

    thread = threading.Thread(target=answer, name="canary", daemon=True)
    thread.start()
    stack.callback(thread.join)
    stack.callback(ended.set)
    return int(answering.getsockname()[1])
