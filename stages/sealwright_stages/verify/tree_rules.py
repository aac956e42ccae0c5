"""What a tree of files may hold: names, modes and links that stay where they are put.

A pure module.

- A name is one path component in UTF-8: not empty, not `.` or `..`, no slash, no NUL, no control, bidi or
  other invisible character, at most 255 bytes.
- No `.git` in any disguise: in capitals, as NTFS short name or stream, with trailing dots or blanks, behind a
  backslash, or with the characters that HFS+ drops.
- Modes are exactly 100644, 100755, 120000, 40000, and 160000 for a submodule, whose content is elsewhere.
- No other entry passes for a submodule, or for a folder above it, where case is not told apart.
- A symbolic link is relative and stays inside the tree, also when other links of the tree lie on its way;
  `.gitmodules` and its like are no links.
- A folder holds something: git writes no empty one, and a manifest of files could not tell of it.
- No name stands twice in a folder, as file or folder, and entries stand in git's order.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sealwright_stages.verify.codes import RefusedError, shown

FILE, PROGRAM, LINK, FOLDER, SUBMODULE = "100644", "100755", "120000", "40000", "160000"
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})
_DISGUISE = re.compile(r"(\.git|git~[0-9]+)[. ]*(:.*)?\Z")
_NO_LINK = re.compile(
    r"(\.git(modules|attributes|ignore)|\.mailmap|git(mod|att|ign)~[0-9]+|gi[0-9a-f]{4}~[0-9]+)[. ]*(:.*)?\Z"
)
_HOPS = 40  # as many as Linux follows
_NEXT = "this release can't be built as it is; tell upstream, and ask for a tag without it"


@dataclass(frozen=True)
class Entry:
    """A line of a tree: mode, name, and the object's 40 hex digits."""

    mode: str
    name: str
    id: str


def parse_tree(raw: bytes, where: str) -> list[Entry]:
    """Parse a raw tree object that stands at path `where` ("" or "folder/").

    Raises:
        RefusedError: any rule above.
    """
    if not raw:
        raise _refused(where or "the top folder", "it is empty, as no folder that git writes is")
    entries: list[Entry] = []
    keys: list[bytes] = []
    names: set[bytes] = set()
    position = 0
    while position < len(raw):
        end = raw.find(b"\x00", position)
        if end < 0 or end + 21 > len(raw):
            raise _refused(where, "its tree ends in the middle of an entry")
        mode, _, name = raw[position:end].partition(b" ")
        entry = Entry(check_mode(mode, where), check_name(name, where), raw[end + 1 : end + 21].hex())
        if name in names:
            raise _refused(where + entry.name, "the name stands twice in its folder")
        names.add(name)
        keys.append(name + b"/" if entry.mode == FOLDER else name)
        if entry.mode == LINK:
            check_link_name(entry.name, where)
        entries.append(entry)
        position = end + 21
    if keys != sorted(keys):
        raise _refused(where or "the top folder", "its entries are not in git's order")
    return entries


def check_mode(mode: bytes, where: str) -> str:
    """The mode as text, if it is one of the five."""
    text = mode.decode("ascii", "backslashreplace")
    if text not in (FILE, PROGRAM, LINK, FOLDER, SUBMODULE):
        raise _refused(where or "the top folder", f"an entry has the mode {shown(text, 20)}")
    return text


def check_name(name: bytes, where: str) -> str:
    """The name as text, if it is a plain component of a path."""
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(where + shown(name), "the name is not UTF-8") from error
    if text in ("", ".", "..") or "/" in text or "\x00" in text or len(name) > 255:
        raise _refused(where + shown(text), "the name is no plain component of a path")
    if any(unicodedata.category(c) in _INVISIBLE for c in text):
        raise _refused(where + shown(text), "the name holds a control or an invisible character")
    if any(_DISGUISE.match(_folded(part)) for part in text.split("\\")):
        raise _refused(where + shown(text), "the name is a disguise of .git")
    return text


def check_link_name(name: str, where: str) -> None:
    """Refuse links under the names that git itself reads."""
    if _NO_LINK.match(_folded(name)):
        raise _refused(where + shown(name), "a file that git itself reads is a symbolic link")


def check_link(path: str, target: bytes) -> str:
    """The target of the link at `path` as text, if it is relative and made of visible characters."""
    try:
        text = target.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(path, "its link target is not UTF-8") from error
    if not text or text.startswith("/") or len(target) > 1023:
        raise _refused(path, f"it is a link to {shown(text) or 'nothing'}, outside of the tree")
    if any(unicodedata.category(c) in _INVISIBLE for c in text):
        raise _refused(path, "its link target holds a control or an invisible character")
    return text


def check_links_stay(links: Mapping[str, str]) -> None:
    """Follow every link (path -> target) through the others, and refuse one that leaves the tree.

    Raises:
        RefusedError: it leaves the tree, or runs in a circle.
    """
    for path, target in links.items():
        here = path.split("/")[:-1]
        rest = target.split("/")
        hops = 0
        while rest:
            part = rest.pop(0)
            if part in ("", "."):
                continue
            if part == "..":
                if not here:
                    raise _refused(path, f"it is a link to {shown(target)}, outside of the tree")
                here.pop()
                continue
            here.append(part)
            onward = links.get("/".join(here))
            if onward is not None:
                here.pop()
                rest = onward.split("/") + rest
                hops += 1
            if hops > _HOPS:
                raise _refused(path, "it is a link that runs in a circle, or through too many others")


def check_stands_alone(paths: Iterable[str], submodules: Iterable[str]) -> None:
    """Refuse an entry that only its case tells from a submodule or from a folder above one.

    Raises:
        RefusedError: there is one.
    """
    taken: dict[str, str] = {}
    for submodule in submodules:
        parts = submodule.split("/")
        for depth in range(1, len(parts) + 1):
            taken["/".join(_folded(part) for part in parts[:depth])] = "/".join(parts[:depth])
    for path in paths:
        other = taken.get("/".join(_folded(part) for part in path.split("/")), path)
        if other != path:
            raise _refused(path, f"only its case tells it from {shown(other)}, where a submodule stands")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _refused(where: str, because: str) -> RefusedError:
    return RefusedError("tree-refused", f"{shown(where)}: {because}", _NEXT)
