"""The files for systemd, ssh and Qubes: they are what they should be, as their own tools see it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sealwright_appendlog.service import SETUP, setup_file
from transports.ends import INSTALLED, NAME, PROGRAM, End, answers, host_key, host_words, running, wait_for

ANALYZE = shutil.which("systemd-analyze")
MOST_EXPOSURE = 0.5  # of 10, as systemd-analyze counts
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not here")


@pytest.fixture
def units(root: Path) -> Path:
    """Service and socket, with this program's path in them."""
    for name in SETUP[:2]:
        text = subprocess.run([INSTALLED, "setup", name], check=True, capture_output=True, text=True).stdout
        (root / name).write_text(text)
    return root


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    return subprocess.run([ANALYZE, *map(str, words)], capture_output=True, text=True, check=False, timeout=60)


def test_setup_lists_its_files_and_prints_each() -> None:
    listed = subprocess.run([INSTALLED, "setup"], check=True, capture_output=True, text=True).stdout
    assert tuple(listed.split()) == SETUP
    for name in SETUP:
        text = subprocess.run([INSTALLED, "setup", name], check=True, capture_output=True, text=True).stdout
        assert "@PROGRAM@" not in text and (str(INSTALLED) in text) == ("@PROGRAM@" in _raw(name))


def test_a_program_whose_path_would_need_quotes_is_refused(tmp_path: Path) -> None:
    for name in ("a b", "a;b", "a%b", 'a"b', "a$b"):
        (tmp_path / name).symlink_to(INSTALLED)
        said = subprocess.run([tmp_path / name, "setup", SETUP[3]], capture_output=True, check=False)
        assert (said.returncode, said.stdout) == (4, b"") and b"is no plain path" in said.stderr


def _raw(name: str) -> str:
    import sealwright_appendlog.service

    return Path(sealwright_appendlog.service.__file__).with_name(name).read_text()


def test_every_file_of_the_folder_can_be_printed() -> None:
    folder = Path(setup_file.__code__.co_filename).parent
    assert {path.name for path in folder.iterdir()} - {"__init__.py", "__pycache__"} == set(SETUP)


@needs_systemd
def test_systemd_takes_the_units_as_they_are(units: Path) -> None:
    done = analyze("verify", "--recursive-errors=no", *(units / name for name in SETUP[:2]))
    ours = [line for line in done.stderr.splitlines() if "sealwright" in line]
    assert (done.returncode, ours) == (0, [])
    service = units / SETUP[0]
    service.write_text(service.read_text().replace("ProtectSystem=strict", "ProtectSystem=mostly"))
    assert "protect system" in analyze("verify", "--recursive-errors=no", service).stderr


@needs_systemd
def test_the_unit_leaves_little_exposed(units: Path) -> None:
    threshold = str(int(MOST_EXPOSURE * 10))
    done = analyze("security", "--offline=yes", f"--threshold={threshold}", units / SETUP[0])
    assert done.returncode == 0, done.stdout[-600:]
    service = units / SETUP[0]
    service.write_text(
        re.sub(r"(?m)^(SystemCallFilter|PrivateNetwork|CapabilityBoundingSet)=.*\n", "", service.read_text())
    )
    assert analyze("security", "--offline=yes", f"--threshold={threshold}", service).returncode != 0


@needs_systemd
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not here")
@pytest.mark.slow
def test_the_unit_allows_every_system_call_that_a_host_makes(root: Path) -> None:
    """A filter can't be tried without systemd, so what it would see is listed and compared."""
    trace = root / "trace"
    path = root / "s"
    with running(["strace", "-f", "-qq", "-o", str(trace), *host_words(root, "--socket", str(path))]):
        wait_for(lambda: answers(path))
        far = End("socket", root, [*PROGRAM, "connect", "--socket", str(path)], host_key(root))
        session = far.open()
        stream = session.open_stream("build/x")
        stream.write("D", bytes(200_000))
        stream.finish(0)
        session.close()
        session = far.open()
        session.seal()
        session.export(root / "out")
        far.close()
    lines = trace.read_text("ascii", "replace").splitlines()
    made = {found[1] for line in lines if (found := re.match(r"\d+ +(\w+)\(", line))}
    assert {"fdatasync", "recvmsg", "sendmsg", "flock"} <= made
    unit = setup_file(SETUP[0])
    allowed, denied = (_calls(found) for found in re.findall(r"(?m)^SystemCallFilter=(.*)$", unit))
    assert made - allowed == set() and made & denied == set()
    assert not [line for line in lines if "PROT_WRITE|PROT_EXEC" in line], "MemoryDenyWriteExecute would end it"
    families = {found[1] for line in lines if (found := re.search(r"\bsocket(?:pair)?\((AF_\w+)", line))}
    assert families <= {"AF_UNIX"}


def _calls(listing: str) -> set[str]:
    """The system calls of a SystemCallFilter= line, groups within groups resolved."""
    found: set[str] = set()
    left = listing.lstrip("~").split()
    while left:
        each = left.pop()
        if each.startswith("@"):
            lines = analyze("syscall-filter", each).stdout.splitlines()[1:]
            left += [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
        else:
            found.add(each)
    return found


def test_the_unit_does_not_hide_who_connects() -> None:
    unit = setup_file(SETUP[0])
    assert "\nPrivateUsers" not in unit
    assert "SocketMode=0660" in setup_file(SETUP[1])


def test_the_key_of_the_template_is_restricted_to_one_command() -> None:
    line = setup_file("authorized_keys").splitlines()[-1]
    assert re.fullmatch(
        r'restrict,command="\S+ connect --socket \S+ --as ssh:console" ssh-ed25519 AAAA\.\.\. console', line
    )


def test_the_policy_denies_all_but_the_one_call() -> None:
    rules = [line.split() for line in setup_file("30-sealwright.policy").splitlines() if not line.startswith("#")]
    assert rules == [
        ["qubes.AppendLog", "+", "release-vm", "log-vm", "allow"],
        ["qubes.AppendLog", "*", "@anyvm", "@anyvm", "deny"],
    ]


def test_a_host_tells_its_key_before_it_ever_served(root: Path) -> None:
    words = [*PROGRAM, "host-key", "--root", str(root / "new"), "--name", NAME]
    first, second = (subprocess.run(words, check=True, capture_output=True).stdout for _ in range(2))
    assert first == second and first.startswith(f"{NAME}+".encode())
    assert (root / "new" / "key").stat().st_mode & 0o777 == 0o600
