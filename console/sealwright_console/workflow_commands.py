"""What blocks a release as GitHub's workflow commands, so that a pull request shows it at its line of the manifest.

- A command has one line; `%`, CR and LF in it are escaped, in a property `:` and `,` too, as the runner undoes them.
- Whatever comes from outside was cleaned first, so it can neither end a line nor begin one.
- Red comes before warned: the runner shows ten of each kind in a step. A waived warning is no annotation.
- An item is shown at the line of its component in the manifest, or of the table in it that asks for that item.

Source: docs.github.com, "Workflow commands for GitHub Actions"; escapes as in `@actions/core`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from sealwright_console.sanitise import clean
from sealwright_keyring.toml_lines import line_of
from sealwright_stages.engine import Ended
from sealwright_stages.errors import Exit
from sealwright_stages.manifest import ComponentSpec, Manifest
from sealwright_stages.stage import Stage
from sealwright_stages.state import Item, State
from sealwright_stages.verdict import Status

_SEVERITY = {Status.FAILED: "error", Status.WARNED: "warning"}


def commands(state: State, manifest: Manifest, ended: Ended) -> Iterator[str]:
    """A command for each red item, then for each warned one that nobody accepted; for a run that ended otherwise, one
    of its own."""
    text, file = manifest.data.decode("utf-8", "replace"), _shown(manifest.path)
    for status, severity in _SEVERITY.items():
        for item in state.items.values():
            if item.status is status and not item.green:
                place = _place(item, manifest)
                yield command(
                    severity,
                    f"{item.component}: {item.title} [{item.code}]",
                    (item.reason, f"next: {item.next_step}" if item.next_step else ""),
                    (file, line_of(text, place) if place else 1),
                )
    if ended.exit is not Exit.DONE and ended.decision is None:
        yield command("error", ended.what, (ended.because, f"next: {ended.next_step}"), (file, 1))


def command(severity: str, title: str, said: tuple[str, ...], at: tuple[str, int] | None = None) -> str:
    """One command: `severity` is ours, all else may be hostile; the parts of `said` become lines of the message."""
    words = {"file": at[0], "line": str(at[1])} if at else {}
    words["title"] = title
    properties = ",".join(f"{name}={_property(value)}" for name, value in words.items())
    message = "%0A".join(_data(each) for each in said if each)
    return f"::{severity} {properties}::{message}"


def _data(text: str) -> str:
    return clean(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _shown(path: Path) -> str:
    """The path as GitHub wants it: from the root of the checkout, where it lies in one."""
    whole = path.absolute()
    for base in (os.environ.get("GITHUB_WORKSPACE", ""), str(Path.cwd())):
        if base and whole.is_relative_to(base):
            return str(whole.relative_to(base))
    return str(whole)


def _place(item: Item, manifest: Manifest) -> tuple[str | int, ...]:
    """Where the manifest asks for an item, as far as that can be told; empty where it is no component's."""
    for number, component in enumerate(manifest.components):
        if component.name == item.component:
            return ("component", number, *_inside(item, component))
    return ()


def _inside(item: Item, component: ComponentSpec) -> tuple[str | int, ...]:
    if item.stage is Stage.BUILD:
        return ("build",)
    name = item.id.rsplit("/", 1)[-1]
    for number, file in enumerate(component.files):
        if file.name == name:
            return ("file", number)
    return ()
