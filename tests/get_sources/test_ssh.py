"""Sources over ssh: by the manifest's host keys alone, with nothing of ours to log in with."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from sealwright_stages.errors import FetchError
from sealwright_stages.get_sources.addresses import address
from sealwright_stages.get_sources.git import Wire, fetch_ref
from sealwright_stages.ports import Workshop
from sealwright_stages.process import Completed
from verify.workbench import DirectSandbox, workshop

GIT = frozenset({"ssh"})
HOSTS = b"example.org ssh-ed25519 AAAA\n"


class Recorder(DirectSandbox):
    """A fetch sandbox in which every fetch fails, and that remembers what it was to run with."""

    def __init__(self) -> None:
        super().__init__()
        self.env: Mapping[str, str] = {}
        self.files: Mapping[str, bytes] = {}

    def run(self, argv: Sequence[str], *, files: Any = None, env: Any = None, **rest: Any) -> Completed:
        self.env, self.files = env or {}, files or {}
        if "init" in argv:
            return super().run(argv, files=files, env=env, **rest)
        return Completed(tuple(argv), 128, b"", b"fatal: no network here", 0.0)


def attempt(place: Workshop, url: str, known_hosts: bytes | None) -> FetchError:
    """How a fetch over ssh ends."""
    with pytest.raises(FetchError) as refused:
        fetch_ref(place, Wire(address(url, GIT), known_hosts), "refs/tags/v1", "refs/tags/v1")
    return refused.value


def recorded(tmp_path: Path) -> Recorder:
    """What a fetch over ssh runs with."""
    direct, recorder = workshop(tmp_path), Recorder()
    place = Workshop(direct.quarantine, direct.cache, direct.cancel, direct.progress, recorder)
    attempt(place, "ssh://git@example.org/x.git", HOSTS)
    return recorder


def test_without_known_hosts_nothing_is_fetched_over_ssh(tmp_path: Path) -> None:
    place = workshop(tmp_path)
    for url in ("ssh://git@example.org/x.git", "git@example.org:x.git"):
        error = attempt(place, url, None)
        assert error.code == "fetch-refused" and "known_hosts" in error.next_step
    assert isinstance(place.sandbox, DirectSandbox) and not place.sandbox.runs


def test_ssh_goes_by_the_given_host_keys_and_by_no_config_agent_or_command(tmp_path: Path) -> None:
    recorder = recorded(tmp_path)
    (path,) = recorder.files
    assert recorder.files[path] == HOSTS
    command = shlex.split(recorder.env["GIT_SSH_COMMAND"])
    assert recorder.env["GIT_SSH_COMMAND"] == " ".join(command), "no word of it needs a quote"
    told = subprocess.run([*command, "-G", "example.org"], capture_output=True, check=True, text=True).stdout
    ours = dict(line.split(" ", 1) for line in told.splitlines() if " " in line)
    wanted = {
        "userknownhostsfile": path,
        "globalknownhostsfile": "/dev/null",
        "stricthostkeychecking": "true",
        "batchmode": "yes",
        "forwardagent": "no",
        "forwardx11": "no",
        "clearallforwardings": "yes",
        "updatehostkeys": "false",
        "permitlocalcommand": "no",
        "verifyhostkeydns": "false",
        "gssapidelegatecredentials": "no",
        "controlmaster": "false",
        "identityagent": "none",
    }
    assert {name: ours.get(name) for name in wanted} == wanted
    assert ours.get("proxycommand", "none") == "none" and ours.get("knownhostscommand", "none") == "none"
    assert not any(name.startswith("SSH_") for name in recorder.env)


@pytest.mark.sandbox
def test_the_host_keys_can_be_read_in_the_sandbox_and_not_changed(tmp_path: Path, place: Workshop) -> None:
    (path,) = recorded(tmp_path).files
    script = f"cat {path} && ! (: > {path}) && ! rm {path} && ! mv {path} {path}.old"
    done = place.sandbox.run(
        ["sh", "-c", script], writable=place.quarantine, files={path: HOSTS}, timeout=30, env={}
    )
    assert (done.returncode, done.stdout) == (0, HOSTS), done.stderr


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Callable[[], tuple[int, bytes]]]:
    """Starts an ssh server on the loopback; gives its port and its public host key."""
    dropbear = shutil.which("dropbear", path=f"{os.environ['PATH']}:/usr/sbin")
    if dropbear is None:
        if os.environ.get("SEALWRIGHT_REQUIRE_SANDBOX") == "1":
            raise AssertionError("dropbear is missing; `make setup` installs it")
        pytest.skip("dropbear is missing")
    with contextlib.ExitStack() as stack:

        def start() -> tuple[int, bytes]:
            key = tmp_path / "host-key"
            made = subprocess.run(
                ["dropbearkey", "-t", "ed25519", "-f", str(key)], capture_output=True, check=True
            ).stdout
            public = next(line for line in made.splitlines() if line.startswith(b"ssh-ed25519 "))
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            words = [dropbear, "-F", "-E", "-w", "-s", "-j", "-k", "-r", str(key), "-P", str(tmp_path / "pid")]
            child = subprocess.Popen([*words, "-p", f"127.0.0.1:{port}"], stderr=subprocess.PIPE)
            stack.callback(child.wait)
            stack.callback(child.kill)
            assert child.stderr is not None
            stack.callback(child.stderr.close)
            while b"Not backgrounding" not in child.stderr.readline():
                assert child.poll() is None
            return port, public

        yield start


@pytest.mark.slow
@pytest.mark.sandbox
def test_a_server_with_another_key_is_not_spoken_to(
    tmp_path: Path, place: Workshop, server: Callable[[], tuple[int, bytes]]
) -> None:
    port, public = server()
    url = f"ssh://git@127.0.0.1:{port}/x.git"
    kind, key, *_ = public.split()
    named = f"[127.0.0.1]:{port} ".encode()
    other = subprocess.run(
        ["dropbearkey", "-t", "ed25519", "-f", str(tmp_path / "other")], capture_output=True, check=True
    ).stdout
    wrong = next(line.split()[1] for line in other.splitlines() if line.startswith(b"ssh-ed25519 "))
    for hosts in (named + kind + b" " + wrong + b"\n", HOSTS, named.replace(b"127", b"128") + public + b"\n"):
        error = attempt(place, url, hosts)
        assert error.code == "host-key-unknown", error.because
        shutil.rmtree(place.quarantine / "repository.git")
    error = attempt(place, url, named + kind + b" " + key + b"\n")
    assert error.code == "fetch-failed" and "Permission denied" in error.because, (
        "its key is right, and we have none"
    )
