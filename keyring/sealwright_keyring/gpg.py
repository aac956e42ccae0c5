"""Run gpg: by argument list, in a given home, with a status channel of its own and limits.

- Status lines come through their own pipe, never mixed with what a message can write.
- No configuration file, agent, directory service, trust database or key fetching takes part.
- It runs within the bounds of `bounded`; as root under another uid, to which the home then belongs.
- A signature reaches it as sealed memory, so a check writes no file, and nobody can change what is being checked.
- The exit code is a field of the answer; nothing here turns it into success.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sealwright_keyring.bounded import SAFE_PATH, Bounds, Ended, Hash, own, temporary

__all__ = ["ATTACHED", "QUIET", "SAFE_PATH", "Gpg", "GpgRun", "Hash", "in_memory"]
GpgRun = Ended
QUIET = (
    "--no-options",
    "--no-verbose",
    "--batch",
    "--no-tty",
    "--trust-model",
    "always",
    "--no-auto-check-trustdb",
    "--no-auto-key-retrieve",
    "--disable-dirmngr",
    "--no-autostart",
    "--enable-special-filenames",  # for `ATTACHED`; other names of files are ours too
    "--lock-never",  # a home is filled once and then only read
    "--no-permission-warning",  # it belongs to us, not to gpg's user, so that gpg can't change it
)
ATTACHED = "-&"
"""Stands in the arguments for the file that is handed over as `attached`."""
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK


@dataclass(frozen=True)
class Gpg:
    """A gpg program: its name or path, the seconds that a run may take, and whom to run it as (for root only)."""

    program: str = "gpg"
    timeout: float = 60.0
    uid: int | None = None

    @property
    def temporary(self) -> str | None:
        """Where a home may lie so that gpg's user can reach it; None: where temporary files lie anyway."""
        return temporary(self.uid)

    def own(self, path: Path) -> None:
        """Give a file or folder to the user that gpg runs as."""
        own(path, self.uid)

    def take_back(self, folder: Path) -> None:
        """Leave gpg's user with the right to read `folder` and its files, and no more."""
        for path in (*folder.iterdir(), folder):
            if self.uid is None:
                path.chmod(0o500 if path == folder else 0o400)
            else:
                os.chown(path, 0, self.uid, follow_symlinks=False)
                path.chmod(0o550 if path == folder else 0o440)

    def run(
        self,
        home: Path,
        arguments: Sequence[str],
        *,
        stdin: bytes | IO[bytes] = b"",
        size: int = 0,
        max_output: int = 64 << 20,
        now: str = "",
        also: Hash | None = None,
        attached: bytes = b"",
    ) -> GpgRun:
        """Run gpg in `home` to its end. `size` is that of `stdin` in bytes; `now` fakes gpg's clock.

        What is fed is hashed into `also` too; `attached` is the content of the file `ATTACHED`.

        Raises:
            KeyringError: gpg is missing, too slow, or floods one of its outputs.
        """
        clock = ["--faked-system-time", now] if now else []
        with in_memory(attached) as memory:
            read_end, write_end = os.pipe()
            words = [f"-&{memory}" if word == ATTACHED else word for word in arguments]
            argv = [self.program, *QUIET, *clock, "--status-fd", str(write_end), *words]
            return Bounds(self.timeout, self.uid).run(
                argv,
                {"GNUPGHOME": str(home)},
                stdin=stdin,
                size=size,
                max_output=max_output,
                also=also,
                status=(read_end, write_end),
                handed=(memory,),
            )

    def as_its_user(self) -> list[str]:
        """The words before a program that make it run as gpg does."""
        return Bounds(self.timeout, self.uid).as_its_user()


@contextlib.contextmanager
def in_memory(content: bytes) -> Iterator[int]:
    """A descriptor of sealed memory with this content, open at its beginning; nobody can change what it holds."""
    descriptor = os.memfd_create("content", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(descriptor, "wb", closefd=False) as stream:
            stream.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        yield descriptor
    finally:
        os.close(descriptor)
