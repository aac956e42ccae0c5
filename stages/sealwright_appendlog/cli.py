"""`sealwright-appendlog`: serve a log, bridge to it, append to it, check it."""

from __future__ import annotations

import argparse
import codecs
import contextlib
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from sealwright_appendlog import layout
from sealwright_appendlog.audit import LogBroken, check_log
from sealwright_appendlog.authority import Authority
from sealwright_appendlog.bridge import append, carry, qube
from sealwright_appendlog.cosignature import WitnessKey
from sealwright_appendlog.folder import lock
from sealwright_appendlog.handed import Handed
from sealwright_appendlog.host import Host, host_key
from sealwright_appendlog.keyfile import read_key, read_or_make_key
from sealwright_appendlog.note import VerifierKey, key_name, shown, told_name
from sealwright_appendlog.proof import check_carried, is_product, make_proof, parse_proof
from sealwright_appendlog.saved import Saved
from sealwright_appendlog.service import SETUP, setup_file
from sealwright_appendlog.sockets import inherited, listening, open_to_all
from sealwright_appendlog.store import Store, StoreError
from sealwright_appendlog.tree import ProofError
from sealwright_appendlog.witness import Witness, WitnessError, cosign

EXIT_LOG = 4
_TRIES = 3
_HANDOVER = 10.0  # seconds that the authority before may take to end
_IDLE = 300.0
_INTERRUPTED = 130
_CODECS = ("ascii", "unicode_escape")  # loaded when first used, which may be after the uid was dropped


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; gives its exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        return int(options.run(options))
    except (StoreError, LogBroken, ProofError, WitnessError, OSError, ValueError) as error:
        _tell(f"{options.command} failed", str(error), _next(error, options.command))
        return EXIT_LOG
    except KeyboardInterrupt:
        _tell(f"{options.command} was interrupted", "of Ctrl-C", "run it again")
        return _INTERRUPTED


def _tell(what: str, because: str, next_step: str) -> None:
    told = (("error", what), ("because", because), ("next", next_step))
    _complain("".join(f"{word}: {_line(text)}\n" for word, text in told))


def _line(text: str) -> str:
    """Text from outside as one line: a file's name may hold a line feed, and after it what looks like a verdict."""
    return shown(text).replace("\n", "\\n")


def _next(error: Exception, command: str) -> str:
    if isinstance(error, WitnessError):
        return error.next_step
    if isinstance(error, LogBroken) and error.notes:
        return "keep the log and both notes as evidence, and show them to whoever keeps the log"
    if isinstance(error, LogBroken):
        return "get the log again, whole; if it says the same, believe nothing of it and ask whoever keeps it"
    if isinstance(error, ProofError) and command == "verify-proof":
        return "don't use the file on this proof's word; get file, proof and key again, the key from elsewhere"
    if isinstance(error, OSError):
        return "look at that file or folder and its permissions, then run it again"
    return "mend what is named, then run it again"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the command line as every error is said."""

    def error(self, message: str) -> NoReturn:
        _tell("the command line", message, f"see `{self.prog} --help`")
        sys.exit(2)


def _complain(text: str) -> None:
    """Say why it ends, whole and at once. Where nobody can be told, the exit code must do, so nothing is raised here."""
    rest = text.encode("utf-8", "backslashreplace")
    for _ in range(_TRIES):
        with contextlib.suppress(OSError):
            rest = rest[os.write(2, rest) :]


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(
        prog="sealwright-appendlog",
        description="An append-only, sealed build log in a trust domain of its own.",
        epilog="exit codes: 0 done; 2 usage; 4 it failed, or says no; 130 interrupted",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="own a log folder and serve it on a unix socket")
    serve.add_argument("--dir", type=Path, required=True, help="the log's folder")
    serve.add_argument(
        "--key", type=Path, required=True, help="the log's private key; made if missing, never published"
    )
    place = serve.add_mutually_exclusive_group(required=True)
    place.add_argument("--socket", type=Path, help="where to listen")
    place.add_argument("--handed", type=int, help="a file descriptor over which a host hands connections on")
    serve.add_argument("--origin", required=True, help="the log's name for good, if it is new")
    serve.add_argument("--uid", type=int, help="become this user once all is open")
    serve.add_argument("--gid", type=int, help="and this group")
    serve.add_argument(
        "--allow-uid", type=int, action="append", default=[], help="one more uid that may connect (repeatable)"
    )
    serve.add_argument("--lifeline", type=int, help="a file descriptor whose end ends the authority")
    serve.add_argument("--ready", type=int, help="a file descriptor that gets a line when it serves")
    serve.set_defaults(run=_serve)
    _add_remote(commands)
    verify = commands.add_parser("verify", help="check a sealed log")
    verify.add_argument("dir", type=Path)
    verify.add_argument(
        "--sums", action="store_true", help="hash each segment as a whole too, as sha256sum -c does"
    )
    verify.add_argument(
        "--witness", action="append", default=[], metavar="VKEY", help="a witness whose cosignature is checked"
    )
    verify.add_argument(
        "--checkpoint", action="append", default=[], type=Path, metavar="FILE", help="saved of this log earlier"
    )
    verify.set_defaults(run=_verify)
    vkey = commands.add_parser("vkey", help="print a log's verifier key")
    vkey.add_argument("dir", type=Path)
    vkey.set_defaults(run=_vkey)
    _add_proofs(commands)
    _add_witness(commands)
    return parser


def _add_proofs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    prove = commands.add_parser("prove", help="print the inclusion proof of a record, with the record in it")
    prove.add_argument("dir", type=Path)
    prove.add_argument("index", type=int)
    prove.set_defaults(run=_prove)
    check = commands.add_parser(
        "verify-proof", help="does a proof prove its record, and is FILE the product that the record names?"
    )
    check.add_argument("proof", type=Path, metavar="PROOF", help="a .tlog-proof")
    check.add_argument("file", type=Path, nargs="?", metavar="FILE", help="a product, from wherever it came")
    check.add_argument("--log", required=True, metavar="VKEY", help="the log's verifier key, from elsewhere")
    check.add_argument(
        "--witness", action="append", default=[], metavar="VKEY", help="a witness that must have cosigned"
    )
    check.set_defaults(run=_verify_proof)


def _add_remote(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    host = commands.add_parser("host", help="serve many logs, each begun by the console that names it")
    host.add_argument("--socket", type=Path, help="where to listen, if no socket is handed over at the start")
    host.add_argument(
        "--allow-uid", type=int, action="append", default=[], help="one more uid that may connect (repeatable)"
    )
    host.add_argument("--idle", type=float, default=_IDLE, help="seconds until a log without clients is put away")
    host.set_defaults(run=_host)
    key = commands.add_parser("host-key", help="print a host's verifier key, for [log] key in a manifest")
    key.set_defaults(run=_host_key)
    for each in (host, key):
        each.add_argument("--root", type=Path, required=True, help="the folder of the key and of all logs")
        each.add_argument("--name", required=True, help="the host's name for good, as log.example.org/releases")
    connect = commands.add_parser("connect", help="carry stdin and stdout to a served socket (for ssh and qrexec)")
    connect.add_argument("--qrexec", action="store_true", help="it carries the qube that qrexec says calls")
    append = commands.add_parser("append", help="append stdin to a stream, as a plain pipe")
    append.add_argument("--stream", required=True, help="its name; with --raw below raw/")
    append.add_argument("--origin", default="", help="the log, where a host serves many")
    append.add_argument("--raw", action="store_true", help="nobody waits for an acknowledgement: a stream raw/...")
    append.set_defaults(run=_append)
    connect.set_defaults(run=_connect)
    for each in (connect, append):
        each.add_argument("--socket", type=Path, required=True, help="where the log, or the host, is served")
        each.add_argument("--as", dest="identity", default="local", metavar="NAME", help="whom it carries")
    setup = commands.add_parser("setup", help="print a file of systemd, ssh or Qubes; without a name, their list")
    setup.add_argument("file", nargs="?", choices=SETUP, metavar="FILE")
    setup.set_defaults(run=_setup)


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


def _host(options: argparse.Namespace) -> int:
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
    host = Host(options.root, options.name, listener, allowed, options.idle)

    def stop(_signal: int, _frame: object) -> None:
        host.stopped = True

    signal.signal(signal.SIGTERM, stop)
    host.serve()
    return 0


def _host_key(options: argparse.Namespace) -> int:
    options.root.mkdir(parents=True, exist_ok=True)
    print(host_key(options.root, options.name, for_owner=True)[1])
    return 0


def _connect(options: argparse.Namespace) -> int:
    carry(options.socket, qube(os.environ) if options.qrexec else options.identity)
    return 0


def _append(options: argparse.Namespace) -> int:
    append(options.socket, options.identity, options.stream, options.origin, raw=options.raw)
    return 0


def _setup(options: argparse.Namespace) -> int:
    sys.stdout.write(setup_file(options.file) if options.file else "".join(f"{name}\n" for name in SETUP))
    return 0


def _verify(options: argparse.Namespace) -> int:
    witnesses = [WitnessKey.parse(text) for text in options.witness]
    saved = [Saved(str(path), layout.whole(path, 1 << 20)) for path in options.checkpoint]
    try:
        report = check_log(options.dir, sums=options.sums, witnesses=witnesses, saved=saved)
    except LogBroken as error:
        for what, note in zip(("saved earlier", "sealed here"), error.notes, strict=False):
            print(f"{what}:\n{shown(note)}")
        raise
    print(f"whole: {report.records} records, {report.data_bytes} bytes, root {report.checkpoint.root.hex()}")
    for line in [*report.notices, *(f"stream {name} ended unclean" for name in report.unclean)]:
        print(f"notice: {line}")
    for cosigned in report.cosigned:
        print(f"cosigned: by {cosigned.witness.name} at {cosigned.when()}")
    for each in report.continued:
        print(f"continues: the checkpoint of {each.size} records in {_line(each.name)}")
    return 0


def _vkey(options: argparse.Namespace) -> int:
    print(VerifierKey.parse((options.dir / layout.VKEY).read_text("ascii").removesuffix("\n")))
    return 0


def _prove(options: argparse.Namespace) -> int:
    sys.stdout.write(make_proof(options.dir, options.index).decode())
    return 0


def _verify_proof(options: argparse.Namespace) -> int:
    witnesses = [WitnessKey.parse(text) for text in options.witness]
    proof = layout.whole(options.proof)
    carried = check_carried(proof, VerifierKey.parse(options.log), witnesses)
    record, checkpoint = carried.record, carried.checkpoint
    print(f"record {record['n']} of {checkpoint.size} of {told_name(checkpoint.origin)}, at {record['t']}")
    for cosigned in carried.cosigned:
        print(f"cosigned: by {cosigned.witness.name} at {cosigned.when()}")
    if options.file is None:
        print(parse_proof(proof).extra.decode("ascii"))
        print("yes: this record is in the log")
        return 0
    if not is_product(carried, layout.sha256(Path(os.path.realpath(options.file)))):
        raise ProofError(f"the record does not say that {options.file} was a product")
    body = record["body"]
    print(f"yes: it was collected as the product {body.get('name')} of {body.get('component')}")
    print("not said by this: whether the release was signed, and kept that product (sealwright check says it)")
    return 0


def _cosign(options: argparse.Namespace) -> int:
    witness = Witness(key_name(options.name), read_key(options.key), options.state)
    try:
        done = cosign(witness, options.dir, VerifierKey.parse(options.log), int(time.time()), first=options.first)
    except WitnessError as error:
        for what, note in zip(("seen last", "shown now"), error.notes, strict=False):
            print(f"{what}:\n{shown(note)}")
        raise
    print(f"cosigned: by {done.witness.name} at {done.when()}")
    return 0


def _witness_key(options: argparse.Namespace) -> int:
    name = key_name(options.name)
    print(WitnessKey(name, read_or_make_key(options.key).public_key().public_bytes_raw()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
