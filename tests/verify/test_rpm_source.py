"""RPM packages as sources: judged, unpacked and promoted, or gone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sealwright_stages.memory.facts import Origin, facts_of
from sealwright_stages.verdict import Green, Passed
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.rpm import judge_rpm
from sealwright_stages.verify.rpm_source import RpmSource, rpm_source
from verify.rpms import NAME
from verify.workbench import Keys, workshop


def source(rpm: bytes, keys: Keys, folder: Path, sha256: str | None = None) -> RpmSource:
    (folder / NAME).write_bytes(rpm)
    return rpm_source("c", (folder / NAME).as_uri(), sha256=sha256, trust=keys.trust("s1"))


@pytest.mark.parametrize("pinned", [False, True])
def test_a_package_of_a_local_repository_ends_in_files(
    pinned: bool, signed: bytes, keys: Keys, tmp_path: Path
) -> None:
    digest = hashlib.sha256(signed).hexdigest()
    one, place = source(signed, keys, tmp_path, digest if pinned else None), workshop(tmp_path)
    assert isinstance(one.fetch(place), Passed)
    found = one.verify(place)
    wanted = {f"c/rpm/{NAME}", f"c/file/{NAME}"} if pinned else {f"c/rpm/{NAME}"}
    assert {item: verdict.code for item, verdict in found.verdicts.items()} == dict.fromkeys(wanted, "ok")
    for verdict in found.verdicts.values():
        (fact,) = facts_of("c", verdict.evidence, verdict.subject_sha256, Origin())
        assert (fact.kind, fact.value, fact.pinned) == ("file", digest, pinned)
    green = {item: Green(item, verdict) for item, verdict in found.verdicts.items() if isinstance(verdict, Passed)}
    one.stage(place, green, place.quarantine)
    assert (place.quarantine / "files" / NAME).read_bytes() == signed
    (tmp_path / NAME).unlink()
    if pinned:
        assert "cache" in one.fetch(workshop(tmp_path)).reason


def test_a_red_package_is_deleted(signed: bytes, keys: Keys, tmp_path: Path) -> None:
    one, place = source(signed, keys, tmp_path, "0" * 64), workshop(tmp_path)
    one.fetch(place)
    found = one.verify(place)
    assert {item: verdict.code for item, verdict in found.verdicts.items()} == {
        f"c/rpm/{NAME}": "ok",
        f"c/file/{NAME}": "digest-mismatch",
    }
    assert [gone.name for gone in found.deleted] == [NAME] and list(place.quarantine.iterdir()) == []


def test_a_package_swapped_after_it_was_judged_is_not_copied(signed: bytes, keys: Keys, tmp_path: Path) -> None:
    one, place = source(signed, keys, tmp_path), workshop(tmp_path)
    one.fetch(place)
    found = one.verify(place)
    green = {item: Green(item, verdict) for item, verdict in found.verdicts.items() if isinstance(verdict, Passed)}
    (place.quarantine / NAME).write_bytes(b"evil")
    with pytest.raises(RefusedError) as refused:
        one.stage(place, green, place.quarantine)
    assert refused.value.code == "changed-since-verified"


def test_a_link_in_place_of_the_package_is_red(signed: bytes, keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.rpm").write_bytes(signed)
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere.rpm")
    assert judge_rpm(tmp_path / NAME, keys.trust("s1")).code == "data-unreadable"


# Bytes that nothing vouches for, and why a change of them is harmless. Everything else is refused.
