"""Run gpg: in a given home, with a status channel of its own.

- Status lines come through their own pipe, never mixed with what a message can write.
- No configuration file, agent, directory service, trust database or key fetching takes part.
- A signature reaches it as sealed memory, so a check writes no file, and nobody can change what is being checked.
- How it is run, and within which limits, is `tool`'s.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sealwright_keyring.feed import in_memory
from sealwright_keyring.tool import Hash, Run, Tool

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
GpgRun = Run
ATTACHED = "-&"
"""Stands in the arguments for the file that is handed over as `attached`."""


@dataclass(frozen=True)
class Gpg(Tool):
    """A gpg program: its name or path, the seconds that a run may take, and whom to run it as (for root only)."""

    program: str = "gpg"

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
    ) -> Run:
        """Run gpg in `home` to its end. `size` is that of `stdin` in bytes; `now` fakes gpg's clock.

        What is fed is hashed into `also` too; `attached` is the content of the file `ATTACHED`.

        Raises:
            KeyringError: gpg is missing, too slow, or floods one of its outputs.
        """
        clock = ["--faked-system-time", now] if now else []
        with in_memory(attached) as memory:
            words = [f"-&{memory}" if word == ATTACHED else word for word in arguments]
            status = os.pipe()
            return self.hold(
                [*QUIET, *clock, "--status-fd", str(status[1]), *words],
                environment={"GNUPGHOME": str(home)},
                stdin=stdin,
                size=size,
                max_output=max_output,
                also=also,
                status=status,
                handed=(memory,),
            )
