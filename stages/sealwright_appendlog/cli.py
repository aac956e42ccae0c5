"""`sealwright-appendlog`: serve a log, bridge to it, append to it, check it."""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import selectors
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from sealwright_appendlog.audit import LogBroken, check_log
from sealwright_appendlog.authority import Authority
from sealwright_appendlog.frames import AUTHORITY_TYPES, Decoder, frame
from sealwright_appendlog.proof import make_proof
from sealwright_appendlog.store import Store, StoreError
from sealwright_appendlog.tree import ProofError

EXIT_LOG = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; gives its exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        return int(options.run(options))
    except (StoreError, LogBroken, ProofError, OSError, ValueError) as error:
        print(f"error: {options.command} failed", f"because: {error}", sep="\n", file=sys.stderr)
        print("next: look at the folder and its permissions, then run it again", file=sys.stderr)
        return EXIT_LOG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sealwright-appendlog",
        description="An append-only, sealed build log in a trust domain of its own.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="own a log folder and serve it on a unix socket")
    serve.add_argument("--dir", type=Path, required=True, help="the log's folder")
    serve.add_argument(
        "--key", type=Path, required=True, help="the log's private key; made if missing, never published"
    )
    serve.add_argument("--socket", type=Path, required=True, help="where to listen")
    serve.add_argument("--origin", required=True, help="the log's name for good, if it is new")
    serve.add_argument("--uid", type=int, help="become this user once all is open")
    serve.add_argument("--gid", type=int, help="and this group")
    serve.add_argument("--lifeline", type=int, help="a file descriptor whose end ends the authority")
    serve.add_argument("--ready", type=int, help="a file descriptor that gets a line when it serves")
    serve.set_defaults(run=_serve)
    connect = commands.add_parser("connect", help="carry stdin and stdout to a served socket (for ssh and qrexec)")
    connect.add_argument("--socket", type=Path, required=True)
    connect.set_defaults(run=_connect)
    append = commands.add_parser("append", help="append stdin to a stream, as a plain pipe")
    append.add_argument("--socket", type=Path, required=True)
    append.add_argument("--stream", required=True)
    append.set_defaults(run=_append)
    verify = commands.add_parser("verify", help="check a sealed log")
    verify.add_argument("dir", type=Path)
    verify.set_defaults(run=_verify)
    prove = commands.add_parser("prove", help="print the inclusion proof of a record")
    prove.add_argument("dir", type=Path)
    prove.add_argument("index", type=int)
    prove.set_defaults(run=_prove)
    return parser


def _serve(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the console is the console's to handle
    os.umask(0o022)
    key = _key(options.key, options.uid, options.gid)
    options.dir.mkdir(parents=True, exist_ok=True)
    if options.uid is not None:
        _give(options.dir, options.uid, options.gid)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.suppress(FileNotFoundError):
        options.socket.unlink()
    listener.bind(str(options.socket))
    options.socket.chmod(0o666 if options.uid is not None else 0o600)
    os.chdir(options.dir)
    if options.uid is not None:
        os.setgroups([])
        os.setresgid(options.gid, options.gid, options.gid)
        os.setresuid(options.uid, options.uid, options.uid)
    store = Store(key, options.origin)
    listener.listen(64)
    gc.disable()  # no cycles are made per record; a collection would only stop the clock
    if options.ready is not None:
        os.write(options.ready, f"{store.vkey}\n".encode())
        os.close(options.ready)
    Authority(store, listener, options.lifeline).serve()
    return 0


def _key(path: Path, uid: int | None, gid: int | None) -> Ed25519PrivateKey:
    """Read the private key, or make it. It stays outside of the log's folder, which is published."""
    if path.exists():
        key = load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"{path} is no Ed25519 key")
        return key
    key = Ed25519PrivateKey.generate()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        os.fsync(stream.fileno())
    if uid is not None and gid is not None:
        os.chown(path, uid, gid)
    return key


def _give(folder: Path, uid: int, gid: int) -> None:
    os.chown(folder, uid, gid)
    for path in folder.rglob("*"):
        os.chown(path, uid, gid, follow_symlinks=False)


def _connect(options: argparse.Namespace) -> int:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock, selectors.DefaultSelector() as watch:
        sock.connect(str(options.socket))
        watch.register(0, selectors.EVENT_READ, "in")
        watch.register(sock, selectors.EVENT_READ, "out")
        while True:
            for key, _ in watch.select():
                data = os.read(0, 1 << 16) if key.data == "in" else sock.recv(1 << 16)
                if not data:
                    return 0
                if key.data == "in":
                    sock.sendall(data)
                else:
                    _write_out(data)


def _write_out(data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest) :]


def _append(options: argparse.Namespace) -> int:
    decoder = Decoder(AUTHORITY_TYPES)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(str(options.socket))
        sock.sendall(frame("H", b'{"format":1,"stream":"%s"}' % options.stream.encode("ascii")))
        while data := os.read(0, 1 << 16):
            sock.sendall(frame("D", data))
        sock.sendall(frame("F", b"0"))
        while data := sock.recv(1 << 16):
            for kind, payload in decoder.feed(data):
                if kind == "R":
                    raise StoreError(payload.decode("utf-8", "replace"))
                if kind == "A" and b"\n" in payload:
                    return 0
    raise StoreError("the authority closed before it acknowledged")


def _verify(options: argparse.Namespace) -> int:
    report = check_log(options.dir)
    print(f"whole: {report.records} records, {report.data_bytes} bytes, root {report.checkpoint.root.hex()}")
    for line in [*report.notices, *(f"stream {name} ended unclean" for name in report.unclean)]:
        print(f"notice: {line}")
    return 0


def _prove(options: argparse.Namespace) -> int:
    sys.stdout.write(make_proof(options.dir, options.index).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
