"""`check`, `reproduce` and `sign` where several builders must agree: persons are counted over all, by the keys that count."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from join.builders import Builders
from sealwright_console.cli import main
from sealwright_stages.join.join import join
from sealwright_stages.join.write import write
from sealwright_stages.reviewer import Reviewer
from support.small_release import write_signing_policy


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pins and records of the tests lie in the test's own folder."""
    for name in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    monkeypatch.setenv("HOME", str(tmp_path))
    yield


def joined(builders: Builders, *called: str) -> Path:
    """A joined release of these."""
    to = builders.folder / "joined"
    write(join(builders.at(*called)), to, Reviewer())
    return to


def checked(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, object]]:
    product = folder / "products/xen/xen.tar"
    code = main(["check", str(product), "--evidence", str(folder), "--json", *more])
    return code, json.loads(capsys.readouterr().out)


def signed(builders: Builders, called: str, person: str) -> int:
    """That person signs evidence, too."""
    policy = builders.folder / "policy/policy.toml"
    write_signing_policy(policy, "example", "1.0")
    home = ["--home", str(builders.key(person).home), "--record", str(builders.folder / "record")]
    words = ["sign", str(builders.folder / called), *home, "--policy", str(policy), "--batch", "--json"]
    return main(words)


def keys(builders: Builders, *persons: str) -> str:
    return ",".join(builders.key(person).fingerprint for person in persons)


def test_only_fingerprints_that_were_given_count_over_all_builders(
    builders: Builders, capsys: pytest.CaptureFixture[str]
) -> None:
    builders.build("both", 7, "alice")
    assert signed(builders, "both", "bob") == 0
    folder = joined(builders, "alice", "both")
    capsys.readouterr()
    code, found = checked(folder, capsys, "--fingerprint", keys(builders, "alice", "carol"))
    assert code == 1 and "YES" not in str(found), "bob was counted, whose key nobody gave"
    assert checked(folder, capsys, "--fingerprint", keys(builders, "alice", "bob"))[0] == 0


@pytest.mark.slow
def test_a_builder_of_whom_no_fingerprint_was_given_spoils_nothing(
    builders: Builders, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = joined(builders, "alice", "bob", "carol")
    assert checked(folder, capsys, "--fingerprint", keys(builders, "alice", "bob"))[0] == 0
    assert checked(folder, capsys, "--fingerprint", keys(builders, "alice"))[0] == 1


@pytest.mark.slow
def test_the_commands_by_hand_of_a_joined_release_hold_as_printed(
    builders: Builders, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = joined(builders, "alice", "bob", "carol")
    code, found = checked(folder, capsys, "-v", "--fingerprint", keys(builders, "alice", "bob"))
    assert code == 0
    by_hand = found["by_hand"]
    assert isinstance(by_hand, list)
    script = "\n".join(line for part in by_hand for line in part["commands"])
    assert all(builders.key(person).fingerprint in script for person in ("alice", "bob"))
    run = ["bash", "-e", "-o", "pipefail", "-c", script]
    done = subprocess.run(run, cwd=builders.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    signature = folder / "builders/bob/SHA256SUMS.asc"
    signature.write_bytes((folder / "builders/alice/SHA256SUMS.asc").read_bytes())
    assert subprocess.run(run, cwd=builders.folder, capture_output=True, check=False).returncode != 0


@pytest.mark.slow
def test_a_joined_release_is_found_around_its_product(
    builders: Builders, capsys: pytest.CaptureFixture[str]
) -> None:
    product = joined(builders, "alice", "bob") / "products/xen/xen.tar"
    assert main(["check", str(product), "--fingerprint", keys(builders, "alice", "bob")]) == 0
    assert "verdict: YES" in capsys.readouterr().out


@pytest.mark.slow
def test_keys_of_a_joined_release_are_pinned_and_counted_as_pinned(
    builders: Builders, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = joined(builders, "alice", "bob", "carol")
    assert checked(folder, capsys)[0] == 1, "nothing is pinned yet"
    assert checked(folder, capsys, "--pin")[0] == 0 and checked(folder, capsys)[0] == 0
    code, found = checked(builders.folder / "alice", capsys)
    assert code == 1 and "sealwright join" in str(found)


def test_reproduce_names_the_builders_of_a_joined_release(
    builders: Builders, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", str(joined(builders, "alice", "bob"))]) == 2
    assert "is a joined release" in capsys.readouterr().err


def test_another_person_signs_one_builders_evidence_and_it_is_not_final_for_that(
    builders: Builders, capsys: pytest.CaptureFixture[str]
) -> None:
    assert signed(builders, "alice", "bob") == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["final"] is False and json.loads(told.out)["persons"] == ["alice", "bob"]
    assert "2 must agree" in told.err and "the release is final" not in told.err
    assert join(builders.at("alice")).agreed is None, "one log is one builder, whoever signed it"


def test_a_stale_page_does_not_come_into_a_joined_release(builders: Builders) -> None:
    page = builders.folder / "alice/index.html"
    fresh = page.read_bytes()
    start = fresh.index(b'id="signatures">') + len(b'id="signatures">')
    page.write_bytes(fresh[:start] + b"{}" + fresh[fresh.index(b"</script>", start) :])
    assert (joined(builders, "alice", "bob") / "builders/alice/index.html").read_bytes() == fresh
