"""Remembers that nothing got out on this machine, so that not every run has to try it all.

- A run begins only on a machine where every attempt was held since it was started, by the very programs and code that
  the run's own sandboxes are made with. Anything else in that list being new, all is tried again, once.
- Nothing is remembered of a machine where something got out or could not be tried: each run tries again, and refuses.
- What is remembered is a file of our own in a folder of our own, which says itself what it was for: it can't be renamed
  into another answer. In a folder that somebody else can write, nothing is remembered, believed or removed.
- How many ways were tried, when, and the hash over what that depended on are for the log.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sealwright_stages import process
from sealwright_stages.errors import MachineError
from sealwright_stages.events import SandboxHeld
from sealwright_stages.sandbox.cgroups import own_places
from sealwright_stages.sandbox.readiness import PROGRAMS, found
from sealwright_stages.sandbox.seccomp import program
from sealwright_stages.selftest.attempts import ATTEMPTS, Result, Tried

_CODE = ("sandbox", "build", "selftest")
_MODULES = ("process.py", "tree_walk.py", "files.py")
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
_NAME = re.compile(r"[0-9a-f]{64}")
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"  # as records of the log have it
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_MOST = 4096  # bytes of a mark
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def require_held(
    cache: Path,
    trial: Callable[[], Sequence[Tried]] | None = None,
    waiting: Callable[[str], None] = lambda what: None,
) -> SandboxHeld:
    """Return if all attempts are known to be held here, or are now; `cache` is the user's cache folder.

    `waiting` is told what is done, if it takes seconds.

    Raises:
        MachineError: something got out or could not be tried, or the sandbox can't be made.
    """
    inputs = _inputs()
    with _folder(cache) as folder:
        known = _vouched(folder, inputs)
    if known is not None:
        return known
    waiting(f"trying {len(ATTEMPTS)} ways out of the sandbox, once for each start of this machine: some seconds")
    tried = (trial or _trial())()
    if (refused := refusal(tried)) is not None:
        raise refused
    return remember(cache, tried)


def _trial() -> Callable[[], Sequence[Tried]]:
    from sealwright_stages.selftest.trial import selftest  # noqa: PLC0415 - once for each start of the machine

    return selftest


def remember(cache: Path, tried: Sequence[Tried]) -> SandboxHeld:
    """Keep that all was held here, or forget it.

    Raises:
        MachineError: the cache can't be written.
    """
    held = SandboxHeld(len(tried), datetime.now(UTC).strftime(_TIME), _inputs())
    with _folder(cache) as folder:
        if folder is None:
            return held
        for old in os.listdir(folder):  # noqa: PTH208 - of a descriptor
            if _NAME.fullmatch(old):
                with contextlib.suppress(OSError):
                    os.unlink(old, dir_fd=folder)
        if refusal(tried) is None:
            _write(folder, held)
    return held


@contextlib.contextmanager
def _folder(cache: Path) -> Iterator[int | None]:
    """A descriptor of the folder of marks; None where it is not ours alone, or can't be had."""
    try:
        (cache / "selftest").mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(cache / "selftest", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        itself = os.fstat(folder)
        ours = itself.st_uid == os.geteuid() and not itself.st_mode & 0o022
        yield folder if ours else None
    finally:
        os.close(folder)


def _write(folder: int, held: SandboxHeld) -> None:
    data = json.dumps(dataclasses.asdict(held)).encode()
    new = f".{os.getpid()}-{secrets.token_hex(4)}"
    try:
        created = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
        with os.fdopen(created, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(created)
        os.rename(new, held.inputs, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as error:
        raise MachineError(
            "that the sandbox holds can't be kept",
            error.strerror or str(error),
            "make room in the cache folder, then run again",
        ) from error


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


def _vouched(folder: int | None, inputs: str) -> SandboxHeld | None:
    """What a mark of ours says of these inputs, if there is one and it is whole."""
    if folder is None:
        return None
    try:
        mark = os.open(inputs, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        with os.fdopen(mark, "rb") as stream:
            itself = os.fstat(mark)
            if not stat.S_ISREG(itself.st_mode) or itself.st_uid != os.geteuid():
                return None
            said = SandboxHeld(**json.loads(stream.read(_MOST)))
    except (OSError, ValueError, TypeError):
        return None
    whole = (said.inputs, repr(said.tried)) == (inputs, str(len(ATTEMPTS)))
    return said if whole and _AT.fullmatch(str(said.at)) else None


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
    yield repr(sorted(os.getgroups())).encode() + _confined()
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
    for name in _MODULES:
        yield (package / name).read_bytes()
    yield process.BASE_ENVIRONMENT["PATH"].encode()


def _confined() -> bytes:
    """What a security module of the kernel says that we are, if there is one."""
    try:
        return Path("/proc/self/attr/current").read_bytes()
    except OSError:
        return b"nothing"
