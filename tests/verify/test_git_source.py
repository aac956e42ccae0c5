"""A signed tag or commit: what turns green, yellow and red, with real git and real gpg."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealwright_keyring.gpg import Gpg
from sealwright_stages.get_sources.git import REPOSITORY
from sealwright_stages.memory.facts import Origin, facts_of
from sealwright_stages.ports import Outcome, Trust
from sealwright_stages.verdict import Failed, Green, Passed, Verdict, Waiver, Warned
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.git import Wanted, judge
from sealwright_stages.verify.git_source import git_source
from sealwright_stages.verify.git_store import ObjectStore
from verify.workbench import (
    Keys,
    Repository,
    fake_gpg,
    signed_commit,
    signed_tag,
    tag_payload,
    with_signature,
    workshop,
)


def outcome(repository: Repository, trust: Trust, folder: Path, **ref: str) -> tuple[Verdict, Outcome]:
    """Fetch and judge a ref as the engine does."""
    source = git_source("thing", str(repository.folder), trust=trust, **ref)
    place = workshop(folder)
    assert isinstance(source.fetch(place), Passed)
    found = source.verify(place)
    return found.verdicts[source.verify_items[0].id], found


def code_of(repository: Repository, trust: Trust, folder: Path, **ref: str) -> str:
    verdict, found = outcome(repository, trust, folder, **ref)
    if isinstance(verdict, Failed):
        assert found.deleted, "what failed is deleted"
    return verdict.code


def test_a_good_signed_tag_is_green_and_written_byte_for_byte(
    repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    attributes = b"* ident eol=crlf export-subst\n*.secret export-ignore\n"
    files = {".gitattributes": attributes, "a.txt": b"$Id$ $Format:%H$\n", "b.secret": b"\x00\xff\n"}
    commit = signed_tag(repository, keys, "s1", tree=repository.files(files))
    source = git_source("thing", str(repository.folder), tag="v1.0", trust=keys.trust("s1"))
    place = workshop(tmp_path)
    assert isinstance(source.fetch(place), Passed)
    found = source.verify(place)
    item = source.verify_items[0].id
    verdict = found.verdicts[item]
    assert isinstance(verdict, Passed), verdict
    assert item == "thing/git/v1.0"
    assert verdict.evidence["commit"] == commit
    target = repository.git("rev-parse", "refs/tags/v1.0").decode().strip()
    told = {"tag": "v1.0", "tag_object": target, "tagged": 1700000000, "url": str(repository.folder)}
    assert told.items() <= verdict.evidence.items()
    (fact,) = facts_of("thing", verdict.evidence, verdict.subject_sha256, Origin())
    assert (fact.kind, fact.name, fact.value, fact.date) == ("tag", "v1.0", verdict.subject_sha256, 1700000000)
    assert found.facts == {"epoch": 1700000000}
    source.stage(place, {item: Green(item, verdict)}, place.quarantine)
    written = {p.name: p.read_bytes() for p in (place.quarantine / "source").iterdir()}
    assert written == files


def test_only_the_ref_that_was_asked_for_is_fetched(repository: Repository, keys: Keys, tmp_path: Path) -> None:
    signed_tag(repository, keys, "s1")
    signed_tag(repository, keys, "s1", "v2.0")
    source = git_source("thing", str(repository.folder), tag="v1.0", trust=keys.trust("s1"))
    place = workshop(tmp_path)
    source.fetch(place)
    refs = [p for p in (place.quarantine / REPOSITORY / "refs").rglob("*") if p.is_file()]
    assert [p.name for p in refs] == ["v1.0"]


@pytest.mark.parametrize(("signer", "known"), [("outsider", ()), ("outsider", ("outsider",))])
def test_a_key_that_was_not_chosen_is_red_even_if_it_lies_in_the_keyring(
    repository: Repository, keys: Keys, tmp_path: Path, signer: str, known: tuple[str, ...]
) -> None:
    signed_tag(repository, keys, signer)
    assert code_of(repository, keys.trust("s1", known=known), tmp_path, tag="v1.0") == "signature-unknown-key"


def test_an_unsigned_tag_and_a_lightweight_one_are_red(repository: Repository, keys: Keys, tmp_path: Path) -> None:
    commit = repository.commit(repository.files({"a": b""}))
    repository.point("refs/tags/light", commit)
    repository.point("refs/tags/bare", repository.put("tag", tag_payload(commit, "bare")))
    trust = keys.trust("s1")
    assert code_of(repository, trust, tmp_path, tag="light") == "tag-lightweight"
    assert code_of(repository, trust, tmp_path, tag="bare") == "signature-missing"


def test_a_tag_altered_by_one_character_is_red(repository: Repository, keys: Keys, tmp_path: Path) -> None:
    commit = repository.commit(repository.files({"a": b""}))
    payload = tag_payload(commit, "v1.0")
    raw = payload.replace(b"a release", b"a Release") + keys.sign("s1", payload)
    repository.point("refs/tags/v1.0", repository.put("tag", raw))
    assert code_of(repository, keys.trust("s1"), tmp_path, tag="v1.0") == "signature-bad"


def test_a_signed_tag_of_another_name_is_red(repository: Repository, keys: Keys, tmp_path: Path) -> None:
    signed_tag(repository, keys, "s1", "v0.9")
    repository.point("refs/tags/v1.0", (repository.folder / "refs/tags/v0.9").read_text().strip())
    assert code_of(repository, keys.trust("s1"), tmp_path, tag="v1.0") == "tag-name-mismatch"


def test_a_tag_of_a_tag_is_red(repository: Repository, keys: Keys, tmp_path: Path) -> None:
    signed_tag(repository, keys, "s1", "inner")
    inner = (repository.folder / "refs/tags/inner").read_text().strip()
    payload = tag_payload(inner, "outer", kind="tag")
    repository.point("refs/tags/outer", repository.put("tag", payload + keys.sign("s1", payload)))
    assert code_of(repository, keys.trust("s1"), tmp_path, tag="outer") == "tag-not-a-commit"


def test_a_second_signature_block_is_red(repository: Repository, keys: Keys, tmp_path: Path) -> None:
    commit = repository.commit(repository.files({"a": b""}))
    foreign = keys.sign("outsider", b"something else")
    payload = tag_payload(commit, "v1.0", b"a release\n" + foreign)
    repository.point("refs/tags/v1.0", repository.put("tag", payload + keys.sign("s1", payload)))
    assert code_of(repository, keys.trust("s1"), tmp_path, tag="v1.0") == "signature-ambiguous"


def test_an_inline_message_in_place_of_the_signature_is_red(
    repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    commit = repository.commit(repository.files({"a": b""}))
    payload = tag_payload(commit, "v1.0")
    message = keys.gpg("--local-user", keys.fingerprint("s1"), "--armor", "--sign", stdin=payload)
    repository.point("refs/tags/v1.0", repository.put("tag", payload + message))
    assert code_of(repository, keys.trust("s1"), tmp_path, tag="v1.0") == "signature-kind-unsupported"


def test_a_weak_digest_and_a_date_to_come_are_red(repository: Repository, keys: Keys, tmp_path: Path) -> None:
    trust = keys.trust("s1")
    signed_tag(repository, keys, "s1", "sha1", options=["--digest-algo", "SHA1"])
    signed_tag(repository, keys, "s1", "late", options=["--faked-system-time", "20400101T000000!"])
    assert code_of(repository, trust, tmp_path, tag="sha1") == "digest-weak"
    assert code_of(repository, trust, tmp_path, tag="late") == "signature-in-future"


def test_fake_status_lines_in_a_signed_message_change_nothing(
    repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    commit = repository.commit(repository.files({"a": b""}))
    message = b"\x1b[2J\n[GNUPG:] GOODSIG 0000000000000000 somebody\n"
    payload = tag_payload(commit, "v1.0", message)
    repository.point("refs/tags/v1.0", repository.put("tag", payload + keys.sign("outsider", payload)))
    assert code_of(repository, keys.trust("s1"), tmp_path, tag="v1.0") == "signature-unknown-key"
    repository.point("refs/tags/v1.0", repository.put("tag", payload + keys.sign("s1", payload)))
    assert code_of(repository, keys.trust("s1"), tmp_path, tag="v1.0") == "ok"


def test_the_threshold_counts_persons(repository: Repository, keys: Keys, tmp_path: Path) -> None:
    commit = repository.commit(repository.files({"a": b""}))
    payload = tag_payload(commit, "v1.0")
    both = ["--local-user", keys.fingerprint("s2")]
    raw = payload + keys.sign("s1", payload, *both)
    repository.point("refs/tags/v1.0", repository.put("tag", raw))
    assert code_of(repository, keys.trust("s1", "s2", threshold=2), tmp_path, tag="v1.0") == "ok"
    signed_tag(repository, keys, "s1", "one")
    assert code_of(repository, keys.trust("s1", "s2", threshold=2), tmp_path, tag="one") == "threshold-not-met"


def test_a_stranger_beside_the_good_signer_is_red(repository: Repository, keys: Keys, tmp_path: Path) -> None:
    commit = repository.commit(repository.files({"a": b""}))
    payload = tag_payload(commit, "v1.0")
    raw = payload + keys.sign("s1", payload, "--local-user", keys.fingerprint("outsider"))
    repository.point("refs/tags/v1.0", repository.put("tag", raw))
    assert code_of(repository, keys.trust("s1"), tmp_path, tag="v1.0") == "signature-unknown-key"


def test_a_signed_commit_is_never_plain_green(repository: Repository, keys: Keys, tmp_path: Path) -> None:
    tree = repository.files({"a": b"x\n"})
    commit = signed_commit(repository, keys, "s1", tree)
    repository.point("refs/heads/main", commit)
    verdict, _ = outcome(repository, keys.trust("s1"), tmp_path, commit=commit)
    assert isinstance(verdict, Warned) and verdict.code == "commit-signed-only"
    verdict, _ = outcome(repository, keys.trust("s1"), tmp_path, branch="main")
    assert isinstance(verdict, Warned) and verdict.code == "commit-signed-only"


def test_an_unsigned_commit_is_red(repository: Repository, keys: Keys, tmp_path: Path) -> None:
    commit = repository.commit(repository.files({"a": b""}))
    repository.point("refs/heads/main", commit)
    assert code_of(repository, keys.trust("s1"), tmp_path, commit=commit) == "signature-missing"


def test_a_commit_with_a_header_added_after_signing_is_red(
    repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    tree = repository.files({"a": b""})
    good = repository.git("cat-file", "commit", signed_commit(repository, keys, "s1", tree))
    added = good.replace(b"\ngpgsig", b"\nencoding latin-1\ngpgsig", 1)
    repository.point("refs/heads/main", repository.put("commit", added))
    assert code_of(repository, keys.trust("s1"), tmp_path, branch="main") == "signature-bad"
    unknown = good.replace(b"\ngpgsig", b"\nextra header\ngpgsig", 1)
    repository.point("refs/heads/main", repository.put("commit", unknown))
    assert code_of(repository, keys.trust("s1"), tmp_path, branch="main") == "object-malformed"


def test_a_second_gpgsig_header_is_red(repository: Repository, keys: Keys, tmp_path: Path) -> None:
    tree = repository.files({"a": b""})
    good = repository.git("cat-file", "commit", signed_commit(repository, keys, "s1", tree))
    twice = with_signature(good, keys.sign("outsider", b"x"))
    repository.point("refs/heads/main", repository.put("commit", twice))
    assert code_of(repository, keys.trust("s1"), tmp_path, branch="main") == "object-malformed"


def test_replace_refs_and_repository_config_mean_nothing(
    repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    commit = signed_tag(repository, keys, "s1")
    evil = repository.commit(repository.files({"README": b"evil\n"}))
    source = git_source("thing", str(repository.folder), tag="v1.0", trust=keys.trust("s1"))
    repository.git("config", "gpg.program", "/bin/true")
    repository.git("config", "uploadpack.hideRefs", "refs/nothing")
    repository.point(f"refs/replace/{commit}", evil)
    place = workshop(tmp_path)
    source.fetch(place)
    bare = place.quarantine / REPOSITORY
    (bare / "refs/replace").mkdir()
    (bare / "refs/replace" / commit).write_text(evil + "\n")
    (bare / "config").write_text("[gpg]\n\tprogram = /bin/true\n[core]\n\tworktree = /\n")
    verdict = source.verify(place).verdicts["thing/git/v1.0"]
    assert isinstance(verdict, Passed)
    source.stage(place, {"thing/git/v1.0": Green("thing/git/v1.0", verdict)}, place.quarantine)
    assert (place.quarantine / "source/README").read_bytes() == b"hello\n"


def test_no_command_of_a_repositorys_config_is_ever_run(
    repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    script = tmp_path / "evil"
    script.write_text(f"#!/bin/sh\necho run >> {canary}\nexit 1\n")
    script.chmod(0o755)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in ("reference-transaction", "post-checkout", "pre-auto-gc", "fsmonitor-watchman"):
        (hooks / hook).write_bytes(script.read_bytes())
        (hooks / hook).chmod(0o755)
    tree = repository.files({".gitattributes": b"* filter=evil diff=evil\n", "README": b"hello\n"})
    signed_tag(repository, keys, "s1", tree=tree)
    settings = {
        **dict.fromkeys(("core.fsmonitor", "core.sshCommand", "core.gitProxy", "core.askPass"), str(script)),
        **dict.fromkeys(("gpg.program", "gpg.openpgp.program", "uploadpack.packObjectsHook"), str(script)),
        **dict.fromkeys(("filter.evil.smudge", "filter.evil.process", "diff.evil.textconv"), str(script)),
        **{"core.hooksPath": str(hooks), "core.pager": str(script), "core.alternateRefsCommand": str(script)},
    }
    source = git_source("thing", str(repository.folder), tag="v1.0", trust=keys.trust("s1"))
    place = workshop(tmp_path)
    for name, value in settings.items():
        repository.git("config", name, value)
    assert isinstance(source.fetch(place), Passed)
    bare = place.quarantine / REPOSITORY
    (bare / "config").write_bytes((repository.folder / "config").read_bytes())
    verdict = source.verify(place).verdicts["thing/git/v1.0"]
    assert isinstance(verdict, Passed)
    source.stage(place, {"thing/git/v1.0": Green("thing/git/v1.0", verdict)}, place.quarantine)
    assert (place.quarantine / "source/README").read_bytes() == b"hello\n"
    assert not canary.exists()


def test_borrowed_objects_are_refused(repository: Repository, keys: Keys, tmp_path: Path) -> None:
    signed_tag(repository, keys, "s1")
    source = git_source("thing", str(repository.folder), tag="v1.0", trust=keys.trust("s1"))
    place = workshop(tmp_path)
    source.fetch(place)
    info = place.quarantine / REPOSITORY / "objects/info"
    info.mkdir(exist_ok=True)
    (info / "alternates").write_text(f"{repository.folder}/objects\n")
    assert source.verify(place).verdicts["thing/git/v1.0"].code == "repository-crooked"


def test_what_is_written_is_what_was_judged(repository: Repository, keys: Keys, tmp_path: Path) -> None:
    signed_tag(repository, keys, "s1")
    source = git_source("thing", str(repository.folder), tag="v1.0", trust=keys.trust("s1"))
    place = workshop(tmp_path)
    source.fetch(place)
    verdict = source.verify(place).verdicts["thing/git/v1.0"]
    assert isinstance(verdict, Passed)
    other = Repository(tmp_path / "other.git")
    signed_tag(other, keys, "s1", tree=other.files({"README": b"other\n"}))
    (place.quarantine / REPOSITORY).rename(tmp_path / "away")
    other.folder.rename(place.quarantine / REPOSITORY)
    with pytest.raises(RefusedError) as refused:
        source.stage(place, {"thing/git/v1.0": Green("thing/git/v1.0", verdict)}, place.quarantine)
    assert refused.value.code == "changed-since-verified"


@pytest.mark.parametrize(
    "script",
    [
        "echo 'gpg: BAD signature' >&2; exit 0",
        "exit 0",
        "kill -9 $$",
        "echo 'gpg (GnuPG) 2.2.40'; exit 0",
    ],
)
def test_a_verifier_that_complains_and_exits_0_is_never_believed(
    repository: Repository, keys: Keys, tmp_path: Path, script: str
) -> None:
    signed_tag(repository, keys, "s1")
    gpg = Gpg(fake_gpg(tmp_path / "bin", script))
    wanted = Wanted("refs/tags/v1.0", "v1.0", None)
    verdict = judge(ObjectStore(repository.folder), wanted, keys.trust("s1"), gpg)
    assert isinstance(verdict, Failed)


def test_a_missing_verifier_is_red(repository: Repository, keys: Keys) -> None:
    signed_tag(repository, keys, "s1")
    wanted = Wanted("refs/tags/v1.0", "v1.0", None)
    verdict = judge(ObjectStore(repository.folder), wanted, keys.trust("s1"), Gpg("/nonexistent/gpg"))
    assert isinstance(verdict, Failed) and verdict.code == "keyring-unusable"


def test_a_key_that_expired_since_needs_a_waiver_for_these_very_bytes(
    repository: Repository, keys: Keys, tmp_path: Path
) -> None:
    past = ["--faked-system-time", "20200101T000000!"]
    keys.fingerprint("old", "30d", past)
    signed_tag(repository, keys, "old", options=past)
    verdict, found = outcome(repository, keys.trust("old"), tmp_path, tag="v1.0")
    assert isinstance(verdict, Warned) and verdict.code == "key-expired-since" and not found.deleted
    item = "thing/git/v1.0"
    with pytest.raises(ValueError, match="no waiver"):
        Green(item, verdict)
    waiver = Waiver(item, verdict.code, "a manager", "known", verdict.subject_sha256, "p")
    assert Green(item, verdict, waiver).waiver == waiver
    tree = repository.git("rev-parse", "v1.0^{tree}").decode().strip()
    payload = b"tree %s\nauthor A <a@e.org> 1577836800 +0000\ncommitter A <a@e.org> 1577836800 +0000\n\nx\n"
    payload %= tree.encode()
    repository.point(
        "refs/heads/old", repository.put("commit", with_signature(payload, keys.sign("old", payload, *past)))
    )
    verdict, _ = outcome(repository, keys.trust("old"), tmp_path, branch="old")
    assert verdict.code == "commit-signed-only+key-expired-since", "a waiver for one must not cover the other"


def test_a_revoked_key_is_red(repository: Repository, keys: Keys, tmp_path: Path) -> None:
    signed_tag(repository, keys, "lost")
    revocation = keys.home / "openpgp-revocs.d" / f"{keys.fingerprint('lost')}.rev"
    keys.gpg("--import", stdin=revocation.read_bytes().replace(b":-----", b"-----"))
    assert code_of(repository, keys.trust("lost"), tmp_path, tag="v1.0") == "key-revoked"
