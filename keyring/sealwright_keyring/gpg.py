"""Run gpg: in a given home, with a status channel of its own.

- Status lines come through their own pipe, never mixed with what a message can write.
- No configuration file, agent, directory service, trust database or key fetching takes part.
- How it is run, and within which limits, is `tool`'s.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

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
)
GpgRun = Run


@dataclass(frozen=True)
class Gpg(Tool):
    """A gpg program: its name or path, the seconds that a run may take, and whom to run it as (for root only)."""

    program: str = "gpg"

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
    ) -> Run:
        """Run gpg in `home` to its end. `size` is that of `stdin` in bytes; `now` fakes gpg's clock.

        What is fed is hashed into `also` too.

        Raises:
            KeyringError: gpg is missing, too slow, or floods one of its outputs.
        """
        status = os.pipe()
        clock = ["--faked-system-time", now] if now else []
        return self.hold(
            [*QUIET, *clock, "--status-fd", str(status[1]), *arguments],
            environment={"GNUPGHOME": str(home)},
            stdin=stdin,
            size=size,
            max_output=max_output,
            also=also,
            status=status,
        )
