"""A component with a submodule and a trust root, from its manifest to audited evidence; and what turns it red."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.small_release import make_key, make_repository, stop_agent
from walk.walking import Walk, events, files

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]
NESTED = """
[[component]]
name = "nested"
git = "upstream/nested.git"
tag = "v1.0"
trust_root = "{root}"
signers = ["maker"]
[[component.submodule]]
path = "parts/part"
git = "upstream/part.git"
tag = "v0.9"
signers = ["maker"]
"""


@dataclass(frozen=True)
class Commits:
    """What upstream tagged."""

    nested: str
    part: str


@pytest.fixture
def commits(walk: Walk) -> Iterator[Commits]:
    """Adds a person and two repositories of theirs to the release, and the component to its manifest."""
    maker = make_key(walk.folder / "maker-home", "maker")
    (walk.folder / "keyring" / "keys" / f"{maker.fingerprint}.asc").write_text(maker.certificate())
    with (walk.folder / "keyring" / "signers.toml").open("a") as signers:
        signers.write(f'\n[person.maker]\nopenpgp = ["{maker.fingerprint}"]\n')
    upstream = walk.folder / "upstream"
    part = make_repository(upstream / "part.git", maker, "v0.9", {"part.txt": "a part\n"})
    whole = {"whole.txt": "a whole\n"}
    nested = make_repository(upstream / "nested.git", maker, "v1.0", whole, {"parts/part": part})
    stop_agent(maker.home)
    walk.text += NESTED.format(root=nested)
    walk.manifest.write_text(walk.text)
    yield Commits(nested, part)


def red(walk: Walk, item: str, code: str) -> None:
    """The gate is closed because of one item, and nothing of its component is out of the quarantine."""
    walk.run().refused(1)
    verdicts = {e["item"]: e["code"] for e in walk_events(walk) if e["e"] == "item.verdict"}
    assert verdicts[item] == code
    assert not (walk.work / "sources" / "nested").exists()
    gone = [e["name"] for e in walk_events(walk) if e["e"] == "file.deleted"]
    assert {Path(name).name for name in gone} >= {"repository.git", "submodule%parts%part.git"}
    walk.nothing_is_half_done(products=True)


def walk_events(walk: Walk) -> list[dict[str, object]]:
    """The events in its log."""
    return events(walk.work)


def test_a_submodule_is_promoted_with_its_parent_and_an_audit_demands_its_item(
    walk: Walk, commits: Commits
) -> None:
    hosts = walk.folder / "hosts"
    walk.change("[signer]\n", '[egress]\nknown_hosts = "hosts"\n\n[signer]\n')
    walk.run().refused(2, str(hosts))
    assert not walk.work.exists()
    hosts.write_text("example.org ssh-ed25519 AAAA\n")
    walk.run().well()
    hosts.unlink()  # an auditor does not have it
    assert files(walk.work / "sources" / "nested") == ["source/parts/part/part.txt", "source/whole.txt"]
    walk.is_done()
    declared = [e["item"] for e in walk_events(walk) if e["e"] == "item.declared"]
    assert "nested/submodule/parts/part" in declared


def test_another_projects_trust_root_turns_it_red(walk: Walk, commits: Commits) -> None:
    walk.change(f'trust_root = "{commits.nested}"', f'trust_root = "{commits.part}"')
    red(walk, "nested/git/v1.0", "history-elsewhere")


def test_a_submodule_that_the_tree_does_not_have_turns_it_red(walk: Walk, commits: Commits) -> None:
    walk.text += NESTED[NESTED.index("[[component.submodule]]") :].replace("parts/part", "parts/other")
    walk.manifest.write_text(walk.text)
    red(walk, "nested/submodule/parts/other", "submodule-absent")
