"""A git repository of the manifest, the one signed ref of it that is wanted, and its submodules.

- A repository names exactly one of `tag`, `commit`, `branch`; a branch says `signed = "commit"`.
- It names its signers; a trust root beside it is a whole commit.
- A submodule stands at a plain path below its component's tree: letters, digits and . _ + ~ @ -, no `.git`.
- No two submodules share a path, also where case is not told apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sealwright_stages.manifest_table import Table, address, threshold_of

_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/~-]*\Z")
_PART = re.compile(r"(?!\.git\Z)(?!\.{1,2}\Z)[A-Za-z0-9._+~@][A-Za-z0-9._+~@-]*\Z", re.IGNORECASE)
_LONGEST = 150  # it is a part of an item's id, and of a folder's name


@dataclass(frozen=True)
class GitSource:
    """A git repository, the one signed ref that is wanted, and the commit that it must descend from."""

    url: str
    tag: str | None
    commit: str | None
    branch: str | None
    trust_root: str | None = None


@dataclass(frozen=True)
class Submodule:
    """A submodule: where it stands in the component's tree, its own repository, and whose signature counts."""

    path: str
    git: GitSource
    signers: tuple[str, ...]
    threshold: int


def read_git(table: Table, signers: Sequence[str]) -> GitSource | None:
    """Take the keys of a git repository from a table; None if it has none."""
    url = table.take_optional("git", str)
    refs = {key: table.take_optional(key, str) for key in ("tag", "commit", "branch")}
    signed, root = table.take_optional("signed", str), table.take_optional("trust_root", str)
    if url is None:
        for key in (
            key for key, value in {**refs, "signed": signed, "trust_root": root}.items() if value is not None
        ):
            table.fail((), f"{key!r} without git", "name the repository: git = ...")
        return None
    if sum(value is not None for value in refs.values()) != 1:
        table.fail(("git",), "git wants exactly one of tag, commit, branch", "name one")
    for key, value in (("commit", refs["commit"]), ("trust_root", root)):
        if value is not None and not _COMMIT.match(value):
            table.fail((key,), f"{key} is not 40 lower-case hex digits", "give the full commit")
    if refs["branch"] is not None and signed != "commit":
        table.fail(("branch",), 'a branch wants signed = "commit"', "add it, or name a tag")
    for key in ("tag", "branch"):
        if refs[key] is not None and not _REF.match(refs[key] or ""):
            table.fail((key,), f"{key} = {refs[key]!r} is no plain ref", "name the ref without refs/ or wildcards")
    if not signers:
        table.fail(("git",), "git without signers", "say whose signature counts: signers = [...]")
    return GitSource(address(table, "git", url), refs["tag"], refs["commit"], refs["branch"], root)


def read_submodules(table: Table, main: GitSource | None) -> tuple[Submodule, ...]:
    """Take every `[[component.submodule]]`."""
    found: dict[str, Submodule] = {}
    for each in table.tables("submodule"):
        submodule = _submodule(each)
        if main is None:
            each.fail((), "a submodule without git", "name the repository that has it: git = ...")
        if submodule.path.lower() in found:
            each.fail(("path",), f"two submodules stand at {submodule.path}", "keep one")
        found[submodule.path.lower()] = submodule
    return tuple(found.values())


def _submodule(table: Table) -> Submodule:
    path, signers = table.take("path", str), table.texts("signers")
    if len(path) > _LONGEST or not all(_PART.match(part) for part in path.split("/")):
        table.fail(
            ("path",),
            f"path = {path!r} is no plain path of a submodule",
            "write it as `git ls-tree` shows it; one with other than letters, digits and . _ + ~ @ - can't be had",
        )
    git = read_git(table, signers)
    if git is None:
        table.fail((), f"the submodule {path} has no git", "name its repository: git = ...")
    threshold = threshold_of(table, signers)
    table.done()
    return Submodule(path, git, signers, threshold)
