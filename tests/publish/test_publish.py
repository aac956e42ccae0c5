"""Each rule of publishing: what is a yes appears whole, what isn't doesn't, and what stands there never changes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from audit.forge import PRODUCT, Forger
from publish.snapshots import snapshot
from sealwright_stages import events as ev
from sealwright_stages.audit import Reviewer, audit
from sealwright_stages.errors import PublishError
from sealwright_stages.publish import publish as module
from sealwright_stages.publish.place import Place
from sealwright_stages.publish.publish import publish
from sealwright_stages.publish.site import locked
from sealwright_stages.sign.provenance import envelope, opened, pae
from support.release_folder import HEAD
from support.small_release import Key, stop_agent

PLACE = "example/1.0/manager-a"
BOTH = HEAD.replace('["manager-a"]', '["manager-a", "release-key-a"]')


def mine(forger: Forger, *names: str) -> Reviewer:
    return Reviewer(forger.folder / "keyring", names or ("manager-a",))


def checked(file: Path, evidence: Path, forger: Forger, *words: str) -> tuple[int, str]:
    """What `sealwright check` says in the end."""
    check = [Path(sys.executable).with_name("sealwright"), "check", file, "--evidence", evidence, *words]
    mine = ["--keyring", forger.folder / "keyring", "--signers", "manager-a"]
    done = subprocess.run([*check, *mine], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout.splitlines()[-1]


def published(forger: Forger, site: Path) -> Path:
    """Evidence, published; gives where it stands."""
    done = publish(forger.evidence(), site, mine(forger))
    assert done.landed is not None and done.landed.new
    return site / str(done.landed.place)


def by_the_other(forger: Forger, keys: tuple[Key, Key]) -> Path:
    """Evidence of the same release by its other signer."""
    forger.signers = keys[1:]
    evidence = forger.evidence()
    forger.signers = keys[:1]
    (evidence / "provenance.manager-a.dsse.json").rename(evidence / "provenance.release-key-a.dsse.json")
    return evidence


# What is published


def test_what_was_published_audits_checks_and_verifies_by_itself(forger: Forger, tmp_path: Path) -> None:
    evidence = published(forger, tmp_path / "site") / "evidence"
    result = audit(evidence, mine(forger))
    assert (result.passed, result.provided) == (True, "")
    assert checked(evidence / "products/xen/xen.tar", evidence, forger) == (
        0,
        "verdict: YES, a product of example 1.0",
    )
    words = [sys.executable, "-I", "verify.py", "log"]
    done = subprocess.run(words, cwd=evidence, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("whole")
    listed = evidence.parent / "FILES"
    subprocess.run(["sha256sum", "--quiet", "--strict", "-c", listed], cwd=evidence.parent, check=True)
    lying = {path.relative_to(evidence.parent).as_posix() for path in evidence.rglob("*") if path.is_file()}
    assert {line[66:] for line in listed.read_text().splitlines()} == lying


def test_the_same_evidence_gives_the_same_publication_anywhere(forger: Forger, tmp_path: Path) -> None:
    evidence = forger.evidence()
    for name in ("one", "two"):
        publish(evidence, tmp_path / name, mine(forger))
    one, two = ({path: data for path, (_, _, data) in snapshot(tmp_path / n).items()} for n in ("one", "two"))
    assert one == two


def test_what_is_no_yes_is_not_published_and_nothing_is_written(forger: Forger, tmp_path: Path) -> None:
    evidence = forger.evidence()
    (evidence / "products/xen/xen.tar").write_bytes(b"other\n")
    done = publish(evidence, tmp_path / "site", mine(forger))
    assert not done.audit.passed and done.landed is None
    assert not (tmp_path / "site").exists()


def test_a_yes_for_whoever_asks_less_than_the_manifest_is_not_enough(forger: Forger, tmp_path: Path) -> None:
    forger.head = BOTH + "threshold = 2\n"
    evidence = forger.evidence()
    assert audit(evidence, mine(forger)).passed
    with pytest.raises(PublishError, match="not final by its own manifest"):
        publish(evidence, tmp_path / "site", mine(forger))
    assert not (tmp_path / "site").exists()


def test_pages_of_another_version_which_nobody_signed_are_not_published(forger: Forger, tmp_path: Path) -> None:
    forger.tool = "0.0.1"
    evidence = forger.evidence()
    (evidence / "index.html").write_text("<script>alert(1)</script>")
    assert audit(evidence, mine(forger)).passed
    with pytest.raises(PublishError, match="not compared"):
        publish(evidence, tmp_path / "site", mine(forger))
    assert not (tmp_path / "site").exists()


def test_what_changes_after_the_audit_is_not_published(forger: Forger, tmp_path: Path) -> None:
    evidence = forger.evidence()
    with locked(tmp_path / "site") as site:
        (evidence / "index.html").write_text("<script>alert(1)</script>")
        with pytest.raises(PublishError, match="its copy is no yes any more"):
            module._land(site, evidence, Place("example", "1.0", "manager-a"), mine(forger))
        shutil.copyfile(forger.evidence() / "log/index.jsonl", evidence / "log/index.jsonl")
        with pytest.raises(PublishError, match="its copy is no yes any more"):
            module._land(site, evidence, Place("example", "1.0", "manager-a"), mine(forger))
        with pytest.raises(PublishError, match="another release meanwhile"):
            module._land(site, forger.evidence(), Place("example", "2.0", "manager-a"), mine(forger))
    assert snapshot(tmp_path / "site") == {}


def test_products_can_be_left_out_and_were_audited_all_the_same(forger: Forger, tmp_path: Path) -> None:
    evidence, lean = forger.evidence(), replace(mine(forger), without_products=True)
    done = publish(evidence, tmp_path / "site", lean)
    assert done.landed is not None
    folder = tmp_path / "site" / PLACE
    assert not (folder / "evidence/products").exists()
    assert "products/" not in (folder / "FILES").read_text()
    page = (folder / "index.html").read_text()
    assert "xen/xen.tar (not here)" in page and "audit evidence --keyring YOUR_KEYRING" in page
    assert "--without-products" in page and hashlib.sha256(PRODUCT).hexdigest() in page
    result = audit(folder / "evidence", lean)
    assert result.passed and any(f.ok != "good" and f.what == "products" for f in result.findings)
    assert not audit(folder / "evidence", mine(forger)).passed
    product = evidence / "products/xen/xen.tar"
    assert checked(product, folder / "evidence", forger, "--without-products") == (
        0,
        "verdict: YES, a product of example 1.0",
    )
    assert checked(product, folder / "evidence", forger) == (
        0,
        "verdict: YES, a product of example 1.0",
    )  # it looks at the file that is named
    again = publish(evidence, tmp_path / "site", lean)
    assert again.landed is not None and not again.landed.new
    with pytest.raises(PublishError, match="other bytes"):
        publish(evidence, tmp_path / "site", mine(forger))
    (evidence / "products/xen/xen.tar").unlink()
    assert publish(evidence, tmp_path / "other", lean).landed is None


# Whose it is


def test_each_signer_has_a_folder_and_those_beside_it_stay_byte_for_byte(
    forger: Forger, keys: tuple[Key, Key], tmp_path: Path
) -> None:
    forger.head, site = BOTH, tmp_path / "site"
    first = published(forger, site)
    before = snapshot(first)
    done = publish(by_the_other(forger, keys), site, mine(forger, "release-key-a"))
    assert done.landed is not None and str(done.landed.place) == "example/1.0/release-key-a"
    forger.head = HEAD.replace("1.0", "1.1")
    next_one = forger.evidence(lambda steps: [replace(cast(ev.RunStarted, steps[0]), version="1.1"), *steps[1:]])
    assert publish(next_one, site, mine(forger)).landed is not None
    assert snapshot(first) == before
    assert sorted(path.name for path in (site / "example").iterdir()) == ["1.0", "1.1", "index.html"]
    listed = (site / "example/1.0/index.html").read_text()
    assert listed.count('<tr role="row"><th scope="row"') == 2
    assert 'href="manager-a/index.html"' in listed and 'href="release-key-a/index.html"' in listed
    sums = {line.partition("<code>")[2][:64] for line in listed.splitlines() if 'scope="row"' in line}
    assert len(sums) == 1


def signed_by_both(forger: Forger, keys: tuple[Key, Key], evidence: Path, *, sums: bool) -> None:
    """Sign the evidence anew as both would, with both signatures in one block, and one provenance each."""
    home = forger.folder / "both"
    home.mkdir(mode=0o700)
    for key in keys:
        secret = subprocess.run(
            ["gpg", "--homedir", key.home, "--export-secret-keys"], capture_output=True, check=True
        )
        subprocess.run(["gpg", "--homedir", home, "--batch", "--import"], input=secret.stdout, check=True)
    users = [word for key in keys for word in ("--local-user", key.fingerprint)]
    for name in ("SHA256SUMS", "log/SHA256SUMS") if sums else ():
        words = ["gpg", "--homedir", home, "--batch", "--yes", "--armor", *users, "--detach-sign", evidence / name]
        subprocess.run(words, check=True)
    stop_agent(home)
    payload, _ = opened((evidence / "provenance.manager-a.dsse.json").read_bytes())
    forger.signers = keys[1:]
    theirs = envelope(payload, forger.signed(pae(payload)))
    (evidence / "provenance.release-key-a.dsse.json").write_bytes(theirs)


def test_whose_it_is_must_be_said_if_several_signed(forger: Forger, keys: tuple[Key, Key], tmp_path: Path) -> None:
    forger.head, site = BOTH, tmp_path / "site"
    evidence = forger.evidence()
    signed_by_both(forger, keys, evidence, sums=True)
    for name, because in (
        ("", "its provenance is by manager-a, release-key-a"),
        ("nobody", "no provenance by nobody"),
    ):
        with pytest.raises(PublishError, match=because):
            publish(evidence, site, mine(forger), name)
    done = publish(evidence, site, mine(forger), "release-key-a")
    assert done.landed is not None and str(done.landed.place) == "example/1.0/release-key-a"
    page = (site / "example/1.0/release-key-a/index.html").read_text()
    assert page.count('role="rowheader">manager-a<') == page.count('role="rowheader">release-key-a<') == 2


def test_whose_it_is_must_be_true(forger: Forger, keys: tuple[Key, Key], tmp_path: Path) -> None:
    forger.head = BOTH
    evidence = forger.evidence()
    ours, theirs = (evidence / f"provenance.{name}.dsse.json" for name in ("manager-a", "release-key-a"))
    shutil.copyfile(ours, theirs)  # a file's name is nobody's word
    with pytest.raises(PublishError, match="no provenance by release-key-a"):
        publish(evidence, tmp_path / "site", mine(forger), "release-key-a")
    signed_by_both(forger, keys, evidence, sums=False)  # it is by release-key-a now, who has not signed the sums
    with pytest.raises(PublishError, match="no provenance by release-key-a"):
        publish(evidence, tmp_path / "site", mine(forger), "release-key-a")
    done = publish(evidence, tmp_path / "site", mine(forger))
    assert done.landed is not None and done.landed.place.signer == "manager-a"


# Never over another


def test_the_same_again_is_already_published_and_nothing_changes(forger: Forger, tmp_path: Path) -> None:
    evidence, site = forger.evidence(), tmp_path / "site"
    first = publish(evidence, site, mine(forger))
    before = snapshot(site)
    again = publish(evidence, site, mine(forger))
    assert again.landed is not None and first.landed is not None
    assert (again.landed.new, again.landed.sha256) == (False, first.landed.sha256)
    assert snapshot(site) == before


def test_other_bytes_are_refused_with_both_hashes_and_nothing_changes(forger: Forger, tmp_path: Path) -> None:
    site = tmp_path / "site"
    first = publish(forger.evidence(), site, mine(forger))
    before = snapshot(site)
    with pytest.raises(PublishError, match="is published with other bytes") as refused:
        publish(forger.evidence(), site, mine(forger))
    other = publish(forger.folder / "evidence-2", tmp_path / "elsewhere", mine(forger))
    assert first.landed is not None and other.landed is not None
    assert first.landed.sha256 in refused.value.because and other.landed.sha256 in refused.value.because
    assert snapshot(site) == before


def _stranger(folder: Path) -> None:
    (folder / "run-me.sh").write_text("#!/bin/sh\n")


def _page(folder: Path) -> None:
    page = folder / "index.html"
    page.write_text(page.read_text().replace("proves nothing", "proves all"))


def _attributes(folder: Path) -> None:
    (folder / ".gitattributes").write_text("* text\n")


def _no_list(folder: Path) -> None:
    (folder / "FILES").unlink()


def _a_link(folder: Path) -> None:
    (folder / "FILES").unlink()
    (folder / "FILES").symlink_to("/etc/passwd")


def _evidence(folder: Path) -> None:
    (folder / "evidence/index.html").write_text("<p>")


def _no_product(folder: Path) -> None:
    (folder / "evidence/products/xen/xen.tar").unlink()


@pytest.mark.parametrize("change", [_stranger, _page, _attributes, _no_list, _a_link, _evidence, _no_product])
def test_a_publication_that_was_changed_is_refused(
    forger: Forger, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    evidence, site = forger.evidence(), tmp_path / "site"
    publish(evidence, site, mine(forger))
    change(site / PLACE)
    before = snapshot(site / PLACE)
    with pytest.raises(PublishError, match="was changed since"):
        publish(evidence, site, mine(forger))
    assert snapshot(site / PLACE) == before


def test_a_page_that_another_version_made_stays_and_is_told(forger: Forger, tmp_path: Path) -> None:
    evidence, site = forger.evidence(), tmp_path / "site"
    publish(evidence, site, mine(forger))
    page = site / PLACE / "index.html"
    page.write_text(page.read_text().replace('content="sealwright 0.', 'content="sealwright 9.'))
    before = snapshot(site)
    done = publish(evidence, site, mine(forger))
    assert "made by another version" in done.notices[0]
    assert snapshot(site) == before


def test_an_empty_folder_or_a_file_in_its_place_is_refused(forger: Forger, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / PLACE).mkdir(parents=True)
    with pytest.raises(PublishError, match="other bytes"):
        publish(forger.evidence(), site, mine(forger))
    (site / PLACE).rmdir()
    (site / PLACE).write_text("")
    with pytest.raises(PublishError, match="no folder"):
        publish(forger.evidence(), site, mine(forger))


def test_what_appears_in_its_place_while_it_is_made_is_not_renamed_over(tmp_path: Path) -> None:
    place = Place("example", "1.0", "manager-a")
    with locked(tmp_path / "site") as site, site.staged(place):
        (tmp_path / "site/example/1.0/manager-b").mkdir(parents=True)
        (tmp_path / "site/example/1.0/manager-a").mkdir()
        (tmp_path / "site/example/1.0/manager-a/kept").write_text("kept")
        with pytest.raises(PublishError, match="meanwhile"):
            site.land(place)
    assert (tmp_path / "site/example/1.0/manager-a/kept").read_text() == "kept"
