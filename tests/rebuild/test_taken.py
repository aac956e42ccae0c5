"""What is taken of evidence: what stands up to its audit, or is wanted all the same; manifest and keys as logged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from audit.forge import Forger, Step
from sealwright_stages import events as ev
from sealwright_stages.audit import Reviewer, audit
from sealwright_stages.errors import Exit, ManifestError, RebuildError
from sealwright_stages.rebuild.strangers import Brought
from sealwright_stages.rebuild.taken import Taken, take
from support.small_release import write_keyring


def taken(evidence: Path, brought: Brought | None = None, *, despite: bool = False) -> Taken:
    return take(evidence, audit(evidence), Reviewer(), brought or Brought(), despite=despite)


def test_what_stands_up_to_its_audit_is_taken(forger: Forger) -> None:
    found = taken(forger.evidence())
    assert found.audit.passed and found.root
    assert [*found.theirs.components] == ["xen"] and found.theirs.components["xen"].products
    assert found.policy.sha256 == found.audit.state.policy_sha256


@pytest.mark.parametrize("despite", [False, True])
@pytest.mark.parametrize("what", ["policy/release.toml", "policy/signers.toml", "log/index.jsonl"])
def test_manifest_keys_and_log_must_fit_each_other_whatever_is_wanted(
    forger: Forger, what: str, despite: bool
) -> None:
    evidence = forger.evidence()
    path = evidence / what
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(RebuildError) as caught:
        taken(evidence, despite=despite)
    assert caught.value.exit_code is Exit.CLOSED


def test_what_is_tampered_with_or_not_signed_is_taken_only_if_that_is_wanted(forger: Forger) -> None:
    evidence = forger.evidence()
    (evidence / "products" / "xen" / "xen.tar").write_bytes(b"evil\n\n")
    (evidence / "SHA256SUMS.asc").unlink()
    with pytest.raises(RebuildError, match="audit says no"):
        taken(evidence)
    found = taken(evidence, despite=True)
    assert not found.audit.passed and found.accepted == ()


def waived(steps: list[Step]) -> list[Step]:
    """The same, but its tag warned and was waived."""
    told: list[Step] = []
    for step in steps:
        if isinstance(step, ev.ItemVerdict) and step.item == "xen/git/v1":
            policy = next(each.policy_sha256 for each in steps if isinstance(each, ev.RunStarted))
            warned = replace(step, verdict="warned", code="key-expired-since", next="ask")
            waiver = ev.ItemWaived(step.item, warned.code, "manager-a", "known", step.subject_sha256, policy)
            told += [warned, waiver]
        else:
            told.append(step)
    return told


def test_the_releases_waivers_count_only_where_its_audit_is_good(forger: Forger) -> None:
    evidence = forger.evidence(waived)
    (waiver,) = taken(evidence).accepted
    assert (waiver.person, waiver.item) == ("manager-a", "xen/git/v1")
    assert waiver.reason.startswith("as in the release: ")
    assert taken(evidence, Brought(waivers=False)).accepted == ()
    (evidence / "SHA256SUMS.asc").unlink()
    assert taken(evidence, despite=True).accepted == ()


def test_a_keyring_of_ones_own_judges_the_sources(forger: Forger, tmp_path: Path) -> None:
    evidence = forger.evidence()
    own = taken(evidence, Brought(source_keyring=forger.folder / "keyring")).policy
    assert own.folder == forger.folder / "keyring"
    with pytest.raises(ManifestError):
        taken(evidence, Brought(source_keyring=tmp_path / "nowhere"))
    write_keyring(tmp_path / "managers", forger.signers)
    with pytest.raises(RebuildError, match="no person called"):
        taken(evidence, Brought(source_keyring=tmp_path / "managers"))


def test_nothing_to_rebuild_is_no_yes(forger: Forger) -> None:
    with pytest.raises(ManifestError, match="no component"):
        taken(forger.evidence(), Brought(only="y"))
