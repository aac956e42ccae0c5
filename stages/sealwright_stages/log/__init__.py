"""The engine's side of the log: a client that believes only what was acknowledged."""

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
