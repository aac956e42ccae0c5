"""What an archive may hold, and what is to be written for it: members judged one by one, before any is unpacked.

A pure module. It reads the listing that the program in the sandbox made, and believes nothing of it.

- A name is relative and plain, component by component, by the rules of `tree_rules`; a leading `./` is nothing.
- No name stands twice, and nothing lies below a file or a link.
- Only files, folders, symbolic links and hard links; no device, no pipe, no sparse file, nothing encrypted.
- A file is not set-uid, set-gid or sticky. Of its mode only the owner's `x` counts; folders are 755.
- A symbolic link stays inside, also through other links; a hard link names a file that stands before it, and
  becomes a copy of it.
- Members, bytes, depth and the length of a path are limited.
- A folder holds something or is written as an empty one; an archive that holds nothing at all is refused.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sealwright_stages.unpack import limits
from sealwright_stages.verify.codes import RefusedError, shown
from sealwright_stages.verify.tree_rules import check_link, check_link_name, check_links_stay, check_name

_NEXT = "ask upstream for an archive without it; never unpack it by hand to get round this"
_KEYS = {"name": str, "target": str, "kind": str, "mode": int, "size": int, "at": int}
_LINE = 64 << 10


@dataclass(frozen=True)
class Planned:
    """What is to be written at a path: a folder, a link to `target`, or a file of `size` bytes that begins `at`."""

    kind: str
    mode: int = 0o755
    size: int = 0
    at: int = 0
    target: str = ""


@dataclass
class Plan:
    """All that is to be written, by path, parents first; links come last in `lines`."""

    entries: dict[str, Planned] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    bytes: int = 0

    def lines(self) -> str:
        """The plan as the program in the sandbox wants it."""
        ordered = sorted(self.entries.items(), key=lambda pair: pair[1].kind == "link")
        return "".join(json.dumps({"path": path, **vars(entry)}) + "\n" for path, entry in ordered)

    @property
    def links(self) -> Mapping[str, str]:
        """Symbolic links by path."""
        return {path: entry.target for path, entry in self.entries.items() if entry.kind == "link"}


def judge(listing: Iterable[bytes], room: int) -> Plan:
    """The plan for the members of `listing`, whose files may have `room` bytes in all.

    Raises:
        RefusedError: `archive-refused` for any rule above, `archive-bomb` for a limit.
    """
    plan = Plan()
    for count, line in enumerate(listing):
        member = _read(line)
        if "members" in member:
            if member["members"] != count:
                raise _broken()
            break
        if count >= limits.MEMBERS:
            raise RefusedError("archive-bomb", f"it has more than {limits.MEMBERS} members", _NEXT)
        _add(plan, member)
        if plan.bytes > room:
            raise RefusedError("archive-bomb", f"its files have more than {room} bytes", _NEXT)
    else:
        raise _broken()
    if not plan.entries:
        raise RefusedError("archive-refused", "it holds nothing", _NEXT)
    with _ours():
        check_links_stay(plan.links)
    return plan


def _add(plan: Plan, member: Mapping[str, object]) -> None:
    raw, kind = _bytes(member["name"]), str(member["kind"])
    if kind == "folder" and raw in (b".", b"./"):
        return  # the top folder itself
    path = _path(raw)
    mode, size = int(str(member["mode"])), int(str(member["size"]))
    if path in plan.named:
        raise _refused(path, "the name stands twice in it")
    if kind not in ("file", "folder", "link", "hard"):
        raise _refused(path, f"it is {shown(kind, 60)}")
    if (kind in ("folder", "hard") and size) or size < 0:
        raise _refused(path, "it has bytes that it can't have")
    if kind in ("file", "hard") and mode & 0o7000:
        raise _refused(path, "it is set-uid, set-gid or sticky")
    plan.named.add(path)
    _parents(plan, path)
    held = plan.entries.get(path)
    if held is not None and not (held.kind == kind == "folder"):
        raise _refused(path, "the name stands twice in it")
    plan.entries[path] = _planned(plan, path, kind, mode, member)
    plan.bytes += plan.entries[path].size


def _planned(plan: Plan, path: str, kind: str, mode: int, member: Mapping[str, object]) -> Planned:
    target = _bytes(member["target"])
    if kind == "folder":
        return Planned("folder")
    if kind == "link":
        folder, _, name = path.rpartition("/")
        with _ours():
            check_link_name(name, f"{folder}/" if folder else "")
            return Planned("link", 0, 0, 0, check_link(path, target))
    if kind == "hard":
        same = plan.entries.get(_path(target))
        if same is None or same.kind != "file":
            raise _refused(path, f"it is a hard link to {shown(target)}, which is no file that stands before it")
        return same
    return Planned("file", 0o755 if mode & 0o100 else 0o644, int(str(member["size"])), int(str(member["at"])))


def _parents(plan: Plan, path: str) -> None:
    parts = path.split("/")[:-1]
    for depth in range(1, len(parts) + 1):
        parent = "/".join(parts[:depth])
        if plan.entries.setdefault(parent, Planned("folder")).kind != "folder":
            raise _refused(path, f"it lies below {shown(parent)}, which is no folder")


def _path(raw: bytes) -> str:
    """The path of a member, each component of it plain."""
    name = raw.removeprefix(b"./").removesuffix(b"/")
    if raw.startswith(b"/"):
        raise _refused(shown(raw), "the name is absolute")
    if len(name) > limits.PATH or name.count(b"/") >= limits.DEPTH:
        raise _refused(shown(raw), "its path is too long or too deep")
    path = ""
    with _ours():
        for part in name.split(b"/"):
            path += ("/" if path else "") + check_name(part, f"{path}/" if path else "")
    return path


def _read(line: bytes) -> Mapping[str, object]:
    try:
        member = json.loads(line) if len(line) <= _LINE else None
    except ValueError as error:
        raise _broken() from error
    if isinstance(member, dict) and type(member.get("members")) is int:
        return member
    if not isinstance(member, dict) or {key: type(value) for key, value in member.items()} != _KEYS:
        raise _broken()
    return member


def _bytes(text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except ValueError as error:
        raise _broken() from error


@contextlib.contextmanager
def _ours() -> Iterator[None]:
    """A rule of trees that an archive breaks is the archive's refusal."""
    try:
        yield
    except RefusedError as error:
        raise RefusedError("archive-refused", error.reason, _NEXT) from error


def _refused(where: str, because: str) -> RefusedError:
    return RefusedError("archive-refused", f"{shown(where)}: {because}", _NEXT)


def _broken() -> RefusedError:
    return RefusedError("archive-refused", "what was read of it makes no sense", "report this with the log")
