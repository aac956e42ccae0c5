"""Joining through git: two clones, each publishes, both push, nothing conflicts, and what was pulled is final."""

from __future__ import annotations

from pathlib import Path

from join.builders import Builders
from publish.test_git import PAGES, Git, commit, git, started
from sealwright_console.cli import main
from sealwright_stages.join.join import join

__all__ = ["git"]


def published(builders: Builders, git: Git, person: str, site: Path) -> None:
    """Publish as the command does, and commit it."""
    ring = ["--keyring", str(builders.folder / "keyring"), "--signers", person]
    assert main(["publish", str(builders.folder / person), "--to", str(site), *ring]) == 0
    commit(git, site, "example", ".nojekyll", *PAGES)


def test_two_clones_that_publish_apart_merge_and_are_final(once: Builders, git: Git, tmp_path: Path) -> None:
    git.run(tmp_path, "init", "--quiet", "--bare", "shared.git")
    one = started(git, tmp_path / "one")
    git.run(one, "remote", "add", "origin", tmp_path / "shared.git")
    git.run(one, "push", "--quiet", "-u", "origin", "main")
    git.run(tmp_path, "clone", "--quiet", "shared.git", "two")
    two = tmp_path / "two"
    published(once, git, "alice", one)
    git.run(one, "push", "--quiet")
    assert join([one / "example/1.0"]).agreed is None  # what one published is not final
    published(once, git, "bob", two)
    git.run(two, "pull", "--quiet", "--no-edit")
    git.run(two, "push", "--quiet")
    git.run(one, "pull", "--quiet", "--no-edit")
    for clone in (one, two):
        joined = join([clone / "example/1.0"])
        assert joined.agreed is not None and joined.agreed.persons == {"alice", "bob"}
        assert joined.asides == ()
