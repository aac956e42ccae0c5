"""A component's git source: fetch one ref, judge it, write its tree.

- What failed is deleted before the verdict leaves here: the whole bare repository.
- The tree is written from the very object that was judged, into `source/`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sealwright_stages.events import Stage
from sealwright_stages.get_sources.addresses import address
from sealwright_stages.get_sources.git import REPOSITORY, check_ref_name, fetch_ref
from sealwright_stages.get_sources.quarantine import discard
from sealwright_stages.ports import ItemSpec, Outcome, Trust, Workshop
from sealwright_stages.verdict import Failed, Green, Verdict
from sealwright_stages.verify.codes import RefusedError, not_fetched, passed, shown
from sealwright_stages.verify.git import Wanted, judge, judged_tree
from sealwright_stages.verify.git_store import ObjectStore
from sealwright_stages.verify.writer import write_tree

_SCHEMES = frozenset({"https", "http", "ssh"})
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_LOCAL_COMMIT = "refs/sealwright/wanted"


@dataclass(frozen=True)
class GitRefSource:
    """A ref of a repository: `label` is how it stands in item ids, `remote` what is asked of the server."""

    component: str
    url: str
    label: str
    remote: str
    wanted: Wanted
    trust: Trust

    @property
    def fetch_item(self) -> ItemSpec:
        """The item of get-sources."""
        return ItemSpec(
            f"{self.component}/fetch/{self.label}",
            self.component,
            Stage.GET_SOURCES,
            "git",
            f"fetch {self.label}",
        )

    @property
    def verify_items(self) -> tuple[ItemSpec, ...]:
        """The one item of verify."""
        kind = "git-tag" if self.wanted.tag is not None else "git-commit"
        title = f"signed {'tag' if kind == 'git-tag' else 'commit'} {self.label}"
        item = f"{self.component}/git/{self.label}"
        return (ItemSpec(item, self.component, Stage.VERIFY, kind, title),)

    def fetch(self, workshop: Workshop) -> Verdict:
        """Fetch the ref; raises FetchError."""
        source = address(self.url, _SCHEMES)
        folder = fetch_ref(workshop, source, self.remote, self.wanted.ref)
        try:
            target = ObjectStore(folder).ref(self.wanted.ref)
        except RefusedError as error:
            raise not_fetched(error.code, f"{self.label} did not arrive", error.reason, error.next_step) from error
        evidence = {"url": shown(source.url), "ref": self.remote, "object": target}
        return passed(f"{self.label} arrived as object {target}", "", evidence)

    def verify(self, workshop: Workshop) -> Outcome:
        """Judge what arrived; a repository that failed is deleted."""
        item = self.verify_items[0].id
        try:
            verdict = judge(ObjectStore(workshop.quarantine / REPOSITORY), self.wanted, self.trust)
        except RefusedError as error:
            verdict = error.verdict()
        if isinstance(verdict, Failed):
            gone = discard(workshop.quarantine / REPOSITORY, item, verdict.reason)
            return Outcome({item: verdict}, tuple(gone))
        verdict = replace(verdict, evidence={**verdict.evidence, "url": shown(self.url, 1000)})
        return Outcome({item: verdict}, facts={"epoch": verdict.evidence["committed"]})

    def stage(self, workshop: Workshop, green: Mapping[str, Green], destination: Path) -> None:
        """Write the tree that was judged to `destination`/source; raises RefusedError."""
        store = ObjectStore(workshop.quarantine / REPOSITORY)
        tree = judged_tree(store, self.wanted, green[self.verify_items[0].id])
        write_tree(store, tree, destination / "source")


def git_source(
    component: str,
    url: str,
    *,
    tag: str | None = None,
    commit: str | None = None,
    branch: str | None = None,
    trust: Trust,
) -> GitRefSource:
    """The source for exactly one of `tag`, `commit` (40 hex digits) or `branch` (its tip must be signed).

    Raises:
        FetchError: it is no plain ref name.
        ValueError: none or several are given, or the commit is not whole.
    """
    if sum(each is not None for each in (tag, commit, branch)) != 1:
        raise ValueError("exactly one of tag, commit and branch is wanted")
    if tag is not None:
        ref = f"refs/tags/{check_ref_name(tag)}"
        return GitRefSource(component, url, tag, ref, Wanted(ref, tag, None), trust)
    if commit is not None:
        if not _COMMIT.match(commit):
            raise ValueError("a commit is named by its 40 hex digits")
        return GitRefSource(component, url, commit, commit, Wanted(_LOCAL_COMMIT, None, commit), trust)
    ref = f"refs/heads/{check_ref_name(str(branch))}"
    return GitRefSource(component, url, str(branch), ref, Wanted(ref, None, None), trust)
