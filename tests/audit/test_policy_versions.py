"""The versions of a keyring in an audit: the folder, the log, and a reviewer whose own keyring is older, newer, another."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audit.forge import Change, Forger, Step, placed
from sealwright_keyring.policy import load_policy
from sealwright_keyring.rotation import judge
from sealwright_keyring.versions import files_of, read_versions
from sealwright_stages import events as ev
from sealwright_stages.audit import Audit, Reviewer, audit
from support.other_keys import OtherKeys
from support.rotating import OneHome, Ring
from support.small_release import Key

MANAGER, AUTHOR = "gpg:manager-a", "gpg:release-key-a"
PERSONS = {"manager-a": [MANAGER], "release-key-a": [AUTHOR]}
TWO = {**PERSONS, "cleo": ["ssh:cleo"]}
THREE = {"manager-a": [MANAGER], "release-key-a": [AUTHOR], "cleo": ["ssh:cleo"], "dan": ["ssh:dan"]}
MADE: dict[tuple[str, bytes], bytes] = {}
KEPT: dict[str, Path] = {}


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> OtherKeys:
    return OtherKeys(tmp_path_factory.mktemp("others"))


@pytest.fixture
def ring(forger: Forger, keys: tuple[Key, Key], others: OtherKeys) -> Ring:
    """The keyring of the forged release: version 2, led to from version 1."""
    shutil.rmtree(forger.folder / "keyring")
    made = Ring(forger.folder / "keyring", OneHome(*keys), others, MADE)
    made.write(PERSONS, 1, signers=["manager-a"], threshold=1)
    made.sign(MANAGER)
    made.keep(1)
    made.write(TWO, 2, signers=["manager-a", "cleo"], threshold=1)
    made.sign(MANAGER)
    return made


@pytest.fixture
def newer(ring: Ring, tmp_path: Path) -> Iterator[Ring]:
    """The same keyring one version later, as a reviewer has it by then: with dan, and the manager still."""
    made = ring.copy(tmp_path / "newer")
    made.keep(2)
    made.write(THREE, 3, signers=["manager-a", "cleo"], threshold=1)
    made.sign(MANAGER)
    yield made


def rotated(ring: Ring) -> ev.PolicyRotated:
    steps = judge(read_versions(ring.folder))
    return ev.PolicyRotated(steps[-1].policy_sha256, len(steps), *placed({"versions": [s.told() for s in steps]}))


def evidence(forger: Forger, ring: Ring, change: Change = list, *, tell: bool = True) -> Path:
    """Evidence of a release under the keyring, with all its versions."""

    def told(steps: list[Step]) -> list[Step]:
        return change([steps[0], *([rotated(ring)] if tell else []), *steps[1:]])

    folder = forger.evidence(told)
    for name, data in files_of(read_versions(ring.folder)).items():
        (folder / "policy" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "policy" / name).write_bytes(data)
    return folder


def once(forger: Forger, ring: Ring) -> Path:
    """A copy of evidence that is made only once."""
    if "evidence" not in KEPT:
        KEPT["evidence"] = Path(shutil.copytree(evidence(forger, ring), ring.others.folder / "evidence"))
    return Path(shutil.copytree(KEPT["evidence"], forger.folder / "evidence"))


def bad(result: Audit) -> list[str]:
    return [f"{finding.what}: {finding.detail}" for finding in result.findings if finding.ok == "bad"]


def told(result: Audit, what: str = "keyring") -> str:
    return "\n".join(finding.detail for finding in result.findings if finding.what == what)


def by(folder: Path, *names: str) -> Reviewer:
    return Reviewer(folder, names or ("manager-a",))


def test_versions_that_were_signed_are_good(forger: Forger, ring: Ring) -> None:
    made = evidence(forger, ring)
    for reviewer in (Reviewer(), by(ring.folder)):
        result = audit(made, reviewer)
        assert bad(result) == []
        assert "version 2 of its keyring, by 2 signed steps: version 1 by manager-a" in told(result, "policy")
    assert audit(made, by(ring.folder)).provided == ""


def test_a_keyring_of_version_1_is_as_one_without_a_version(forger: Forger, ring: Ring) -> None:
    one = ring.folder / "history" / "1"
    one.rename(forger.folder / "one")
    shutil.rmtree(ring.folder)
    (forger.folder / "one").rename(ring.folder)
    made = forger.evidence()
    assert bad(audit(made, by(ring.folder))) == []


def drop(name: str) -> Callable[[Path], None]:
    return lambda policy: (policy / name).unlink()


def more(name: str) -> Callable[[Path], None]:
    def do(policy: Path) -> None:
        (policy / name).parent.mkdir(exist_ok=True)
        (policy / name).write_bytes(b"x")

    return do


def swapped(policy: Path) -> None:
    (policy / "SHA256SUMS.manager-a.asc").write_bytes((policy / "history/1/SHA256SUMS.manager-a.asc").read_bytes())


def gone(policy: Path) -> None:
    shutil.rmtree(policy / "history")


@pytest.mark.parametrize(
    ("spoil", "because"),
    [
        (gone, "version 1 is missing"),
        (drop("history/1/SHA256SUMS"), "the list SHA256SUMS is missing"),
        (drop("history/1/SHA256SUMS.manager-a.asc"), "nobody did, missing: manager-a"),
        (drop("SHA256SUMS.manager-a.asc"), "as version 1 says; nobody did"),
        (drop("SHA256SUMS"), "the list SHA256SUMS is missing"),
        (drop("history/1/signers.toml"), "No such file"),
        (more("history/1/keys/x.pub"), "does not name keys/x.pub"),
        (more("history/1/x"), "belongs to no version"),
        (more("history/3/signers.toml"), "it holds version 3"),
        (swapped, "does not belong to these bytes"),
    ],
)
def test_they_are_checked_again_from_what_lies_in_the_folder(
    forger: Forger, ring: Ring, spoil: Callable[[Path], None], because: str
) -> None:
    made = once(forger, ring)
    spoil(made / "policy")
    assert any(line.startswith("policy: ") and because in line for line in bad(audit(made)))


def test_a_history_that_the_keyring_does_not_have_is_a_stranger(forger: Forger) -> None:
    made = forger.evidence()
    (made / "policy" / "history" / "1").mkdir(parents=True)
    (made / "policy" / "history" / "1" / "x").write_text("x")
    assert any("holds earlier ones" in line for line in bad(audit(made)))


def test_a_log_that_says_nothing_of_them_is_a_no(forger: Forger, ring: Ring) -> None:
    found = bad(audit(evidence(forger, ring, tell=False), by(ring.folder)))
    assert any("versions that lead to the keyring were not on record" in line for line in found)
    assert any("the log does not say that these 2 versions led to it" in line for line in found)


def test_a_log_that_speaks_of_versions_where_there_are_none_is_a_no(forger: Forger) -> None:
    sha = load_policy(forger.folder / "keyring").sha256
    half = {"persons": ["manager-a"], "threshold": 1}
    versions = [{"version": 1, "policy_sha256": "0" * 64, "new": half}]
    versions.append({"version": 2, "policy_sha256": sha, "old": half, "new": half})
    event = ev.PolicyRotated(sha, 2, *placed({"versions": versions}))
    found = bad(audit(forger.evidence(lambda steps: [steps[0], event, *steps[1:]])))
    assert any("the keyring in policy/ is version none, and not 2" in line for line in found)


def test_a_reviewer_with_an_older_keyring_is_led_to_the_releases(forger: Forger, ring: Ring, newer: Ring) -> None:
    """What counts then is the release's own, which knows a person whom the reviewer's does not."""
    one = ring.folder / "history" / "1"
    made = once(forger, ring)
    result = audit(made, by(one))
    assert bad(result) == [] and result.provided == ""
    assert "your keyring (version 1) leads to version 2 by 1 signed step: version 2 by manager-a" in told(result)
    assert "manager-a (1 of version 2 needed)" in told(result)
    result = audit(made, by(one, "manager-a", "cleo"))
    assert any(line.startswith("signatures: signed by manager-a; 2 needed") for line in bad(result)), (
        "cleo is known"
    )


def test_a_chain_that_does_not_begin_at_the_reviewers_keyring_is_a_no(
    forger: Forger, ring: Ring, tmp_path: Path
) -> None:
    other = Ring(tmp_path / "other", ring.gpg, ring.others, ring.made)
    other.write(PERSONS, 1, signers=["manager-a", "release-key-a"], threshold=1)
    other.sign(MANAGER)
    found = bad(audit(once(forger, ring), by(other.folder)))
    assert found == [
        "keyring: your keyring (version 1) and the release's (version 2): its version 1 is another than the version 1 "
        "that is trusted"
    ]


def test_another_keyring_of_the_same_version_is_a_no(forger: Forger, ring: Ring, tmp_path: Path) -> None:
    fork = ring.copy(tmp_path / "fork")
    fork.write(TWO, 2, signers=["manager-a"], threshold=1)
    fork.sign(MANAGER)
    assert any("its version 2 is another" in line for line in bad(audit(once(forger, ring), by(fork.folder))))


def test_a_reviewer_with_a_newer_keyring_finds_the_releases_in_its_history(
    forger: Forger, ring: Ring, newer: Ring
) -> None:
    result = audit(once(forger, ring), by(newer.folder))
    assert bad(result) == [] and result.provided == ""
    assert "(version 2) is in the history of yours (version 3), which it leads to by 1 signed step" in told(result)


@pytest.mark.parametrize("spoil", ["no history", "another version 2", "unsigned"])
def test_a_newer_keyring_that_does_not_hold_the_releases_is_a_no(
    forger: Forger, ring: Ring, newer: Ring, spoil: str
) -> None:
    if spoil == "no history":
        shutil.rmtree(newer.folder / "history")
    elif spoil == "unsigned":
        (newer.folder / "SHA256SUMS.manager-a.asc").unlink()
    else:
        two = Ring(newer.folder / "history" / "2", ring.gpg, ring.others, ring.made)
        two.write(TWO, 2, signers=["manager-a"], threshold=1)
        two.sign(MANAGER)
    found = bad(audit(once(forger, ring), by(newer.folder)))
    assert any(line.startswith("keyring: your keyring (version 3)") for line in found)


def test_who_was_taken_out_since_does_not_count_and_it_is_said_plainly(
    forger: Forger, ring: Ring, newer: Ring
) -> None:
    """Whoever stole the manager's key could sign as of back then; the way to judge by the old version is told."""
    newer.write({"release-key-a": [AUTHOR], "cleo": ["ssh:cleo"]}, 3, threshold=1)
    newer.sign(MANAGER, "ssh:cleo")
    made = once(forger, ring)
    for reviewer in (Reviewer(newer.folder), by(newer.folder)):
        result = audit(made, reviewer)
        assert any(line.startswith("signatures: signed by nobody; 1 needed") for line in bad(result))
        assert "manager-a, or each key of manager-a's, was taken out of your keyring by version 3" in told(result)
        assert "--keyring DIR/history/2" in told(result)
    assert bad(audit(made, by(newer.folder / "history" / "2"))) == []


def test_a_person_who_got_another_key_since_does_not_count_by_it(forger: Forger, ring: Ring, newer: Ring) -> None:
    newer.write({"manager-a": [AUTHOR], "cleo": ["ssh:cleo"]}, 3, threshold=1)
    newer.sign(MANAGER, "ssh:cleo")
    assert "taken out of your keyring by version 3" in told(audit(once(forger, ring), by(newer.folder)))


def test_a_key_that_came_since_does_not_count_for_a_release_of_before(
    forger: Forger, ring: Ring, newer: Ring
) -> None:
    """The release names a person whose key of then did not sign it; the one that did came to the keyring later."""
    then, now = {"manager-a": ["ssh:m"]}, {"manager-a": [MANAGER, "ssh:m"]}
    shutil.rmtree(ring.folder / "history")
    shutil.rmtree(newer.folder / "history")
    for folder in (ring, newer):
        folder.write(then, 1, threshold=1)
        folder.sign("ssh:m")
        folder.keep(1)
        folder.write(then, 2, threshold=1)
        folder.sign("ssh:m")
    newer.keep(2)
    newer.write(now, 3, threshold=1)
    newer.sign("ssh:m")
    found = bad(audit(evidence(forger, ring), by(newer.folder)))
    assert any("signed by nobody; 1 needed" in line for line in found), found


def test_a_keyring_without_a_version_is_held_against_it_by_its_persons(
    forger: Forger, ring: Ring, tmp_path: Path
) -> None:
    plain = Ring(tmp_path / "plain", ring.gpg, ring.others, ring.made)
    plain.write(PERSONS, 1)
    text = (plain.folder / "signers.toml").read_text()
    (plain.folder / "signers.toml").write_text(text[text.index("[person") :])
    result = audit(once(forger, ring), by(plain.folder))
    assert bad(result) == [] and told(result) == ""


def test_the_manifests_own_demand_stands_beside_the_versions(forger: Forger, ring: Ring) -> None:
    """The signature that only the old version takes is no stranger's where the manifest wants the keyring signed."""
    ring.write({"manager-a": [MANAGER], "cleo": ["ssh:cleo"]}, 2, signers=["cleo"], threshold=1)
    ring.sign(MANAGER, "ssh:cleo")
    forger.head += '\n[policy]\nsigners = ["cleo"]\n'
    sums = (ring.folder / "SHA256SUMS").read_bytes()

    sha, policy = hashlib.sha256(sums).hexdigest(), load_policy(ring.folder)
    signed = ev.PolicySigned(policy.sha256, sha, "cleo", 1, *placed({"persons": ["cleo"]}))

    def both(steps: list[Step]) -> list[Step]:
        return [*steps[:2], signed, *steps[2:]]

    result = audit(evidence(forger, ring, both), by(ring.folder))
    assert bad(result) == [] and "signed itself by cleo; 1 needed" in told(result, "policy")
    assert bad(audit(evidence(forger, ring, both), by(ring.folder / "history" / "1"))) == []
