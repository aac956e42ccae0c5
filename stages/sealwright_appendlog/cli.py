"""`sealwright-appendlog`: serve a log, bridge to it, append to it, check it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from sealwright_appendlog.errors import StoreError
from sealwright_appendlog.saying import FAILED, MEND, UNREAD, Unread, complain, say
from sealwright_appendlog.service import SETUP, setup_file

_IDLE = 300.0
_INTERRUPTED = 130
_MOST_WORDS = 1 << 16  # bytes of a command line that is told


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; gives its exit code."""
    try:
        return _run(argv)
    except Unread:
        return UNREAD


def _run(argv: Sequence[str] | None) -> int:
    parser = _parser()
    try:
        options = parser.parse_args(argv)
    except SystemExit:
        say("", end="")  # the help is an answer, too
        raise
    try:
        return int(options.run(options))
    except (StoreError, OSError, ValueError) as error:
        place = "look at that file or folder and its permissions, then run it again"
        complain(f"{options.command} failed", str(error), place if isinstance(error, OSError) else MEND)
        return FAILED
    except KeyboardInterrupt:
        complain(f"{options.command} was interrupted", "of Ctrl-C", "run it again")
        return _INTERRUPTED


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the command line as every error is said."""

    def error(self, message: str) -> NoReturn:
        complain("the command line", message, f"see `{self.prog} --help`")
        sys.exit(2)


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
    told = commands.add_parser("told", help="load what `serve` needs, then do what a JSON list on stdin says")
    told.set_defaults(run=_told)
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
    verify.set_defaults(run=_check)
    vkey = commands.add_parser("vkey", help="print a log's verifier key")
    vkey.add_argument("dir", type=Path)
    vkey.set_defaults(run=_check)
    _add_proofs(commands)
    _add_witness(commands)
    return parser


def _add_proofs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    prove = commands.add_parser("prove", help="print the inclusion proof of a record, with the record in it")
    prove.add_argument("dir", type=Path)
    prove.add_argument("index", type=int)
    prove.set_defaults(run=_check)
    check = commands.add_parser(
        "verify-proof", help="does a proof prove its record, and is FILE the product that the record names?"
    )
    check.add_argument("proof", type=Path, metavar="PROOF", help="a .tlog-proof")
    check.add_argument("file", type=Path, nargs="?", metavar="FILE", help="a product, from wherever it came")
    check.add_argument("--log", required=True, metavar="VKEY", help="the log's verifier key, from elsewhere")
    check.add_argument(
        "--witness", action="append", default=[], metavar="VKEY", help="a witness that must have cosigned"
    )
    check.set_defaults(run=_check)


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
    cosigner.set_defaults(run=_check)
    key = commands.add_parser(
        "witness-key", help="print a witness' verifier key; the private key is made if missing"
    )
    key.add_argument("--key", type=Path, required=True)
    key.add_argument("--name", required=True)
    key.set_defaults(run=_check)


# Each of these loads what it needs: an authority is started for each run, and a run waits for it.


def _serve(options: argparse.Namespace) -> int:
    from sealwright_appendlog.serving import serve  # noqa: PLC0415

    return serve(options)


def _told(options: argparse.Namespace) -> int:
    """Be loaded when the command line comes; none, or half of one, is no command."""
    from sealwright_appendlog import serving  # noqa: F401, PLC0415

    words = sys.stdin.buffer.read(_MOST_WORDS)
    return _run([str(word) for word in json.loads(words)]) if words else 0


def _host(options: argparse.Namespace) -> int:
    from sealwright_appendlog.serving import host  # noqa: PLC0415

    return host(options)


def _host_key(options: argparse.Namespace) -> int:
    from sealwright_appendlog.host import host_key  # noqa: PLC0415

    options.root.mkdir(parents=True, exist_ok=True)
    say(str(host_key(options.root, options.name, for_owner=True)[1]))
    return 0


def _connect(options: argparse.Namespace) -> int:
    from sealwright_appendlog.bridge import carry, qube  # noqa: PLC0415

    carry(options.socket, qube(os.environ) if options.qrexec else options.identity)
    return 0


def _append(options: argparse.Namespace) -> int:
    from sealwright_appendlog.bridge import append  # noqa: PLC0415

    append(options.socket, options.identity, options.stream, options.origin, raw=options.raw)
    return 0


def _setup(options: argparse.Namespace) -> int:
    say(setup_file(options.file) if options.file else "".join(f"{name}\n" for name in SETUP), end="")
    return 0


def _check(options: argparse.Namespace) -> int:
    from sealwright_appendlog.checking import check  # noqa: PLC0415

    return check(options)


if __name__ == "__main__":
    sys.exit(main())
