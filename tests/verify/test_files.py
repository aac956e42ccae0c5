"""Third-party files: digest, signature, both; and that only judged bytes are copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealwright_keyring.gpg import Gpg
from sealwright_stages.errors import FetchError
from sealwright_stages.memory.facts import Origin, facts_of
from sealwright_stages.ports import Outcome, Source, Workshop
from sealwright_stages.verdict import Failed, Green, Passed
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.file import judge_beside
from sealwright_stages.verify.file_source import ThirdPartyFile, file_source
from verify.workbench import Keys, fake_gpg, sha256, workshop

DATA = b"third party\n" * 100
DIGEST, SIGNED = "thing/file/x-1.tar.gz", "thing/file-signature/x-1.tar.gz"


def upstream(folder: Path, data: bytes = DATA, signature: bytes | None = None) -> Path:
    """A file as upstream publishes it, with its signature beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "x-1.tar.gz"
    path.write_bytes(data)
    if signature is not None:
        (folder / "x-1.tar.gz.asc").write_bytes(signature)
    return path


def judged(source: ThirdPartyFile, place: Workshop) -> Outcome:
    assert isinstance(source.fetch(place), Passed)
    return source.verify(place)


def judged_pair(folder: Path, component: str) -> tuple[tuple[Source, Workshop], dict[str, Green]]:
    source = file_source(component, str(upstream(folder / "up")), sha256=sha256(DATA))
    place = workshop(folder)
    verdicts = judged(source, place).verdicts
    return (source, place), {k: Green(k, v) for k, v in verdicts.items() if isinstance(v, Passed)}


def test_a_file_with_the_pinned_digest_is_green_and_copied(tmp_path: Path) -> None:
    (source, place), green = judged_pair(tmp_path, "thing")
    assert set(green) == {DIGEST}
    source.stage(place, green, place.quarantine)
    assert (place.quarantine / "files/x-1.tar.gz").read_bytes() == DATA


def test_one_changed_byte_is_red_and_the_file_is_gone(tmp_path: Path) -> None:
    path = upstream(tmp_path / "up", DATA[:-1] + b"!")
    source, place = file_source("thing", str(path), sha256=sha256(DATA)), workshop(tmp_path)
    found = judged(source, place)
    assert found.verdicts[DIGEST].code == "digest-mismatch"
    assert [(d.item, d.name, d.sha256) for d in found.deleted] == [
        (DIGEST, "x-1.tar.gz", sha256(DATA[:-1] + b"!"))
    ]
    assert not (place.quarantine / "x-1.tar.gz").exists()


def test_digest_and_signature_are_two_items_and_both_count(keys: Keys, tmp_path: Path) -> None:
    path = upstream(tmp_path / "up", DATA, keys.sign("s1", DATA))
    trust = keys.trust("s1")
    good = file_source("thing", str(path), sha256=sha256(DATA), signature=f"{path}.asc", trust=trust)
    assert {k: v.code for k, v in judged(good, workshop(tmp_path)).verdicts.items()} == {
        DIGEST: "ok",
        SIGNED: "ok",
    }
    bad = file_source("thing", str(path), sha256="0" * 64, signature=f"{path}.asc", trust=trust)
    place = workshop(tmp_path)
    found = judged(bad, place)
    assert {k: v.code for k, v in found.verdicts.items()} == {DIGEST: "digest-mismatch", SIGNED: "ok"}
    assert {d.name for d in found.deleted} == {"x-1.tar.gz", "x-1.tar.gz.detached-signature"}
    assert list(place.quarantine.iterdir()) == []


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ("html", "signature-malformed"),
        ("empty", "signature-missing"),
        ("other bytes", "signature-bad"),
        ("outsider", "signature-unknown-key"),
        ("two blocks", "signature-malformed"),
        ("clearsigned", "signature-malformed"),
        ("inline", "signature-malformed"),
        ("cut", "signature-malformed"),
    ],
)
def test_what_is_no_good_signature_is_red(keys: Keys, tmp_path: Path, made: str, code: str) -> None:
    good = keys.sign("s1", DATA)
    signature = {
        "html": lambda: b"<html><title>404 Not Found</title></html>",
        "empty": lambda: b"\n",
        "other bytes": lambda: keys.sign("s1", DATA + b"x"),
        "outsider": lambda: keys.sign("outsider", DATA),
        "two blocks": lambda: keys.sign("outsider", DATA) + good,
        "clearsigned": lambda: keys.clearsign(DATA, "s1"),
        "inline": lambda: keys.gpg("--local-user", keys.fingerprint("s1"), "--armor", "--sign", stdin=DATA),
        "cut": lambda: good[: len(good) // 2],
    }[made]()
    if made == "empty":
        signature = b""
    path = upstream(tmp_path / "up", DATA)
    place = workshop(tmp_path)
    beside = tmp_path / "up" / "sig"
    beside.write_bytes(signature)
    verdict = judge_beside(path, [beside], keys.trust("s1"))
    assert (verdict.code, isinstance(verdict, Failed)) == (code, True)
    assert place.quarantine.is_dir()


def test_a_verifier_that_prints_its_error_and_exits_0_makes_it_red(keys: Keys, tmp_path: Path) -> None:
    path = upstream(tmp_path / "up", DATA, keys.sign("s1", DATA))
    gpg = Gpg(fake_gpg(tmp_path / "bin", "echo 'gpg: BAD signature from somebody' >&2; exit 0"))
    verdict = judge_beside(path, [path.with_name("x-1.tar.gz.asc")], keys.trust("s1"), gpg)
    assert isinstance(verdict, Failed)


def test_a_gpg_of_the_callers_path_is_not_used(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = fake_gpg(tmp_path / "bin", "echo '[GNUPG:] GOODSIG'; exit 0")
    path = upstream(tmp_path / "up", DATA, keys.sign("outsider", DATA))
    trust = keys.trust("s1")
    monkeypatch.setenv("PATH", str(Path(fake).parent))
    verdict = judge_beside(path, [path.with_name("x-1.tar.gz.asc")], trust)
    assert verdict.code == "signature-unknown-key"


def test_a_file_swapped_after_it_was_judged_is_not_copied(tmp_path: Path) -> None:
    (source, place), green = judged_pair(tmp_path, "thing")
    (place.quarantine / "x-1.tar.gz").write_bytes(b"evil")
    with pytest.raises(RefusedError) as refused:
        source.stage(place, green, place.quarantine)
    assert refused.value.code == "changed-since-verified"
    assert not (place.quarantine / "files/x-1.tar.gz").exists()


def test_a_file_swapped_for_a_link_is_not_followed(tmp_path: Path) -> None:
    (source, place), green = judged_pair(tmp_path, "thing")
    path = place.quarantine / "x-1.tar.gz"
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    with pytest.raises(Exception, match="can't be copied"):
        source.stage(place, green, place.quarantine)


def test_a_cached_file_is_hashed_again_and_a_spoiled_one_is_fetched(tmp_path: Path) -> None:
    path = upstream(tmp_path / "up")
    source = file_source("thing", str(path), sha256=sha256(DATA))
    judged(source, workshop(tmp_path))
    path.rename(tmp_path / "away")
    second = workshop(tmp_path)
    assert source.fetch(second).evidence["cached"] is True
    (tmp_path / "cache/sha256" / sha256(DATA)).write_bytes(b"spoiled")
    with pytest.raises(FetchError):
        source.fetch(workshop(tmp_path))
    assert not (tmp_path / "cache/sha256" / sha256(DATA)).exists()


def test_a_file_that_failed_is_never_cached(tmp_path: Path) -> None:
    source = file_source("thing", str(upstream(tmp_path / "up", b"evil")), sha256=sha256(DATA))
    judged(source, workshop(tmp_path))
    assert not (tmp_path / "cache").exists()


def test_nothing_without_digest_or_signature_is_a_source() -> None:
    with pytest.raises(ValueError, match="digest or a signature"):
        file_source("thing", "/x")
    with pytest.raises(ValueError, match="persons"):
        file_source("thing", "/x", signature="/x.asc")
    with pytest.raises(ValueError, match="64 hex"):
        file_source("thing", "/x", sha256="abc")


@pytest.mark.parametrize("pinned", [True, False])
def test_a_verdict_tells_the_address_and_whether_the_manifest_pins_the_bytes(
    keys: Keys, tmp_path: Path, pinned: bool
) -> None:
    path = upstream(tmp_path / "up", signature=keys.sign("s1", DATA))
    digest = sha256(DATA) if pinned else None
    source = file_source("thing", str(path), sha256=digest, signature=f"{path}.asc", trust=keys.trust("s1"))
    for verdict in judged(source, workshop(tmp_path)).verdicts.values():
        (fact,) = facts_of("thing", verdict.evidence, verdict.subject_sha256, Origin())
        assert (fact.kind, fact.place, fact.value, fact.pinned) == ("file", str(path), sha256(DATA), pinned)
