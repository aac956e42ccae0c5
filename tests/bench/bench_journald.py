"""journald, alone in a mount namespace of its own, as a peer of the log: it too keeps what a build says.

Its files lie below a folder of the bench, on the disk; nothing of the machine's own journal is read or written. It keeps
lines, one entry each, so both are given the same text.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

JOURNALD = "/lib/systemd/systemd-journald"
_LINE = 100
_START = """
set -e
mount --make-rprivate /
mount --bind "$1/run" /run
exec "$2"
"""
_CONFIG = """[Journal]
Storage=volatile
RateLimitIntervalSec=0
RuntimeMaxUse=8G
RuntimeKeepFree=0
MaxLevelStore=debug
ForwardToSyslog=no
ForwardToWall=no
ReadKMsg=no
"""
_HEADER = b"bench\n\n6\n0\n0\n0\n0\n"
"""Of /run/systemd/journal/stdout: identifier, unit, priority, level prefix, forward to syslog, kmsg, console."""


class NoJournald(Exception):  # noqa: N818 - it is a finding
    """journald can't be run here; the sentence says why."""


def text(size: int) -> bytes:
    """So many bytes of lines as a build prints them, no two alike."""
    lines = (b"%08d " % n + os.urandom((_LINE - 10) // 2).hex().encode() + b"\n" for n in range(size // _LINE))
    return b"".join(lines)


def seconds(root: Path, output: bytes) -> tuple[float, int]:
    """Seconds until journald has `output` on disk, and how many bytes it keeps for it.

    Raises:
        NoJournald: it does not run here.
    """
    with _journald(root) as run:
        begun = time.perf_counter()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.connect(str(run / "systemd/journal/stdout"))
            sock.sendall(_HEADER + output)
            sock.shutdown(socket.SHUT_WR)
            sock.settimeout(300)
            if sock.recv(1):  # it closes when it has read all
                raise NoJournald("it answers on its stdout socket")
        journals = list((run / "log/journal").rglob("*.journal"))
        for path in journals:
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
        taken = time.perf_counter() - begun
        if (kept := _kept(journals)) != output.count(b"\n"):
            raise NoJournald(f"it kept {kept} lines of what it was given")
        return taken, sum(path.stat().st_blocks * 512 for path in journals)


def _kept(journals: list[Path]) -> int:
    """How many lines of ours these files have."""
    words = [
        "journalctl",
        *(f"--file={path}" for path in journals),
        "--identifier=bench",
        "--output=cat",
        "--quiet",
    ]
    found = subprocess.run(words, capture_output=True, check=False, timeout=300)
    return found.stdout.count(b"\n")


@contextmanager
def _journald(root: Path) -> Iterator[Path]:
    if os.geteuid() != 0 or not Path(JOURNALD).exists() or not shutil.which("journalctl"):
        raise NoJournald("it needs root, systemd-journald and journalctl")
    run = root / "run"
    for folder in (run / "systemd/journal", run / "systemd/journald.conf.d", run / "log"):
        folder.mkdir(parents=True)
    (run / "systemd/journald.conf.d/bench.conf").write_text(_CONFIG)
    words = ["unshare", "--mount", "sh", "-c", _START, "sh", str(root), JOURNALD]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        try:
            until = time.monotonic() + 5
            while not (run / "systemd/journal/stdout").exists():
                if child.poll() is not None or time.monotonic() > until:
                    said = child.stderr.read().decode("utf-8", "replace") if child.poll() and child.stderr else ""
                    raise NoJournald(f"it does not start: {said.strip() or 'no socket after 5 s'}")
                time.sleep(0.05)
            yield run
        finally:
            child.terminate()


if __name__ == "__main__":
    print(seconds(Path(sys.argv[1]), text(int(sys.argv[2]) << 20)))
