"""A transport that lies: `two_faced.py SOCKET OTHER WHEN HOW`, between a console and one authority or two.

With `WHEN` a client's frame type (`S`, `X`), from that frame on the authority behind `OTHER` is spoken to, under the
same hello. `HOW` changes what passes: `ack` the record in an acknowledgement, `line` the record that is followed,
`output` what a client sends to be logged, `-` nothing. What is changed is `honest`, to `forged`. `both` logs an event
as `forged`, and tells the client that it was `honest`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import sys

from sealwright_appendlog.frames import AUTHORITY_TYPES, CLIENT_TYPES, Decoder, frame


class Relay:
    """One connection, carried frame by frame."""

    def __init__(self, socket_path: str, other: str, when: str, how: str) -> None:
        self.other, self.when, self.how = other, when, how
        self.authority = connect(socket_path)
        self.from_client, self.from_authority = Decoder(CLIENT_TYPES), Decoder(AUTHORITY_TYPES)
        self.hello: dict[str, object] = {}
        self.lines = 0

    def run(self) -> None:
        while True:
            readable, _, _ = select.select([0, self.authority], [], [])
            if 0 in readable:
                data = os.read(0, 1 << 16)
                if not data:
                    return
                for kind, payload in self.from_client.feed(data):
                    self.up(kind, payload)
            if self.authority in readable:
                data = self.authority.recv(1 << 16)
                if not data:
                    return
                for kind, payload in self.from_authority.feed(data):
                    self.down(kind, payload)

    def up(self, kind: str, payload: bytes) -> None:
        if kind == "H":
            self.hello = json.loads(payload)
        if kind == self.when:
            self.turn()
        if (kind in "DE" and self.how == "output") or (kind == "J" and self.how == "both"):
            payload = payload.replace(b"honest", b"forged")
        self.authority.sendall(frame(kind, payload))

    def down(self, kind: str, payload: bytes) -> None:
        if (kind == "A" and self.how == "ack") or (kind == "L" and self.how == "line"):
            payload = payload.replace(b"honest", b"forged")
        if kind in "AL" and self.how == "both":
            payload = payload.replace(b"forged", b"honest")
        self.lines += payload.count(b"\n") if kind == "L" else 0
        os.write(1, frame(kind, payload))

    def turn(self) -> None:
        """Go on with the other authority, and keep its greeting from the console."""
        self.authority = connect(self.other)
        self.from_authority = Decoder(AUTHORITY_TYPES)
        hello = {**self.hello, "since": self.lines} if "since" in self.hello else self.hello
        self.authority.sendall(frame("H", json.dumps(hello).encode()))
        greeted = False
        while not greeted:
            for kind, _ in self.from_authority.feed(self.authority.recv(1 << 16)):
                greeted = greeted or kind == "C"


def connect(path: str) -> socket.socket:
    """Connect as the honest bridge does."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(path)
    sock.sendall(frame("I", b"local"))
    return sock


if __name__ == "__main__":
    with contextlib.suppress(OSError):  # whoever went first
        Relay(*sys.argv[1:]).run()
