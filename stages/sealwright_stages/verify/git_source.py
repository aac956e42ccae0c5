"""A component's git source: fetch a ref, and those of its submodules, judge each, write their trees as one.

- A submodule is judged by the same rules as the main repository, by signers of its own, as an item of its own.
- Each submodule of the trees is declared, each declared one is there, and its commit is the one that the tree above
  it names. No address in `.gitmodules` is ever used.
- If anything fails, all of the source is deleted before the verdict leaves here: every bare repository.
- The trees are written from the very objects that were judged, into `source/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sealwright_stages.errors import InterruptedRunError
from sealwright_stages.events import Stage
from sealwright_stages.get_sources.quarantine import discard
from sealwright_stages.ports import Deleted, ItemSpec, Outcome, Progress, Trust, Workshop
from sealwright_stages.verdict import Failed, Green, Verdict
from sealwright_stages.verify.codes import RefusedError, passed, shown
from sealwright_stages.verify.git import Signed, find, judge, judged
from sealwright_stages.verify.git_repository import Repository, repository
from sealwright_stages.verify.git_store import ObjectStore
from sealwright_stages.verify.git_submodules import Share, inner, joined
from sealwright_stages.verify.git_tree import list_tree
from sealwright_stages.verify.writer import Part, write_parts


@dataclass(frozen=True)
class GitRefSource:
    """A ref of a repository and those of its submodules; the main repository is the first, and stands at ""."""

    component: str
    repositories: tuple[Repository, ...]
    known_hosts: bytes | None = None

    @property
    def main(self) -> Repository:
        """The main repository."""
        return self.repositories[0]

    @property
    def fetch_item(self) -> ItemSpec:
        """The item of get-sources."""
        count = len(self.repositories) - 1
        title = f"fetch {self.main.label}" + (f" and {count} submodules" if count else "")
        return ItemSpec(
            f"{self.component}/fetch/{self.main.label}", self.component, Stage.GET_SOURCES, "git", title
        )

    @property
    def verify_items(self) -> tuple[ItemSpec, ...]:
        """An item of verify for each repository."""
        return tuple(repository.verify_item(self.component) for repository in self.repositories)

    def fetch(self, workshop: Workshop) -> Verdict:
        """Fetch every ref; raises FetchError."""
        arrived = [repository.fetch(workshop, self.known_hosts) for repository in self.repositories]
        reason = f"{self.main.label} arrived as object {arrived[0]['object']}"
        if len(arrived) == 1:
            return passed(reason, "", arrived[0])
        return passed(
            f"{reason}, with {len(arrived) - 1} submodules", "", {**arrived[0], "submodules": arrived[1:]}
        )

    def verify(self, workshop: Workshop) -> Outcome:
        """Judge what arrived; a source of which anything failed is deleted."""
        verdicts = {each.where: self._judge(each, workshop) for each in self.repositories}
        if len(self.repositories) > 1:
            verdicts |= self._join(workshop, verdicts)
        items = dict(zip(self._places, (spec.id for spec in self.verify_items), strict=True))
        outcome = {items[where]: verdict for where, verdict in verdicts.items()}
        for item, verdict in outcome.items():
            if isinstance(verdict, Failed):
                return Outcome(outcome, tuple(self._discard(workshop, item, verdict.reason)))
        return Outcome(outcome, facts={"epoch": verdicts[""].evidence["committed"]})

    def _judge(self, repository: Repository, workshop: Workshop) -> Verdict:
        try:
            verdict = judge(
                ObjectStore(workshop.quarantine / repository.folder),
                repository.wanted,
                repository.trust,
                submodules=self._inner(repository),
                progress=_stoppable(workshop, repository),
            )
        except RefusedError as error:
            return error.verdict()
        if isinstance(verdict, Failed):
            return verdict
        place = {
            "url": shown(repository.url, 1000),
            **({"submodule": repository.where} if repository.where else {}),
        }
        return replace(verdict, evidence={**verdict.evidence, **place})

    def _join(self, workshop: Workshop, verdicts: Mapping[str, Verdict]) -> dict[str, Verdict]:
        """What turns red once the repositories are looked at together."""
        shares: list[Share] = []
        for each in self.repositories:
            if not isinstance(verdicts[each.where], Failed):
                store = ObjectStore(workshop.quarantine / each.folder)
                shares.append(self._share(each, store, find(store, each.wanted)))
        return {
            where: error.verdict(verdicts[where].subject_sha256, verdicts[where].evidence)
            for where, error in joined(shares, self._places).items()
        }

    def stage(self, workshop: Workshop, green: Mapping[str, Green], destination: Path) -> None:
        """Write the trees that were judged to `destination`/source; raises RefusedError.

        A green for each repository is needed: that they belong together was a part of each verdict.
        """
        parts: list[Part] = []
        for each, spec in zip(self.repositories, self.verify_items, strict=True):
            store = ObjectStore(workshop.quarantine / each.folder)
            share = self._share(each, store, judged(store, each.wanted, green[spec.id]))
            parts.append(Part(each.where, store, share.listing))
        write_parts(parts, destination / "source")

    @property
    def _places(self) -> tuple[str, ...]:
        return tuple(each.where for each in self.repositories)

    def _inner(self, repository: Repository) -> frozenset[str]:
        return inner(repository.where, self._places)

    def _share(self, repository: Repository, store: ObjectStore, signed: Signed) -> Share:
        listing = list_tree(store, signed.commit.tree, self._inner(repository))
        return Share(repository.where, signed.commit_id, listing)

    def _discard(self, workshop: Workshop, item: str, because: str) -> list[Deleted]:
        folders = [workshop.quarantine / each.folder for each in self.repositories]
        return [gone for folder in folders for gone in discard(folder, item, because)]


def _stoppable(workshop: Workshop, repository: Repository) -> Progress:
    """Tells the workshop how far a check is, and ends it once the run is to stop."""

    def tell(done: int, total: int, note: str) -> None:
        if workshop.cancel.is_set():
            raise InterruptedRunError("the check was stopped", "the run was interrupted", "run again to resume")
        workshop.progress(done, total, f"{repository.where}: {note}" if repository.where else note)

    return tell


def git_source(
    component: str,
    url: str,
    *,
    tag: str | None = None,
    commit: str | None = None,
    branch: str | None = None,
    trust: Trust,
    root: str | None = None,
    submodules: Sequence[Repository] = (),
    known_hosts: bytes | None = None,
) -> GitRefSource:
    """The source for exactly one of `tag`, `commit` or `branch` of the repository at `url`, and its submodules.

    Raises:
        FetchError: it is no plain ref name.
        ValueError: none or several are given, or the commit is not whole.
    """
    main = repository("", url, tag=tag, commit=commit, branch=branch, trust=trust, root=root)
    return GitRefSource(component, (main, *submodules), known_hosts)
