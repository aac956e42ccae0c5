"""What the evidence of a Debian root says: a lie in it is found, and nothing in it stops an audit or slows it down."""

from __future__ import annotations

import base64
import hashlib
import time

import pytest

from audit import rich as story
from audit.forge import Forger
from audit.test_mutations import replayed
from sealwright_stages.findings import Finding

LINE = f" {story.LIST['sha256']} 77 {story.LIST['name']}"


def told(forger: Forger, monkeypatch: pytest.MonkeyPatch, document: str, **index: object) -> list[Finding]:
    """What the rules say of a story whose base root has this InRelease, and this in place of its index."""
    sha256 = hashlib.sha256(document.encode()).hexdigest()
    archive = {**story.ARCHIVE, "inrelease_sha256": sha256}
    base = {**story.BASE, "inrelease_sha256": sha256, "index": {**story.LIST, **index}}
    evidence = {
        **story.OF_BASE,
        "archive": archive,
        "inrelease_sha256": sha256,
        "inrelease_base64": base64.b64encode(document.encode()).decode(),
        "root": base,
    }
    monkeypatch.setattr(story, "OF_BASE", evidence)
    monkeypatch.setattr(story, "BASE", base)
    steps = story.rich(forger)
    return replayed(steps, forger.declared()[0])


def test_an_index_as_the_archive_signs_it_is_good(forger: Forger, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(forger, monkeypatch, story.CLEARSIGNED.format(story.RELEASE)) == []


OTHER = "Codename: bookworm\nSHA256:\n"
LIES = {
    "of another suite": (story.CLEARSIGNED.format(f"Codename: trixie\nSHA256:\n{LINE}"), "another suite"),
    "before what is signed": (f"{LINE}\n{story.CLEARSIGNED.format(OTHER)}", "does not name its list"),
    "after what is signed": (f"{story.CLEARSIGNED.format(OTHER)}\n{LINE}\n", "does not name its list"),
    "in a header": (
        story.CLEARSIGNED.format(OTHER).replace("Hash: SHA512", f"Hash: SHA512\n{LINE}"),
        "not name its",
    ),
    "not signed at all": (story.RELEASE, "does not name its list"),
}


@pytest.mark.parametrize("lie", LIES)
def test_only_what_the_archive_signs_of_this_suite_names_the_list(
    forger: Forger, monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    document, because = LIES[lie]
    found = told(forger, monkeypatch, document)
    assert {finding.rule for finding in found} == {"root-evidence"}
    assert any(because in finding.detail for finding in found)


@pytest.mark.parametrize("sha256", ["(", "\ud800", "( *)*( *)*( *)*x"])
def test_a_digest_that_is_none_is_a_finding_and_no_pattern(
    forger: Forger, monkeypatch: pytest.MonkeyPatch, sha256: str
) -> None:
    began = time.monotonic()
    found = told(forger, monkeypatch, story.CLEARSIGNED.format(OTHER + " " * 60), sha256=sha256)
    assert any("does not say in full" in finding.detail for finding in found)
    assert time.monotonic() - began < 20
