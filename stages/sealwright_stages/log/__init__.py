"""The engine's side of the log: a client that believes only what was acknowledged.

A name is loaded when it is first asked for: a console that reads a log needs nothing of what writes one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealwright_stages.log.client import LogSession
    from sealwright_stages.log.connection import LogLost, LogRollback
    from sealwright_stages.log.embedded import open_embedded
    from sealwright_stages.log.entries import Entry, read_entries
    from sealwright_stages.log.exhibits import CONTRADICTION, CONTRADICTION_NEXT, log_error
    from sealwright_stages.log.output import OutputStream
    from sealwright_stages.log.transport import open_transport

__all__ = [
    "CONTRADICTION",
    "CONTRADICTION_NEXT",
    "Entry",
    "LogLost",
    "LogRollback",
    "LogSession",
    "OutputStream",
    "log_error",
    "open_embedded",
    "open_transport",
    "read_entries",
]
_HOMES = {
    "CONTRADICTION": "exhibits",
    "CONTRADICTION_NEXT": "exhibits",
    "Entry": "entries",
    "LogLost": "connection",
    "LogRollback": "connection",
    "LogSession": "client",
    "OutputStream": "output",
    "log_error": "exhibits",
    "open_embedded": "embedded",
    "open_transport": "transport",
    "read_entries": "entries",
}


def __getattr__(name: str) -> object:
    """Load what is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
