"""A manifest with its keyring folder on disk, from pieces that a test may change."""

from __future__ import annotations

from pathlib import Path

HEAD = """[release]
name = "example"
version = "1.0"
keyring = "keyring"
signers = ["manager-a"]
"""
COMPONENT = """
[[component]]
name = "{name}"
git = "https://example.org/{name}.git"
tag = "v1"
signers = ["release-key-a"]
needs = [{needs}]
"""
BUILD = """[component.build]
recipe = "commands"
commands = ["make"]
products = ["*.tar"]
"""


def component(name: str, *needs: str, build: bool = True) -> str:
    """The text of one component."""
    quoted = ", ".join(f'"{need}"' for need in needs)
    return COMPONENT.format(name=name, needs=quoted) + (BUILD if build else "")


def write_release(folder: Path, text: str) -> Path:
    """Write `text` as release.toml, with an empty keyring beside it."""
    (folder / "keyring" / "keys").mkdir(parents=True, exist_ok=True)
    (folder / "keyring" / "signers.toml").write_text("")
    (folder / "release.toml").write_text(text)
    return folder / "release.toml"
