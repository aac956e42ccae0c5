"""The files that put an authority behind systemd, ssh and Qubes, as they are to be installed."""

from __future__ import annotations

import re
import sys
from pathlib import Path

_PLAIN = re.compile(r"[A-Za-z0-9_./+@:-]+", re.ASCII)
SETUP = (
    "sealwright-appendlog.service",
    "sealwright-appendlog.socket",
    "authorized_keys",
    "qubes.AppendLog",
    "30-sealwright.policy",
)


def setup_file(name: str) -> str:
    """One of the files of `SETUP`, with this program's own path in it.

    Raises:
        ValueError: there is no such file, or the path needs quotes, which each of these files has in another way.
    """
    if name not in SETUP:
        raise ValueError(f"there is no file {name}")
    program = str(Path(sys.argv[0]).absolute())
    if not _PLAIN.fullmatch(program):
        raise ValueError(
            f"{program} is no plain path: install it where there is no blank and nothing that a shell reads"
        )
    text = Path(__file__).with_name(name).read_text("ascii")
    return text.replace("@PROGRAM@", program)
