from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sealwright_stages.sandbox.escapes import ATTEMPTS, Attempt, Canary, Result, result
from sealwright_stages.sandbox.identity import Identities
from support.ordinary import as_ordinary_user

pytestmark = pytest.mark.sandbox

# What a plain process may do, so that the sandbox is seen to be what holds it. The others change the machine,
# or are refused to any ordinary user.
_PLAINLY_ALLOWED = (
    *("network", "host_file", "inherited_descriptor", "environment", "kernel_keys", "virtual_machine"),
    *("capabilities", "processes", "memory", "hidden_memory", "large_file", "fill_scratch"),
)


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    with Canary() as bait:
        yield bait


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_the_sandbox_holds(attempt: Attempt, canary: Canary, identities: Identities) -> None:
    uid = identities.builders[0] if identities.builders else None
    assert canary.try_out(attempt, uid) is Result.HELD


@pytest.mark.parametrize("name", _PLAINLY_ALLOWED)
def test_the_bait_is_real_without_the_sandbox(name: str, canary: Canary, tmp_path: Path) -> None:
    if name == "virtual_machine":
        try:
            socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()
        except OSError:
            pytest.skip("the kernel has no vsock")
    words = canary.words(next(attempt for attempt in ATTEMPTS if attempt.name == name))
    drop = ("setpriv", "--reuid=65533", "--regid=65533", "--clear-groups") if os.geteuid() == 0 else ()
    here = tmp_path / "scratch"
    probe = words[2].replace('Path("/tmp")', f"Path({str(here)!r})")
    here.mkdir()
    here.chmod(0o777)
    for folder in here.parents:  # the stranger must be able to walk there, wherever pytest keeps its folders
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o055)
    done = subprocess.run(
        [*drop, *words[:2], probe, *words[3:]],
        cwd="/",
        env={"PATH": "/usr/bin", "SEALWRIGHT_CANARY": "sings"},
        pass_fds=[canary.descriptor],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert result(done.returncode) is Result.GOT_OUT, (done.stdout, done.stderr)


def test_an_attempt_that_could_not_be_made_is_never_held(canary: Canary, identities: Identities) -> None:
    uid = identities.builders[0] if identities.builders else None
    assert canary.try_out(Attempt("no_such_function", "nothing"), uid) is Result.BROKEN
    assert canary.run(canary.box(uid), ["/no/such/program"]) is Result.BROKEN


def test_a_weaker_profile_is_found_out(canary: Canary, identities: Identities) -> None:
    uid = identities.builders[0] if identities.builders else None
    network = next(attempt for attempt in ATTEMPTS if attempt.name == "network")
    weak = replace(canary.box(uid), network=True)
    assert canary.run(weak, canary.words(network)) is Result.GOT_OUT
    memory = next(attempt for attempt in ATTEMPTS if attempt.name == "memory")
    wide = replace(canary.box(uid), memory=4 << 30)
    assert canary.run(wide, canary.words(memory)) is Result.GOT_OUT


_AS_ORDINARY_USER = """
from sealwright_stages.sandbox.escapes import ATTEMPTS, Canary
from sealwright_stages.sandbox.identity import Identities
assert Identities.choose().builders == ()
with Canary() as canary:
    print({a.name: str(canary.try_out(a, None)) for a in ATTEMPTS})
"""


def test_an_ordinary_user_is_held_too(identities: Identities) -> None:
    if not identities.builders:
        pytest.skip("we are an ordinary user: the tests above have shown it")
    done = subprocess.run(
        [*as_ordinary_user(), sys.executable, "-c", _AS_ORDINARY_USER],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "TMPDIR": "/tmp"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert set(eval(done.stdout).values()) == {"held"}, done.stdout  # noqa: S307 - our own output
