"""The parts of the profile as a program inside sees them, and which of them is missing.

- A part is there if it is seen from inside; what was asked of bwrap and the kernel proves nothing.
- The first part that is missing is named, with what to do about it.
- That no user namespace can be made inside is not seen but tried: by `sealwright doctor --selftest`, and by each
  machine's first run.

Source: proc(5) for status, limits, mountinfo, ns and stat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sealwright_stages.sandbox.bwrap import SCRATCH, SPARE_PROCESSES, Sandbox, masked

_MARK = "=== "
_FILES = ("status", "limits", "mountinfo", "stat")
NAMESPACES = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")
_SCRIPT = (
    *(f"echo '{_MARK}{name}'; cat /proc/self/{name}" for name in _FILES),
    f"echo '{_MARK}namespaces'",
    *(f"readlink /proc/self/ns/{name}" for name in NAMESPACES),
    f"echo '{_MARK}environ'; tr '\\0' '\\n' < /proc/self/environ",
    f"echo '{_MARK}descriptors'; ls /proc/self/fd",
)
LOOK = ("sh", "-c", "; ".join(_SCRIPT))
"""What to run inside; its output is for `missing`."""
Seen = Mapping[str, list[str]]
_BWRAP, _KERNEL = "install bubblewrap 0.8 or newer, run again", "use a kernel that has it, run again"
_PRLIMIT = "install util-linux's prlimit, run again"


@dataclass(frozen=True)
class Part:
    """A part of the profile: its name, whether it is seen, and the cure where it isn't."""

    name: str
    there: Callable[[Sandbox, Seen, tuple[str, ...]], bool]
    cure: str


def missing(box: Sandbox, output: str, outside: tuple[str, ...]) -> Part | None:
    """The first part that a sandbox made from `box` lacks; `outside` are the names of our own namespaces."""
    seen = _sections(output)
    for part in PARTS:
        try:
            there = part.there(box, seen, outside)
        except (KeyError, IndexError, ValueError):
            there = False  # what can't be read is not there
        if not there:
            return part
    return None


def _sections(output: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in output.splitlines():
        if line.startswith(_MARK):
            lines = found.setdefault(line[len(_MARK) :], [])
        else:
            lines.append(line)
    return found


def _status(seen: Seen) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(":") for line in seen["status"])}


def _no_new_privileges(_box: Sandbox, seen: Seen, _outside: tuple[str, ...]) -> bool:
    return _status(seen)["NoNewPrivs"] == "1"


def _filtered(_box: Sandbox, seen: Seen, _outside: tuple[str, ...]) -> bool:
    return _status(seen)["Seccomp"] == "2"


def _powerless(_box: Sandbox, seen: Seen, _outside: tuple[str, ...]) -> bool:
    held = [value for name, value in _status(seen).items() if name.startswith("Cap")]
    return len(held) == 5 and not any(int(value, 16) for value in held)


def _apart(name: str) -> Callable[[Sandbox, Seen, tuple[str, ...]], bool]:
    number = NAMESPACES.index(name)

    def there(box: Sandbox, seen: Seen, outside: tuple[str, ...]) -> bool:
        inside = seen["namespaces"]
        shared = box.network and name == "net"
        return len(inside) == len(NAMESPACES) and (inside[number] != outside[number]) != shared

    return there


def _limited(name: str, most: Callable[[Sandbox], int]) -> Callable[[Sandbox, Seen, tuple[str, ...]], bool]:
    def there(box: Sandbox, seen: Seen, _outside: tuple[str, ...]) -> bool:
        (line,) = (line for line in seen["limits"] if line.startswith(name + " "))
        soft, hard = line[len(name) :].split()[:2]
        return soft == hard and int(hard) <= most(box)

    return there


def _no_dumps(_box: Sandbox, seen: Seen, _outside: tuple[str, ...]) -> bool:
    (line,) = (line for line in seen["limits"] if line.startswith("Max core file size "))
    return line.split()[4:6] == ["1", "1"]


def _most_processes(box: Sandbox) -> int:
    """A shared uid has processes already; how many is another's business."""
    return box.processes + (SPARE_PROCESSES if box.uid is not None else 1_000_000)


def _options(seen: Seen, target: str) -> set[str]:
    """The options of the uppermost mount at `target`."""
    lines = [line.split(" - ") for line in seen["mountinfo"]]
    left, right = [line for line in lines if line[0].split()[4] == target][-1]
    return set(left.split()[5].split(",")) | set(right.split()[2].split(","))


def _read_only(_box: Sandbox, seen: Seen, _outside: tuple[str, ...]) -> bool:
    return all("ro" in _options(seen, target) for target in ("/", "/usr", "/dev", "/proc/sys"))


def _masked(_box: Sandbox, seen: Seen, _outside: tuple[str, ...]) -> bool:
    targets = {line.split()[4] for line in seen["mountinfo"]}
    return targets.issuperset(masked())


def _sized(box: Sandbox, seen: Seen, _outside: tuple[str, ...]) -> bool:
    for target in SCRATCH:
        (size,) = (word for word in _options(seen, target) if word.startswith("size="))
        if int(size[5:].rstrip("k")) << 10 > box.scratch:
            return False
    return True


def _empty_handed(_box: Sandbox, seen: Seen, _outside: tuple[str, ...]) -> bool:
    return len(seen["descriptors"]) <= 4  # the standard ones, and the folder that `ls` reads


def _cleared(box: Sandbox, seen: Seen, _outside: tuple[str, ...]) -> bool:
    names = {line.partition("=")[0] for line in seen["environ"]}
    return names <= {*box.environment, "PWD", "OLDPWD", "SHLVL", "_"}


def _own_session(_box: Sandbox, seen: Seen, _outside: tuple[str, ...]) -> bool:
    fields = seen["stat"][0].rpartition(")")[2].split()
    return fields[3] != "0" and fields[4] == "0"  # a session that is known inside, and no terminal


PARTS = (
    Part("no new privileges", _no_new_privileges, "install util-linux's setpriv, run again"),
    Part("the system call filter", _filtered, "use a kernel with seccomp filters, run again"),
    Part("no capabilities", _powerless, _BWRAP),
    *(Part(f"the {name} namespace", _apart(name), _KERNEL) for name in NAMESPACES),
    Part("the limit of processes", _limited("Max processes", _most_processes), _PRLIMIT),
    Part("the limit of file sizes", _limited("Max file size", lambda box: box.file_size), _PRLIMIT),
    Part("the limit of memory", _limited("Max data size", lambda box: box.memory), _PRLIMIT),
    Part("the limit of core dumps", _no_dumps, _PRLIMIT),
    Part("the limit of locked memory", _limited("Max locked memory", lambda box: 65536), _PRLIMIT),
    Part("the read-only root", _read_only, _BWRAP),
    Part("the masks of /proc", _masked, _BWRAP),
    Part("the sizes of tmpfs", _sized, _BWRAP),
    Part("no descriptor handed on", _empty_handed, _BWRAP),
    Part("the cleared environment", _cleared, _BWRAP),
    Part("a session without a terminal", _own_session, _BWRAP),
)
