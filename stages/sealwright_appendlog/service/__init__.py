"""The files that put an authority behind systemd, ssh and Qubes, as they are to be installed."""

from __future__ import annotations

import sys
from pathlib import Path

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
        ValueError: there is no such file.
    """
    if name not in SETUP:
        raise ValueError(f"there is no file {name}")
    text = Path(__file__).with_name(name).read_text("ascii")
    return text.replace("@PROGRAM@", str(Path(sys.argv[0]).absolute()))
