"""Makes a Debian build root as a tar file with mmdebstrap, from one signed suite and nothing else.

- apt goes by our settings, not the machine's: signatures and Valid-Until are demanded, nothing is recommended.
- Only the chosen archive keys count, and the very bytes of the key file that we verified the index with.
- The index that apt went by must be the one that we verified.
- Build dependencies arrive in a file that a shipped hook reads; no text from outside becomes a command.
- An ordinary user whose machine has no newuidmap is told so, before apt is asked anything.
- Every file's time is at most that of the index, so one index gives one tar.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from sealwright_stages import process
from sealwright_stages.errors import BuildError, MachineError
from sealwright_stages.ports import Archive, Workshop
from sealwright_stages.sandbox.reach import reach, staged
from sealwright_stages.verify.archive import Release

BASE_PACKAGES = ("build-essential", "fakeroot")
_HOOK = Path(__file__).with_name("bootstrap-hook.sh")
_SECONDS = 3600.0
_MEMORY = 6 << 30  # bytes that must be free
_WORK = "work"
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{1,99}")
_RELATIONS = re.compile(r"[A-Za-z0-9 ,|()<>=!:.+~\[\]_-]+")
_SUITE = re.compile(r"[a-z][a-z0-9-]{1,40}")
_APT = (
    'Acquire::Check-Valid-Until "true"',
    'Acquire::AllowInsecureRepositories "false"',
    'Acquire::AllowDowngradeToInsecureRepositories "false"',
    'Acquire::Languages "none"',
    'Acquire::Retries "2"',
    'APT::Get::AllowUnauthenticated "false"',
    'APT::Install-Recommends "false"',
)
_NEVER = (  # capabilities that unpacking a root never wants
    *("sys_module", "sys_rawio", "sys_boot", "sys_time", "sys_ptrace", "syslog", "net_admin", "net_raw"),
    *("mac_admin", "mac_override", "bpf", "perfmon", "audit_control", "wake_alarm", "block_suspend"),
)


@dataclass(frozen=True)
class Wish:
    """What a root is to hold: suite, architecture, package names and relation fields, both sorted."""

    suite: str
    architecture: str
    packages: tuple[str, ...]
    depends: tuple[str, ...]

    @classmethod
    def of(cls, suite: str, architecture: str, packages: Sequence[str], depends: Sequence[str]) -> Wish:
        """A checked wish.

        Raises:
            BuildError: a name or a relation field holds what has no place in one.
        """
        fields = tuple(sorted({" ".join(field.split()).strip(" ,") for field in depends} - {""}))
        names = tuple(sorted({*BASE_PACKAGES, *packages}))
        checks = [(suite, _SUITE), *((n, _PACKAGE) for n in names), *((f, _RELATIONS) for f in fields)]
        for text, form in checks:
            if not form.fullmatch(text) or text.startswith("-"):
                raise BuildError(
                    "the build root is refused",
                    f"{text[:120]!r} names no package, suite or relation",
                    "mend the manifest or the source's Build-Depends",
                    "environment-refused",
                )
        return cls(suite, architecture, names, fields)


def bootstrap(wish: Wish, archive: Archive, release: Release, folder: Path, workshop: Workshop) -> Path:
    """Make the root in `folder` (empty, ours) from the index `release`; returns the tar file.

    Raises:
        BuildError: apt refuses, or went by another index.
        MachineError: mmdebstrap or newuidmap is missing, or mmdebstrap hangs.
    """
    root = os.geteuid() == 0
    if not root:
        require_newuidmap()
    key_file = folder / f"archive{archive.keyring.suffix or '.gpg'}"
    shutil.copyfile(archive.keyring, key_file)
    key_file.chmod(0o644)
    (folder / "depends").write_text("".join(f"{field}\n" for field in wish.depends))
    work = folder / _WORK
    work.mkdir()
    for place in (folder, work):
        place.chmod(0o755 if root else 0o1777)
    seen = staged("bootstrap") if root else folder
    argv = _mmdebstrap(wish, archive, seen, key_file.name, "root" if root else "unshare")
    done = process.run(
        _confined(folder, argv) if root else argv,
        timeout=_SECONDS,
        cwd=Path("/"),
        cancel=workshop.cancel,
        on_stderr=_notes(workshop),
        env={
            **_proxies(),
            "SEALWRIGHT_BOOTSTRAP": str(seen),
            "SOURCE_DATE_EPOCH": str(release.date),
            "TMPDIR": str(seen / _WORK),
        },
    )
    if done.returncode != 0:
        raise BuildError(
            f"the build root of {wish.suite} can't be made",
            done.complaint(),
            "mend the packages it names, or look at the mirror",
            "environment-failed",
        )
    if hashlib.sha256(_read(folder / "InRelease.apt")).hexdigest() != release.sha256:
        raise BuildError(
            f"the build root of {wish.suite} is refused",
            "apt went by another index than the verified one",
            "try again: the archive may just be changing",
            "index-changed",
        )
    return folder / "root.tar"


def require_newuidmap(path: str = process.BASE_ENVIRONMENT["PATH"]) -> None:
    """Return if `path` has newuidmap, with which mmdebstrap makes roots for ordinary users.

    Raises:
        MachineError: it is missing.
    """
    if shutil.which("newuidmap", path=path) is None:
        raise MachineError(
            "an ordinary user's build root can't be made", "newuidmap is missing", "install uidmap, run again"
        )


def _mmdebstrap(wish: Wish, archive: Archive, seen: Path, keys: str, mode: str) -> list[str]:
    return [
        *("mmdebstrap", f"--mode={mode}", "--variant=minbase", "--format=tar"),
        f"--architectures={wish.architecture}",
        *("--components=main", f"--keyring={seen / keys}", f"--include={','.join(wish.packages)}"),
        *(f"--aptopt={option}" for option in _APT),
        f"--customize-hook={_HOOK}",
        *(wish.suite, str(seen / "root.tar"), archive.mirror),
    ]


def _confined(folder: Path, argv: Sequence[str]) -> tuple[str, ...]:
    """As root: private mounts, processes, host name; no capability that could touch the kernel or the network.

    With memory to spare the root grows in memory, which spares the disk thousands of small syncs.
    """
    bounding = ",".join(f"-{name}" for name in _NEVER)
    confined = (
        *("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--ipc", "--uts"),
        *("setpriv", f"--bounding-set={bounding}", f"--inh-caps={bounding}", "--clear-groups", *argv),
    )
    if psutil.virtual_memory().available > _MEMORY:
        scratch = 'mkdir -p "$1"; mount -t tmpfs -o size=4g,mode=0755 scratch "$1"; shift; exec "$@"'
        confined = ("sh", "-c", scratch, "scratch", str(staged("bootstrap") / _WORK), *confined)
    return reach({"bootstrap": folder}, confined)


def _proxies() -> dict[str, str]:
    names = ("http_proxy", "https_proxy", "no_proxy")
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def _notes(workshop: Workshop) -> Callable[[bytes], None]:
    def told(data: bytes) -> None:
        lines = [line for line in data.decode("utf-8", "replace").splitlines() if line.startswith("I: ")]
        if lines:
            workshop.progress(0, 0, lines[-1][3:])

    return told


def _read(path: Path) -> bytes:
    try:
        return b"" if path.is_symlink() else path.read_bytes()
    except OSError as error:
        raise MachineError(f"{path} can't be read", error.strerror or str(error), "run again") from error
