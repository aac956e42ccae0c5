"""The rules of group_readings, on made-up groups of both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealwright_stages.sandbox.cgroups import Groups
from sealwright_stages.sandbox.group_readings import charged, members, memory, milliseconds

_V1 = {
    "cgroup.procs": "7\n9\n",
    "cpuacct.usage": "2500000000\n",
    "memory.stat": "cache 9\nrss 1\nshmem 1\ntotal_cache 99\ntotal_rss 300\ntotal_shmem 20\n",
    "memory.max_usage_in_bytes": "5000\n",
}
_V2 = {
    "cgroup.procs": "7\n9\n",
    "cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
    "memory.stat": "anon 300\nfile 99\nshmem 20\n",
    "memory.peak": "5000\n",
}


@pytest.mark.parametrize("files", [_V1, _V2], ids=["v1", "v2"])
def test_a_group_of_either_version_tells_its_figures(tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    groups = Groups((tmp_path / "another", tmp_path))
    assert members(groups) == [7, 9]
    assert milliseconds(groups) == 2500
    assert memory(groups) == 320
    assert charged(groups) == 5000


@pytest.mark.parametrize("groups", [Groups(), Groups((Path("/nonexistent"),))])
def test_what_no_group_gives_is_no_guess(groups: Groups) -> None:
    assert [each(groups) for each in (members, milliseconds, memory, charged)] == [None] * 4
