"""The Debian archive that this machine itself uses, read from its apt sources.

- Both forms are read: one-line `.list` files and deb822 `.sources` files; disabled entries are skipped.
- Only the address is taken; whose signature counts is never read from there.
"""

from __future__ import annotations

import re
from pathlib import Path

from sealwright_stages.errors import MachineError

_ONE_LINE = re.compile(r"\s*deb\s+(?:\[[^\]]*\]\s+)?(https?://\S+|file:\S+)\s+(\S+)\s+(.*)")


def mirror_from_machine(suite: str, folder: Path = Path("/etc/apt")) -> str:
    """The first address (no trailing slash) in the machine's apt sources that has `suite` with component main.

    Raises:
        MachineError: there is none.
    """
    lists = sorted((folder / "sources.list.d").glob("*")) if (folder / "sources.list.d").is_dir() else []
    for path in [folder / "sources.list", *lists]:
        if not path.is_file() or path.suffix not in (".list", ".sources"):
            continue
        text = path.read_text("utf-8", "replace")
        found = _deb822(text, suite) if path.suffix == ".sources" else _lines(text, suite)
        if found:
            return found.rstrip("/")
    raise MachineError(
        f"no archive for {suite}",
        "this machine's apt sources have none",
        'name one in the manifest: [environment] mirror = "https://..."',
    )


def _lines(text: str, suite: str) -> str:
    for line in text.splitlines():
        match = _ONE_LINE.match(line)
        if match and match.group(2) == suite and "main" in match.group(3).split():
            return match.group(1)
    return ""


def _deb822(text: str, suite: str) -> str:
    for block in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        for line in block.splitlines():
            name, colon, value = line.partition(":")
            if colon and not line.startswith((" ", "\t", "#")):
                fields[name.strip().lower()] = value.strip()
        right = suite in fields.get("suites", "").split() and "main" in fields.get("components", "").split()
        if fields.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        if right and "deb" in fields.get("types", "").split() and fields.get("uris"):
            return fields["uris"].split()[0]
    return ""
