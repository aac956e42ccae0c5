"""Runs the real authority under strace, which makes one of its file calls fail or kills it there, and looks after.

- The tracer is attached at the phase that is looked at, so the calls of Python's own start are never counted.
- strace counts calls by thread: the n-th call of whichever thread comes to it first is the one that fails.
- A short write is one that says that it wrote nothing: more can't be claimed without being done.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from appendlog.log_making import KEY, RawClient, fill, new_store
from appendlog.real_program import connect, serve_words, served
from appendlog.traced_order import acknowledged
from sealwright_appendlog import layout
from sealwright_appendlog.audit import check_log, read_records

CALLS = (
    "write",
    "writev",
    "fsync",
    "fdatasync",
    "rename",
    "mkdir",
    "ftruncate",
    "unlink",
    "fallocate",
    "openat",
    "close",
    "read",
    "getdents64",
)
"""What the authority does with files. It makes no pwrite64, renameat, mkdirat or unlinkat; the clean runs tell."""
SYNCS = ("fsync", "fdatasync")
FAULTS = {"EIO": "error=EIO", "ENOSPC": "error=ENOSPC", "KILL": "signal=KILL", "short": "retval=0"}
PHASES = ("begin", "append", "seal", "recover")
_WAITING = (
    "import os, select, sys; from sealwright_appendlog import cli; os.write(1, b'loaded\\n'); "
    "select.select([int(sys.argv.pop(1))], [], []); sys.exit(cli.main(sys.argv[1:]))"
)
"""The program, which waits, by a call that no fault is tried at, until it is traced."""


@dataclass(frozen=True)
class Fault:
    """One fault: in which phase, at which call, at the how-many-th, and what."""

    phase: str
    call: str
    number: int
    kind: str

    @property
    def rule(self) -> str:
        """In the words of strace."""
        return f"inject={self.call}:{FAULTS[self.kind]}:when={self.number}"


@dataclass
class Outcome:
    """How a run went: the program's exit, what strace saw, and what the client was told."""

    exit: int = 0
    trace: str = ""
    said: str = ""
    base: int = 0
    durable: int = -1
    lines: list[bytes] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)

    @property
    def hit(self) -> bool:
        """Whether the fault came."""
        return "(INJECTED)" in self.trace or "killed by SIGKILL" in self.trace

    def take(self, stream: str, payload: bytes) -> None:
        """Note an acknowledgement."""
        head, _, line = payload.partition(b"\n")
        durable, _, total = head.decode().partition(" ")
        self.durable = max(self.durable, int(durable))
        self.totals[stream] = max(self.totals.get(stream, 0), int(total))
        if line:
            self.lines.append(line)


@cache
def can_trace() -> bool:
    """Whether strace is here, and allowed."""
    words = ["strace", "-qq", "-o", "/dev/null", "true"]
    return shutil.which("strace") is not None and subprocess.run(words, check=False, timeout=10).returncode == 0


def prepare(root: Path, phase: str) -> list[bytes]:
    """Lay the key at `root`, and for a recovery a log that a crash tore; gives the lines that are durable."""
    root.mkdir()
    (root / "key").write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    if phase != "recover":
        return []
    log = root / "log"
    store = new_store(log)
    fill(store, events=3, chunks=2)
    store.data("build/open", "D", b"whole", "uid:0")
    store.commit()
    store.publish()
    store.close()
    durable = list(layout.lines(log / layout.INDEX))
    with (log / layout.INDEX).open("ab") as index:
        index.write(b'{"being":"wri')
    with next((log / "data/build/open").iterdir()).open("ab") as data:
        data.write(b"beyond the index")
    (log / "data/build/stray").mkdir(parents=True)
    (log / "data/build/stray/00000099.log").write_bytes(b"never named")
    return durable


def run_traced(root: Path, phase: str, rule: str = "") -> Outcome:
    """Serve `root`/log, play the phase's part to it, and end it; `rule` is what strace is to inject."""
    outcome = Outcome()
    ready, say_ready = os.pipe()
    wait, go = os.pipe()
    words = [sys.executable, "-I", "-c", _WAITING, str(wait), *serve_words(root), "--ready", str(say_ready)]
    with subprocess.Popen(words, pass_fds=(say_ready, wait), stdout=-1, stderr=-1) as child:
        os.close(say_ready)
        os.close(wait)
        assert child.stdout is not None and child.stdout.readline() == b"loaded\n"
        tracers: list[subprocess.Popen[bytes]] = []

        def trace() -> None:
            with contextlib.suppress(FileNotFoundError):
                outcome.base = (root / "log" / layout.INDEX).read_bytes().rfind(b"\n") + 1
            tracers.append(_attach(child.pid, root / "trace", rule))

        if phase in ("begin", "recover"):
            trace()
        os.write(go, b".")
        os.close(go)
        with os.fdopen(ready) as stream:
            stream.readline()
        if not _went_away(root, phase, outcome, trace) or _still_runs(child):
            child.send_signal(signal.SIGTERM)
        outcome.said = child.communicate(timeout=30)[1].decode()
        outcome.exit = child.returncode
        for tracer in tracers:
            tracer.communicate(timeout=30)
    outcome.trace = (root / "trace").read_text() if tracers else ""
    return outcome


def _went_away(root: Path, phase: str, outcome: Outcome, trace: Callable[[], None]) -> bool:
    """Play the phase's part; says whether the authority let go of its client."""
    try:
        _play(root, phase, outcome, trace)
    except TimeoutError:
        return False
    except (EOFError, OSError):
        return True
    return False


def _still_runs(child: subprocess.Popen[bytes]) -> bool:
    """Whether it does not end by itself. A signal while Python takes itself down would hide its exit status."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(5)
    return child.returncode is None


def _attach(pid: int, out: Path, rule: str) -> subprocess.Popen[bytes]:
    more = ["-e", rule] if rule else []
    calls = ",".join((*CALLS, "sendto", "pwrite64", "renameat", "renameat2", "mkdirat", "unlinkat"))
    words = ["strace", "-f", "-y", "-s", "70000", "-o", str(out), "-e", f"trace={calls}", *more, "-p", str(pid)]
    tracer = subprocess.Popen(words, stderr=subprocess.PIPE)
    assert tracer.stderr is not None
    said = tracer.stderr.readline()
    assert b"attached" in said, said
    return tracer


def _play(root: Path, phase: str, outcome: Outcome, trace: Callable[[], None]) -> None:
    engine = connect(root)
    engine.sock.settimeout(3)
    others: list[RawClient] = []
    try:
        engine.hello("engine")
        outcome.take("engine", engine.wait("A"))
        engine.wait("C")
        if phase == "append":
            trace()
        for number in range(2):
            build = connect(root)
            others.append(build)
            _append(engine, build, f"build/{number}", outcome)
        if phase == "append":
            engine.wait("C")  # the checkpoint of each second
        if phase == "seal":
            trace()
            engine.say("S")
            while not outcome.lines[-1].startswith(b'{"boot"') or b'"k":"seal"' not in outcome.lines[-1]:
                outcome.take("engine", engine.wait("A"))
            engine.wait("C")
    finally:
        for client in (engine, *others):
            client.close()


def _append(engine: RawClient, build: RawClient, stream: str, outcome: Outcome) -> None:
    """An event, output that is acknowledged, and the stream's end."""
    engine.say("J", b'{"e":"made.up"}')
    lines = len(outcome.lines)
    while len(outcome.lines) == lines:
        outcome.take("engine", engine.wait("A"))
    build.hello(stream)
    outcome.take(stream, build.wait("A"))
    build.say("D", b"some output\n" * 20)
    build.say("E", b"an error\n")
    build.say("F", b"0")
    while len(outcome.lines) == lines + 1:
        outcome.take(stream, build.wait("A"))


def counts(trace: str) -> dict[str, int]:
    """How often the busiest thread makes each call, by a trace."""
    by_thread = Counter(re.findall(r"^(\d+) +(\w+)\(", trace, re.MULTILINE))
    found: dict[str, int] = {}
    for (_, call), number in by_thread.items():
        if call != "sendto":
            found[call] = max(found.get(call, 0), number)
    return found


def reopened(root: Path) -> None:
    """Open the log by the program, without a tracer; seal it if it is not sealed, and audit it."""
    with served(root) as child:
        client = connect(root)
        client.hello("engine")
        client.wait("C")
        if not (root / "log" / layout.SEALED).exists():
            client.say("S")
            client.wait_line()
            client.wait("C")
        client.close()
        child.terminate()
        assert child.wait(20) == 0
    check_log(root / "log")


def check_promises(root: Path, outcome: Outcome, durable: list[bytes], fault: Fault) -> None:
    """What holds after any fault; `durable` is what was so before the run."""
    assert outcome.exit in (0, 4, -signal.SIGKILL), (outcome.exit, outcome.said)
    assert "Traceback" not in outcome.said, outcome.said
    reopened(root)
    kept = list(layout.lines(root / "log" / layout.INDEX))
    assert kept[: len(durable)] == durable
    assert len(kept) > outcome.durable
    assert set(outcome.lines) <= set(kept)
    index = (root / "log" / layout.INDEX).read_bytes()
    for n, synced in acknowledged(outcome.trace, outcome.base):
        assert n < index[:synced].count(b"\n"), "acknowledged before it was synced"
    for stream, total in outcome.totals.items():
        parts = [e["len"] for e, _ in read_records(root / "log") if e["k"] == "data" and e["s"] == stream]
        assert sum(parts) >= total
    if outcome.hit and fault.call in SYNCS and fault.kind in ("EIO", "ENOSPC"):
        assert outcome.exit == 4, (outcome.exit, outcome.said)
        assert "can't be" in outcome.said
