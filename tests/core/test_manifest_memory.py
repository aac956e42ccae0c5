"""The manifest's memory: which earlier releases it looks back at, and what it accepts of what moved."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.test_manifest import XEN, read, refused
from sealwright_stages.manifest_memory import Accepted
from support.release_folder import HEAD

MEMORY = """
[memory]
evidence = ["../example-0.9.release/evidence", "/srv/releases"]
fresh_days = 180
[[memory.accept]]
component = "xen"
from = "v2"
to = "v1"
reason = "v2 was withdrawn"
"""


def test_memory_is_read_with_the_releases_signers_unless_it_names_others(tmp_path: Path) -> None:
    memory = read(tmp_path, HEAD + MEMORY + XEN.replace("needs = []", "fresh_days = 9")).memory
    assert memory.evidence == (tmp_path / "../example-0.9.release/evidence", Path("/srv/releases"))
    assert (memory.signers, memory.threshold, memory.fresh_days) == (("manager-a",), 1, 180)
    assert memory.accepted == (Accepted("xen", "v2", "v1", "v2 was withdrawn"),)
    others = MEMORY.replace("[memory]", '[memory]\nsigners = ["manager-a", "old"]\nthreshold = 2')
    assert read(tmp_path, HEAD + others + XEN).memory.signers == ("manager-a", "old")
    assert read(tmp_path, HEAD + others + XEN).memory.threshold == 2


def test_without_memory_nothing_is_stale_and_nothing_is_remembered(tmp_path: Path) -> None:
    manifest = read(tmp_path, HEAD + XEN)
    assert (manifest.memory.evidence, manifest.memory.fresh_days, manifest.components[0].fresh_days) == (
        (),
        None,
        None,
    )


MEMORIES = [
    ("fresh_days = 180", "fresh_days = 0", "fresh_days", "fresh_days = 0"),
    ("fresh_days = 180", "fresh_days = 36501", "fresh_days", "fresh_days = 36501"),
    ("fresh_days = 180", 'fresh_days = "9"', "fresh_days", "must be a number"),
    ("fresh_days = 180", "fresh_days = true", "fresh_days", "must be a number"),
    ("fresh_days = 180", "stale = 1", "stale", "unknown key 'stale'"),
    ("fresh_days = 180", "threshold = 2", "threshold", "threshold = 2 of 1 signers"),
    ("fresh_days = 180", 'signers = ["stranger"]', "stranger", "signer 'stranger' is no person"),
    ('"/srv/releases"', "3", "evidence", "must hold texts only"),
    ('component = "xen"', 'component = "xem"', "component =", "'xem' is no component"),
    ('from = "v2"\n', "", "[[memory.accept]]", "no 'from'"),
    ('to = "v1"\n', "", "[[memory.accept]]", "no 'to'"),
    ('reason = "v2 was withdrawn"\n', "", "[[memory.accept]]", "no 'reason'"),
    ('"v2 was withdrawn"', '" "', "reason =", "'reason' is empty"),
    ('to = "v1"', 'to = "v1"\nperson = "me"', "person", "unknown key 'person'"),
]


@pytest.mark.parametrize(("old", "new", "line", "because"), MEMORIES)
def test_a_memory_that_is_not_exact_is_refused(
    tmp_path: Path, old: str, new: str, line: str, because: str
) -> None:
    assert old in MEMORY
    refused(tmp_path, HEAD + MEMORY.replace(old, new) + XEN, line, because)


def test_a_declaration_may_name_a_build_root(tmp_path: Path) -> None:
    text = MEMORY.replace('"xen"', '"environment debian:bookworm"')
    assert read(tmp_path, HEAD + text + XEN).memory.accepted[0].component == "environment debian:bookworm"
