"""`sealwright-appendlog`: serve a log, bridge to it, append to it, check it."""

from __future__ import annotations

import argparse
import codecs
import contextlib
import fcntl
import gc
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from sealwright_appendlog import layout
from sealwright_appendlog.audit import LogBroken, check_log
from sealwright_appendlog.authority import Authority
from sealwright_appendlog.cosignature import WitnessKey
from sealwright_appendlog.frames import AUTHORITY_TYPES, Decoder, FrameError, frame
from sealwright_appendlog.keyfile import read_key, read_or_make_key
from sealwright_appendlog.note import VerifierKey, key_name
from sealwright_appendlog.proof import make_proof
from sealwright_appendlog.store import Store, StoreError
from sealwright_appendlog.tree import ProofError
from sealwright_appendlog.witness import Witness, WitnessError, cosign

EXIT_LOG = 4
_TRIES = 3
_ENDING = 5.0  # seconds that the authority before may take to end with its console
_CODECS = ("ascii",)  # loaded when first used, which may be after the uid was dropped


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; gives its exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        return int(options.run(options))
    except (StoreError, LogBroken, ProofError, WitnessError, OSError, ValueError) as error:
        generic = "look at the folder and its permissions, then run it again"
        following = error.next_step if isinstance(error, WitnessError) else generic
        _complain(f"error: {options.command} failed\nbecause: {error}\nnext: {following}\n")
        return EXIT_LOG


def _complain(text: str) -> None:
    """Say why it ends, whole and at once. Where nobody can be told, the exit code must do, so nothing is raised here."""
    rest = text.encode("utf-8", "backslashreplace")
    for _ in range(_TRIES):
        with contextlib.suppress(OSError):
            rest = rest[os.write(2, rest) :]


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
    serve.add_argument(
        "--allow-uid", type=int, action="append", default=[], help="one more uid that may connect (repeatable)"
    )
    serve.add_argument("--lifeline", type=int, help="a file descriptor whose end ends the authority")
    serve.add_argument("--ready", type=int, help="a file descriptor that gets a line when it serves")
    serve.set_defaults(run=_serve)
    connect = commands.add_parser("connect", help="carry stdin and stdout to a served socket (for ssh and qrexec)")
    connect.add_argument("--socket", type=Path, required=True)
    connect.add_argument("--identity", default="", help="whom it carries; else as qrexec or ssh tell")
    connect.set_defaults(run=_connect)
    append = commands.add_parser("append", help="append stdin to a stream, as a plain pipe")
    append.add_argument("--socket", type=Path, required=True)
    append.add_argument("--stream", required=True)
    append.add_argument("--raw", action="store_true", help="do not wait for the acknowledgement")
    append.set_defaults(run=_append)
    verify = commands.add_parser("verify", help="check a sealed log")
    verify.add_argument("dir", type=Path)
    verify.add_argument(
        "--sums", action="store_true", help="hash each segment as a whole too, as sha256sum -c does"
    )
    verify.add_argument(
        "--witness", action="append", default=[], metavar="VKEY", help="a witness whose cosignature is checked"
    )
    verify.set_defaults(run=_verify)
    vkey = commands.add_parser("vkey", help="print a log's verifier key")
    vkey.add_argument("dir", type=Path)
    vkey.set_defaults(run=_vkey)
    prove = commands.add_parser("prove", help="print the inclusion proof of a record")
    prove.add_argument("dir", type=Path)
    prove.add_argument("index", type=int)
    prove.set_defaults(run=_prove)
    _add_witness(commands)
    return parser


def _add_witness(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    cosigner = commands.add_parser(
        "cosign", help="as a witness: cosign a log's checkpoint if it continues the last"
    )
    cosigner.add_argument("dir", type=Path, help="the log's folder, or a copy that can be written to")
    cosigner.add_argument("--log", required=True, metavar="VKEY", help="the log's verifier key, from elsewhere")
    cosigner.add_argument("--key", type=Path, required=True, help="the witness' private key")
    cosigner.add_argument("--name", required=True, help="the witness' name")
    cosigner.add_argument("--state", type=Path, required=True, help="the file of what was seen last of this log")
    cosigner.add_argument(
        "--first", action="store_true", help="this witness never saw this log: begin a state file"
    )
    cosigner.set_defaults(run=_cosign)
    key = commands.add_parser(
        "witness-key", help="print a witness' verifier key; the private key is made if missing"
    )
    key.add_argument("--key", type=Path, required=True)
    key.add_argument("--name", required=True)
    key.set_defaults(run=_witness_key)


def _serve(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the console is the console's to handle
    os.umask(0o022)
    allowed = {os.getuid(), *options.allow_uid}
    key = read_or_make_key(options.key)  # before the uid is dropped: it may belong to whoever starts us
    options.dir.mkdir(parents=True, exist_ok=True)
    _take_alone(options.dir)
    listener = _listen(options.socket, 0o600 if allowed == {os.getuid()} and options.uid is None else 0o666)
    if options.uid is not None:
        _give(options.dir, options.uid, options.gid)
        allowed.add(options.uid)
    os.chdir(options.dir)
    if options.uid is not None:
        _become(options.uid, options.gid)
    store = Store(key, options.origin)
    listener.listen(64)
    gc.disable()  # no cycles are made per record; a collection would only stop the clock
    authority = Authority(store, listener, options.lifeline, allowed)

    def stop(_signal: int, _frame: object) -> None:
        authority.stopped = True

    signal.signal(signal.SIGTERM, stop)
    if options.ready is not None:
        os.write(options.ready, f"{store.vkey}\n".encode())
        os.close(options.ready)
    authority.serve()
    return 0


def _take_alone(folder: Path) -> None:
    """Take the log's folder for as long as this process lives: one that was frozen may thaw, and would write to it.

    Raises:
        StoreError: another authority has it, and does not end soon.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    deadline = time.monotonic() + _ENDING
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StoreError(
                    "another authority has this log open; it may be frozen, so end it first"
                ) from None
            time.sleep(0.05)


def _become(uid: int, gid: int) -> None:
    """Drop to `uid`, who may be unable to read this Python: what loads late is loaded first."""
    for name in _CODECS:
        codecs.lookup(name)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def _listen(path: Path, mode: int) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path.unlink(missing_ok=True)
    listener.bind(str(path))
    path.chmod(mode)  # who may connect is decided by uid, at each connection
    return listener


def _give(folder: Path, uid: int, gid: int) -> None:
    """Hand over the log's folder; by descriptor, since whoever wrote there before need not be us."""
    for _, folders, files, here in os.fwalk(folder, follow_symlinks=False):
        for name in (*folders, *files):
            os.chown(name, uid, gid, dir_fd=here, follow_symlinks=False)
        os.fchown(here, uid, gid)


def _connect(options: argparse.Namespace) -> int:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock, selectors.DefaultSelector() as watch:
        sock.connect(str(options.socket))
        if who := options.identity or _carried(os.environ):
            sock.sendall(frame("I", who.encode("ascii", "replace")))
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


def _carried(environment: Mapping[str, str]) -> str:
    """Whom the program that started this bridge says it carries: a qrexec source, or an ssh peer's address."""
    if domain := environment.get("QREXEC_REMOTE_DOMAIN"):
        return f"qrexec:{domain}"
    if peer := environment.get("SSH_CONNECTION"):
        return f"ssh:{peer.split(' ')[0]}"
    return ""


def _write_out(data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest) :]


def _append(options: argparse.Namespace) -> int:
    """A plain pipe into a stream. With --raw nobody waits for the authority's word, so nothing is proved by it."""
    hello = json.dumps({"format": 1, "stream": options.stream}).encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(str(options.socket))
        sock.sendall(frame("H", hello))
        said: list[str] = []
        listener = threading.Thread(target=_listen_for_end, args=(sock, said), daemon=True)
        listener.start()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while data := os.read(0, 1 << 16):
                sock.sendall(frame("D", data))
            sock.sendall(frame("F", b"0"))
        if options.raw:
            return 0
        listener.join()
    if said:
        raise StoreError(said[0])
    return 0


def _listen_for_end(sock: socket.socket, said: list[str]) -> None:
    """Read until the end of the stream is acknowledged; anything else is said."""
    decoder = Decoder(AUTHORITY_TYPES)
    try:
        while data := sock.recv(1 << 16):
            for kind, payload in decoder.feed(data):
                if kind == "R":
                    said.append(payload.decode("utf-8", "replace"))
                    return
                if kind == "A" and b"\n" in payload:
                    return
    except (OSError, FrameError) as error:
        said.append(str(error))
        return
    said.append("the authority closed before it acknowledged")


def _verify(options: argparse.Namespace) -> int:
    witnesses = [WitnessKey.parse(text) for text in options.witness]
    report = check_log(options.dir, sums=options.sums, witnesses=witnesses)
    print(f"whole: {report.records} records, {report.data_bytes} bytes, root {report.checkpoint.root.hex()}")
    for line in [*report.notices, *(f"stream {name} ended unclean" for name in report.unclean)]:
        print(f"notice: {line}")
    for cosigned in report.cosigned:
        print(f"cosigned: by {cosigned.witness.name} at {cosigned.when()}")
    return 0


def _vkey(options: argparse.Namespace) -> int:
    print(VerifierKey.parse((options.dir / layout.VKEY).read_text("ascii").removesuffix("\n")))
    return 0


def _prove(options: argparse.Namespace) -> int:
    sys.stdout.write(make_proof(options.dir, options.index).decode())
    return 0


def _cosign(options: argparse.Namespace) -> int:
    witness = Witness(key_name(options.name), read_key(options.key), options.state)
    try:
        done = cosign(witness, options.dir, VerifierKey.parse(options.log), int(time.time()), first=options.first)
    except WitnessError as error:
        for what, note in zip(("seen last", "shown now"), error.notes, strict=False):
            print(f"{what}:\n{note.decode()}")
        raise
    print(f"cosigned: by {done.witness.name} at {done.when()}")
    return 0


def _witness_key(options: argparse.Namespace) -> int:
    name = key_name(options.name)
    print(WitnessKey(name, read_or_make_key(options.key).public_key().public_bytes_raw()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
