"""A file and its inside as a source: what is signed, what is unpacked, and what of it leaves the quarantine."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealwright_stages.errors import FetchError
from sealwright_stages.ports import Outcome, Trust, Workshop
from sealwright_stages.unpack import decompress, limits
from sealwright_stages.verdict import Failed, Green, Passed, Verdict, Waiver, Warned
from sealwright_stages.verify import file_source as module
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.file import judge_digest
from sealwright_stages.verify.file_source import Inside, ThirdPartyFile, file_source
from sealwright_stages.verify.promote import promote
from unpack.crafting import HONEST, honest_tar, member, tar, zipped
from unpack.test_decompress import packed
from verify.workbench import Keys, sha256, workshop

TAR = honest_tar()
SIGNED, DIGEST, UNPACK = (f"thing/{part}/x-1.tar.xz" for part in ("file-signature", "file", "unpack"))


class Upstream:
    """A kernel.org of our own: a compressed tar, and a signature over what is in it."""

    def __init__(self, folder: Path, keys: Keys, data: bytes = TAR, signed: bytes | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "x-1.tar.xz"
        self.path.write_bytes(packed("xz", data))
        self.signature = folder / "x-1.tar.sign"
        self.signature.write_bytes(keys.sign("s1", data if signed is None else signed))
        self.trust = keys.trust("s1")

    def source(self, inside: Inside, sha256: str | None = None, trust: Trust | None = None) -> ThirdPartyFile:
        """It as a source."""
        signature = str(self.signature)
        return file_source(
            "thing", str(self.path), sha256=sha256, signature=signature, trust=trust or self.trust, inside=inside
        )


def judged(source: ThirdPartyFile, place: Workshop) -> Outcome:
    assert isinstance(source.fetch(place), Passed)
    return source.verify(place)


def green(outcome: Outcome) -> dict[str, Green]:
    return {
        item: Green(item, verdict) for item, verdict in outcome.verdicts.items() if isinstance(verdict, Passed)
    }


def left(place: Workshop) -> list[str]:
    return sorted(path.name for path in place.quarantine.iterdir())


def staged(source: ThirdPartyFile, place: Workshop, outcome: Outcome, folder: Path) -> list[str]:
    folder.mkdir()
    source.stage(place, green(outcome), folder)
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.sandbox
def test_a_signature_over_the_uncompressed_bytes_is_green_and_names_both_digests(
    keys: Keys, tmp_path: Path, boxed: Workshop
) -> None:
    upstream = Upstream(tmp_path / "up", keys)
    outcome = judged(upstream.source(Inside(signed=True)), boxed)
    verdict = outcome.verdicts[SIGNED]
    assert isinstance(verdict, Passed), verdict
    compressed = sha256(upstream.path.read_bytes())
    assert verdict.subject_sha256 == compressed
    told = verdict.evidence["uncompressed"]
    assert isinstance(told, dict)
    assert (told["compressed_sha256"], told["uncompressed_sha256"]) == (compressed, sha256(TAR))
    assert "signatures" in str(verdict.evidence["signature"])


def test_what_was_signed_is_what_is_promoted_and_not_its_container(keys: Keys, tmp_path: Path) -> None:
    source, place = Upstream(tmp_path / "up", keys).source(Inside(signed=True)), workshop(tmp_path)
    outcome = judged(source, place)
    assert staged(source, place, outcome, tmp_path / "out") == ["files/x-1.tar"]
    assert (tmp_path / "out/files/x-1.tar").read_bytes() == TAR


def test_the_same_signature_is_red_where_the_file_itself_must_be_signed(keys: Keys, tmp_path: Path) -> None:
    place = workshop(tmp_path)
    outcome = judged(Upstream(tmp_path / "up", keys).source(Inside()), place)
    assert outcome.verdicts[SIGNED].code == "signature-bad"
    assert left(place) == []


def test_other_uncompressed_bytes_are_red_and_everything_of_them_is_gone(keys: Keys, tmp_path: Path) -> None:
    upstream = Upstream(tmp_path / "up", keys, TAR[:-1] + b"\1", signed=TAR)
    place = workshop(tmp_path)
    outcome = judged(upstream.source(Inside(signed=True)), place)
    verdict = outcome.verdicts[SIGNED]
    assert (verdict.code, verdict.subject_sha256) == ("signature-bad", sha256(upstream.path.read_bytes()))
    assert left(place) == []
    assert {gone.name for gone in outcome.deleted} == {
        "x-1.tar.xz",
        "x-1.tar.xz.detached-signature",
        "uncompressed",
    }


def test_a_second_member_is_part_of_what_must_be_signed(keys: Keys, tmp_path: Path) -> None:
    upstream = Upstream(tmp_path / "up", keys)
    upstream.path.write_bytes(upstream.path.read_bytes() + packed("xz", b"evil"))
    outcome = judged(upstream.source(Inside(signed=True)), workshop(tmp_path))
    assert outcome.verdicts[SIGNED].code == "signature-bad"


def test_a_bomb_is_red_before_any_signature_is_looked_at(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FLOOR", 1000)
    monkeypatch.setattr(limits, "RATIO", 2)
    place = workshop(tmp_path)
    outcome = judged(Upstream(tmp_path / "up", keys, bytes(1 << 20)).source(Inside(signed=True)), place)
    assert outcome.verdicts[SIGNED].code == "archive-bomb"
    assert left(place) == []


def test_a_pinned_digest_beside_it_is_that_of_the_file_as_it_came(keys: Keys, tmp_path: Path) -> None:
    upstream = Upstream(tmp_path / "up", keys)
    pinned = sha256(upstream.path.read_bytes())
    outcome = judged(upstream.source(Inside(signed=True), sha256=pinned), workshop(tmp_path))
    assert {verdict.subject_sha256 for verdict in outcome.verdicts.values()} == {pinned}
    wrong = judged(upstream.source(Inside(signed=True), sha256=sha256(TAR)), workshop(tmp_path))
    assert wrong.verdicts[DIGEST].code == "digest-mismatch"


def test_an_archive_is_unpacked_once_it_is_green_and_moves_on_as_it_was_judged(keys: Keys, tmp_path: Path) -> None:
    source, place = Upstream(tmp_path / "up", keys).source(Inside(signed=True, unpack=True)), workshop(tmp_path)
    outcome = judged(source, place)
    verdict = outcome.verdicts[UNPACK]
    assert isinstance(verdict, Passed), verdict
    assert (verdict.evidence["files"], verdict.evidence["members"]) == (2, 2)
    found = staged(source, place, outcome, tmp_path / "out")
    assert found == sorted(["files/x-1.tar", *(f"unpacked/x-1/{name}" for name in HONEST)])


def test_a_red_file_is_not_unpacked(keys: Keys, tmp_path: Path) -> None:
    source = Upstream(tmp_path / "up", keys, signed=b"other").source(Inside(signed=True, unpack=True))
    place = workshop(tmp_path)
    outcome = judged(source, place)
    assert {item: verdict.code for item, verdict in outcome.verdicts.items()} == {
        SIGNED: "signature-bad",
        UNPACK: "check-missing",
    }
    assert left(place) == []


def test_a_hostile_archive_turns_a_well_signed_file_red(keys: Keys, tmp_path: Path) -> None:
    upstream = Upstream(tmp_path / "up", keys, tar([member("a/../../x", b"x")]))
    place = workshop(tmp_path)
    outcome = judged(upstream.source(Inside(signed=True, unpack=True)), place)
    assert isinstance(outcome.verdicts[SIGNED], Passed)
    verdict = outcome.verdicts[UNPACK]
    assert isinstance(verdict, Failed) and verdict.code == "archive-refused"
    assert "a/.." in verdict.reason
    assert left(place) == []


def test_a_warned_file_is_unpacked_but_stays_until_its_warning_is_waived(keys: Keys, tmp_path: Path) -> None:
    upstream = Upstream(tmp_path / "up", keys)
    past = ["--faked-system-time", "20200101T000000!"]
    keys.fingerprint("expired", "1y", past)
    upstream.signature.write_bytes(keys.sign("expired", TAR, *past))
    source = upstream.source(Inside(signed=True, unpack=True), trust=keys.trust("expired"))
    place = workshop(tmp_path)
    outcome = judged(source, place)
    warned = outcome.verdicts[SIGNED]
    assert isinstance(warned, Warned) and isinstance(outcome.verdicts[UNPACK], Passed)
    sources = tmp_path / "sources"
    sources.mkdir()
    staging = place.quarantine.parent / "promoted"
    with pytest.raises(FetchError):
        promote("thing", [(source, place)], green(outcome), staging, sources)
    assert list(sources.iterdir()) == []
    waiver = Waiver(SIGNED, warned.code, "a person", "a reason", warned.subject_sha256, "")
    waived = {**green(outcome), SIGNED: Green(SIGNED, warned, waiver)}
    promote("thing", [(source, place)], waived, staging, sources)
    assert (sources / "thing/unpacked/x-1/thing-1.0/README").read_bytes() == HONEST["thing-1.0/README"]


@pytest.mark.parametrize("where", ["uncompressed/x-1.tar", "unpacked/x-1/thing-1.0/README"])
def test_what_was_swapped_after_it_was_judged_does_not_move_on(keys: Keys, tmp_path: Path, where: str) -> None:
    source, place = Upstream(tmp_path / "up", keys).source(Inside(signed=True, unpack=True)), workshop(tmp_path)
    outcome = judged(source, place)
    (place.quarantine / where).write_bytes(b"evil")
    with pytest.raises(RefusedError) as refused:
        staged(source, place, outcome, tmp_path / "out")
    assert refused.value.code == "changed-since-verified"


def test_a_zip_with_a_digest_is_kept_and_unpacked(tmp_path: Path) -> None:
    data = zipped([("a", b"a", 0o100644)])
    path = tmp_path / "up.zip"
    path.write_bytes(data)
    source, place = (
        file_source("thing", str(path), sha256=sha256(data), inside=Inside(unpack=True)),
        workshop(tmp_path),
    )
    outcome = judged(source, place)
    assert staged(source, place, outcome, tmp_path / "out") == ["files/up.zip", "unpacked/up/a"]


@pytest.mark.parametrize("inside", [Inside(signed=True), Inside(unpack=True)])
def test_an_inside_that_the_name_does_not_have_is_no_source(inside: Inside) -> None:
    with pytest.raises(ValueError, match="no such inside"):
        file_source("thing", "/x.pdf", sha256="0" * 64, signature="/x.sig", trust=Trust((), ()), inside=inside)


def test_a_file_that_changed_after_it_was_judged_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x-1.tar"
    path.write_bytes(TAR)
    source, place = (
        file_source("thing", str(path), sha256=sha256(TAR), inside=Inside(unpack=True)),
        workshop(tmp_path),
    )

    def judged_and_swapped(file: Path, wanted: str) -> Verdict:
        verdict = judge_digest(file, wanted)
        file.write_bytes(honest_tar({"evil": b"evil"}))
        return verdict

    monkeypatch.setattr(module, "judge_digest", judged_and_swapped)
    outcome = judged(source, place)
    assert {verdict.code for verdict in outcome.verdicts.values()} == {"ok", "check-missing"}


def swapped(monkeypatch: pytest.MonkeyPatch, name: str, data: bytes, *, before: bool) -> None:
    """Somebody writes in the quarantine, just before or after a file is decompressed."""
    genuine = decompress.decompress

    def meanwhile(place: Workshop, path: Path) -> decompress.Uncompressed:
        if before:
            (place.quarantine / name).write_bytes(data)
        found = genuine(place, path)
        if not before:
            (place.quarantine / name).write_bytes(data)
        return found

    monkeypatch.setattr(decompress, "decompress", meanwhile)


def test_a_signature_must_be_over_the_very_bytes_that_came_out(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream, place = Upstream(tmp_path / "up", keys, data=b"evil", signed=TAR), workshop(tmp_path)
    swapped(monkeypatch, "uncompressed/x-1.tar", TAR, before=False)
    verdict = judged(upstream.source(Inside(signed=True)), place).verdicts[SIGNED]
    assert isinstance(verdict, Failed) and verdict.code == "changed-since-verified", verdict


def test_what_is_unpacked_came_out_of_the_very_file_that_was_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, place = tmp_path / "x-1.tar.xz", workshop(tmp_path)
    path.write_bytes(packed("xz", TAR))
    source = file_source("thing", str(path), sha256=sha256(path.read_bytes()), inside=Inside(unpack=True))
    swapped(monkeypatch, "x-1.tar.xz", packed("xz", honest_tar({"other": b"other"})), before=True)
    verdict = judged(source, place).verdicts[UNPACK]
    assert isinstance(verdict, Failed) and verdict.code == "changed-since-verified", verdict
