"""A sandbox with a part of its profile taken out, by which a test shows what that part holds."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sealwright_stages.sandbox.bwrap import Bind, Prepare, Sandbox, Start, prepared
from sealwright_stages.sandbox.seccomp import program

Words = list[str]
_ALL = ("ipc", "pid", "net", "uts", "cgroup-try")


@dataclass(frozen=True)
class Without:
    """What is taken out, in the order of the words: each is a measure that a person can name.

    `bare` runs without a sandbox at all, as nobody or as root.
    """

    measures: str
    words: tuple[Callable[[Words], Words], ...] = ()
    box: Callable[[Sandbox], Sandbox] = lambda box: box
    calls: frozenset[str] = frozenset()
    descriptors: tuple[int, ...] = ()
    bare: Literal["", "nobody", "root"] = ""

    def prepare(self) -> Prepare:
        """What takes the place of `prepared`."""

        @contextlib.contextmanager
        def weakened(box: Sandbox, argv: Sequence[str]) -> Iterator[Start]:
            with prepared(self.box(box), argv) as start:
                if self.bare:
                    drop = ("setpriv", f"--reuid={box.uid}", f"--regid={box.uid}", "--clear-groups")
                    words: Words = [*(drop if self.bare == "nobody" and box.uid is not None else ()), *argv]
                else:
                    words = list(start.argv)
                    for change in self.words:
                        words = change(words)
                    if self.calls:
                        _write_filter(int(words[words.index("--seccomp") + 1]), self.calls)
                yield replace(start, argv=tuple(words), descriptors=(*start.descriptors, *self.descriptors))

        return weakened


def _write_filter(descriptor: int, spared: frozenset[str]) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, program(local_sockets=True, spared=spared), 0)


def drop(*run: str) -> Callable[[Words], Words]:
    """Take out this run of words."""
    return swap(run, ())


def swap(old: Sequence[str], new: Sequence[str]) -> Callable[[Words], Words]:
    """Put another run of words in the place of one that must be there."""

    def change(words: Words) -> Words:
        for at in range(len(words)):
            if words[at : at + len(old)] == list(old):
                return [*words[:at], *new, *words[at + len(old) :]]
        raise AssertionError(f"{old} is not in {words}: the profile has changed")

    return change


def share(*kinds: str) -> tuple[Callable[[Words], Words], ...]:
    """Share namespaces of these kinds with the host."""
    left = [f"--unshare-{kind}" for kind in _ALL if kind not in kinds]
    changes = [swap(["--unshare-all"], left)]
    if "pid" in kinds:  # a new /proc needs a new process namespace
        changes.append(swap(["--proc", "/proc"], ["--ro-bind", "/proc", "/proc"]))
    return tuple(changes)


def drop_filter(words: Words) -> Words:
    """Without the system call filter."""
    at = words.index("--seccomp")
    return words[:at] + words[at + 2 :]


def drop_masks(words: Words) -> Words:
    """Without what covers files of /proc."""
    gone = [at for at in range(len(words) - 2) if words[at : at + 2] == ["--ro-bind", "/dev/null"]]
    return [word for at, word in enumerate(words) if not any(start <= at < start + 3 for start in gone)]


def drop_limit(name: str) -> Callable[[Words], Words]:
    """Without this limit of prlimit."""

    def change(words: Words) -> Words:
        assert any(word.startswith(f"--{name}=") for word in words), f"there is no limit of {name} any more"
        return [word for word in words if not word.startswith(f"--{name}=")]

    return change


def drop_sizes(words: Words) -> Words:
    """Without the sizes of tmpfs."""
    gone = [at for at, word in enumerate(words) if word == "--size"]
    return [word for at, word in enumerate(words) if not any(start <= at < start + 2 for start in gone)]


def in_a_terminal(words: Words) -> Words:
    """Started from a terminal of its own, whose driver ends as it does."""
    start = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    return ["python3", "-c", start, *words]


def seen(*folders: Path | str, writable: bool = False) -> Callable[[Sandbox], Sandbox]:
    """With these folders of the host under their own paths."""

    def change(box: Sandbox) -> Sandbox:
        return replace(box, binds=(*box.binds, *(Bind(Path(f), str(f), writable) for f in folders)))

    return change


CAPABLE = swap(["--cap-drop", "ALL"], ["--cap-add", "ALL"])
NESTED = drop("--disable-userns")
