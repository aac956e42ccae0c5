"""Versions of the programs that make a Debian root: others can give other bytes."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from sealwright_stages import process

_NAMES = ("apt", "dpkg", "mmdebstrap", "tar")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+~-]*")


@functools.cache
def versions() -> Mapping[str, str]:
    """Version by program; empty for one that tells none. Raises MachineError where one is missing."""
    found: dict[str, str] = {}
    for name in _NAMES:
        said = process.run([name, "--version"], timeout=30).stdout.decode("utf-8", "replace")
        match = _VERSION.search(said.partition("\n")[0])
        found[name] = match[0] if match else ""
    return found
