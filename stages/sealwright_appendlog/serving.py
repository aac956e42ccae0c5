"""`serve` and `host`: what the program is once it owns a log, or many.

- Whoever gives up its uid may be unable to read this Python afterwards: what loads late is loaded before.
- A log has one authority at a time, and its folder belongs to that one's uid.
"""

from __future__ import annotations

import argparse
import codecs
import gc
import os
import signal
import socket
from pathlib import Path

from sealwright_appendlog.authority import Authority
from sealwright_appendlog.folder import lock
from sealwright_appendlog.handed import Handed
from sealwright_appendlog.keyfile import read_or_make_key
from sealwright_appendlog.sockets import inherited, listening, open_to_all
from sealwright_appendlog.store import Store, StoreError

_HANDOVER = 10.0  # seconds that the authority before may take to end
_CODECS = ("ascii", "unicode_escape")  # loaded when first used, which may be after the uid was dropped


def serve(options: argparse.Namespace) -> int:
    """Serve a log until its owner is gone.

    Raises:
        StoreError, OSError, ValueError: it can't be, or no longer.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the console is the console's to handle
    os.umask(0o022)
    allowed = {os.getuid(), *options.allow_uid}
    key = read_or_make_key(options.key)  # before the uid is dropped: it may belong to whoever starts us
    options.dir.mkdir(parents=True, exist_ok=True)
    held = lock(options.dir, _HANDOVER)
    handed = None if options.handed is None else Handed(options.handed)
    mode = 0o600 if allowed == {os.getuid()} and options.uid is None else 0o666
    listener = handed or listening(options.socket, mode)
    if options.uid is not None:
        _give(options.dir, options.uid, options.gid)
        allowed.add(options.uid)
    os.chdir(options.dir)
    if options.uid is not None:
        _become(options.uid, options.gid)
    try:
        store = Store(key, options.origin)
    except StoreError as error:
        if handed is not None:
            handed.refuse_all(str(error))
        raise
    if isinstance(listener, socket.socket):
        listener.listen(64)
    gc.disable()  # no cycles are made per record; a collection would only stop the clock
    authority = Authority(store, listener, options.lifeline, allowed if handed is None else None)

    def stop(_signal: int, _frame: object) -> None:
        authority.stopped = True

    signal.signal(signal.SIGTERM, stop)
    if options.ready is not None:
        os.write(options.ready, f"{store.vkey}\n".encode())
        os.close(options.ready)
    authority.serve()
    os.close(held)
    return 0


def _become(uid: int, gid: int) -> None:
    """Drop to `uid`, who may be unable to read this Python: what loads late is loaded first."""
    for name in _CODECS:
        codecs.lookup(name)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def _give(folder: Path, uid: int, gid: int) -> None:
    """Hand over the log's folder; by descriptor, since whoever wrote there before need not be us."""
    for _, folders, files, here in os.fwalk(folder, follow_symlinks=False):
        for name in (*folders, *files):
            os.chown(name, uid, gid, dir_fd=here, follow_symlinks=False)
        os.fchown(here, uid, gid)


def host(options: argparse.Namespace) -> int:
    """Serve many logs, each in a process of its own.

    Raises:
        StoreError, OSError, ValueError: it can't be.
    """
    from sealwright_appendlog.host import Host  # noqa: PLC0415 - a single log's authority needs none of it

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o022)
    listener, allowed = inherited(), None
    if options.socket is None and listener is None:
        raise StoreError("no --socket, and none was handed over at the start (LISTEN_FDS)")
    if options.allow_uid or listener is None:
        allowed = {os.getuid(), *options.allow_uid}
    if listener is None:
        listener = listening(options.socket, 0o600 if allowed == {os.getuid()} else 0o666)
        listener.listen(64)
    elif allowed is None and open_to_all(listener):
        raise StoreError("everybody may open the socket that was handed over; set its mode, or name --allow-uid")
    options.root.mkdir(parents=True, exist_ok=True)
    hosting = Host(options.root, options.name, listener, allowed, options.idle)

    def stop(_signal: int, _frame: object) -> None:
        hosting.stopped = True

    signal.signal(signal.SIGTERM, stop)
    hosting.serve()
    return 0
