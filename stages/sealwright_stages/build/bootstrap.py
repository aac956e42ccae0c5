"""Makes a Debian build root as a tar file with mmdebstrap, from verified bytes and nothing else.

- A suite's base root is made whole; a component's root is the base's tar, with what that component needs installed.
- There is no network: index and packages lie in a folder, each of them verified before apt sees it.
- apt goes by our settings and judges the index again by the chosen archive keys, and the very bytes of the key file
  that we verified it with. The index that apt went by must be the one that we verified.
- Build dependencies arrive in a file that a shipped hook reads; no text from outside becomes a command.
- An ordinary user whose machine has no newuidmap is told so, before anything is asked.
- Every file's time is at most that of the index, and nothing of the machine, the mirror or the moment stays in a root:
  one index and one wish give one tar.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from sealwright_stages import process
from sealwright_stages.build.apt_plan import REPOSITORY, SETTINGS, Scratch, planned
from sealwright_stages.build.packages import Key, Stock
from sealwright_stages.build.repository import Index, Repository
from sealwright_stages.errors import BuildError, MachineError
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.ports import Workshop
from sealwright_stages.sandbox.reach import reach, staged

BASE_PACKAGES = ("build-essential", "fakeroot")
_HOOKS = Path(__file__).parent
_ON_BASE = ("--skip=update", f"--setup-hook={_HOOKS / 'bootstrap-base.sh'}")
_MINIMAL = ("?essential", "?priority(required)", "apt")  # what mmdebstrap calls minbase
_SECONDS = 3600.0
_MEMORY = 6 << 30  # bytes that must be free
_WORK = "work"
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{1,99}")
_RELATIONS = re.compile(r"[A-Za-z0-9 ,|()<>=!:.+~\[\]_-]+")
_SUITE = re.compile(r"[a-z][a-z0-9-]{1,40}")
_NEVER = (  # capabilities that unpacking a root never wants
    *("sys_module", "sys_rawio", "sys_boot", "sys_time", "sys_ptrace", "syslog", "net_admin", "net_raw"),
    *("mac_admin", "mac_override", "bpf", "perfmon", "audit_control", "wake_alarm", "block_suspend"),
)


@dataclass(frozen=True)
class Wish:
    """What a root is to hold beside `BASE_PACKAGES`: package names and relation fields, both sorted; none: the base."""

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
        names = tuple(sorted(set(packages)))
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

    @property
    def is_base(self) -> bool:
        """Whether nothing more is asked for than every root has."""
        return not self.packages and not self.depends

    @property
    def relations(self) -> str:
        """All that is asked for, as one relation field."""
        return ", ".join((*self.packages, *self.depends))


@dataclass(frozen=True)
class Base:
    """A suite's base root, verified: its tar, its dpkg status, and the entries of its folder."""

    tar: Path
    status: bytes
    lines: Sequence[bytes] = ()


def bootstrap(
    wish: Wish,
    archive: DebianArchive,
    index: Index,
    stock: Mapping[Key, Stock],
    base: Base | None,
    folder: Path,
    workshop: Workshop,
) -> Path:
    """Make the root in `folder` (empty, ours), of `base` unless it is that itself; returns the tar file.

    Raises:
        BuildError: apt or a package is refused, or apt went by another index.
        FetchError: a package did not arrive.
        MachineError: mmdebstrap or newuidmap is missing, or mmdebstrap hangs.
    """
    scratch = _scratch(archive, folder, base)
    repository = Repository(folder / REPOSITORY, archive)
    repository.lay(index, workshop)
    asked = ["satisfy", "--", wish.relations] if base else ["install", "--", *_MINIMAL, *BASE_PACKAGES]
    status = base.status if base else b""
    wanted = planned(scratch, wish.suite, wish.architecture, asked, status, stock, workshop)
    repository.bring(wanted, workshop)
    (folder / "depends").write_text(f"{wish.relations}\n" if base else "")
    done = process.run(
        scratch.confined(_mmdebstrap(wish, scratch, base)),
        timeout=_SECONDS,
        cwd=Path("/"),
        cancel=workshop.cancel,
        on_stderr=_notes(workshop),
        env={
            "SEALWRIGHT_BOOTSTRAP": str(scratch.seen),
            "SEALWRIGHT_BASE": str(_seen_base(base)) if base else "",
            "SOURCE_DATE_EPOCH": str(index.release.date),
            "TMPDIR": str(scratch.seen / _WORK),
        },
    )
    if done.returncode != 0:
        raise BuildError(
            f"the build root of {wish.suite} can't be made",
            done.complaint(),
            "mend the packages it names, or look at the mirror",
            "environment-failed",
        )
    if hashlib.sha256(_read(folder / "InRelease.apt")).hexdigest() != index.release.sha256:
        raise BuildError(
            f"the build root of {wish.suite} is refused",
            "apt went by another index than the verified one",
            "try again: the archive may just be changing",
            "index-changed",
        )
    return folder / "root.tar"


def _scratch(archive: DebianArchive, folder: Path, base: Base | None) -> Scratch:
    root = os.geteuid() == 0
    if not root:
        require_newuidmap()
    keyring = archive.archive.keyring
    key_file = folder / f"archive{keyring.suffix or '.gpg'}"
    shutil.copyfile(keyring, key_file)
    key_file.chmod(0o644)
    work = folder / _WORK
    work.mkdir()
    for place in (folder, work):
        place.chmod(0o755 if root else 0o1777)
    binds = {"bootstrap": folder, **({"base": base.tar.parent} if base else {})}

    def confined(argv: Sequence[str]) -> Sequence[str]:
        return _confined(binds, argv) if root else argv

    return Scratch(folder, staged("bootstrap") if root else folder, key_file.name, confined)


def _seen_base(base: Base) -> Path:
    return staged("base") / base.tar.name if os.geteuid() == 0 else base.tar


def require_newuidmap(path: str = process.BASE_ENVIRONMENT["PATH"]) -> None:
    """Return if `path` has newuidmap, with which mmdebstrap makes roots for ordinary users.

    Raises:
        MachineError: it is missing.
    """
    if shutil.which("newuidmap", path=path) is None:
        raise MachineError(
            "an ordinary user's build root can't be made", "newuidmap is missing", "install uidmap, run again"
        )


def _mmdebstrap(wish: Wish, scratch: Scratch, base: Base | None) -> list[str]:
    made = [
        "--variant=custom" if base else "--variant=minbase",
        *(_ON_BASE if base else [f"--include={','.join(BASE_PACKAGES)}"]),
    ]
    return [
        *("mmdebstrap", f"--mode={'root' if os.geteuid() == 0 else 'unshare'}", "--format=tar", *made),
        f"--architectures={wish.architecture}",
        *(f"--aptopt={option}" for option in SETTINGS),
        f"--customize-hook={_HOOKS / 'bootstrap-hook.sh'}",
        *(wish.suite, str(scratch.seen / "root.tar"), scratch.source(wish.suite)),
    ]


def _confined(binds: Mapping[str, Path], argv: Sequence[str]) -> tuple[str, ...]:
    """As root: no network, private mounts, processes, host name; no capability that could touch the kernel.

    With memory to spare the root grows in memory, which spares the disk thousands of small syncs.
    """
    bounding = ",".join(f"-{name}" for name in _NEVER)
    confined = (
        *("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--ipc", "--uts", "--net"),
        *("setpriv", f"--bounding-set={bounding}", f"--inh-caps={bounding}", "--clear-groups", *argv),
    )
    if psutil.virtual_memory().available > _MEMORY:
        scratch = 'mkdir -p "$1"; mount -t tmpfs -o size=4g,mode=0755 scratch "$1"; shift; exec "$@"'
        confined = ("sh", "-c", scratch, "scratch", str(staged("bootstrap") / _WORK), *confined)
    return reach(binds, confined)


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
