"""Remembers that nothing got out on this machine, so that not every run has to try it all.

- A run begins only on a machine where every attempt was held since it was started, by the very programs and code that
  the run's own sandboxes are made with. Anything else in that list being new, all is tried again, once.
- Nothing is remembered of a machine where something got out or could not be tried: each run tries again, and refuses.
- What is remembered is the name of an empty file of our own: it says held, for these inputs, or it is not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sealwright_stages import process
from sealwright_stages.errors import MachineError
from sealwright_stages.files import write_whole
from sealwright_stages.sandbox.cgroups import own_places
from sealwright_stages.sandbox.readiness import PROGRAMS, found
from sealwright_stages.sandbox.seccomp import program
from sealwright_stages.selftest.attempts import Result, Tried
from sealwright_stages.selftest.trial import selftest

_CODE = ("sandbox", "build", "selftest")
_SETTINGS = (
    *(
        "user/max_user_namespaces",
        "kernel/unprivileged_userns_clone",
        "kernel/apparmor_restrict_unprivileged_userns",
    ),
    *("kernel/io_uring_disabled", "vm/unprivileged_userfaultfd", "kernel/unprivileged_bpf_disabled"),
    *("kernel/perf_event_paranoid", "kernel/yama/ptrace_scope", "kernel/dmesg_restrict", "kernel/core_pattern"),
    *("dev/tty/legacy_tiocsti", "net/ipv4/ping_group_range"),
)
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def require_held(cache: Path, trial: Callable[[], Sequence[Tried]] = selftest) -> None:
    """Return if all attempts are known to be held here, or are now; `cache` is the user's cache folder.

    Raises:
        MachineError: something got out or could not be tried, or the sandbox can't be made.
    """
    mark = cache / "selftest" / _inputs()
    if _vouched(mark):
        return
    tried = trial()
    if (refused := refusal(tried)) is not None:
        raise refused
    remember(cache, tried)


def remember(cache: Path, tried: Sequence[Tried]) -> None:
    """Keep that all was held here, or forget it.

    Raises:
        MachineError: the cache can't be written.
    """
    mark = cache / "selftest" / _inputs()
    mark.parent.mkdir(parents=True, exist_ok=True)
    for old in mark.parent.iterdir():
        with contextlib.suppress(OSError):
            old.unlink()
    if refusal(tried) is None:
        write_whole(mark, b"", 0o600)


def refusal(tried: Sequence[Tried]) -> MachineError | None:
    """Why this machine must not build, or None."""
    got = [each for each in tried if each.result is Result.GOT_OUT]
    broken = [each for each in tried if each.result is Result.BROKEN]
    if tried and not got and not broken:
        return None
    counts = [f"{len(got)} got out"] if got else []
    counts += [f"{len(broken)} could not be tried"] if broken else []
    worst = f", such as: {(got or broken)[0].attempt.tries}" if tried else ""
    return MachineError(
        "the sandbox does not hold on this machine",
        f"of {len(tried)} ways out, {' and '.join(counts) or 'none was tried'}{worst}",
        "run `sealwright doctor --selftest`, and build elsewhere until all are held",
    )


def _vouched(mark: Path) -> bool:
    try:
        held = mark.lstat()
    except OSError:
        return False
    return stat.S_ISREG(held.st_mode) and held.st_uid == os.geteuid()


def _inputs() -> str:
    """SHA-256 over all that decides whether the sandbox holds, as far as it can be named."""
    whole = hashlib.sha256()
    for part in _parts():
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()


def _parts() -> Iterator[bytes]:
    yield _BOOT.read_bytes()
    yield os.uname().release.encode() + os.uname().version.encode()
    yield str(os.geteuid()).encode() + Path("/proc/self/uid_map").read_bytes()
    yield repr(own_places()).encode()
    for name in _SETTINGS:
        path = Path("/proc/sys", name)
        yield path.read_bytes() if path.exists() else b"none"
    yield program(local_sockets=True)
    for name in PROGRAMS:
        yield found(name).read_bytes()
    package = Path(__file__).parent.parent
    for folder in _CODE:
        for path in sorted((package / folder).rglob("*")):
            if path.suffix in (".py", ".sh"):
                yield str(path.relative_to(package)).encode()
                yield path.read_bytes()
    yield process.BASE_ENVIRONMENT["PATH"].encode()
