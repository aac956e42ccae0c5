"""A seal on its way: while its segments are hashed, in a thread, the authority still answers pings."""

from __future__ import annotations

import threading

from sealwright_appendlog.clients import Client
from sealwright_appendlog.store import Store


class Sealing:
    """The client that asked for the seal, and the thread that reads the segments back."""

    def __init__(self, client: Client, store: Store) -> None:
        self.client = client
        self.hashes: dict[str, str] = {}
        self.error = ""
        self._store = store
        self._thread = threading.Thread(target=self._hash, name="hash segments", daemon=True)
        self._thread.start()

    @property
    def ready(self) -> bool:
        """Whether the hashes, or the error, are there."""
        return not self._thread.is_alive()

    def _hash(self) -> None:
        try:
            self.hashes = self._store.hash_segments()
        except BaseException as error:  # noqa: BLE001 - a seal over hashes that are not there is worse
            self.error = f"the segments can't be hashed: {str(error) or type(error).__name__}"
