"""A site in a git repository: real git, with settings that change bytes and hide files, and two who publish apart."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from audit.forge import Forger
from publish.test_publish import BOTH, by_the_other, mine
from sealwright_stages.audit import audit
from sealwright_stages.publish.publish import publish, relist
from support.small_release import Key


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return Git(tmp_path)


class Git:
    """Runs git as a person would whose own settings are the worst."""

    def __init__(self, base: Path) -> None:
        self.home = base / "home"
        self.home.mkdir()
        (self.home / "ignored").write_text("*.log\n*.tar\nSHA256SUMS\n.*\ndata/\nindex.html\n")
        (self.home / "attributes").write_text("* text=auto ident eol=crlf filter=shout\n")
        for key, value in {
            "core.autocrlf": "true",
            "core.safecrlf": "false",
            "core.excludesFile": str(self.home / "ignored"),
            "core.attributesFile": str(self.home / "attributes"),
            "filter.shout.smudge": "tr a-z A-Z",
            "filter.shout.clean": "tr A-Z a-z",
            "user.name": "somebody",
            "user.email": "somebody@example.org",
            "init.defaultBranch": "main",
            "pull.rebase": "false",
        }.items():
            self.run(base, "config", "--global", key, value)

    def run(self, folder: Path, *words: str | Path) -> str:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
        done = subprocess.run(["git", *words], cwd=folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def started(git: Git, folder: Path) -> Path:
    folder.mkdir()
    git.run(folder, "init", "--quiet")
    (folder / "README").write_text("mine\n")
    git.run(folder, "add", "README")
    git.run(folder, "commit", "--quiet", "-m", "begin")
    return folder


def commit(git: Git, site: Path, *paths: str) -> None:
    git.run(site, "add", "-f", "--", ".gitattributes", *(f"{path}" for path in paths))
    git.run(site, "commit", "--quiet", "-m", "publish")


PAGES = ("index.html", "example/index.html", "example/1.0/index.html")


def test_a_clone_audits_whatever_git_is_told_to_do_with_files(forger: Forger, git: Git, tmp_path: Path) -> None:
    site = started(git, tmp_path / "site")
    (site / ".gitattributes").write_text(
        "**/evidence/** text eol=crlf ident filter=shout working-tree-encoding=UTF-16\n"
    )
    (site / ".gitignore").write_text("*.log\n")
    publish(forger.evidence(), site, mine(forger))
    git.run(site, "add", "--", "example/1.0/manager-a")  # without -f: nothing of it may be ignored
    commit(git, site, *PAGES)
    git.run(tmp_path, "clone", "--quiet", site, "clone")
    evidence = tmp_path / "clone/example/1.0/manager-a/evidence"
    result = audit(evidence, mine(forger))
    assert (result.passed, result.provided) == (True, "")
    listed = evidence.parent / "FILES"
    subprocess.run(["sha256sum", "--quiet", "-c", listed], cwd=evidence.parent, check=True)
    assert git.run(tmp_path / "clone", "status", "--porcelain", "--ignored") == ""


def test_git_sees_new_files_and_lists_and_nothing_else(
    forger: Forger, keys: tuple[Key, Key], git: Git, tmp_path: Path
) -> None:
    forger.head, site = BOTH, started(git, tmp_path / "site")
    publish(forger.evidence(), site, mine(forger))
    commit(git, site, "example", ".nojekyll", *PAGES)
    commits = git.run(site, "rev-list", "--count", "HEAD")
    publish(by_the_other(forger, keys), site, mine(forger, "release-key-a"))
    assert set(git.run(site, "status", "--porcelain").splitlines()) == {
        "?? example/1.0/release-key-a/",
        *(f" M {page}" for page in PAGES),
    }
    assert git.run(site, "rev-list", "--count", "HEAD") == commits


def test_two_who_publish_apart_merge_without_a_conflict(
    forger: Forger, keys: tuple[Key, Key], git: Git, tmp_path: Path
) -> None:
    forger.head = BOTH
    git.run(tmp_path, "init", "--quiet", "--bare", "shared.git")
    one = started(git, tmp_path / "one")
    git.run(one, "remote", "add", "origin", tmp_path / "shared.git")
    git.run(one, "push", "--quiet", "-u", "origin", "main")
    git.run(tmp_path, "clone", "--quiet", "shared.git", "two")
    two = tmp_path / "two"
    publish(forger.evidence(), one, mine(forger))
    commit(git, one, "example", ".nojekyll", "index.html", *PAGES)
    git.run(one, "push", "--quiet")
    publish(by_the_other(forger, keys), two, mine(forger, "release-key-a"))
    commit(git, two, "example", ".nojekyll", "index.html", *PAGES)
    git.run(two, "pull", "--quiet", "--no-edit")
    merged = {page: (two / page).read_bytes() for page in PAGES}
    relist(two)
    for page in PAGES:
        lines = (two / page).read_bytes().splitlines()
        assert sorted(lines) == sorted(merged[page].splitlines())
    assert all(audit(path / "evidence").passed for path in two.glob("example/1.0/*") if path.is_dir())
