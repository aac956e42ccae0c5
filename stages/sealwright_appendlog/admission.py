"""Who may open which stream: what a hello is refused for.

- One stream is open once at a time, and one that has ended is never continued, but for `engine`, which a console
  takes up again after a crash.
- `engine` belongs for good to the source that spoke on it first: no other client may tell events, or seal. A console
  whose transport names it otherwise by now is given its old name by whoever keeps the bridge that carries it.
- A console that pinged and then said nothing for ten seconds makes way, with its streams, for the one that comes from
  the same source to take its place: a network that was cut tells nobody.
- A log takes so many plain pipes at a time and no more, so that those who may open nothing else leave room for those who
  have the log.
- A sealed log is open to all who may connect, to be read.
"""

from __future__ import annotations

from collections.abc import Collection

from sealwright_appendlog.clients import Client, Refused
from sealwright_appendlog.record import ENGINE
from sealwright_appendlog.requests import RAW
from sealwright_appendlog.store import Store

_SILENT = 10.0
_MOST_RAW = 64


def superseded(client: Client, stream: str, others: Collection[Client], now: float) -> list[Client]:
    """Who makes way for `client`, which comes to open `stream`."""
    if stream != ENGINE:
        return []
    return [other for other in others if other.src == client.src and other.silent_since(now - _SILENT)]


def admit(client: Client, stream: str, others: Collection[Client], store: Store, *, sealing: bool) -> None:
    """Let `client` open `stream`.

    Raises:
        Refused: it may not.
    """
    if client.stream:
        raise Refused("a second hello")
    if any(other.live and other.stream == stream for other in others):
        raise Refused(f"stream {stream} is open already")
    if stream.startswith(RAW) and sum(other.stream.startswith(RAW) for other in others) >= _MOST_RAW:
        raise Refused(f"{_MOST_RAW} plain pipes are open already")
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
