"""What a command by hand is made from: an item, its evidence, and where the things of its release lie."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sealwright_console.repeat_shell import UntoldError, fetched, quoted
from sealwright_stages.state import Item
from sealwright_stages.verdict import Status

Evidence = Mapping[str, object]

ARCHIVE_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
HEX = re.compile(r"[0-9a-f]{40,64}\Z")
_FINGERPRINT = re.compile(r"[0-9A-F]{40}\Z")
READERS = {".gz": "gzip", ".tgz": "gzip", ".xz": "xz", ".txz": "xz", ".bz2": "bzip2", ".tbz": "bzip2"}
READERS |= {".tbz2": "bzip2", ".zst": "zstd", ".tzst": "zstd"}


@dataclass(frozen=True)
class Places:
    """Where the things of a release lie; None for what is not there, or not known.

    `keys` is the keyring's folder with the keys, `archive` the file with the keys of the Debian archive.
    """

    sources: Path | None = None
    products: Path | None = None
    keys: Path | None = None
    log: Path | None = None
    archive: Path = ARCHIVE_KEYRING


def places_of(work: Path, keys: Path | None) -> Places:
    """The places of a work folder."""
    root = work.absolute()
    return Places(root / "sources", root / "products", keys.absolute() if keys else None, root / "log")


@dataclass(frozen=True)
class Repeat:
    """A command of one or more lines, and what a good answer looks like."""

    command: str
    good: str


@dataclass(frozen=True)
class Case:
    """An item whose check is to be repeated; `others` gives the evidence of the item with that id."""

    item: Item
    evidence: Evidence
    places: Places
    others: Callable[[str], Evidence]

    @property
    def name(self) -> str:
        """The last part of the item's id."""
        return self.item.id.removeprefix(f"{self.item.component}/").partition("/")[2]

    def beside(self, part: str) -> Evidence:
        """The evidence of the item of the same component and name that has this part in its id."""
        return self.others(f"{self.item.component}/{part}/{self.name}")

    @property
    def stands(self) -> bool:
        """Whether what was judged lies in the work folder."""
        return self.places.sources is not None and self.item.status is not Status.FAILED

    def judged(self, *parts: str) -> str:
        """The word for what was judged, by its path below the component's folder.

        Raises:
            UntoldError: it does not lie there.
        """
        if self.places.sources is None or not self.stands:
            raise UntoldError
        return quoted(str(self.places.sources.joinpath(plain(self.item.component), *map(plain, parts))))

    @property
    def uncompressed(self) -> bool:
        """Whether what lies in the work folder is the file's inside, which was signed."""
        return "uncompressed" in (
            self.evidence if self.item.kind == "file-signature" else self.beside("file-signature")
        )

    def source(self, folder: str, name: str, url: str = "") -> tuple[list[str], str]:
        """The steps that bring a file, and the word that names it then."""
        if self.stands and not self.uncompressed:
            return [], self.judged(folder, name)
        return [fetched(url, "file")], '"$T/file"'

    @property
    def url(self) -> str:
        """Where the item's file came from."""
        return str(self.beside("fetch").get("url") or self.evidence.get("url") or "")

    def product(self, name: str) -> str:
        """The word for a product of the component.

        Raises:
            UntoldError: there is none.
        """
        if self.places.products is None:
            raise UntoldError
        return quoted(str(self.places.products / plain(self.item.component) / plain(name)))

    def keyring(self, keys: list[str], form: str = "") -> list[str]:
        """The steps that make `$T/signer` of just these OpenPGP keys."""
        if not keys or not all(_FINGERPRINT.match(key) for key in keys):
            raise UntoldError
        gpg = 'gpg --homedir "$T" --batch --quiet --no-autostart'
        export = f'{gpg} {form}--export {" ".join(keys)} > "$T/signer"'
        return [f"{gpg} --import {self.keys}/*.asc", export]

    @property
    def keys(self) -> str:
        """The folder of the keys; where it is not known, the shell asks for it."""
        if self.places.keys is None:
            return '"${KEYS:?set it to the folder keys of your keyring}"'
        return quoted(str(self.places.keys))


def plain(name: str) -> str:
    """A name that is no path.

    Raises:
        UntoldError: it is one.
    """
    if not name or "/" in name or name in (".", ".."):
        raise UntoldError
    return name


def text(value: object, form: re.Pattern[str]) -> str:
    """A text of a form.

    Raises:
        UntoldError: it is none.
    """
    if not isinstance(value, str) or not form.match(value):
        raise UntoldError
    return value


def table(evidence: Evidence, key: str) -> Evidence:
    """A table of the evidence.

    Raises:
        UntoldError: there is none.
    """
    value = evidence.get(key)
    if not isinstance(value, Mapping):
        raise UntoldError
    return value


def reader(name: str) -> str:
    """The program that reads a compressed file, by its name.

    Raises:
        UntoldError: it is not compressed.
    """
    found = READERS.get(Path(name).suffix)
    if found is None:
        raise UntoldError
    return found
