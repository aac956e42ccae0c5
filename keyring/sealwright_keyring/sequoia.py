"""Sequoia's opinion of a detached signature: advice for a person, never a verdict.

- It is asked only where `sqv` is installed, and of the chosen certificates only.
- Whatever it says, or fails to say, no verdict gets greener or redder: it refuses every signature of several large
  projects whose certificates are bound by SHA-1, and accepts what our policy refuses.
- It runs like every verifying program, and all that it reads is sealed memory.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.feed import in_memory
from sealwright_keyring.text import printable
from sealwright_keyring.tool import SAFE_PATH, Tool

AGREES, REFUSES, NOTHING = "agrees", "refuses", "nothing"
_SECONDS = 20.0
_MOST = 64 << 20  # an opinion is not worth reading a large file a second time


def opinion(
    signature: bytes, data: bytes | Path, certificates: Iterable[bytes], tool: Tool | None = None
) -> Mapping[str, object]:
    """What Sequoia thinks: `says` is "agrees", "refuses" or "nothing"; empty where it is not installed.

    `certificates` are the chosen ones, binary. The rest of the answer: `because`, and of a run `argv`, `exit`,
    `duration_ms`.
    """
    tool = tool or Tool("sqv", _SECONDS)
    if shutil.which(tool.program, path=SAFE_PATH) is None:
        return {}
    try:
        content = data if isinstance(data, bytes) else _small(data)
        with in_memory(b"".join(certificates)) as keys, in_memory(signature) as made, in_memory(content) as signed:
            files = [f"/proc/self/fd/{each}" for each in (keys, made, signed)]
            run = tool.hold(["--keyring", *files], handed=(keys, made, signed))
    except KeyringError as error:
        return {"says": NOTHING, "because": error.because}
    except OSError as error:
        return {"says": NOTHING, "because": error.strerror or str(error)}
    return {
        "says": {0: AGREES, 1: REFUSES}.get(run.returncode, NOTHING),
        "because": printable(b" / ".join((run.stderr or run.stdout).strip().splitlines()), 300),
        "argv": list(run.argv),
        "exit": run.returncode,
        "duration_ms": round(run.seconds * 1000),
    }


def _small(path: Path) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(_MOST + 1)
    if len(data) > _MOST:
        raise OSError(0, "the file is too large for a second reading")
    return data
