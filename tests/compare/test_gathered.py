"""What is gathered of real-form evidence: told, declared, and what is left out rather than guessed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from audit.forge import Forger, Step
from sealwright_stages import events as ev
from sealwright_stages.audit import Reviewer
from sealwright_stages.compare.both import Compared, compare_evidence
from sealwright_stages.compare.declarations import component_parts, release_parts
from sealwright_stages.compare.difference import Change
from sealwright_stages.compare.facts import Signature
from sealwright_stages.compare.gather import milliseconds
from sealwright_stages.compare.told import IGNORED, TOLD, listed_of, signatures_of, told_of
from sealwright_stages.log import entries
from support.stories import sha


def test_no_field_is_both_told_and_ignored_and_each_ignored_one_has_a_reason() -> None:
    assert not set(TOLD) & set(IGNORED)
    assert all(IGNORED.values())
    assert len(set(TOLD.values())) == len(TOLD)


def test_evidence_of_another_form_tells_nothing() -> None:
    for odd in ({}, {"archive": 1, "files": 7.5, "tag": ["x"], "size": None}, {"signatures": [1, {"key": 2}]}):
        assert told_of(odd) == {}
        assert listed_of(odd) == {}
        assert signatures_of(odd, {}) == frozenset()


def test_a_package_of_a_build_root_is_told_by_version_and_digest() -> None:
    listed = listed_of({"packages": [f"gcc 12.2-14 amd64 {sha('gcc')}", "crooked", 3]})
    assert listed == {"gcc:amd64": {"version": "12.2-14", "sha256": sha("gcc")}}


def test_a_subkey_counts_as_its_primary_key() -> None:
    owners = {"SUB": Signature("author", "PRIMARY")}
    evidence = {"signature": {"signatures": [{"key": "SUB"}, {"key": "STRANGE"}]}}
    assert signatures_of(evidence, owners) == {Signature("author", "PRIMARY"), Signature("", "STRANGE")}


def test_a_stream_that_is_too_long_for_evidence_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "MAX_EVIDENCE", 10)
    folder = tmp_path / "data" / "build" / "xen"
    folder.mkdir(parents=True)
    (folder / "00000001.log").write_bytes(b"123456")
    assert entries.read_stream(tmp_path, "build/xen") == b"123456"
    (folder / "00000002.log").write_bytes(b"78901")
    with pytest.raises(OSError, match="more than 4 bytes"):
        entries.read_stream(tmp_path, "build/xen")


def test_declarations_stand_as_they_are_written() -> None:
    component = {"name": "xen", "git": "../xen.git", "build": {"limits": {"wall": "2h"}, "commands": ["make"]}}
    component["file"] = [{"url": "../a/words.txt", "sha256": "x"}]  # type: ignore[assignment]
    raw = {"release": {"name": "a", "version": "1", "threshold": 2}, "component": [component], "waiver": [{}]}
    assert release_parts(raw) == {"release": {"threshold": "2"}}
    assert component_parts(raw) == {
        "xen": {
            "": {"git": "../xen.git"},
            "build": {"limits.wall": "2h", "commands": '["make"]'},
            "file words.txt": {"url": "../a/words.txt", "sha256": "x"},
        }
    }


@pytest.mark.parametrize(
    ("began", "ended", "took"),
    [
        ("2026-03-02T12:00:00.000000Z", "2026-03-02T12:00:01.500000Z", 1500),
        ("2026-03-02T12:00:01.000000Z", "2026-03-02T12:00:00.000000Z", 0),
        ("", "2026-03-02T12:00:00.000000Z", 0),
        ("2026-03-02T12:00:00", "2026-03-02T12:00:01Z", 0),
    ],
)
def test_a_time_that_is_none_took_no_time(began: str, ended: str, took: int) -> None:
    assert milliseconds(began, ended) == took


# Whole folders, by whoever holds the keys


def differing(forger: Forger, change: Callable[[list[Step]], list[Step]]) -> Compared:
    """The lawful evidence beside one in which something else was said."""
    reviewer = Reviewer(forger.folder / "keyring", ("manager-a",))
    return compare_evidence(forger.evidence(), forger.evidence(change), reviewer)


def told(compared: Compared) -> list[Change]:
    assert compared.difference is not None
    return list(compared.difference.changes)


def test_the_same_evidence_does_not_differ(forger: Forger) -> None:
    compared = differing(forger, list)
    assert compared.whole
    assert told(compared) == []
    assert compared.difference and compared.difference.same_release
    assert compared.a.release.signatures == {Signature("manager-a", forger.signers[0].fingerprint)}


def swapped(kind: type, **fields: object) -> Callable[[list[Step]], list[Step]]:
    """A change of every event of a kind."""
    return lambda steps: [replace(step, **fields) if isinstance(step, kind) else step for step in steps]


BUILT = (
    ev.BuildStarted,
    {"environment_sha256": sha("other"), "recipe": "deb", "epoch": 7, "needs_sha256": sha("needs")},
)


def test_what_the_events_say_is_gathered(forger: Forger) -> None:
    kind, fields = BUILT
    assert {c.field for c in told(differing(forger, swapped(kind, **fields)))} == set(fields)
    took = differing(forger, swapped(ev.BuildEnded, wall_ms=90_000))
    assert [(c.field, c.before, c.after) for c in told(took)] == [("milliseconds", "1", "90000")]


def test_evidence_that_does_not_hash_is_left_out_and_the_side_is_not_whole(forger: Forger) -> None:
    text = json.dumps({"tag": "v9"})
    compared = differing(forger, swapped(ev.ItemVerdict, evidence=text, evidence_sha256=sha("other")))
    assert not compared.whole
    assert (compared.a.passed, compared.b.passed) == (True, False)
    assert any("not compared" in problem for problem in compared.b.left_out)
    assert "v9" not in str(told(compared))


def test_a_stream_outside_of_the_log_is_not_read(forger: Forger) -> None:
    compared = differing(forger, swapped(ev.ItemVerdict, evidence_stream="../../x", evidence_sha256=sha("x")))
    assert not compared.b.passed
    assert any("not compared" in problem for problem in compared.b.left_out)


def test_another_manifest_or_keyring_than_the_logged_one_is_not_compared(forger: Forger) -> None:
    a, b = forger.evidence(), forger.evidence()
    for name, what in (("release.toml", "manifest"), ("signers.toml", "signers.toml")):
        path = b / "policy" / name
        path.write_text(path.read_text() + "\n")
        compared = compare_evidence(a, b)
        assert not compared.b.passed
        assert any(what in problem for problem in compared.b.left_out)
        assert not [c for c in told(compared) if c.field == "name"]


@pytest.mark.parametrize("gone", ["", "log", "log/index.jsonl", "policy", "products", "SHA256SUMS"])
def test_a_folder_that_lacks_something_is_not_whole_and_no_error(forger: Forger, gone: str) -> None:
    a, b = forger.evidence(), forger.evidence()
    (b / gone).rename(forger.folder / "gone")
    compared = compare_evidence(a, b)
    assert not compared.whole
    assert not compared.b.passed


def test_two_folders_of_nothing_are_not_compared(tmp_path: Path) -> None:
    compared = compare_evidence(tmp_path, tmp_path / "none")
    assert (compared.whole, compared.difference) == (False, None)
