"""Keyrings that stay open, so that a check doesn't pay for filling a private home again and again.

- A keyring is the same one only for the same chosen keys out of the same certificates, by the same gpg.
- Two threads that ask for one keyring wait for one filling; one that could not be filled is not remembered.
- No more than a few stay open: the one that nobody has used for the longest goes first, and never one in use.
- An open home is read-only for gpg, so a check can't change what the next one finds; see `home`.
- What is still open when the process ends is removed then.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sealwright_keyring.gpg import Gpg
from sealwright_keyring.openpgp import Keyring

_Name = tuple[Gpg, frozenset[str], bytes]


@dataclass
class _Place:
    """A keyring, once it is filled; how many use it now."""

    filling: threading.Lock = field(default_factory=threading.Lock)
    keyring: Keyring | None = None
    users: int = 0


class Keyrings:
    """Open keyrings, at most `limit` of them besides those in use."""

    def __init__(self, limit: int = 32) -> None:
        self._limit = limit
        self._guard = threading.Lock()
        self._places: OrderedDict[_Name, _Place] = OrderedDict()

    @contextmanager
    def of(self, certificate_files: Sequence[bytes], chosen: Collection[str], gpg: Gpg) -> Iterator[Keyring]:
        """The keyring of the `chosen` full fingerprints, filled if it is not open.

        Raises:
            KeyringError: as of `Keyring.of`.
        """
        digest = hashlib.sha256(b"".join(hashlib.sha256(data).digest() for data in certificate_files)).digest()
        name = (gpg, frozenset(chosen), digest)
        place = self._enter(name)
        try:
            with place.filling:
                if place.keyring is None:
                    place.keyring = Keyring.of(certificate_files, chosen, gpg=gpg)
            yield place.keyring
        finally:
            self._leave(name, place)

    def close(self) -> None:
        """Remove all homes; for when nobody uses one any more."""
        with self._guard:
            places = list(self._places.values())
            self._places.clear()
        for place in places:
            if place.keyring is not None:
                place.keyring.close()

    def _enter(self, name: _Name) -> _Place:
        with self._guard:
            place = self._places.setdefault(name, _Place())
            self._places.move_to_end(name)
            place.users += 1
            return place

    def _leave(self, name: _Name, place: _Place) -> None:
        with self._guard:
            place.users -= 1
            idle = [each for each, held in self._places.items() if not held.users]
            gone = [self._places.pop(each) for each in idle[: max(0, len(idle) - self._limit)]]
            if place.keyring is None and not place.users:
                self._places.pop(name, None)
        for each in gone:
            if each.keyring is not None:
                each.keyring.close()
