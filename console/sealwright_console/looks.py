"""The options that all faces in a terminal share: how it looks, which keys it has, how it calls. Without textual.

- What the environment asks for is checked as strictly as what the command line does; both are refused before anything
  begins.
- A terminal that can't show a screen is refused by its name, with the way to do without.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from sealwright_stages.errors import ManifestError

THEMES = ("dark", "light", "high-contrast", "ansi")
CALLS = ("auto", "osc9", "osc777", "bell", "off")
_OPTIONS = ("--ascii", "--theme", "--keys", "--notify")
_DUMB = ("", "dumb", "unknown", "vt52", "vt100", "vt102", "vt220")


class Looks(NamedTuple):
    """What was asked for: ASCII only, a theme, keys by the id of their binding, and how the console calls."""

    ascii: bool = False
    theme: str = ""
    keys: Mapping[str, str] = MappingProxyType({})
    notify: str = "auto"
    words: tuple[str, ...] = ()
    """The options as they were typed, for a command that is run after this one."""


PLAIN = Looks()
"""Nothing was asked for."""


def add_looks(command: argparse.ArgumentParser) -> None:
    """Add the options that say how the console looks, which keys it has and how it calls."""
    command.add_argument("--ascii", action="store_true", help="no characters beyond ASCII on the screen")
    command.add_argument(
        "--theme",
        choices=THEMES,
        default="",
        help="colours of the console: dark, light, high-contrast, or ansi, the terminal's own; "
        "default: SEALWRIGHT_THEME, else dark",
        metavar="NAME",
    )
    command.add_argument(
        "--keys", type=Path, metavar="FILE", help="your own keys; default: sealwright/keys.toml in XDG_CONFIG_HOME"
    )
    command.add_argument(
        "--notify",
        choices=CALLS,
        default="",
        help="how the console calls when something is red, ends or waits: auto, osc9, osc777, bell, off; "
        "default: SEALWRIGHT_NOTIFY, else auto; with --batch off",
        metavar="HOW",
    )


def looks_of(options: argparse.Namespace) -> Looks:
    """What the command line and the environment ask for.

    Raises:
        ManifestError: the environment names what there is not, or the file of keys is refused.
    """
    theme = options.theme or _named("SEALWRIGHT_THEME", THEMES)
    notify = options.notify or _named("SEALWRIGHT_NOTIFY", CALLS) or "auto"
    words = ["--ascii"] if options.ascii else []
    for name in ("theme", "keys", "notify"):
        if value := getattr(options, name):
            words += [f"--{name}", str(value.absolute() if isinstance(value, Path) else value)]
    return Looks(options.ascii, theme, _keys(options.keys), notify, tuple(words))


def start_looks(words: Sequence[str]) -> Looks | None:
    """What was asked for where no command was given, only looks; None if there is a command."""
    if words and not words[0].startswith(_OPTIONS):
        return None
    parser = argparse.ArgumentParser(prog="sealwright", add_help=False, exit_on_error=False)
    add_looks(parser)
    try:
        options, rest = parser.parse_known_args(words)
    except (argparse.ArgumentError, SystemExit):
        return None
    return None if rest else looks_of(options)


def require_screen(next_step: str) -> None:
    """Refuse to open the console where there is no terminal, or one that can't show it.

    Raises:
        ManifestError: so it is.
    """
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise ManifestError("no terminal", "the console needs one on stdin, stdout and stderr", next_step)
    if not shows_screens():
        name = os.environ.get("TERM", "")
        because = f"TERM is {name}, which can't show the console" if name else "TERM is not set"
        raise ManifestError("no terminal of use", because, next_step)


def shows_screens() -> bool:
    """Whether the terminal, if there is one, is of a kind that can show the console."""
    return os.environ.get("TERM", "") not in _DUMB


def _named(variable: str, known: Sequence[str]) -> str:
    name = os.environ.get(variable, "")
    if name and name not in known:
        raise ManifestError(variable, f"there is no {name!r}", f"one of: {', '.join(known)}; or unset it")
    return name


def _keys(asked: Path | None) -> Mapping[str, str]:
    file = asked or keys_file()
    if file is None or (asked is None and not os.path.lexists(file)):
        return {}
    from sealwright_console.keymap import read_keymap  # noqa: PLC0415 - it brings in textual and every screen

    return read_keymap(file)


def keys_file() -> Path | None:
    """Where one's own keys are looked for; None for a user without a home."""
    base = os.environ.get("XDG_CONFIG_HOME") or ""
    try:
        folder = Path(base) if base.startswith("/") else Path.home() / ".config"
    except RuntimeError:
        return None
    return folder / "sealwright" / "keys.toml"
