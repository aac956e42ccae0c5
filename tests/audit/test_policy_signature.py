"""The policy's own signature in an audit: the folder, the log and the manifest must agree on it, offline."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from audit.forge import Change, Forger, Step, placed
from sealwright_keyring.policy import load_policy
from sealwright_keyring.policy_sums import sums_text
from sealwright_stages import events as ev
from sealwright_stages.audit import Audit, Reviewer, audit
from support.other_keys import OtherKeys
from support.small_release import Key, write_keyring

TABLE = '\n[policy]\nsigners = ["manager-a"]\n'


def bad(result: Audit) -> list[str]:
    return [f"{finding.what}: {finding.detail}" for finding in result.findings if finding.ok == "bad"]


def told(result: Audit) -> list[str]:
    return [finding.detail for finding in result.findings if finding.what == "policy" and finding.ok != "bad"]


def event(forger: Forger, sums: bytes, persons: str = "manager-a") -> ev.PolicySigned:
    policy = load_policy(forger.folder / "keyring")
    told = placed({"persons": sorted(persons.split())})
    return ev.PolicySigned(policy.sha256, hashlib.sha256(sums).hexdigest(), persons, 1, *told)


def sums_of(forger: Forger) -> bytes:
    folder = forger.folder / "keyring"
    return sums_text(folder, load_policy(folder).files)


def signed(forger: Forger, change: Change = list, persons: str = "manager-a", table: str = TABLE) -> Path:
    """Evidence under a signed policy."""
    forger.head += table
    sums = sums_of(forger)

    def with_event(steps: list[Step]) -> list[Step]:
        return change([steps[0], event(forger, sums, persons), *steps[1:]])

    evidence = forger.evidence(with_event)
    (evidence / "policy" / "SHA256SUMS").write_bytes(sums)
    (evidence / "policy" / "SHA256SUMS.asc").write_bytes(forger.signed(sums))
    return evidence


def mine(forger: Forger) -> Reviewer:
    return Reviewer(forger.folder / "keyring", ("manager-a",))


def test_a_policy_that_was_signed_as_the_manifest_wants_is_good(forger: Forger) -> None:
    evidence = signed(forger)
    for reviewer in (mine(forger), Reviewer()):
        result = audit(evidence, reviewer)
        assert bad(result) == []
        assert "signed itself by manager-a; 1 needed" in told(result)
    assert audit(evidence, mine(forger)).state.policy_signed is not None


def test_a_log_without_a_signed_policy_reads_as_before(forger: Forger) -> None:
    result = audit(forger.evidence(), mine(forger))
    assert bad(result) == [] and result.state.policy_signed is None and told(result) == []


def drop(name: str) -> Callable[[Path], None]:
    return lambda policy: (policy / name).unlink()


def junk(policy: Path) -> None:
    (policy / "SHA256SUMS.asc").write_bytes(b"junk")


def shorter(policy: Path) -> None:
    (policy / "SHA256SUMS").write_bytes((policy / "SHA256SUMS").read_bytes().splitlines(keepends=True)[0])


def reordered(policy: Path) -> None:
    lines = (policy / "SHA256SUMS").read_bytes().splitlines(keepends=True)
    (policy / "SHA256SUMS").write_bytes(b"".join(reversed(lines)))


@pytest.mark.parametrize(
    ("spoil", "because"),
    [
        (drop("SHA256SUMS"), "No such file"),
        (drop("SHA256SUMS.asc"), "no signature lies beside it"),
        (junk, "breaks the rules"),
        (shorter, "does not name"),
        (reordered, "does not belong to these bytes"),
    ],
)
def test_it_is_checked_again_from_what_lies_in_the_folder(
    forger: Forger, spoil: Callable[[Path], None], because: str
) -> None:
    evidence = signed(forger)
    spoil(evidence / "policy")
    assert any(line.startswith("policy: its own signature") and because in line for line in bad(audit(evidence)))


def test_a_signature_that_nobody_wanted_is_a_stranger(forger: Forger) -> None:
    evidence = forger.evidence()
    (evidence / "policy" / "SHA256SUMS").write_bytes(sums_of(forger))
    assert bad(audit(evidence, mine(forger))) == ["folder: policy/SHA256SUMS is in no list of this release"]


def without_event(steps: list[Step]) -> list[Step]:
    return [step for step in steps if not isinstance(step, ev.PolicySigned)]


def event_too_late(steps: list[Step]) -> list[Step]:
    (late,) = [step for step in steps if isinstance(step, ev.PolicySigned)]
    return [*without_event(steps), late]


def run_again(steps: list[Step]) -> list[Step]:
    """A second run that checked nothing: what the first one found is not its."""
    start = steps[0]
    assert isinstance(start, ev.RunStarted)
    return [*steps[:2], replace(start, resumed=True), *steps[2:]]


@pytest.mark.parametrize("change", [without_event, event_too_late, run_again])
def test_it_was_on_record_before_each_stage_began(forger: Forger, change: Change) -> None:
    found = bad(audit(signed(forger, change), mine(forger)))
    assert any("get-sources began although the policy's own signature was not on record" in line for line in found)


def other_list(steps: list[Step]) -> list[Step]:
    return [replace(s, sums_sha256="0" * 64) if isinstance(s, ev.PolicySigned) else s for s in steps]


def other_threshold(steps: list[Step]) -> list[Step]:
    return [replace(s, threshold=2) if isinstance(s, ev.PolicySigned) else s for s in steps]


@pytest.mark.parametrize("change", [other_list, other_threshold])
def test_the_log_names_the_list_that_was_signed(forger: Forger, change: Change) -> None:
    found = bad(audit(signed(forger, change), mine(forger)))
    assert "policy: the log does not say that this list over it was signed" in found


def test_the_log_names_who_signed(forger: Forger) -> None:
    found = bad(audit(signed(forger, persons="manager-a release-key-a"), mine(forger)))
    assert "policy: log and signatures disagree on whether release-key-a signed it" in found


def other_evidence(steps: list[Step]) -> list[Step]:
    return [replace(s, evidence_sha256="0" * 64) if isinstance(s, ev.PolicySigned) else s for s in steps]


def test_its_evidence_is_what_the_log_names(forger: Forger) -> None:
    assert any("is not what it names" in line for line in bad(audit(signed(forger, other_evidence), mine(forger))))


def test_the_keys_are_the_reviewers_if_he_knows_the_signers(forger: Forger, keys: tuple[Key, Key]) -> None:
    evidence = signed(forger)
    stranger = replace(keys[1], person="manager-a")
    write_keyring(forger.folder / "theirs", [stranger])
    found = bad(audit(evidence, Reviewer(forger.folder / "theirs", ("manager-a",))))
    assert any(
        line.startswith("policy: its own signature") and "none of the chosen keys" in line for line in found
    )
    write_keyring(forger.folder / "others", [keys[1]])
    result = audit(evidence, Reviewer(forger.folder / "others"))
    assert any("your keyring has no manager-a" in line for line in told(result))
    assert not any(line.startswith("policy:") for line in bad(result))


def test_a_person_whom_the_reviewer_knows_counts_by_no_other_key(forger: Forger, keys: tuple[Key, Key]) -> None:
    both = '\n[policy]\nsigners = ["manager-a", "release-key-a"]\n'
    evidence = signed(forger, table=both)
    write_keyring(
        forger.folder / "theirs", [replace(keys[1], person="manager-a")]
    )  # and nobody called release-key-a
    result = audit(evidence, Reviewer(forger.folder / "theirs", ("manager-a",)))
    assert any("your keyring has no release-key-a" in line for line in told(result))
    assert any(line.startswith("policy: its own signature") for line in bad(result)), told(result)


def test_a_signature_without_a_time_is_judged_as_of_the_run(forger: Forger, tmp_path: Path) -> None:
    others = OtherKeys(tmp_path / "others")
    ring = forger.folder / "keyring"
    (ring / "keys" / "cleo.pub").write_text(others.ssh("cleo").line + "\n")
    text = (ring / "signers.toml").read_text()
    for end, good in (("2020-01-01", False), ("2024-12-31", True)):  # a forged log is of 2023
        (ring / "signers.toml").write_text(f'{text}[person.cleo]\nssh = ["cleo.pub"]\nnot_after = {end}\n')
        forger.head = forger.head.split("\n[policy]")[0] + '\n[policy]\nsigners = ["cleo"]\n'
        sums = sums_of(forger)
        evidence = forger.evidence(lambda steps: [steps[0], event(forger, sums, "cleo"), *steps[1:]])  # noqa: B023
        (evidence / "policy" / "SHA256SUMS").write_bytes(sums)
        (evidence / "policy" / "SHA256SUMS.sig").write_bytes(others.ssh_sign("cleo", sums))
        found = bad(audit(evidence, mine(forger)))
        assert (found == []) is good, found
        assert good or "outside of their time by cleo" in found[0]
