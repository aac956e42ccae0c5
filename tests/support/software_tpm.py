"""A TPM of software (swtpm) in a folder of its own, for the tests that ask a real one; it assures nothing."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TOOLS = ("swtpm", "tpm2_quote", "tpm2_createek", "tpm2_evictcontrol")
needs_tpm = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in TOOLS), reason="swtpm or tpm2-tools are not installed"
)


@contextmanager
def software_tpm(folder: Path, port: int = 0) -> Iterator[str]:
    """A started TPM, at a port of its own if none is named; gives the way to it as tpm2-tools name it."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or two_ports()
    server, control = (f"type=tcp,port={each},bindaddr=127.0.0.1" for each in (port, port + 1))
    words = ["--flags", "not-need-init,startup-clear", "--server", server, "--ctrl", control]
    child = subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}", *words])
    try:
        way = f"swtpm:host=127.0.0.1,port={port}"
        _wait(child, way)
        yield way
    finally:
        child.kill()
        child.wait()


def tpm_tool(way: str, cwd: Path, *words: str) -> str:
    """Run one of tpm2-tools, which must succeed, and unload what it loaded."""
    env = {"PATH": "/usr/bin:/bin", "TPM2TOOLS_TCTI": way}
    done = subprocess.run(words, cwd=cwd, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    subprocess.run(["tpm2_flushcontext", "-t"], cwd=cwd, env=env, check=True, capture_output=True)
    return done.stdout


def two_ports() -> int:
    """A free port whose follower is free too: tpm2-tools look for the control channel there."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                other.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def _wait(child: subprocess.Popen[bytes], way: str) -> None:
    until = time.monotonic() + 10
    env = {"PATH": "/usr/bin:/bin", "TPM2TOOLS_TCTI": way}
    while subprocess.run(
        ["tpm2_getcap", "properties-fixed"], env=env, capture_output=True, check=False
    ).returncode:
        assert child.poll() is None and time.monotonic() < until, "swtpm does not answer"
        time.sleep(0.05)
