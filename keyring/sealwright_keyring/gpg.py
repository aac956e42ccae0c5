"""Run gpg: by argument list, in a given home, with a status channel of its own and limits.

- Status lines come through their own pipe, never mixed with what a message can write.
- No configuration file, agent, directory service, trust database or key fetching takes part.
- It runs within the bounds of `bounded`; as root under another uid, to which the home then belongs.
- The exit code is a field of the answer; nothing here turns it into success.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sealwright_keyring.bounded import Bounds, Ended, Hash, own, temporary

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
)


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
    ) -> GpgRun:
        """Run gpg in `home` to its end. `size` is that of `stdin` in bytes; `now` fakes gpg's clock.

        What is fed is hashed into `also` too.

        Raises:
            KeyringError: gpg is missing, too slow, or floods one of its outputs.
        """
        read_end, write_end = os.pipe()
        clock = ["--faked-system-time", now] if now else []
        argv = [self.program, *QUIET, *clock, "--status-fd", str(write_end), *arguments]
        return Bounds(self.timeout, self.uid).run(
            argv,
            {"GNUPGHOME": str(home)},
            stdin=stdin,
            size=size,
            max_output=max_output,
            also=also,
            status=(read_end, write_end),
        )
