"""The pages that list what lies in a site: of all releases, of one name, and of one version.

- They are made from what lies there, and say so: nothing in them is checked.
- An entry is one line, so that two clones of a git repository merge without a conflict (`merge=union`).
- What isn't a publication is passed over.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sealwright_stages.publish.files import FOLDER, read_file
from sealwright_stages.publish.markup import Html, code, link, page, table, tag, text
from sealwright_stages.publish.place import EVIDENCE, INDEX, Place, plain

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_MAX_SUMS = 64 << 20
_TAIL = 16 << 10
_HEADS = ("Release", "Published by", "Sealed (UTC)", "Products", "SHA-256 of its SHA256SUMS")
_FOOTER = Html(
    "Made from the folders that lie here; nothing in it is checked. Open a publication to see how to check it. Where "
    "two have the same hash they list the same products, byte for byte."
)


@dataclass(frozen=True)
class Listed:
    """A publication that lies in the site, as far as a list tells of it."""

    place: Place
    sealed: str
    products: int
    sums_sha256: str


def list_pages(site: int) -> Mapping[str, bytes]:
    """The pages by the folder that each lies in (empty: the site itself), the outermost last."""
    found = sorted(_publications(site), key=lambda each: each.place.parts)
    found.sort(key=lambda each: each.sealed, reverse=True)
    pages: dict[str, bytes] = {}
    for place in dict.fromkeys(each.place.parts[:2] for each in found):
        pages["/".join(place)] = _page(
            " ".join(place), 2, [each for each in found if each.place.parts[:2] == place]
        )
    for name in dict.fromkeys(each.place.name for each in found):
        pages[name] = _page(name, 1, [each for each in found if each.place.name == name])
    pages[""] = _page("Releases", 0, found)
    return pages


def _page(title: str, depth: int, found: Sequence[Listed]) -> bytes:
    up = [tag("p", Html(f'<a href="{"../" * depth}{INDEX}">all releases</a>'), "crumbs")] if depth else []
    rows = [_row(each, depth) for each in found]
    main = [table("What is published here, newest first", _HEADS, rows)]
    return page(title, [*up, tag("h1", text(title))], main, _FOOTER)


def _row(each: Listed, depth: int) -> list[Html]:
    place = each.place
    target = "/".join((*place.parts[depth:], INDEX))
    return [
        link(target, text(f"{place.name} {place.version}")),
        text(place.signer),
        text(each.sealed.replace("T", " ")),
        text(str(each.products)),
        code(each.sums_sha256),
    ]


def _publications(site: int) -> Iterator[Listed]:
    for name, one in _folders(site):
        for version, two in _folders(one):
            for signer, three in _folders(two):
                for _, inner in _folders(three, EVIDENCE):
                    if listed := _listed(Place(name, version, signer), inner):
                        yield listed


def _listed(place: Place, evidence: int) -> Listed | None:
    sums = read_file("SHA256SUMS", evidence, _MAX_SUMS)
    if sums is None:
        return None
    sealed = "unknown"
    for _, log in _folders(evidence, "log"):
        sealed = _sealed(log)
    return Listed(place, sealed, sums.count(b"\n"), hashlib.sha256(sums).hexdigest())


def _sealed(log: int) -> str:
    """When the last record of a log was made, by its own word."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        fd = os.open("index.jsonl", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=log)
        with os.fdopen(fd, "rb") as stream:
            stream.seek(max(0, os.fstat(fd).st_size - _TAIL))
            last = stream.read(_TAIL).splitlines()[-1]
        if found := _TIME.match(str(json.loads(last)["t"])):
            return found.group()
    return "unknown"


def _folders(top: int, only: str = "") -> Iterator[tuple[str, int]]:
    """The folders of an open folder that have plain names, or the one called `only`; each is closed afterwards."""
    names = [only] if only else sorted(name for name in os.listdir(top) if plain(name))
    for name in names:
        try:
            fd = os.open(name, FOLDER, dir_fd=top)
        except OSError:
            continue
        try:
            yield name, fd
        finally:
            os.close(fd)
