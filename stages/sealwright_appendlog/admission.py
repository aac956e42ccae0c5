"""Who may open which stream: what a hello is refused for.

- One stream is open once at a time, and one that has ended is never continued, but for `engine`, which a console
  takes up again after a crash.
- `engine` belongs for good to the source that spoke on it first: no other client may tell events, or seal. A console
  whose transport names it otherwise by now is given its old name by whoever keeps the bridge that carries it.
- A sealed log is open to all who may connect, to be read.
"""

from __future__ import annotations

from collections.abc import Collection

from sealwright_appendlog.clients import Client, Refused
from sealwright_appendlog.record import ENGINE
from sealwright_appendlog.store import Store


def admit(client: Client, stream: str, others: Collection[Client], store: Store, *, sealing: bool) -> None:
    """Let `client` open `stream`.

    Raises:
        Refused: it may not.
    """
    if client.stream:
        raise Refused("a second hello")
    if any(other.live and other.stream == stream for other in others):
        raise Refused(f"stream {stream} is open already")
    if store.sealed:
        return
    if sealing:
        raise Refused("the log is being sealed")
    if stream == ENGINE:
        store.engine_src = store.engine_src or client.src
        if client.src != store.engine_src:
            raise Refused(f"stream {ENGINE} belongs to {store.engine_src}; you come as {client.src}")
    elif stream in store.ended:
        raise Refused(f"stream {stream} has ended; take another name")
