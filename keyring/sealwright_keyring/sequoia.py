"""Sequoia's opinion of a detached signature: advice for a person, never a verdict.

- It is asked only where `sqv` is installed, and of the chosen certificates only.
- Whatever it says, or fails to say, no verdict gets greener or redder: it refuses every signature of several large
  projects whose certificates are bound by SHA-1, and accepts what our policy refuses.
- It runs like gpg: under the verifier's uid, with limits, fed from sealed memory.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from sealwright_keyring.gpg import SAFE_PATH, Gpg, in_memory
from sealwright_keyring.text import printable

PROGRAM = "sqv"
_SECONDS = 20.0
_MOST = 64 << 20  # an opinion is not worth reading a large file a second time
_LIMITS = ("prlimit", "--as=1073741824", "--cpu=20", "--core=0", "--nofile=64", "--")


def opinion(
    signature: bytes, data: bytes | Path, certificates: Iterable[bytes], gpg: Gpg | None = None
) -> Mapping[str, object]:
    """What Sequoia thinks: `{"says": "agrees" | "refuses" | "nothing", ...}`; empty where it is not installed.

    `certificates` are the chosen ones, binary. The rest of the answer: `because`, `argv`, `duration_ms`.
    """
    program = shutil.which(PROGRAM, path=SAFE_PATH)
    if program is None:
        return {}
    with contextlib.suppress(OSError):
        size = len(data) if isinstance(data, bytes) else data.stat().st_size
        if size <= _MOST:
            return _asked(
                program, signature, data if isinstance(data, bytes) else data.read_bytes(), certificates, gpg
            )
    return {"says": "nothing", "because": "the file is too large for a second reading, or can't be read"}


def _asked(
    program: str, signature: bytes, data: bytes, certificates: Iterable[bytes], gpg: Gpg | None
) -> Mapping[str, object]:
    begun = time.monotonic()
    with in_memory(b"".join(certificates)) as keys, in_memory(signature) as made, in_memory(data) as signed:
        argv = [program, "--keyring", *(f"/proc/self/fd/{each}" for each in (keys, made, signed))]
        try:
            done = subprocess.run(
                [*_LIMITS, *(gpg or Gpg()).as_its_user(), *argv],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                env={"PATH": SAFE_PATH, "LC_ALL": "C", "TZ": "UTC", "HOME": "/nonexistent"},
                cwd="/",
                pass_fds=(keys, made, signed),
                start_new_session=True,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return {"says": "nothing", "because": type(error).__name__, "argv": argv}
    said = printable(b" / ".join((done.stderr or done.stdout).strip().splitlines()), 300)
    says = {0: "agrees", 1: "refuses"}.get(done.returncode, "nothing")
    took = round((time.monotonic() - begun) * 1000)
    return {"says": says, "because": said, "exit": done.returncode, "argv": argv, "duration_ms": took}
