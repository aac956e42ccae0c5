from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sealwright_stages.doctor import _clock, _in_step, _logout, examine, fit
from sealwright_stages.doctor_session import ends_at_logout, in_step
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.sandbox.readiness import require_sandbox
from support.ordinary import as_ordinary_user


def test_every_finding_that_is_not_good_says_what_to_do_next() -> None:
    for findings in (examine(), examine(root=False), examine(Path("/nonexistent/deep/down"))):
        assert {finding.ok for finding in findings} <= {"good", "bad", "advice"}
        for finding in findings:
            assert (finding.ok == "good") == (finding.next == ""), finding
            assert finding.found


def test_advice_never_stops_a_run_and_bad_parts_do() -> None:
    past = _clock(1_000_000_000.0)
    assert past.ok == "bad"
    assert not fit([past])
    assert fit([finding for finding in examine() if finding.ok != "bad"])


def test_an_ordinary_user_is_told_what_is_lost() -> None:
    found = {finding.name: finding for finding in examine(root=False)}
    assert found["separation"].ok == "advice"
    assert "subuid" in found


KILLS = "[Login]\nKillUserProcesses=yes\n"


@pytest.mark.parametrize(
    ("files", "ends"),
    [
        ({}, False),
        ({"etc/systemd/logind.conf": "[Login]\n#KillUserProcesses=yes\n"}, False),
        ({"etc/systemd/logind.conf": KILLS}, True),
        ({"usr/lib/systemd/logind.conf": "KillUserProcesses = true\n"}, True),
        ({"usr/lib/systemd/logind.conf": KILLS, "etc/systemd/logind.conf": "[Login]\n"}, False),
        ({"usr/lib/systemd/logind.conf.d/50-x.conf": KILLS}, True),
        ({"usr/lib/systemd/logind.conf.d/50-x.conf": KILLS, "etc/systemd/logind.conf.d/50-x.conf": ""}, False),
        (
            {
                "run/systemd/logind.conf.d/a.conf": KILLS,
                "etc/systemd/logind.conf.d/b.conf": "KillUserProcesses=no",
            },
            False,
        ),
        ({"etc/systemd/logind.conf": KILLS + "KillExcludeUsers=root manager\n"}, False),
        ({"etc/systemd/logind.conf": KILLS + "KillOnlyUsers=guest\n"}, False),
        ({"etc/systemd/logind.conf": KILLS, "var/lib/systemd/linger/manager": ""}, False),
        (
            {
                "etc/systemd/logind.conf": KILLS,
                "var/lib/systemd/linger/manager": "",
                "proc/self/cgroup": "0::/user.slice/user-1000.slice/session-3.scope\n",
            },
            True,
        ),
        ({"etc/systemd/logind.conf": "\x00\xff=\n" + KILLS}, True),
    ],
)
def test_a_log_out_that_would_end_a_run_is_told(tmp_path: Path, files: dict[str, str], ends: bool) -> None:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="latin-1")
    assert ends_at_logout("manager", tmp_path) is ends
    found = _logout(ends)
    assert (found.ok == "advice") is ends and ("enable-linger" in found.next) is ends
    (tmp_path / "run/systemd/system").rmdir()
    assert ends_at_logout("manager", tmp_path) is False, "no systemd, no logind"


def test_a_clock_that_nobody_keeps_in_step_is_told() -> None:
    assert in_step() in (True, False, None)
    assert [_in_step(kept).ok for kept in (True, False, None)] == ["good", "advice", "good"]


@pytest.mark.sandbox
def test_a_part_is_good_only_if_it_was_seen_to_work(identities: Identities) -> None:
    require_sandbox(identities)
    found = {finding.name: finding for finding in examine()}
    assert found["sandbox"].ok == "good"
    assert " ms" in found["sandbox"].found


_REQUIRE = """
from sealwright_stages.sandbox.readiness import require_sandbox
from sealwright_stages.errors import MachineError
try:
    require_sandbox()
except MachineError as error:
    print(int(error.exit_code), error.what, "|", error.because, "|", error.next_step)
"""


def _require(*argv: str, before: str = "") -> str:
    done = subprocess.run(
        [*argv, sys.executable, "-c", before + _REQUIRE], cwd="/", capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.sandbox
def test_a_machine_without_user_namespaces_is_refused_with_its_cure(identities: Identities) -> None:
    """In a user namespace of its own, whose limit of further ones is nought."""
    drop = as_ordinary_user() if os.geteuid() == 0 else ()
    limit = "import pathlib; pathlib.Path('/proc/sys/user/max_user_namespaces').write_text('0')"
    said = _require(*drop, "unshare", "--user", "--map-root-user", before=limit)
    assert said.startswith("3 there is no sandbox on this machine")
    assert "allow user namespaces" in said


@pytest.mark.sandbox
@pytest.mark.skipif(os.geteuid() != 0, reason="asks for the machine's root")
def test_the_machines_root_never_passes_for_an_ordinary_user(identities: Identities) -> None:
    said = _require("unshare", "--user", "--map-root-user")
    assert said.startswith("3 no uids for the sandboxes")


@pytest.mark.sandbox
def test_a_limit_that_can_not_be_set_is_named_with_its_cure(identities: Identities) -> None:
    drop = as_ordinary_user() if os.geteuid() == 0 else ()
    said = _require(*drop, "prlimit", "--core=0")
    assert said.startswith("3 there is no sandbox on this machine")
    assert "raise the hard limit CORE" in said
    assert "must be 1 or more" in said


def test_what_tells_differences_is_advised_with_what_it_is_for() -> None:
    (found,) = (finding for finding in examine() if finding.name == "diffoscope")
    assert found.ok in ("good", "advice")
    assert found.ok == "good" or "differ" in found.next or "reports" in found.next
