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


def test_names_and_paths_are_positional_parameters() -> None:
    argv = reach({"a": Path("/x; touch /y")}, ["true", "$(reboot)"])
    assert argv[-3:] == ("--", "true", "$(reboot)")
    assert "/x; touch /y" in argv
    assert argv[4] == "sh"
    assert Path(argv[5]).is_file()


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
