from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealwright_stages import process
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.sandbox.reach import reach, staged


def test_no_binds_leave_the_argument_list_alone() -> None:
    assert reach({}, ["gpg", "--version"]) == ("gpg", "--version")


@given(st.text(max_size=12).filter(lambda name: not name.isascii() or not name.isalnum()))
def test_a_name_is_a_plain_word(name: str) -> None:
    if name and name.isascii() and name[0].isalnum() and name.replace("-", "a").isalnum() and name.islower():
        return
    with pytest.raises(ValueError, match="no name"):
        reach({name: Path("/usr")}, ["true"])


def test_a_relative_path_is_refused() -> None:
    with pytest.raises(ValueError, match="not absolute"):
        reach({"a": Path("usr")}, ["true"])


def test_a_path_is_one_field_of_the_table_and_the_table_one_parameter() -> None:
    argv = reach({"a": Path("/x; touch /y\n\\ #$(reboot)")}, ["true", "$(reboot)"])
    assert argv[-2:] == ("true", "$(reboot)")
    assert argv[4] == "sh"
    assert Path(argv[5]).is_file()
    (line,) = argv[6].splitlines()
    assert len(line.split()) == 6
    assert line.startswith("/x;\\040touch\\040/y\\012\\134\\040\\043$(reboot) /mnt/a none bind 0 0")


@pytest.mark.sandbox
@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
@pytest.mark.parametrize(
    "name", ["plain", "a b", "a\nb", "tab\there", "back\\slash", "#x", "ä", "\udcff", "a\\040b"]
)
def test_folders_and_files_of_any_name_are_staged(tmp_path: Path, identities: Identities, name: str) -> None:
    folder, file = tmp_path / name, tmp_path / f"{name}.file"
    folder.mkdir()
    (folder / "within").write_text("folder")
    file.write_text("file")
    look = ["cat", str(staged("one") / "within"), str(staged("two"))]
    done = process.run(reach({"one": folder, "two": file}, look), timeout=10)
    assert done.stdout == b"folderfile", done.stderr


@pytest.mark.sandbox
@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_what_can_not_be_staged_ends_it(tmp_path: Path, identities: Identities) -> None:
    done = process.run(reach({"it": tmp_path / "gone", "usr": Path("/usr")}, ["echo", "on"]), timeout=10)
    assert done.returncode != 0
    assert done.stdout == b""


@pytest.mark.sandbox
@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another uid")
def test_a_dropped_uid_reaches_a_folder_below_a_closed_one(tmp_path: Path, identities: Identities) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    folder = closed / "with space"
    folder.mkdir(mode=0o755)
    (folder / "file").write_text("reached")
    drop = ["setpriv", "--reuid=65532", "--regid=65532", "--clear-groups"]
    straight = process.run([*drop, "cat", str(folder / "file")], timeout=10)
    through = process.run(reach({"it": folder}, [*drop, "cat", str(staged("it") / "file")]), timeout=10)
    assert straight.returncode != 0
    assert through.stdout == b"reached"
    assert not staged("it").exists(), "nobody else sees these mounts"
