"""Known ways out of a sandbox, and trying them for real.

- Each attempt is one function of the shipped probe; it runs in the very profile that builds get.
- There are three results: held, got out, and broken; an attempt that could not be made is never held.
- The bait is real: a file that everybody may read, an open descriptor, a variable, a listener, a process.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sealwright_stages import process
from sealwright_stages.sandbox.bwrap import Bind, Sandbox, prepared

_PROBE = Path(__file__).with_name("escape_probe.py")
_SECONDS = 30.0
_GOT_OUT, _HELD = 0, 10


class Result(StrEnum):
    """How an attempt ended."""

    HELD = "held"
    GOT_OUT = "got out"
    BROKEN = "broken"


@dataclass(frozen=True)
class Attempt:
    """One way out: the probe's function, and what it tries."""

    name: str
    tries: str


ATTEMPTS = (
    Attempt("network", "reach a listener of the host, or see its network"),
    Attempt("host_file", "read a file of the host that everybody may read"),
    Attempt("inherited_descriptor", "use an open file of the process that started it"),
    Attempt("environment", "read a variable of the process that started it"),
    Attempt("kill_outside", "signal a process outside"),
    Attempt("user_namespace", "become root in a new user namespace"),
    Attempt("kernel_setting", "write a setting of the kernel"),
    Attempt("kernel_keys", "read kernel keys or the kernel's command line"),
    Attempt("keyring", "use the kernel's keyrings"),
    Attempt("io_uring", "use io_uring"),
    Attempt("userfaultfd", "use userfaultfd"),
    Attempt("terminal", "type into a terminal"),
    Attempt("controlling_terminal", "open the terminal that it was started from"),
    Attempt("virtual_machine", "talk to the hypervisor"),
    Attempt("system_write", "write to the root, /usr, /dev or its sources"),
    Attempt("mount", "mount a file system"),
    Attempt("device", "make a device node"),
    Attempt("capabilities", "hold any capability"),
    Attempt("processes", "start more processes than allowed"),
    Attempt("memory", "take more memory than allowed"),
    Attempt("hidden_memory", "take memory that no process shows"),
    Attempt("large_file", "make a larger file than allowed"),
    Attempt("fill_scratch", "fill more scratch room than allowed"),
)


class Canary:
    """Sets out the bait; a context manager."""

    def __enter__(self) -> Canary:
        self._folder = tempfile.TemporaryDirectory(prefix="sealwright-canary-")
        folder = Path(self._folder.name)
        folder.chmod(0o755)
        self.file = folder / "secret"
        self.file.write_text("the canary sings\n")
        self.file.chmod(0o644)
        self.sources = folder / "sources"
        self.sources.mkdir(mode=0o777)
        self.sources.chmod(0o777)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.descriptor = os.open(self.file, os.O_RDONLY)
        os.set_inheritable(self.descriptor, True)
        return self

    def __exit__(self, *_exc: object) -> None:
        os.close(self.descriptor)
        self._listener.close()
        self._folder.cleanup()

    def words(self, attempt: Attempt) -> tuple[str, ...]:
        """The probe's argument list."""
        port = self._listener.getsockname()[1]
        facts = (str(self.file), str(port), str(os.getpid()), str(self.descriptor))
        return ("/usr/bin/python3", "-c", _PROBE.read_text(encoding="utf-8"), attempt.name, *facts)

    def box(self, uid: int | None) -> Sandbox:
        """A sandbox as builds get it, with small limits."""
        return Sandbox(
            uid=uid,
            binds=(Bind(self.sources, "/sources"),),
            environment=process.BASE_ENVIRONMENT,
            processes=64,
            memory=256 << 20,
            file_size=1 << 30,
            scratch=16 << 20,
        )

    def try_out(self, attempt: Attempt, uid: int | None) -> Result:
        """Run one attempt in the sandbox.

        Raises:
            MachineError: the sandbox can't be started, or the attempt hangs.
        """
        return self.run(self.box(uid), self.words(attempt))

    def run(self, box: Sandbox, words: Sequence[str]) -> Result:
        """Run a probe in `box`."""
        with prepared(box, words) as start:
            done = process.run(
                start.argv,
                timeout=_SECONDS,
                cwd=Path("/"),
                env={"SEALWRIGHT_CANARY": "sings"},
                pass_fds=start.descriptors,
            )
        return result(done.returncode)


def result(status: int) -> Result:
    """What the probe's exit status says."""
    return {_GOT_OUT: Result.GOT_OUT, _HELD: Result.HELD}.get(status, Result.BROKEN)
