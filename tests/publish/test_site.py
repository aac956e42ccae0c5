"""The rules of a site's folder: locked, nothing in it followed, and what isn't ours left alone."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from audit.forge import Forger
from publish.snapshots import snapshot
from publish.test_publish import BOTH, by_the_other, mine, published
from sealwright_stages.audit import audit
from sealwright_stages.errors import MachineError, ManifestError, PublishError
from sealwright_stages.publish import publish as module
from sealwright_stages.publish.files import File
from sealwright_stages.publish.place import Place
from sealwright_stages.publish.publish import Landed, publish, relist
from sealwright_stages.publish.site import STAGING
from support.small_release import Key


def test_evidence_and_site_never_lie_in_one_another(forger: Forger, tmp_path: Path) -> None:
    evidence = forger.evidence()
    (tmp_path / "way-in").symlink_to(evidence)
    for site in (evidence, evidence / "site", evidence.parent, tmp_path / "way-in" / "log", evidence / "log/.."):
        with pytest.raises(ManifestError, match="--to"):
            publish(evidence, site, mine(forger))
    assert audit(evidence, mine(forger)).passed


@pytest.mark.parametrize("where", ["example", "example/1.0", "example/1.0/manager-a"])
def test_a_link_in_the_site_is_never_followed(forger: Forger, tmp_path: Path, where: str) -> None:
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (site / where).parent.mkdir(parents=True)
    (site / where).symlink_to(elsewhere)
    with pytest.raises(PublishError, match="a link or a file"):
        publish(forger.evidence(), site, mine(forger))
    assert snapshot(elsewhere) == {}


def test_links_where_pages_and_leftovers_lie_are_not_followed(forger: Forger, tmp_path: Path) -> None:
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    site.mkdir()
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("kept")
    before = snapshot(elsewhere)
    (site / STAGING).symlink_to(elsewhere)
    (site / "index.html").symlink_to(elsewhere / "kept")
    done = publish(forger.evidence(), site, mine(forger))
    assert snapshot(elsewhere) == before
    assert (site / "index.html").is_symlink() and any("not ours" in notice for notice in done.notices)
    assert not (site / STAGING).is_symlink()


def test_a_page_that_is_not_ours_is_left_and_told(forger: Forger, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("<h1>My project</h1>")
    (site / ".gitattributes").write_text("*.png binary\n")
    before = snapshot(site)
    done = publish(forger.evidence(), site, mine(forger))
    assert {name: snapshot(site)[name] for name in before} == before
    assert sum("not ours" in notice for notice in done.notices) == 2


def test_one_publisher_at_a_time(forger: Forger, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    fd = os.open(site, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        with pytest.raises(MachineError, match="is in use"):
            publish(forger.evidence(), site, mine(forger))
    finally:
        os.close(fd)
    assert snapshot(site) == {}


def test_two_publishers_at_once_leave_the_work_of_both_or_of_one(
    forger: Forger, keys: tuple[Key, Key], tmp_path: Path
) -> None:
    forger.head, site = BOTH, tmp_path / "site"
    evidence = [forger.evidence(), by_the_other(forger, keys)]
    words = [Path(sys.executable).with_name("sealwright"), "publish", "--to", site]
    running = [subprocess.Popen([*words, each], stdout=-1, stderr=-1) for each in evidence]
    ends = []
    for child in running:
        child.communicate(timeout=60)
        ends.append(child.returncode)
    assert set(ends) <= {0, 3} and 0 in ends
    standing = [path for path in site.glob("example/1.0/*") if path.is_dir()]
    assert len(standing) == ends.count(0)
    assert all(audit(path / "evidence").passed for path in standing)
    assert not (site / STAGING).exists()


def test_what_a_crash_left_is_removed_next_time(forger: Forger, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / STAGING / "tree/example/1.0/manager-a").mkdir(parents=True)
    (site / STAGING / "tree/example/1.0/manager-a/half").write_text("half")
    published(forger, site)
    assert not (site / STAGING).exists()
    (site / STAGING / "deep").mkdir(parents=True)
    relist(site)
    assert not (site / STAGING).exists()


def test_the_lists_are_made_anew_without_evidence(forger: Forger, tmp_path: Path) -> None:
    site = tmp_path / "site"
    standing = published(forger, site)
    before = {path: data for path, (_, _, data) in snapshot(site).items()}
    for page in (site, standing.parent, standing.parent.parent):
        (page / "index.html").unlink()
    relist(site)
    assert {path: data for path, (_, _, data) in snapshot(site).items()} == before
    with pytest.raises(MachineError):
        relist(tmp_path / "nowhere")


def test_a_large_file_is_told_of() -> None:
    sizes = (module.GIT_LIMIT - 1, module.GIT_LIMIT)
    files = tuple(File(f"products/xen/{size}", size, "") for size in sizes)
    (told,) = module._large(Landed(Place("example", "1.0", "manager-a"), "", files, new=True))
    assert str(module.GIT_LIMIT) in told
