"""Which packages apt would install: asked of an apt of our own, which sees verified bytes and nothing of the machine's.

- Its settings are ours, and those of the machine are not read: signatures and Valid-Until are demanded, nothing is
  recommended, only the chosen keys count.
- It sees the packages of the root that it adds to, and one archive, in a folder.
- What it names must be in the signed index, by its path; it is asked again when it installs.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages import process
from sealwright_stages.build.packages import Key, Stock
from sealwright_stages.errors import BuildError
from sealwright_stages.ports import Workshop
from sealwright_stages.verify.codes import shown

SETTINGS = (
    'Acquire::Check-Valid-Until "true"',
    'Acquire::AllowInsecureRepositories "false"',
    'Acquire::AllowDowngradeToInsecureRepositories "false"',
    'Acquire::Languages "none"',
    'APT::Get::AllowUnauthenticated "false"',
    'APT::Install-Recommends "false"',
)
REPOSITORY, STATE = "repository", "state"
"""Folders of a scratch: the archive, and what apt keeps."""
_SECONDS = 600.0
_NAMED = 3  # unmet dependencies that are named
_FOLDERS = (
    *("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d", "etc/apt/trusted.gpg.d"),
    *("var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg"),
)


@dataclass(frozen=True)
class Scratch:
    """A folder of ours, as programs that make a root see it: at `seen`, and started by `confined`."""

    folder: Path
    seen: Path
    keys: str
    confined: Callable[[Sequence[str]], Sequence[str]]

    def source(self, suite: str) -> str:
        """The archive as a line of sources.list(5), which apt reads as signed by the chosen keys."""
        return f"deb [signed-by={self.seen / self.keys}] {self.address} {suite} main"

    @property
    def address(self) -> str:
        """The archive's address."""
        return f"copy:{urllib.parse.quote(str(self.seen / REPOSITORY))}"


def planned(
    scratch: Scratch,
    suite: str,
    architecture: str,
    asked: Sequence[str],
    status: bytes,
    stock: Mapping[Key, Stock],
    workshop: Workshop,
) -> list[Stock]:
    """The packages that `apt-get ASKED` adds to a root whose dpkg status is `status`.

    Raises:
        BuildError: apt refuses, or names what the index does not.
    """
    _lay(scratch, suite, architecture, status)
    _apt(scratch, suite, ["update", "--error-on=any"], workshop)
    said = _apt(scratch, suite, ["--print-uris", "--yes", *asked], workshop)
    by_path = {each.path: each for each in stock.values()}
    found: list[Stock] = []
    for line in said.splitlines():
        if not line.startswith("'"):
            continue
        address = urllib.parse.unquote(line[1:].partition("'")[0])
        path = address.removeprefix(f"{urllib.parse.unquote(scratch.address)}/")
        if path not in by_path:
            raise BuildError(
                f"the build root of {suite} is refused",
                f"apt wants {path[:120]!r}, which is not in the signed index",
                "look at the mirror",
                "package-not-in-index",
            )
        found.append(by_path[path])
    return found


def _lay(scratch: Scratch, suite: str, architecture: str, status: bytes) -> None:
    state = scratch.folder / STATE
    for name in _FOLDERS:
        (state / name).mkdir(parents=True)
    (state / "var/lib/dpkg/status").write_bytes(status)
    (state / "etc/apt/sources.list").write_text(scratch.source(suite) + "\n")
    seen = scratch.seen / STATE
    lines = (
        f'Dir "{seen}"',
        f'Dir::State::status "{seen}/var/lib/dpkg/status"',
        f'APT::Architecture "{architecture}"',
        f'APT::Architectures {{ "{architecture}"; }}',
        *SETTINGS,
    )
    (state / "apt.conf").write_text("".join(f"{line};\n" for line in lines))


def _apt(scratch: Scratch, suite: str, words: Sequence[str], workshop: Workshop) -> str:
    done = process.run(
        scratch.confined(["apt-get", *words]),
        timeout=_SECONDS,
        cwd=Path("/"),
        cancel=workshop.cancel,
        env={"APT_CONFIG": str(scratch.seen / STATE / "apt.conf")},
    )
    if done.returncode != 0:
        raise BuildError(
            f"the build root of {suite} can't be made",
            _complaint(done),
            "mend the packages it names, or look at the mirror",
            "environment-failed",
        )
    return done.stdout.decode("utf-8", "replace")


def _complaint(done: process.Completed) -> str:
    """What apt can't do: which package lacks what stands in its output, and only that it can't among its errors."""
    text = done.stdout.decode("utf-8", "replace").partition("unmet dependencies:")[2]
    lacking = [line.strip() for line in text.splitlines() if line.strip()]
    return shown(" / ".join([*lacking[:_NAMED], done.complaint()]), 600)
