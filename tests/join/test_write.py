"""Writing a joined release: whole or not at all, the same whatever the order, and good for everybody's tools."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from join.builders import OTHER, Builders
from publish.snapshots import snapshot
from sealwright_console.cli import main
from sealwright_keyring.packets import detached_signatures
from sealwright_stages.errors import JoinError, ManifestError
from sealwright_stages.join.join import join
from sealwright_stages.join.joined import audited
from sealwright_stages.join.write import Landed, write
from sealwright_stages.reviewer import Reviewer
from support.small_release import stop_agent

ALL = ("alice", "bob", "carol")


def joined(named: list[Path], to: Path, reviewer: Reviewer | None = None) -> Landed:
    reviewer = reviewer or Reviewer()
    return write(join(named, reviewer), to, reviewer)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def whole(once: Builders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three, joined; nothing may be changed in it."""
    to = tmp_path_factory.mktemp("joined") / "out"
    joined(once.at(*ALL), to)
    return to


def test_each_builders_evidence_is_there_byte_for_byte_and_the_products_once(once: Builders, whole: Path) -> None:
    for place, name in (("builders", "alice"), ("builders", "bob"), ("differing", "carol")):
        made, kept = files(once.folder / name), files(whole / place / name)
        left = {path for path in made if path.startswith("products/") and place == "builders"}
        assert kept == {path: data for path, data in made.items() if path not in left}
    assert (whole / "differing/carol/products/xen/xen.tar").read_bytes() == OTHER
    assert {path.name for path in whole.iterdir()} == {
        "SHA256SUMS", "SHA256SUMS.asc", "JOINED.txt", "join.json", "products", "builders", "differing",
    }  # fmt: skip


@pytest.mark.slow
def test_gpg_sha256sum_and_the_verifier_say_yes_as_the_text_says(whole: Path, tmp_path: Path) -> None:
    home = tmp_path / "h"
    home.mkdir(mode=0o700)
    text = (whole / "JOINED.txt").read_text()
    script = [line.strip() for line in text.splitlines() if line.startswith("     ")]
    lines = "\n".join(line for line in script if not line.startswith("export"))
    env = {"PATH": os.environ["PATH"], "GNUPGHOME": str(home), "LC_ALL": "C"}
    done = subprocess.run(["sh", "-ec", lines], cwd=whole, env=env, capture_output=True, text=True, check=False)
    stop_agent(home)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Good signature") == 4 and done.stdout.count("whole:") == 2
    assert "products/xen/xen.tar: OK" in done.stdout
    assert all(len(line) <= 110 for line in text.splitlines())


def test_the_merged_signatures_are_one_of_each_person_in_one_block(whole: Path) -> None:
    block = (whole / "SHA256SUMS.asc").read_bytes()
    issuers = [each.issuers[0] for each in detached_signatures(block)]
    assert len(issuers) == 2 and issuers == sorted(issuers) and block.count(b"BEGIN PGP") == 1


def test_audit_and_check_say_yes_to_a_joined_release(
    whole: Path, once: Builders, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence, done = audited(whole, Reviewer(once.folder / "keyring", ("alice", "bob")))
    assert (done.passed, done.provided, evidence) == (True, "", whole / "builders/alice")
    words = ["--evidence", str(whole), "--keyring", str(once.folder / "keyring"), "--signers", "alice,bob"]
    assert main(["check", str(whole / "products/xen/xen.tar"), *words]) == 0
    assert "2 of 2 needed: alice, bob" in capsys.readouterr().out
    assert main(["check", str(whole / "differing/carol/products/xen/xen.tar"), *words]) == 1
    assert "verdict: NO, the way breaks at sums" in capsys.readouterr().out


def test_the_commands_of_a_check_repeat_it_over_a_joined_release(
    whole: Path, once: Builders, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each person signed another log: the commands look where that signature lies."""
    words = ["--evidence", str(whole), "--keyring", str(once.folder / "keyring"), "--signers", "alice,bob"]
    assert main(["check", str(whole / "products/xen/xen.tar"), *words, "-v"]) == 0
    script = capsys.readouterr().out.partition("# to repeat it")[2].partition('rm -rf "$T"')[0]
    assert script.count("VALIDSIG") == 4 and "builders/bob" in script
    done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", "#" + script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_order_and_number_of_what_is_named_change_no_byte(once: Builders, whole: Path, tmp_path: Path) -> None:
    expected = files(whole)
    for number, order in enumerate([*itertools.permutations(ALL)][2::3]):
        joined(once.at(*order, order[0]), tmp_path / f"{number}")
        assert files(tmp_path / f"{number}") == expected


def test_who_comes_later_is_joined_with_what_is_joined(once: Builders, whole: Path, tmp_path: Path) -> None:
    early = tmp_path / "early"
    joined(once.at("bob", "alice"), early)
    assert not (early / "differing").exists()
    before = snapshot(early)
    joined([early, *once.at("carol")], tmp_path / "late")
    assert files(tmp_path / "late") == files(whole)
    again = joined([whole, early], whole)
    assert not again.new and snapshot(early) == before


@pytest.mark.slow
def test_copies_of_one_builder_are_put_together_with_all_who_signed(builders: Builders, tmp_path: Path) -> None:
    for name in ("a-bob", "a-carol"):
        copy, key = builders.copied("alice", name), builders.key(name.removeprefix("a-"))
        for path in ("SHA256SUMS", "log/SHA256SUMS"):
            words = [
                "gpg",
                "--homedir",
                key.home,
                "--batch",
                "--armor",
                "--detach-sign",
                "--output",
                "-",
                copy / path,
            ]
            made = subprocess.run([str(word) for word in words], check=True, capture_output=True).stdout
            (copy / f"{path}.asc").write_bytes(made)
    shutil.rmtree(builders.folder / "a-carol/log/tile")  # which of the copies is kept does not hang on the order
    one, two = tmp_path / "one", tmp_path / "two"
    joined(builders.at("alice", "a-bob", "a-carol", "bob"), one)
    joined(builders.at("bob", "a-carol", "a-bob"), tmp_path / "early")
    joined([tmp_path / "early", *builders.at("alice")], two)
    assert files(one) == files(two)
    signed = {path.parent.parent.name: path for path in one.glob("builders/*/log/SHA256SUMS.asc")}
    assert sorted(len(detached_signatures(path.read_bytes())) for path in signed.values()) == [1, 3]
    assert audited(one)[1].passed


def test_what_is_not_final_is_not_written(once: Builders, tmp_path: Path) -> None:
    for named in (("alice",), ("alice", "carol")):
        with pytest.raises(JoinError, match="the release is not final"):
            joined(once.at(*named), tmp_path / "out")
    assert not any(tmp_path.iterdir())


def test_what_stands_there_already_is_never_written_over(once: Builders, tmp_path: Path) -> None:
    to = tmp_path / "out"
    assert joined(once.at("alice", "bob"), to).new
    before = snapshot(to)
    assert not joined(once.at("bob", "alice"), to).new
    with pytest.raises(JoinError, match="holds something else"):
        joined(once.at(*ALL), to)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("mine")
    with pytest.raises(JoinError, match="holds something else"):
        joined(once.at("alice", "bob"), tmp_path / "mine")
    assert snapshot(to) == before and sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out"]


def test_where_they_lie_in_one_another_nothing_is_written(builders: Builders) -> None:
    pair = builders.at("alice", "bob")
    for to in (pair[0] / "out", pair[0] / "log/out", builders.folder):
        with pytest.raises(ManifestError, match="lie in one another"):
            joined(pair, to)


Change = Callable[[Path], object]
MEANWHILE: dict[str, Change] = {
    "other bytes": lambda e: (e / "products/xen/xen.tar").write_bytes(b"bad\n"),
    "a link": lambda e: ((e / "SHA256SUMS.asc").unlink(), (e / "SHA256SUMS.asc").symlink_to("SHA256SUMS")),
    "gone": lambda e: shutil.rmtree(e / "policy"),
    "another's": lambda e: (shutil.rmtree(e), shutil.copytree(e.parent / "carol", e)),
    "a file more": lambda e: (e / "more").write_text("more"),
}


@pytest.mark.parametrize(
    "change",
    ["other bytes", *(pytest.param(each, marks=pytest.mark.slow) for each in MEANWHILE if each != "other bytes")],
)
def test_evidence_that_changes_after_its_audit_is_refused_and_nothing_is_left(
    builders: Builders, tmp_path: Path, change: str
) -> None:
    found = join(builders.at("alice", "bob"))
    MEANWHILE[change](builders.folder / "alice")
    with pytest.raises(Exception, match=r"changed while it was joined|no plain file|can't be"):
        write(found, tmp_path / "new/out", Reviewer())
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.slow
def test_without_products_only_their_hashes_are_compared_and_none_is_copied(
    builders: Builders, tmp_path: Path
) -> None:
    for name in ("alice", "bob"):
        shutil.rmtree(builders.folder / name / "products")
    lean = replace(Reviewer(), without_products=True)
    joined(builders.at("alice", "bob"), tmp_path / "out", lean)
    assert not (tmp_path / "out/products").exists()
    assert audited(tmp_path / "out", lean)[1].passed and not audited(tmp_path / "out")[1].passed


CHANGES: dict[str, Change] = {
    "product": lambda j: (j / "products/xen/xen.tar").write_bytes(OTHER),
    "sums": lambda j: (j / "SHA256SUMS").write_bytes((j / "differing/carol/SHA256SUMS").read_bytes()),
    "signatures": lambda j: (j / "SHA256SUMS.asc").write_bytes((j / "builders/bob/SHA256SUMS.asc").read_bytes()),
    "text": lambda j: (j / "JOINED.txt").write_text("all is well\n"),
    "report": lambda j: (j / "join.json").write_text(
        (j / "join.json").read_text().replace('"differs"', '"agrees"')
    ),
    "log": lambda j: (j / "builders/bob/log/index.jsonl").write_text("{}\n"),
    "more": lambda j: (j / "README").write_text("read me\n"),
    "more products": lambda j: (j / "products/xen/more.tar").write_text("more\n"),
    "moved": lambda j: (j / "differing/carol").rename(j / "builders/carol"),
    "renamed": lambda j: (j / "builders/bob").rename(j / "builders/bobby"),
    "gone": lambda j: shutil.rmtree(j / "builders/bob"),
    "gone too": lambda j: shutil.rmtree(j / "differing"),
    "linked": lambda j: (j / "products/xen/link").symlink_to("xen.tar"),
}


@pytest.mark.parametrize("few", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_every_change_of_a_joined_release_is_found(whole: Path, tmp_path: Path, few: bool) -> None:
    missed = []
    for name, change in list(CHANGES.items())[:: 4 if few else 1]:
        copy = Path(shutil.copytree(whole, tmp_path / name))
        change(copy)
        if audited(copy)[1].passed:
            missed.append(name)
    assert missed == []


@pytest.mark.slow
def test_what_another_version_wrote_of_it_is_told_and_not_compared(whole: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(whole, tmp_path / "out"))
    report = copy / "join.json"
    report.write_text(report.read_text().replace('"tool": "', '"tool": "0.0.'))
    done = audited(copy)[1]
    assert done.passed and [each.what for each in done.findings if "another version" in each.detail] == [
        "join.json"
    ]


@pytest.mark.slow
def test_every_byte_that_is_turned_in_a_joined_release_is_found(whole: Path, tmp_path: Path) -> None:
    missed = []
    for path in sorted(files(whole)):
        copy = Path(shutil.copytree(whole, tmp_path / "copy"))
        data = bytearray((copy / path).read_bytes())
        data[len(data) // 2] ^= 1
        (copy / path).write_bytes(data)
        if audited(copy)[1].passed:
            missed.append(path)
        shutil.rmtree(copy)
    assert missed == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 3, 9, -1])
def test_a_join_that_is_killed_leaves_nothing_under_the_name_and_the_next_writes_it(
    once: Builders, whole: Path, tmp_path: Path, number: int
) -> None:
    to = tmp_path / "new" / "out"
    to.parent.mkdir()
    found = join(once.at("alice", "bob", "carol"))
    if not (child := os.fork()):
        left, rename = [number], Path.rename

        def renamed(path: Path, target: Path) -> Path:
            if left[0] == 0 or Path(target) == to:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return rename(path, target)

        Path.rename = renamed  # type: ignore[method-assign, assignment]
        with contextlib.suppress(BaseException):
            write(found, to, Reviewer())
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert not to.exists()
    assert write(found, to, Reviewer()).new
    assert [path.name for path in to.parent.iterdir()] == ["out"]
    again = write(found, to, Reviewer())
    assert not again.new and again.sha256 == write(found, whole, Reviewer()).sha256


def test_a_folder_without_a_name_of_its_own_is_no_place_for_a_joined_release(once: Builders) -> None:
    found = join(once.at("alice", "bob"))
    for to in (Path(), Path("..")):
        with pytest.raises(ManifestError, match="no name of its own"):
            write(found, to, Reviewer())
