"""A sandbox that lacks a part of the profile is none, and the part is named with its cure."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sealwright_stages import process
from sealwright_stages.errors import MachineError
from sealwright_stages.sandbox.bwrap import Sandbox, prepared
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.sandbox.profile import LOOK, NAMESPACES, PARTS, missing
from sealwright_stages.sandbox.readiness import require_sandbox
from support.rooms import ROOM
from support.weakened import (
    CAPABLE,
    Without,
    drop,
    drop_filter,
    drop_limit,
    drop_masks,
    drop_sizes,
    share,
    swap,
)


def _more(box: Sandbox) -> Sandbox:
    return replace(box, environment={**box.environment, "STRANGER": "1"})


_FREED = {
    "the system call filter": Without("it", (drop_filter,)),
    "no capabilities": Without("it", (CAPABLE,)),
    "the pid namespace": Without("it", share("pid")),
    "the net namespace": Without("it", share("net")),
    "the ipc namespace": Without("it", share("ipc")),
    "the uts namespace": Without("it", (*share("uts"), drop("--hostname", "sealwright"))),
    "the cgroup namespace": Without("it", share("cgroup-try")),
    "the limit of processes": Without("it", (drop_limit("nproc"),)),
    "the limit of file sizes": Without("it", (drop_limit("fsize"),)),
    "the limit of memory": Without("it", (drop_limit("data"),)),
    "the limit of core dumps": Without("it", (swap(["--core=1"], ["--core=0"]),)),
    "the limit of locked memory": Without("it", (swap(["--memlock=65536"], ["--memlock=65537"]),)),
    "the read-only root": Without("it", (drop("--remount-ro", "/"),)),
    "the masks of /proc": Without("it", (drop_masks,)),
    "the sizes of tmpfs": Without("it", (drop_sizes,)),
    "the cleared environment": Without("it", box=_more),
    "a session without a terminal": Without("it", (drop("--new-session"),)),
}


@pytest.mark.sandbox
@pytest.mark.parametrize("part", _FREED)
def test_a_missing_part_is_named_with_its_cure(part: str, identities: Identities) -> None:
    with pytest.raises(MachineError, match=f"lacks a part: {part}$") as caught:
        require_sandbox(identities, _FREED[part].prepare())
    assert caught.value.next_step.endswith("run again")


@pytest.mark.sandbox
def test_a_descriptor_that_is_handed_on_is_a_missing_part(identities: Identities) -> None:
    secret = os.open("/etc/hostname", os.O_RDONLY)
    try:
        with pytest.raises(MachineError, match="no descriptor handed on"):
            require_sandbox(identities, Without("it", descriptors=(secret,)).prepare())
    finally:
        os.close(secret)


@pytest.mark.sandbox
def test_a_part_without_which_bwrap_makes_nothing_is_missed_too(identities: Identities) -> None:
    uid = identities.builders[0] if identities.builders else None
    box = Sandbox(uid=uid, environment=process.BASE_ENVIRONMENT)
    with prepared(box, LOOK) as start:
        done = process.run(start.argv, timeout=20, cwd=Path("/"), pass_fds=start.descriptors, spawn=start.spawn)
    seen = done.stdout.decode()
    outside = [str(Path("/proc/self/ns", name).readlink()) for name in NAMESPACES]
    assert missing(box, seen, tuple(outside)) is None
    lacks = missing(box, seen.replace("NoNewPrivs:\t1", "NoNewPrivs:\t0"), tuple(outside))
    assert lacks is not None and lacks.name == "no new privileges"
    inside = seen.partition("=== namespaces\n")[2].splitlines()
    for name in ("user", "mnt"):
        at = NAMESPACES.index(name)
        lacks = missing(box, seen, (*outside[:at], inside[at], *outside[at + 1 :]))
        assert lacks is not None and lacks.name == f"the {name} namespace"


def test_each_part_is_tried() -> None:
    by_hand = {"no new privileges", "the user namespace", "the mnt namespace", "no descriptor handed on"}
    assert {part.name for part in PARTS} == set(_FREED) | by_hand


def test_what_can_not_be_read_is_not_there() -> None:
    for output in ("", "=== status\nNoNewPrivs:\t1", "\x00"):
        assert missing(Sandbox(uid=61184), output, ("",) * 7) is not None


def test_a_sandbox_never_runs_as_the_machines_root() -> None:
    box = [Sandbox(uid=0)] + ([Sandbox(uid=None)] if os.geteuid() == 0 else [])
    for each in box:
        with pytest.raises(MachineError, match="machine's root"), prepared(each, ["true"]):
            raise AssertionError("it was made")


_REQUIRE = """
from sealwright_stages.sandbox.readiness import require_sandbox
from sealwright_stages import process
from sealwright_stages.errors import MachineError
try:
    require_sandbox()
except MachineError as error:
    print(int(error.exit_code), error.because, "|", error.next_step)
"""


def _in_place_of(path: str, text: str, folder: Path) -> str:
    """What `require_sandbox` says where `text` stands in the place of the program or library at `path`."""
    other = folder / "other"
    other.write_text(text)
    other.chmod(0o755 if text.startswith("#!") else 0o644)
    for above in (folder, *folder.parents):
        if above.is_relative_to(ROOM) and above != ROOM:
            above.chmod(above.stat().st_mode | 0o055)
    script = 'cp "$2" "$3"; mount --bind "$1" "$2"; shift 3; exec "$@"'
    places = (str(other), path, str(folder / "real"))
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "sh", *places]
    done = subprocess.run(
        [*words, sys.executable, "-c", _REQUIRE], cwd="/", capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


_REFUSING = """#!/bin/sh
for word; do
    case "$word" in {option}) echo "bwrap: Unknown option {option}" >&2; exit 1;; esac
done
exec {real} "$@"
"""


@pytest.mark.sandbox
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can put something in a program's place")
@pytest.mark.parametrize("program", ["bwrap", "setpriv", "prlimit", "unshare"])
def test_a_missing_program_is_named(program: str, identities: Identities, tmp_path: Path) -> None:
    said = _in_place_of(f"/usr/bin/{program}", "no program", tmp_path)
    package = "bubblewrap" if program == "bwrap" else "util-linux"
    assert said.strip() == f"3 {program} is missing | install {package}, run again"


@pytest.mark.sandbox
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can put something in a program's place")
def test_a_bwrap_that_is_too_old_is_named(identities: Identities, tmp_path: Path) -> None:
    text = _REFUSING.format(option="--disable-userns", real=tmp_path / "real")
    said = _in_place_of("/usr/bin/bwrap", text, tmp_path)
    assert said.startswith("3 bwrap: Unknown option --disable-userns | install bubblewrap 0.8"), said


@pytest.mark.sandbox
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can put something in a library's place")
def test_a_missing_libseccomp_is_named(identities: Identities, tmp_path: Path) -> None:
    (library, *_) = Path("/usr/lib").rglob("libseccomp.so.2.*")
    said = _in_place_of(str(library), "no library", tmp_path)
    assert said.startswith("3 "), said
    assert "install libseccomp2" in said
