"""A stream of output into the log, on a connection of its own.

- What was sent is hashed as it goes, so that the log that comes back can be held against it.
- The record that acknowledges the end says what was sent: this stream, its bytes, its exit; anything else is a
  contradiction.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from typing import Literal

from sealwright_stages.log.connection import Connection, LogLost
from sealwright_stages.log.copied import Copy
from sealwright_stages.log.entries import Entry
from sealwright_stages.log.promises import Held

Connect = Callable[[Callable[[str, bytes], None], Callable[[str], None]], Connection]


class OutputStream:
    """One stream of raw bytes, acknowledged as it becomes durable."""

    def __init__(
        self,
        connect: Connect,
        hello: Mapping[str, object],
        lost: threading.Event,
        gone: Callable[[str], None],
        ended: Callable[[Entry, bool, Held], None],
        copy: Copy | None,
    ) -> None:
        """Open the stream that `hello` names.

        `ended` is told its last record, whether that says what was sent, and what that was.
        """
        self.name = str(hello["stream"])
        self._lost = lost
        self._ended = ended
        self._copy = copy
        self._length = 0
        self._digest = hashlib.sha256()
        self._connection = connect(self._frame, gone)
        try:
            self._connection.send("H", json.dumps(hello).encode())
        except LogLost:
            self._connection.close()
            raise

    @property
    def closed(self) -> bool:
        """Whether its connection was let go."""
        return self._connection.closed

    def write(self, channel: Literal["D", "E"], data: bytes) -> None:
        """Send output; blocks while 1 MiB is unacknowledged.

        Raises:
            LogLost: the log is gone, here or on the session's own connection.
        """
        for at in range(0, len(data), 1 << 16):
            if self._lost.is_set():
                raise LogLost(self._connection.lost or "the log authority is lost")
            part = data[at : at + (1 << 16)]
            if self._copy is not None:
                self._copy.sent(part)
            self._connection.send(channel, part, counted=True)
            self._length += len(part)
            self._digest.update(part)  # after it was sent, so that the authority is at work meanwhile

    def finish(self, exit_status: int) -> Entry:
        """End the stream; returns its durable `eof` record. Raises LogLost."""
        try:
            self._connection.send("F", str(exit_status).encode())
            entry = self._connection.wait_entry()
            said = entry.kind, entry.stream, *(entry.body.get(name) for name in ("clean", "bytes", "exit"))
            true = said == ("eof", self.name, True, self._length, exit_status)
            self._ended(entry, true, Held(self._length, self._digest.hexdigest()))
            if self._copy is not None:
                self._copy.finish(self._length)
            return entry
        finally:
            self._connection.close()

    def abort(self) -> None:
        """Drop the connection, so that the log records an unclean end."""
        self._connection.close()

    def lose(self, why: str) -> None:
        """Let go of whoever waits here: the log is lost."""
        self._connection.fail(why)

    def _frame(self, kind: str, payload: bytes) -> None:
        """Take an acknowledgement, in the connection's thread."""
        if kind == "A" and self._copy is not None:
            self._copy.acknowledged(int(payload))
