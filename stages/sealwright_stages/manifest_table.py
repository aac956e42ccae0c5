"""One table of a TOML file being read strictly: each key is taken once, with its type, and none may be left.

- An unknown key, a wrong type or a missing key is an error at its line; nothing is guessed.
- Names are plain: letters, digits and . _ + ~ -; they become names of folders and of streams of the log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from sealwright_keyring.toml_lines import line_of
from sealwright_stages.errors import ManifestError

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,99}\Z")
HEX64 = re.compile(r"[0-9a-f]{64}\Z")
T = TypeVar("T")


class Reader:
    """The file being read: it refuses with a line, and makes paths beside the file, or below `base`, absolute."""

    def __init__(self, path: Path, text: str, base: Path | None = None) -> None:
        self.path, self.text, self.base = path, text, base or path.parent

    def fail(self, where: Sequence[str | int], because: str, next_step: str) -> NoReturn:
        """Refuse the manifest at what `where` leads to."""
        raise ManifestError(f"{self.path}:{line_of(self.text, where)}", because, next_step)

    def locate(self, value: str) -> Path:
        """`value` as an absolute path, from the manifest's folder or what stands for it."""
        return (self.base / value).absolute()


class Table:
    """One table being read: every key must be taken, each with its type."""

    def __init__(self, reader: Reader, data: Mapping[str, Any], where: tuple[str | int, ...]) -> None:
        self.reader, self.data, self.where = reader, dict(data), where

    def take(self, key: str, kind: type[T], default: T | None = None) -> T:
        """Take a value that must be there, unless `default` is given."""
        value = self.take_optional(key, kind)
        if value is not None:
            return value
        if default is None:
            self.fail((), f"{self.title()} has no {key!r}", f"add {key!r}; see docs/reference/manifest.md")
        return default

    def take_optional(self, key: str, kind: type[T]) -> T | None:
        """Take a value that may be left out."""
        if key not in self.data:
            return None
        value = self.data.pop(key)
        if type(value) is not kind:
            self.fail((key,), f"{key!r} must be {_KIND[kind]}, not {_kind_of(value)}", "correct it")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Take a list of texts (empty if left out)."""
        values = self.take(key, list, [])
        for value in values:
            if not isinstance(value, str):
                self.fail((key,), f"{key!r} must hold texts only", "put each of its values in quotes")
        if len(set(values)) != len(values):
            self.fail((key,), f"{key!r} names one thing twice", "name each once")
        return tuple(values)

    def command(self, key: str) -> tuple[str, ...]:
        """Take an argument list (empty if left out): a program and its words, of which some may stand twice."""
        values = self.take(key, list, [])
        for value in values:
            if not isinstance(value, str) or "\0" in value:
                self.fail((key,), f"{key!r} must hold texts only", "put each of its values in quotes")
        if values and not values[0]:
            self.fail((key,), f"{key!r} names no program", "name it first, then its arguments")
        return tuple(values)

    def table(self, key: str) -> Table:
        """Take a sub-table (an empty one if left out)."""
        return Table(self.reader, self.take(key, dict, {}), (*self.where, key))

    def tables(self, key: str) -> Iterator[Table]:
        """Take an array of tables."""
        for number, value in enumerate(self.take(key, list, [])):
            if not isinstance(value, dict):
                self.fail((key,), f"{key!r} must be [[{key}]] tables", "write each under its own [[...]]")
            yield Table(self.reader, value, (*self.where, key, number))

    def plain(self, key: str) -> str:
        """Take a plain name: letters, digits and . _ + ~ -."""
        value = self.take(key, str)
        if not PLAIN.match(value):
            self.fail((key,), f"{key} = {value!r} is no plain name", "use letters, digits and . _ + ~ - only")
        return value

    def done(self) -> None:
        """Nothing may be left."""
        for key in self.data:
            self.fail((key,), f"{self.title()} has an unknown key {key!r}", "remove it, or mend its spelling")

    def title(self) -> str:
        """How the table is called in a message."""
        names = [str(part) for part in self.where if isinstance(part, str)]
        return f"[{'.'.join(names)}]" if names else "the manifest"

    def fail(self, key: Sequence[str | int], because: str, next_step: str) -> NoReturn:
        """Refuse the manifest at this table or key."""
        self.reader.fail((*self.where, *key), because, next_step)


_KIND: Mapping[type, str] = {
    str: "a text",
    int: "a number",
    list: "a list",
    dict: "a table",
    bool: "true or false",
}


def _kind_of(value: object) -> str:
    return _KIND.get(type(value), type(value).__name__)


def threshold_of(table: Table, signers: Sequence[str], key: str = "threshold") -> int:
    """Take `threshold`, or what else counts them: how many of `signers` must have signed."""
    threshold = table.take(key, int, 1)
    if not 1 <= threshold <= max(1, len(signers)):
        table.fail((key,), f"{key} = {threshold} of {len(signers)} signers", "1 to that many")
    return threshold


def address(table: Table, key: str, url: str) -> str:
    """An address that we fetch from: https, http, ssh, file, or a local path made absolute.

    git's short form of an address over ssh is neither, and is refused rather than taken for a path.
    """
    if short := re.match(r"([^/:]+):(?!//|:)(.*)", url):
        table.fail((key,), f"{url!r} is git's short form", f"write ssh://{short[1]}/{short[2].lstrip('/')}")
    if re.match(r"(https?|ssh|file)://[^\s\x00-\x1f-]", url):
        return url
    if "://" in url or url.startswith("-") or not url or re.search(r"[\x00-\x1f]", url):
        table.fail((key,), f"{url!r} is no address that we fetch from", "use https, ssh, file or a local path")
    return str(table.reader.locate(url))
