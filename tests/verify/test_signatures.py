"""Signatures of every kind over files, tags and commits, by the real tools; persons are counted over the kinds."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from sealwright_keyring.person import Person
from sealwright_keyring.policy import load_policy
from sealwright_keyring.ssh_keys import parse_key_file
from sealwright_stages.make_sources import trust_for
from sealwright_stages.ports import Trust
from sealwright_stages.verdict import Failed, Passed, Verdict, Warned
from sealwright_stages.verify.file import judge_beside
from sealwright_stages.verify.file_source import file_source
from sealwright_stages.verify.git_source import git_source
from sealwright_stages.verify.signatures import Kind, Purpose, judge_signature, judge_signatures, kind_of
from support.other_keys import OtherKeys, SoftSecurityKey
from verify.workbench import GIT_ENVIRONMENT, Keys, Repository, sha256, tag_payload, with_signature, workshop

DATA = b"third party\n" * 100
TODAY = datetime.now(UTC).date()
PAST, NEXT = TODAY - timedelta(2), TODAY + timedelta(2)  # a suite may run over midnight
TAGGED = date(2023, 11, 14)  # the workbench's 1700000000
KINDS = ("openpgp", "ssh", "minisign")


class World:
    """Persons with keys of every kind; what they sign."""

    def __init__(self, keys: Keys, others: OtherKeys) -> None:
        self.keys, self.others = keys, others

    def person(self, name: str, *kinds: str) -> Person:
        held = self.others.person(name, *kinds)
        return replace(held, openpgp=(self.keys.fingerprint(name),)) if "openpgp" in kinds else held

    def trust(self, *persons: Person, threshold: int = 1) -> Trust:
        names = [person.name for person in persons if person.openpgp]
        return Trust((self.keys.certificate(*names),) if names else (), persons, threshold)

    def sign(self, kind: str, name: str, data: bytes = DATA) -> bytes:
        made = {"openpgp": self.keys.sign, "ssh": self.others.ssh_sign, "minisign": self.others.minisign_sign}
        return made[kind](name, data)


@pytest.fixture
def world(keys: Keys, others: OtherKeys) -> World:
    return World(keys, others)


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_signature_of_each_kind_is_green_and_the_evidence_names_the_kind(world: World, kind: str) -> None:
    everybody = world.trust(*(world.person(name, *KINDS) for name in ("s1", "s2")))
    verdict = judge_signature(world.sign(kind, "s1"), DATA, everybody, "x")
    assert isinstance(verdict, Passed), verdict
    assert verdict.evidence["persons"] == ["s1"] and verdict.subject_sha256 == sha256(DATA)
    (signature,) = verdict.evidence["signatures"]  # type: ignore[misc]
    assert signature["kind"] == kind
    assert judge_signature(world.sign(kind, "s1"), DATA + b"x", everybody, "x").code == "signature-bad"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("held", KINDS)
def test_a_signature_by_a_kind_of_key_that_nobody_has_is_red(world: World, kind: str, held: str) -> None:
    trust = world.trust(world.person("s1", held))
    verdict = judge_signature(world.sign(kind, "s1"), DATA, trust, "x")
    assert verdict.code == ("ok" if kind == held else "signature-unknown-key"), verdict
    assert judge_signature(b"<html>404</html>", DATA, trust, "x").code == "signature-malformed"


def test_the_kind_is_told_by_how_the_bytes_begin(world: World) -> None:
    for kind, name in zip(KINDS, (Kind.OPENPGP, Kind.SSH, Kind.MINISIGN), strict=True):
        assert kind_of(world.sign(kind, "s1")) is name
        assert judge_signature(
            b"\n" + world.sign(kind, "s1"), DATA, world.trust(world.person("s1", *KINDS)), "x"
        ).code in (("ok",) if kind == "openpgp" else ("signature-malformed",))


def test_persons_are_counted_over_all_kinds(world: World) -> None:
    ada, bob = world.person("s1", *KINDS), world.person("s2", "ssh")
    trust = world.trust(ada, bob, threshold=2)

    def by(*made: tuple[str, str]) -> str:
        return judge_signatures([world.sign(kind, name) for kind, name in made], DATA, trust, "x").code

    assert by(("openpgp", "s1"), ("ssh", "s2")) == by(("minisign", "s1"), ("ssh", "s2")) == "ok"
    assert by(*((kind, "s1") for kind in KINDS)) == "threshold-not-met", "one person with three keys is one"
    assert by(("ssh", "s2"), ("ssh", "s2")) == by(("ssh", "s2")) == "threshold-not-met"


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_one_or_a_strangers_beside_good_ones_is_red(world: World, kind: str) -> None:
    trust = world.trust(world.person("s1", *KINDS))
    for other in KINDS:
        good = world.sign(other, "s1")
        for order in (1, -1):
            pair = [good, world.sign(kind, "outsider")][::order]
            assert judge_signatures(pair, DATA, trust, "x").code == "signature-unknown-key"
            pair = [good, world.sign(kind, "s1", b"other")][::order]
            assert judge_signatures(pair, DATA, trust, "x").code == "signature-bad"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("begin", "end", "counts"),
    [(None, None, True), (TODAY, NEXT, True), (NEXT, None, False), (None, PAST, False)],
)
def test_an_expired_or_not_yet_valid_person_counts_in_no_kind(
    world: World, kind: str, begin: date | None, end: date | None, counts: bool
) -> None:
    person = replace(world.person("s1", *KINDS), not_before=begin, not_after=end)
    verdict = judge_signature(world.sign(kind, "s1"), DATA, world.trust(person), "x")
    assert verdict.code == ("ok" if counts else "threshold-not-met"), verdict


@pytest.mark.parametrize("kind", KINDS)
def test_scope_and_time_of_signers_toml_hold_for_every_kind(world: World, tmp_path: Path, kind: str) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "a.asc").write_bytes(world.keys.certificate("s1"))
    for mine, ext in (
        (world.others.ssh_file("s1"), ".ssh.pub"),
        (world.others.minisign_file("s1"), ".minisign.pub"),
    ):
        (tmp_path / "keys" / f"a{ext}").write_bytes(mine.with_suffix(ext).read_bytes())
    keys = f'openpgp = ["{world.keys.fingerprint("s1")}"]\nssh = ["a.ssh.pub"]\nminisign = ["a.minisign.pub"]\n'
    signature = world.sign(kind, "s1")

    def code(more: str, component: str) -> str:
        (tmp_path / "signers.toml").write_text(f"[person.ada]\n{keys}{more}\n")
        trust = trust_for(load_policy(tmp_path), component, ("ada",), 1)
        return judge_signature(signature, DATA, trust, "x").code

    assert code('components = ["xen"]', "xen") == code("", "xen") == code(f"not_after = {NEXT}", "xen") == "ok"
    assert code('components = ["xen"]', "grub") == "keyring-unusable"
    assert code(f"not_after = {PAST}", "xen") == code(f"not_before = {NEXT}", "xen") == "keyring-unusable"


# Files


def test_a_file_may_have_several_signatures_of_several_kinds(world: World, tmp_path: Path) -> None:
    path = tmp_path / "up" / "x-1.tar.gz"
    path.parent.mkdir()
    path.write_bytes(DATA)
    made = {"asc": world.sign("openpgp", "s1"), "minisig": world.sign("minisign", "s2")}
    for ext, data in made.items():
        path.with_name(f"x-1.tar.gz.{ext}").write_bytes(data)
    trust = world.trust(world.person("s1", "openpgp"), world.person("s2", "minisign"), threshold=2)
    addresses = [f"{path}.{ext}" for ext in made]
    source, place = file_source("thing", str(path), signature=addresses, trust=trust), workshop(tmp_path)
    fetched = source.fetch(place)
    assert len(fetched.evidence["signatures"]) == 2  # type: ignore[arg-type]
    (verdict,) = source.verify(place).verdicts.values()
    assert isinstance(verdict, Passed) and verdict.evidence["persons"] == ["s1", "s2"]
    path.write_bytes(DATA + b"x")
    place = workshop(tmp_path)
    source.fetch(place)
    found = source.verify(place)
    assert {v.code for v in found.verdicts.values()} == {"signature-bad"}
    assert len(found.deleted) == 3 and not list(place.quarantine.iterdir())
    path.with_name("x-1.tar.gz.asc").write_bytes(b"")
    verdict = judge_beside(path, [path.with_name(f"x-1.tar.gz.{ext}") for ext in made], trust)
    assert verdict.code == "signature-missing"


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ("for git", "signature-namespace"),
        ("two blocks", "signature-malformed"),
        ("both kinds", "signature-malformed"),
        ("outsider", "signature-unknown-key"),
        ("untouched", "signature-untouched"),
        ("touched", "ok"),
        ("cut", "signature-malformed"),
    ],
)
def test_what_is_no_good_ssh_signature_over_a_file_is_red(
    world: World, tmp_path: Path, made: str, code: str
) -> None:
    token = SoftSecurityKey()
    (tmp_path / "token.pub").write_bytes(token.line())
    person = world.person("s1", *KINDS)

    person = replace(person, ssh=(*person.ssh, parse_key_file(token.line())))
    good = world.sign("ssh", "s1")
    signature = {
        "for git": lambda: world.others.ssh_sign("s1", DATA, "git"),
        "two blocks": lambda: good + good,
        "both kinds": lambda: good + world.sign("openpgp", "s1"),
        "outsider": lambda: world.sign("ssh", "outsider"),
        "untouched": lambda: token.sign(DATA, flags=0),
        "touched": lambda: token.sign(DATA),
        "cut": lambda: good[: len(good) // 2],
    }[made]()
    path = tmp_path / "data"
    path.write_bytes(DATA)
    (tmp_path / "sig").write_bytes(signature)
    verdict = judge_beside(path, [tmp_path / "sig"], world.trust(person))
    assert (verdict.code, isinstance(verdict, Failed)) == (code, code != "ok"), verdict


def test_comments_of_a_minisign_signature_reach_no_sentence(world: World) -> None:
    signature = world.others.minisign_sign("s1", DATA, "-c", "hello")
    evil = signature.replace(b"hello", b"\x1b[2J\xe2\x80\xae[GNUPG:] GOODSIG")
    trust = world.trust(world.person("s1", "minisign"))
    good, bad = judge_signature(evil, DATA, trust, "x"), judge_signature(evil, DATA + b"x", trust, "x")
    assert (good.code, bad.code) == ("ok", "signature-bad")
    for verdict in (good, bad):
        assert "GOODSIG" not in verdict.reason + verdict.next_step
        assert "\x1b" not in str(verdict.evidence) and "\\x1b[2J" in str(verdict.evidence["signatures"])
    altered = world.others.minisign_sign("s1", DATA, "-t", "release 1").replace(b"release 1", b"release 2")
    assert judge_signature(altered, DATA, trust, "x").code == "signature-bad"


# git


def ssh_tag(repository: Repository, others: OtherKeys, name: str, when: str = "1700000000 +0000") -> str:
    """A release tag that git itself signed with the SSH key `name`; gives the commit."""
    commit = repository.commit(repository.files({"README": b"hello\n"}))
    config = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={others.ssh_file(name)}"]
    argv = ["git", "--git-dir", str(repository.folder), *config, "tag", "-s", "-m", "a release", "v1.0", commit]
    env = {**GIT_ENVIRONMENT, "GIT_COMMITTER_DATE": when}
    subprocess.run(argv, check=True, env=env, capture_output=True)
    return commit


def judged_ref(repository: Repository, trust: Trust, folder: Path, **ref: str) -> Verdict:
    source, place = git_source("thing", str(repository.folder), trust=trust, **ref), workshop(folder)
    assert isinstance(source.fetch(place), Passed)
    found = source.verify(place)
    (verdict,) = found.verdicts.values()
    assert isinstance(verdict, Failed) is bool(found.deleted), "what failed is deleted"
    return verdict


def test_a_tag_that_git_signed_with_an_ssh_key_is_green(
    world: World, repository: Repository, tmp_path: Path
) -> None:
    commit = ssh_tag(repository, world.others, "s1")
    verdict = judged_ref(repository, world.trust(world.person("s1", "ssh")), tmp_path, tag="v1.0")
    assert isinstance(verdict, Passed), verdict
    assert verdict.evidence["commit"] == commit
    (signature,) = verdict.evidence["signature"]["signatures"]  # type: ignore[index]
    assert (signature["kind"], signature["namespace"]) == ("ssh", "git")
    assert signature["signed_at"].startswith("2023-11-14")
    assert judged_ref(repository, world.trust(world.person("s2", "ssh")), tmp_path, tag="v1.0").code == (
        "signature-unknown-key"
    )


@pytest.mark.parametrize(
    ("begin", "end", "code"),
    [
        (TAGGED, TAGGED, "ok"),
        (TAGGED + timedelta(1), None, "threshold-not-met"),
        (None, TAGGED - timedelta(1), "threshold-not-met"),
    ],
)
def test_a_tags_own_time_must_lie_in_the_persons_time(
    world: World, repository: Repository, tmp_path: Path, begin: date | None, end: date | None, code: str
) -> None:
    ssh_tag(repository, world.others, "s1")
    person = replace(world.person("s1", "ssh"), not_before=begin, not_after=end)
    verdict = judged_ref(repository, world.trust(person), tmp_path, tag="v1.0")
    assert verdict.code == code
    assert code == "ok" or "outside of their time by s1" in verdict.reason


def test_a_tag_of_a_time_to_come_is_red(world: World, repository: Repository, tmp_path: Path) -> None:
    ssh_tag(repository, world.others, "s1", "2200000000 +0000")
    assert judged_ref(repository, world.trust(world.person("s1", "ssh")), tmp_path, tag="v1.0").code == (
        "signature-in-future"
    )


def test_a_signed_file_of_the_same_bytes_is_no_tag(world: World, repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit(repository.files({"a": b""}))
    payload = tag_payload(commit, "v1.0")
    for namespace, code in (("git", "ok"), ("file", "signature-namespace")):
        raw = payload + world.others.ssh_sign("s1", payload, namespace)
        repository.point("refs/tags/v1.0", repository.put("tag", raw))
        assert judged_ref(repository, world.trust(world.person("s1", "ssh")), tmp_path, tag="v1.0").code == code
    altered = payload.replace(b"a release", b"a Release") + world.others.ssh_sign("s1", payload, "git")
    repository.point("refs/tags/v1.0", repository.put("tag", altered))
    assert (
        judged_ref(repository, world.trust(world.person("s1", "ssh")), tmp_path, tag="v1.0").code
        == "signature-bad"
    )


def test_two_ssh_signatures_in_a_tag_or_one_of_each_kind_are_red(
    world: World, repository: Repository, tmp_path: Path
) -> None:
    payload = tag_payload(repository.commit(repository.files({"a": b""})), "v1.0")
    ssh = world.others.ssh_sign("s1", payload, "git")
    trust = world.trust(world.person("s1", *KINDS))
    for more in (ssh + ssh, ssh + world.keys.sign("s1", payload), world.keys.sign("s1", payload) + ssh):
        repository.point("refs/tags/v1.0", repository.put("tag", payload + more))
        assert judged_ref(repository, trust, tmp_path, tag="v1.0").code == "signature-ambiguous"


def test_a_commit_with_an_ssh_signature_warns_like_any_signed_commit(
    world: World, repository: Repository, tmp_path: Path
) -> None:
    who = b"A Person <person@example.org> 1700000000 +0000"
    tree = repository.files({"a": b"x"}).encode()
    payload = b"tree %s\nauthor %s\ncommitter %s\n\na commit\n" % (tree, who, who)
    trust = world.trust(world.person("s1", "ssh"))
    good = repository.put("commit", with_signature(payload, world.others.ssh_sign("s1", payload, "git")))
    repository.point("refs/heads/main", good)
    for ref in ({"commit": good}, {"branch": "main"}):
        verdict = judged_ref(repository, trust, tmp_path, **ref)
        assert isinstance(verdict, Warned) and verdict.code == "commit-signed-only"
    twice = with_signature(payload, world.others.ssh_sign("s1", payload, "git") * 2)
    bad = repository.put("commit", twice)
    repository.point("refs/heads/other", bad)
    assert judged_ref(repository, trust, tmp_path, commit=bad).code == "signature-malformed"
    late = replace(trust, persons=(replace(trust.persons[0], not_before=TAGGED + timedelta(1)),))
    assert judged_ref(repository, late, tmp_path, commit=good).code == "threshold-not-met"


def test_the_time_that_the_caller_gives_is_that_of_signatures_without_one(world: World) -> None:
    then = Purpose("file", datetime(2024, 5, 6, tzinfo=UTC))
    person = replace(world.person("s1", *KINDS), not_before=date(2024, 5, 6), not_after=date(2024, 5, 6))
    for kind, code in (("ssh", "ok"), ("minisign", "ok"), ("openpgp", "threshold-not-met")):
        assert judge_signature(world.sign(kind, "s1"), DATA, world.trust(person), "x", purpose=then).code == code


def test_what_sequoia_thinks_is_told_and_decides_nothing(world: World) -> None:
    agreed = judge_signature(world.sign("openpgp", "s1"), DATA, world.trust(world.person("s1", "openpgp")), "x")
    (signature,) = agreed.evidence["signatures"]  # type: ignore[misc]
    assert isinstance(agreed, Passed) and signature["sequoia"]["says"] == "agrees"
    assert "Sequoia" not in agreed.reason
    world.keys.fingerprint("bound-by-sha1", options=("--cert-digest-algo", "SHA1"))
    trust, made = world.keys.trust("bound-by-sha1"), world.keys.sign("bound-by-sha1", DATA)
    refused = judge_signature(made, DATA, trust, "x")
    assert isinstance(refused, Passed), refused
    assert "Sequoia would refuse it" in refused.reason
    bad = judge_signature(made, DATA + b"x", trust, "x")
    assert isinstance(bad, Failed) and "Sequoia" not in bad.reason
