"""Is this machine fit for an official build: each part looked at, with what to do about it.

- A part is good only if it was seen to work; the sandbox is made, not guessed at.
- Advice never stops a run; bad parts do.
- Every finding that is not good says what to do next.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sealwright_stages import process
from sealwright_stages.attestation import taking
from sealwright_stages.attestation.words import EMULATED
from sealwright_stages.build import diffoscope
from sealwright_stages.doctor_session import ends_at_logout, in_step
from sealwright_stages.errors import SealwrightError
from sealwright_stages.log.transport import probe
from sealwright_stages.manifest import Manifest
from sealwright_stages.manifest_attestation import AttestationSpec
from sealwright_stages.sandbox.cgroups import WATCHED, grouped
from sealwright_stages.sandbox.readiness import require_sandbox
from sealwright_stages.sandbox.seccomp import DENIED, program
from sealwright_stages.verify.trusted_gpg import fixes

__all__ = ["Finding", "examine", "fit", "require_sandbox"]

_SECONDS = 20.0
_ROOM = 5 << 30
_EARLIEST = 1_750_000_000  # June 2025: a clock before this project began is wrong
_TOOLS = (
    ("gpg", "--version", "gnupg", (2, 2), "bad"),
    ("git", "--version", "git", (2, 30), "bad"),
    ("curl", "--version", "curl", (7, 74), "bad"),
    ("ssh", "-V", "openssh-client", (8, 2), "advice"),  # stands for ssh-keygen, which tells no version
    ("minisign", "-v", "minisign", (0, 8), "advice"),
    ("rpmkeys", "--version", "rpm", (4, 17), "advice"),
    ("mmdebstrap", "--version", "mmdebstrap", (1, 0), "advice"),
    ("dpkg-source", "--version", "dpkg-dev", (1, 20), "advice"),
    ("xz", "--version", "xz-utils", (5, 2), "advice"),
    ("zstd", "--version", "zstd", (1, 4), "advice"),
)
_HELPERS = (("readelf", "binutils"), ("xz", "xz-utils"), ("zstd", "zstd"))
"""What diffoscope asks to look into programs and packages; without them it compares bytes."""
_VERSION = re.compile(rb"(\d+)\.(\d+)")

Grade = Literal["good", "bad", "advice"]


@dataclass(frozen=True)
class Finding:
    """One part of the machine: how it is, what was found, and what to do next (empty when good)."""

    name: str
    ok: Grade
    found: str
    next: str = ""


def examine(
    folder: Path | None = None, manifest: Manifest | None = None, *, root: bool | None = None
) -> list[Finding]:
    """Look at every part; `folder` is where the release will be worked on (the current one if None).

    With a manifest that names a log authority elsewhere, that is asked whether it is there; so is the TPM of one that asks
    for an attestation; and nothing else.
    """
    found = list(_findings(folder or Path.cwd(), os.geteuid() == 0 if root is None else root))
    if manifest is not None and manifest.log_key is not None:
        found += [_attempt("log authority", lambda: _log_authority(manifest)), *_asks(manifest.log_transport)]
    if manifest is not None and manifest.attestation is not None:
        found.append(_tpm(manifest.attestation))
    return found


def _log_authority(manifest: Manifest) -> str:
    assert manifest.log_key is not None  # noqa: S101 - the caller looked
    seconds = probe(manifest.log_transport, manifest.log_key)
    return f"{manifest.log_key.name} answers in {seconds * 1000:.0f} ms and names its key"


def _tpm(spec: AttestationSpec) -> Finding:
    found = _attempt("TPM", lambda: taking.probe(spec, seconds=_SECONDS))
    if found.ok != "good" or not spec.emulated:
        return found
    return Finding("TPM", "advice", f"{found.found}; {EMULATED}", "name the machine's own for what is to count")


def _asks(transport: Sequence[str]) -> list[Finding]:
    """Whether ssh would stop to ask somebody who isn't there."""
    if Path(transport[0]).name != "ssh" or any("batchmode=yes" in word.lower() for word in transport):
        return []
    advice = 'add "-o", "BatchMode=yes" to [log] transport, so that it fails and says why'
    return [Finding("ssh", "advice", "it may wait for an answer that nobody gives", advice)]


def fit(findings: list[Finding]) -> bool:
    """Whether nothing is bad."""
    return all(finding.ok != "bad" for finding in findings)


def _findings(folder: Path, root: bool) -> Iterator[Finding]:
    yield _python()
    for tool, ask, package, least, grade in _TOOLS:
        yield _tool([tool, ask], package, least, "bad" if grade == "bad" else "advice")
    yield _differences()
    yield _gpg_fixes()
    yield _attempt("sandbox", _sandbox)
    yield _attempt("seccomp", _seccomp)
    yield _limits()
    yield _tmpfs()
    yield _room(folder)
    yield _clock(time.time())
    yield _in_step(in_step())
    yield _logout(ends_at_logout(_user()))
    yield _terminal()
    yield _separation(root)
    if not root:
        yield _subordinate()


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding("python", "good", version)  # an older one could not have loaded this module


def _tool(ask: list[str], package: str, least: tuple[int, int], missing: Grade) -> Finding:
    tool = ask[0]
    if shutil.which(tool, path=process.BASE_ENVIRONMENT["PATH"]) is None:
        return Finding(tool, missing, "missing", f"install {package}")
    try:
        done = process.run(ask, timeout=_SECONDS)
    except SealwrightError as error:
        return Finding(tool, missing, error.because, f"install {package} again")
    version = _VERSION.search(done.stdout or done.stderr)
    if done.returncode != 0 or version is None:
        return Finding(tool, missing, done.complaint(), f"install {package} again")
    found = (int(version[1]), int(version[2]))
    shown = f"{found[0]}.{found[1]}"
    if found < least:
        return Finding(tool, missing, shown, f"install {package} {least[0]}.{least[1]} or newer")
    return Finding(tool, "good", shown)


def _differences() -> Finding:
    """What tells how a product differs; without it an item says only that it does."""
    try:
        version = diffoscope.installed()
    except SealwrightError as error:
        why = "it tells how products differ, where a build is set beside another; without it they only do"
        return Finding("diffoscope", "advice", error.because, f"{error.next_step}: {why}")
    path = process.BASE_ENVIRONMENT["PATH"]
    missing = [package for tool, package in _HELPERS if shutil.which(tool, path=path) is None]
    if missing:
        cure = f"for reports that look into programs and archives: apt install {' '.join(missing)}"
        return Finding("diffoscope", "advice", f"{version}, without {', '.join(missing)}", cure)
    return Finding("diffoscope", "good", version)


def _gpg_fixes() -> Finding:
    """Whether gpg's word can be taken, and what it could be brought to stumble over."""
    try:
        version, missing = fixes()
    except SealwrightError as error:
        return Finding("gpg's fixes", "bad", error.because, error.next_step)
    if not missing:
        return Finding("gpg's fixes", "good", f"{version} has every known one")
    lacks = "; ".join(f"{fix.name}, {fix.hole}" for fix in missing)
    grade: Grade = "bad" if any(fix.needed for fix in missing) else "advice"
    cure = "upgrade gnupg as soon as your distribution has it; until then time and memory limits hold it"
    return Finding("gpg's fixes", grade, f"{version} lacks {lacks}", "upgrade gnupg" if grade == "bad" else cure)


def _attempt(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, "good", look())
    except SealwrightError as error:
        return Finding(name, "bad", error.because, error.next_step)


def _sandbox() -> str:
    begun = time.monotonic()
    require_sandbox()
    who = "a uid that nobody owns" if os.geteuid() == 0 else "your own uid"
    return f"made and left in {(time.monotonic() - begun) * 1000:.0f} ms, as {who}"


def _seccomp() -> str:
    return f"{len(DENIED)} system calls refused by a filter of {len(program(local_sockets=True))} bytes"


def _limits() -> Finding:
    """By what a build's processes and memory would be limited: groups are made, not guessed at."""
    with grouped(64, 64 << 20) as groups:
        held = groups.limited_by
    shown = "; ".join(f"{what} by {how}" for what, how in held.items())
    if not set(held.items()) & set(WATCHED.items()):
        return Finding("limits", "good", shown)
    cure = "for exact limits start where control groups with pids and memory may be made: as root, or delegated to you"
    return Finding("limits", "advice", shown, cure)


def _tmpfs() -> Finding:
    kinds = Path("/proc/filesystems").read_text(encoding="ascii")
    if "tmpfs" in kinds.split():
        return Finding("tmpfs", "good", "known to the kernel")
    return Finding("tmpfs", "bad", "unknown to the kernel", "use a kernel with tmpfs")


def _room(folder: Path) -> Finding:
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    shown = f"{free / (1 << 30):.1f} GiB free"
    if free >= _ROOM:
        return Finding("disk", "good", shown)
    return Finding("disk", "advice", shown, f"make room: a build root and its build want {_ROOM >> 30} GiB")


def _clock(now: float) -> Finding:
    shown = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    newest = max((path.stat().st_mtime for path in (Path("/etc/passwd"), Path(__file__))), default=0.0)
    if now < max(_EARLIEST, newest - 86400):
        return Finding("clock", "bad", f"{shown}, which is in the past", "set the clock")
    return Finding("clock", "good", shown)


def _in_step(kept: bool | None) -> Finding:
    """Times in the log are this clock's; a signature that seems to come from the future is not taken."""
    if kept is not False:
        return Finding("time service", "good", "the clock is kept in step" if kept else "the kernel does not say")
    cure = "run a time service (systemd-timesyncd, chrony), or see that whatever sets this clock does"
    return Finding("time service", "advice", "the kernel's clock is kept in step with no other", cure)


def _logout(ends: bool) -> Finding:
    """Whether a run that was left running outlives its user's last session."""
    if not ends:
        return Finding("log-out", "good", "it ends no run")
    cure = "`loginctl enable-linger`, then start runs by `systemd-run --user --scope sealwright run RELEASE.toml`"
    return Finding(
        "log-out", "advice", "logind ends what you started then, runs too (KillUserProcesses=yes)", cure
    )


def _user() -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(os.geteuid()).pw_name
    return str(os.geteuid())


def _terminal() -> Finding:
    if sys.stdin.isatty() and sys.stdout.isatty():
        return Finding("terminal", "good", os.environ.get("TERM", "unknown"))
    return Finding("terminal", "advice", "none here", "for the console start from a terminal, else use --batch")


def _separation(root: bool) -> Finding:
    if root:
        return Finding("separation", "good", "root: every part gets a uid of its own")
    advice = "start as root for a uid of its own for each part, or run the parts on several machines"
    return Finding("separation", "advice", "an ordinary user: all parts share your uid", advice)


def _subordinate() -> Finding:
    """mmdebstrap makes roots for ordinary users only with newuidmap and a range of subordinate uids."""
    if shutil.which("newuidmap", path=process.BASE_ENVIRONMENT["PATH"]) is None:
        return Finding("subuid", "advice", "newuidmap is missing", "for Debian roots: install uidmap")
    try:
        held = Path("/etc/subuid").read_text(encoding="utf-8").splitlines()
    except OSError:
        held = []
    me = {str(os.geteuid()), _user()}
    if any(line.split(":")[0] in me for line in held):
        return Finding("subuid", "good", "a range of subordinate uids")
    return Finding("subuid", "advice", "no range of subordinate uids", "for Debian roots: usermod --add-subuids")
