"""What is called signed is the release that was sealed here, as it lies there when that is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sealwright_stages.seal.pages import but_for_signatures, write_page
from walk.held import Held
from walk.walking import Walk

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]


def test_well_signed_evidence_of_another_run_is_not_this_release(finished: Walk, walk: Walk) -> None:
    walk.run("--until", "seal").well()
    shutil.rmtree(walk.evidence)
    shutil.copytree(finished.evidence, walk.evidence)
    walk.audit().well()
    walk.run().refused(5, "is not the log that was sealed here")


@pytest.mark.parametrize("changed", ["products/greeting/greeting.out", "log/index.jsonl", "policy/release.toml"])
def test_evidence_that_is_changed_while_a_person_is_asked_is_not_called_signed(held: Held, changed: str) -> None:
    run = held.start()
    held.to(run, "sign")
    path: Path = held.evidence / changed
    path.write_bytes(path.read_bytes().replace(b"e", b"x", 1))
    held.let_go("before-sign")
    run.end().refused(5, "was changed")
    assert held.signatures() == []
    held.goes_on()


def test_the_page_is_that_of_the_folder_before_and_after_signing_and_a_run_mends_one_that_was_cut_short(
    walk: Walk,
) -> None:
    page = walk.evidence / "index.html"
    walk.run("--until", "seal").well()
    unsigned = page.read_bytes()
    assert b'id="signatures">{}</script>' in unsigned
    write_page(walk.evidence)
    assert page.read_bytes() == unsigned, "the run folds the log as it lies there"
    walk.run().well()
    signed, written = page.read_bytes(), page.stat().st_mtime_ns
    assert signed != unsigned and but_for_signatures(signed) == but_for_signatures(unsigned)
    write_page(walk.evidence)
    assert (page.read_bytes(), page.stat().st_mtime_ns) == (signed, written)
    page.write_bytes(unsigned)  # as if it was killed between the signatures and the page
    walk.audit().well()
    walk.run().well()
    assert page.read_bytes() == signed
    page.write_bytes(signed + b"<b>trust me")
    walk.run().refused(5, "was changed after it was signed")
