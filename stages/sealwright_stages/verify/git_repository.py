"""One repository of a git source: which ref of it is wanted, by whom it must be signed, and where its tree goes.

- Each has a bare repository of its own in the quarantine, and an item of its own.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from sealwright_stages.events import Stage
from sealwright_stages.get_sources.addresses import address
from sealwright_stages.get_sources.git import REPOSITORY, Wire, check_ref_name, fetch_ref
from sealwright_stages.ports import ItemSpec, Trust, Workshop
from sealwright_stages.verify.codes import RefusedError, not_fetched, shown
from sealwright_stages.verify.git import Wanted
from sealwright_stages.verify.git_store import ObjectStore

_SCHEMES = frozenset({"https", "http", "ssh"})
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_LOCAL_COMMIT = "refs/sealwright/wanted"


@dataclass(frozen=True)
class Repository:
    """A ref of a repository whose tree stands at `where` ("": the component's own).

    `label` is how the ref stands in item ids, `remote` what is asked of the server.
    """

    where: str
    url: str
    label: str
    remote: str
    wanted: Wanted
    trust: Trust

    @property
    def folder(self) -> str:
        """The name of its bare repository in the quarantine."""
        return f"submodule%{self.where.replace('/', '%')}.git" if self.where else REPOSITORY

    def verify_item(self, component: str) -> ItemSpec:
        """Its item of verify."""
        kind = "git-tag" if self.wanted.tag is not None else "git-commit"
        title = f"signed {'tag' if kind == 'git-tag' else 'commit'} {self.label}"
        title += f" of submodule {self.where}" if self.where else ""
        # In the title the root is a part of what was declared, which an audit compares with the manifest.
        title += f", descending from {self.wanted.root[:16]}" if self.wanted.root else ""
        place = f"submodule/{self.where}" if self.where else f"git/{self.label}"
        return ItemSpec(f"{component}/{place}", component, Stage.VERIFY, kind, title)

    def fetch(self, workshop: Workshop, known_hosts: bytes | None) -> dict[str, object]:
        """Fetch the ref; returns what arrived, as evidence. Raises FetchError."""
        source = address(self.url, _SCHEMES)
        wire = Wire(source, known_hosts, self.folder, f"{self.where}: " if self.where else "")
        folder = fetch_ref(workshop, wire, self.remote, self.wanted.ref)
        try:
            target = ObjectStore(folder).ref(self.wanted.ref)
        except RefusedError as error:
            raise not_fetched(error.code, f"{self.label} did not arrive", error.reason, error.next_step) from error
        found: dict[str, object] = {"url": shown(source.url), "ref": self.remote, "object": target}
        if self.where:
            found["path"] = self.where
        if source.scheme == "ssh" and known_hosts is not None:
            found["known_hosts_sha256"] = hashlib.sha256(known_hosts).hexdigest()
        return found


def repository(
    where: str,
    url: str,
    *,
    tag: str | None = None,
    commit: str | None = None,
    branch: str | None = None,
    trust: Trust,
    root: str | None = None,
) -> Repository:
    """The repository for exactly one of `tag`, `commit` (40 hex digits) or `branch` (its tip must be signed).

    `root` is the trust root, 40 hex digits.

    Raises:
        FetchError: it is no plain ref name.
        ValueError: none or several are given, or a commit is not whole.
    """
    if sum(each is not None for each in (tag, commit, branch)) != 1:
        raise ValueError("exactly one of tag, commit and branch is wanted")
    if any(each is not None and not _COMMIT.match(each) for each in (commit, root)):
        raise ValueError("a commit is named by its 40 hex digits")
    if tag is not None:
        ref = f"refs/tags/{check_ref_name(tag)}"
        return Repository(where, url, tag, ref, Wanted(ref, tag, None, root), trust)
    if commit is not None:
        return Repository(where, url, commit, commit, Wanted(_LOCAL_COMMIT, None, commit, root), trust)
    ref = f"refs/heads/{check_ref_name(str(branch))}"
    return Repository(where, url, str(branch), ref, Wanted(ref, None, None, root), trust)
