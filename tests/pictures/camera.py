"""What was photographed: each picture by its name, and the check that nothing of this machine is in it."""

from __future__ import annotations

import getpass
import platform
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rich.terminal_theme import TerminalTheme

from pictures.drawing import DARK, png, svg
from pictures.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
_COMMON = {"debian", "localhost", "root", "demo", "user", "host", "vm"}
_AT_ONCE = 2


class NotNeutralError(Exception):
    """A picture shows something of this machine."""


@dataclass(frozen=True)
class Picture:
    """What a terminal showed."""

    lines: tuple[str, ...]
    text: str
    size: tuple[int, int]
    title: str
    theme: TerminalTheme


@dataclass
class Camera:
    """Takes pictures, and draws them when all are taken."""

    taken: dict[str, Picture] = field(default_factory=dict)
    kept: dict[str, bytes] = field(default_factory=dict)

    def take(self, terminal: Terminal, name: str, title: str, theme: TerminalTheme = DARK) -> None:
        """What the terminal shows now is the picture `name`.

        Raises:
            NotNeutralError: it shows a path, a host or a user of this machine.
        """
        terminal.settle()
        text = terminal.text()
        _neutral(name, text)
        self.taken[name] = Picture(tuple(terminal.lines()), text, terminal.size, title, theme)
        print(f"  {name}", flush=True)

    def keep(self, name: str, picture: bytes, text: str) -> None:
        """A PNG that was taken elsewhere is the picture `name`, and shows `text`.

        Raises:
            NotNeutralError: as of `take`.
        """
        _neutral(name, text)
        self.kept[name] = picture
        print(f"  {name}", flush=True)

    def draw(self, folder: Path, profiles: Path) -> None:
        """Write an SVG and a PNG of each picture into `folder`; Chromium has its profiles below `profiles`."""
        for name, picture in self.kept.items():
            (folder / f"{name}.png").write_bytes(picture)
        for name, each in self.taken.items():
            (folder / f"{name}.svg").write_text(svg(each.lines, each.size, each.title, each.theme, name))
        with ProcessPoolExecutor(_AT_ONCE) as pool:
            done = [
                pool.submit(png, folder / f"{name}.svg", folder / f"{name}.png", profiles / name)
                for name in self.taken
            ]
            for each in done:
                each.result()


def _neutral(name: str, text: str) -> None:
    for word in own_words():
        if word in re.sub(r"\s+", "", text):
            raise NotNeutralError(f"{name} shows {word!r}, which is of this machine only")


def own_words() -> list[str]:
    """Paths and names that tell which machine this is; words that could be anybody's are not among them."""
    names = {platform.node(), platform.node().partition(".")[0], getpass.getuser()}
    names = {name for name in names if len(name) > 3 and name not in _COMMON}
    mirrors = set[str]()
    for path in [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]:
        if path.is_file():
            mirrors |= set(re.findall(r"//([^/\s]+)", path.read_text(errors="replace")))
    mirrors -= {"deb.debian.org", "security.debian.org"}
    return sorted({str(ROOT), str(Path.home()), *names, *mirrors} - {"/", ""})
