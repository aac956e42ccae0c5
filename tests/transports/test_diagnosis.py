"""What is said when a log elsewhere can't be reached: each way it fails, with a cure."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from sealwright_stages.errors import LogError
from sealwright_stages.log import LogLost, diagnosis
from sealwright_stages.log.transport import probe
from transports.ends import QREXEC, End, end, qrexec


def told(far: End) -> LogError:
    """How a session and a probe fail alike."""
    assert far.key is not None
    with pytest.raises(LogError) as asked:
        probe(far.argv, far.key)
    with pytest.raises(LogError) as opened:
        far.open()
    assert opened.value.next_step == asked.value.next_step
    return opened.value


def test_a_far_end_that_is_there_answers_a_probe(remote: End) -> None:
    assert remote.key is not None
    assert 0 < probe(remote.argv, remote.key) < 5
    assert list((remote.root / "host").glob("logs/*")) == []


def test_another_key_than_the_manifests_is_told(near: End) -> None:
    assert near.key is not None
    with pytest.raises(LogError, match="another key") as caught:
        probe(near.argv, type(near.key)(near.key.name, bytes(32)))
    assert str(near.key) in caught.value.because


def test_what_the_far_shell_says_before_the_protocol_is_named(root: Path) -> None:
    with end("ssh", root) as far:
        keys = root / "ssh" / "authorized_keys"
        keys.write_text(keys.read_text().replace('command="', "command=\"echo 'Last login: \x1b[2Jtoday'; exec "))
        error = told(far)
    assert "before the log's protocol began: 'Last login: \\x1b[2Jtoday" in error.because
    assert "shell and profile" in error.next_step


def test_a_short_word_before_the_protocol_is_named_too(near: End) -> None:
    near.argv = ["/bin/sh", "-c", 'echo hi; exec "$@"', "sh", *near.argv]
    assert "'hi\\n" in told(near).because


def test_ssh_with_a_key_that_nobody_knows_asks_for_no_password(root: Path) -> None:
    with end("ssh", root) as far:
        (root / "ssh" / "authorized_keys").write_text("")
        error = told(far)
    assert "can ask for no password" in error.because and "authorized_keys" in error.next_step


def test_ssh_with_an_unknown_host_key_goes_no_further(root: Path) -> None:
    with end("ssh", root) as far:
        known = root / "ssh" / "known_hosts"
        line = known.read_text()
        known.write_text("")
        error = told(far)
        assert "host key is unknown" in error.because and "known_hosts" in error.next_step
        known.write_text(re.sub(r" AAAA\S+", f" {(root / 'ssh' / 'user.pub').read_text().split()[1]}", line))
        far.close()
        assert "another host key than before" in told(far).because


def test_ssh_that_finds_nobody_says_so(near: End) -> None:
    near.argv = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-p", "9", "127.0.0.1"]
    assert "can't be reached" in told(near).because


def test_a_command_that_is_missing_at_the_far_end_is_named(root: Path) -> None:
    with end("ssh", root) as far:
        keys = root / "ssh" / "authorized_keys"
        keys.write_text(re.sub('command="[^"]*"', 'command="no-such-program connect"', keys.read_text()))
        error = told(far)
    assert "does not have the command" in error.because and "no-such-program" in error.because
    assert "install Sealwright there" in error.next_step


def test_a_program_that_is_missing_here_is_named(near: End) -> None:
    near.argv = ["/nonexistent/transport"]
    with pytest.raises(LogError, match="/nonexistent/transport"):
        near.open()


def test_an_authority_that_does_not_run_is_named_with_the_cure(remote: End) -> None:
    (remote.root / "s").unlink()
    error = told(remote)
    assert f"nobody serves {remote.root / 's'}" in error.because and "systemctl start" in error.next_step


def test_a_policy_that_denies_is_named(root: Path) -> None:
    with end("qrexec", root) as far:
        far.argv[2] = "other-vm"
        error = told(far)
    assert "policy denies" in error.because and "30-sealwright.policy" in error.next_step


def test_a_service_that_the_far_qube_lacks_is_named(root: Path) -> None:
    with end("qrexec", root) as far:
        service = root / "qubes" / "rpc" / "qubes.AppendLog"
        service.chmod(0o644)
        assert "can't run the service" in told(far).because
        service.unlink()
        assert "no such service" in told(far).because


def test_another_version_is_named(near: End) -> None:
    speak = "import sys; w = b'this authority speaks format 2, the hello format 1'; sys.stdout.buffer.write(b'R' + len(w).to_bytes(4) + w); sys.stdout.flush(); sys.stdin.read()"
    near.argv = ["/usr/bin/python3", "-c", speak]
    error = told(near)
    assert "speaks format 2" in error.because and "same version" in error.next_step


def test_what_is_not_known_is_told_as_it_is(near: End) -> None:
    near.argv = ["/bin/sh", "-c", "echo one >&2; echo 'because: \x1b[31mit rains' >&2; exit 42"]
    error = told(near)
    assert "exit code 42; \x1b[31mit rains" in error.because
    assert "\x1b[31mit rains" in (near.root / "work" / "private" / "transport.stderr").read_text()


def test_what_a_transport_says_is_kept_up_to_a_limit_and_never_waited_for(near: End) -> None:
    loud = 'yes "a lot to say" | head -c 3000000 >&2; exec "$@"'
    near.argv = ["/bin/sh", "-c", loud, "sh", *near.argv]
    near.open().append({"e": "all the same"})
    near.close()
    assert (near.root / "work" / "private" / "transport.stderr").stat().st_size == 64 << 10


def test_every_refusal_that_has_a_cure_is_one_that_the_host_says() -> None:
    import sealwright_appendlog

    folder = Path(sealwright_appendlog.__file__).parent
    said = "".join(
        (folder / name).read_text()
        for name in ("host.py", "origins.py", "requests.py", "authority.py", "admission.py")
    )
    for words, _ in diagnosis._REFUSALS:
        assert words in said, words


# -- what the far end's administrator fixes, and the client can't change ---------------------------------


def test_an_ssh_client_can_say_neither_another_command_nor_another_name(root: Path) -> None:
    with end("ssh", root) as far:
        far.argv += ["sealwright-appendlog", "connect", "--as", "ssh:root", "--socket", "/elsewhere"]
        far.argv[1:1] = ["-o", "SetEnv=QREXEC_REMOTE_DOMAIN=dom0"]
        assert far.open().append({"e": "x"}).src == far.identity
        plain = [*far.argv[:-6], "id"]
        done = subprocess.run(plain, input=b"", capture_output=True, check=False, timeout=20)
        assert b"uid=" not in done.stdout


def test_a_qrexec_argument_means_nothing_and_is_denied(root: Path) -> None:
    with end("qrexec", root) as far:
        far.argv[-1] = "qubes.AppendLog+--as"
        assert "policy denies" in told(far).because
        qrexec(root, policy="qubes.AppendLog * release-vm log-vm allow\n")
        assert far.open().append({"e": "x"}).src == far.identity


def test_a_service_that_no_qube_called_carries_nobody(root: Path) -> None:
    with end("socket", root) as far:
        far.argv.append("--qrexec")
        with pytest.raises((LogError, LogLost), match="QREXEC_REMOTE_DOMAIN names none"):
            far.open()


def test_the_stand_in_has_qrexecs_contract(root: Path) -> None:
    show = '#!/bin/sh\nenv | grep QREXEC | sort\necho "$#:$1"\necho aside >&2\nexit 7\n'
    qrexec(root, policy="qubes.AppendLog * release-vm log-vm allow\n", service=show)
    words = [str(QREXEC), str(root / "qubes"), "release-vm", "log-vm"]
    env = {"PATH": "/usr/bin:/bin", "QREXEC_REMOTE_DOMAIN": "dom0", "QREXEC_AGENT_PID": "1"}
    for call, count, argument in (("qubes.AppendLog", 0, ""), ("qubes.AppendLog+a b/c", 1, "a_b_c")):
        done = subprocess.run([*words, call], env=env, capture_output=True, text=True, check=False, timeout=20)
        assert sorted(done.stdout.splitlines()) == sorted(
            [
                "QREXEC_REMOTE_DOMAIN=release-vm",
                "QREXEC_REQUESTED_TARGET_TYPE=",
                f"QREXEC_SERVICE_ARGUMENT={argument}",
                f"QREXEC_SERVICE_FULL_NAME=qubes.AppendLog+{argument}",
                f"{count}:{argument}",
            ]
        )
        assert (done.returncode, "aside" in done.stderr) == (7, True)
