"""Ask a person at the signer's own terminal, which the console can't type into.

- The terminal is opened by name, so that the conversation on stdin and stdout can't answer for the person.
- Only printable ASCII is shown, whatever the proposal holds.
- An empty answer, or the end of input, is a no.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import FileIO
from pathlib import Path

from sealwright_keyring.errors import SignerError
from sealwright_keyring.text import printable

_MAX_TYPED = 400


class Terminal:
    """The terminal of the person who holds the key."""

    def __init__(self, path: Path = Path("/dev/tty")) -> None:
        self.path = path

    def ask(self, lines: Sequence[str]) -> tuple[str, str]:
        """Show `lines`; gives the digits and the release's name as typed.

        Raises:
            SignerError: there is no terminal, or the person said no.
        """
        try:
            with self.path.open("rb+", buffering=0) as terminal:
                shown = "".join(f"  {printable(line, 300)}\r\n" for line in lines)
                terminal.write(f"\r\nSealwright is asked to sign:\r\n{shown}".encode())
                digits = self._typed(terminal, "first 8 digits of the digest: ")
                release = self._typed(terminal, "name of the release: ") if digits else ""
        except OSError as error:
            raise SignerError(
                "the signer's terminal", error.strerror or str(error), "start it in a terminal"
            ) from error
        if not digits or not release:
            raise SignerError("nothing was signed", "the person said no", "propose it again to sign")
        return digits, release

    @staticmethod
    def _typed(terminal: FileIO, prompt: str) -> str:
        terminal.write(prompt.encode())
        return terminal.readline(_MAX_TYPED).decode("ascii", "replace").strip()
