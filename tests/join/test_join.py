"""Joining: which evidence is looked at, what is put aside, and what is told of the rest."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from join.builders import HEAD, Builders
from sealwright_appendlog.saved import Saved
from sealwright_stages.errors import ManifestError
from sealwright_stages.join.join import Joined, Stand, join
from sealwright_stages.reviewer import Reviewer


def names(joined: Joined, stand: Stand) -> list[str]:
    return [builder.name for builder in joined.of(stand)]


def aside(joined: Joined) -> str:
    (only,) = joined.asides
    return only.because


def test_those_who_agree_are_final_and_who_differs_is_shown_file_by_file(once: Builders) -> None:
    joined = join(once.at("alice", "bob", "carol"))
    assert joined.agreed is not None and joined.agreed.persons == {"alice", "bob"}
    assert (names(joined, Stand.AGREES), names(joined, Stand.DIFFERS)) == (["alice", "bob"], ["carol"])
    (difference,) = joined.compared.differences
    assert difference.path == "products/xen/xen.tar" and len(set(difference.sha256.values())) == 2
    assert joined.provided == "as far as the folder's own keys go"


def test_what_the_audit_says_no_to_is_put_aside_and_never_counted(builders: Builders) -> None:
    (builders.folder / "bob/products/xen/xen.tar").write_bytes(b"bad\n")
    joined = join(builders.at("alice", "bob", "carol"))
    assert joined.agreed is None and aside(joined).startswith("products: products/xen/xen.tar has ")
    assert [builder.name for builder in joined.builders] == ["alice", "carol"]


@pytest.mark.slow
def test_whose_signature_and_sums_are_copied_is_no_second_builder(builders: Builders) -> None:
    copied = builders.copied("carol", "mallory")  # carol's log, with the sums that alice signed
    for name in ("SHA256SUMS", "SHA256SUMS.asc"):
        shutil.copyfile(builders.folder / "alice" / name, copied / name)
    joined = join(builders.at("alice", "mallory"))
    assert joined.agreed is None and aside(joined).startswith("SHA256SUMS: it does not name exactly the products")


@pytest.mark.slow
def test_the_same_log_twice_is_one_builder_whoever_signed_the_copy(builders: Builders) -> None:
    builders.copied("alice", "again")
    joined = join(builders.at("alice", "again"))
    assert joined.agreed is None and joined.judged.groups[0].alike == 1
    (builder,) = joined.builders
    assert len(builder.copies) == 2


def test_the_reviewers_keys_and_persons_are_asked_beside_the_releases_own(once: Builders) -> None:
    ring, pair = once.folder / "keyring", once.at("alice", "bob")
    joined = join(pair, Reviewer(ring, ("alice", "bob")))
    assert joined.agreed is not None and joined.provided == ""
    assert join(pair, Reviewer(ring, ("alice", "bob", "carol"))).agreed is None
    assert join(pair, Reviewer(ring, ("alice", "bob", "carol"), 2)).agreed is not None
    only = join(pair, Reviewer(ring, ("alice",)))  # bob's word is nobody's for this reviewer
    assert only.agreed is None and only.builders[1].copies[0].unknown == "signatures: signed by nobody; 1 needed"


def test_more_builders_can_be_asked_for_and_not_fewer(once: Builders) -> None:
    pair = once.at("alice", "bob")
    assert join(pair, builders=2).agreed is not None
    assert join(pair, builders=3).agreed is None
    with pytest.raises(ManifestError, match="you can ask for more, not for fewer"):
        join(pair, builders=1)


@pytest.mark.slow
def test_another_manifest_is_another_release(builders: Builders) -> None:
    builders.build("dave", 9, "carol", head=HEAD.replace("threshold = 2", "threshold = 1"))
    joined = join(builders.at("alice", "bob", "dave"))
    assert len(joined.judged.releases) == 2 and joined.agreed is None


def test_a_versions_folder_is_all_who_published_there(builders: Builders, tmp_path: Path) -> None:
    version = builders.published(tmp_path / "site", "alice", "bob", "carol")
    (version / "index.html").write_text("a page")
    joined = join([version])
    assert joined.agreed is not None and len(joined.builders) == 3 and joined.asides == ()
    assert len(join([version / "alice"]).builders) == 1
    with pytest.raises(ManifestError, match="no evidence"):
        join([version.parent])


def test_a_publication_is_its_signers_and_a_link_is_nobodys(builders: Builders, tmp_path: Path) -> None:
    version = builders.published(tmp_path / "site", "alice")
    shutil.copytree(version / "alice", version / "bob")
    (version / "carol").symlink_to(builders.folder / "carol")
    (version / "d\u202eve").mkdir()
    (version / "erin/evidence").mkdir(parents=True)
    (version / "frank").mkdir()
    (version / "frank/evidence").symlink_to(builders.folder / "carol")
    joined = join([version])
    said = {each.said.rpartition("/")[2]: each.because for each in joined.asides}
    assert said.pop("bob") == "it is called after bob, who did not sign it"
    assert said.pop("carol") == "it is a symbolic link"
    assert set(said) == {"d\u202eve", "erin", "frank"}
    assert [builder.name for builder in joined.builders] == ["alice"] and joined.agreed is None


@pytest.mark.slow
def test_a_name_may_be_a_link_and_nothing_below_it(builders: Builders, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(builders.folder / "alice")
    assert join([tmp_path / "link", builders.folder / "bob"]).agreed is not None
    sums = builders.folder / "bob/SHA256SUMS"
    sums.unlink()
    sums.symlink_to(builders.folder / "alice/SHA256SUMS")
    assert "symbolic link" in aside(join([tmp_path / "link", builders.folder / "bob"]))


def test_a_saved_checkpoint_is_held_against_the_log_that_it_is_of(once: Builders) -> None:
    pair = once.at("alice", "bob")
    sealed = (once.folder / "alice/log/checkpoint.sealed").read_bytes()
    strange = Saved("strange", sealed.replace(b"example.org", b"example.net", 1))
    with pytest.raises(ManifestError, match="strange is of none of these logs"):
        join(pair, replace(Reviewer(), saved=(strange,)))


def test_what_is_not_there_or_too_much_is_refused(once: Builders, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="there is no such folder"):
        join([once.folder / "alice", tmp_path / "nowhere"])
    with pytest.raises(ManifestError, match="it holds no evidence"):
        join([tmp_path])
    for number in range(1001):
        (tmp_path / f"{number}").mkdir()
    with pytest.raises(ManifestError, match="more than 1000 things lie in it"):
        join([tmp_path])


@pytest.mark.slow
def test_a_person_who_signed_two_builds_and_a_log_sealed_twice_count_nowhere(builders: Builders) -> None:
    builders.build("bob-again", 8, "bob", other=True)
    joined = join(builders.at("alice", "bob", "bob-again"))
    assert joined.agreed is None and joined.judged.faithless == {"bob"}
    builders.build("alice-fork", 1, "alice", more=True)
    joined = join(builders.at("alice", "alice-fork", "bob"))
    assert joined.agreed is None and len(names(joined, Stand.FORKED)) == 2
