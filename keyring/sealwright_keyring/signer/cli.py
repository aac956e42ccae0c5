"""`sealwright-signer`: sign a release's few documents, and nothing else.

- It gives up root before it reads a request; a uid without a gid is refused.
- What Python loads late, codecs, is loaded before that: the signer's own user may be unable to read this Python.
- Policy and key files are read before that, so that they need not be readable to the signer's own user.
- Refusals at the start go to stderr as error, because, next; the exit code is 5.
"""

from __future__ import annotations

import argparse
import codecs
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from sealwright_keyring.errors import KeyringError, SignerError
from sealwright_keyring.signer.gpg_sign import SigningGpg, make_throwaway_key, own_agent
from sealwright_keyring.signer.keys import SigningKey, home_in_memory, read_ed25519, read_secret
from sealwright_keyring.signer.listen import Listener, carry
from sealwright_keyring.signer.policy import load_signing_policy
from sealwright_keyring.signer.record import BrokenError, Record
from sealwright_keyring.signer.server import Conversation, Signer
from sealwright_keyring.signer.telling import tell
from sealwright_keyring.signer.terminal import Terminal
from sealwright_keyring.text import printable

EXIT_NO = 1
EXIT_USAGE = 2
EXIT_REFUSED = 5
_CODECS = ("ascii", "unicode_escape", "utf-8")
_EPILOG = """\
exit codes: 0 done; 1 a record is not whole; 2 usage; 5 refused at the start, or the record can't be written.
A refused request is an answer, not an exit. See docs/how-to/keep-the-key-on-its-own-machine.md."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; gives its exit code."""
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options))
    except KeyringError as error:
        _tell(error.what, error.because, error.next_step)
    except OSError as error:
        what = "the signer" if error.filename is None else printable(str(error.filename), 400)
        _tell(what, error.strerror or str(error), "look at that file and its permissions, then run it again")
    return EXIT_REFUSED


def _tell(what: str, because: str, next_step: str) -> None:
    print(f"error: {what}", f"because: {because}", f"next: {next_step}", sep="\n", file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the command line as every error is said."""

    def error(self, message: str) -> NoReturn:
        _tell("the command line", message, f"see `{self.prog} --help`")
        sys.exit(EXIT_USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="sealwright-signer",
        description="Sign a release's checksums, sealed log and provenance, and nothing that it can't parse.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="answer requests on stdin and stdout, one JSON object a line")
    _keys(serve)
    serve.set_defaults(run=_serve)
    listen = commands.add_parser("listen", help="answer requests on a unix socket")
    listen.add_argument("--socket", type=Path, required=True, metavar="PATH", help="where to listen")
    listen.add_argument(
        "--allow-uid", type=int, action="append", default=[], metavar="N", help="who may connect; may be repeated"
    )
    _keys(listen)
    listen.set_defaults(run=_listen)
    connect = commands.add_parser("connect", help="carry stdin and stdout to a signer that listens")
    connect.add_argument("--socket", type=Path, required=True, metavar="PATH", help="where it listens")
    connect.add_argument("--server-uid", type=int, metavar="N", help="the signer's uid, if it is not this user's")
    connect.set_defaults(run=_connect)
    record = commands.add_parser("record", help="check a signer's record, and show it")
    record.add_argument("--record", type=Path, required=True, metavar="FILE", help="the record")
    record.set_defaults(run=_record)
    make = commands.add_parser("make-throwaway-key", help="make a key for a demo or a test")
    make.add_argument("--home", type=Path, required=True, help="where: a GnuPG home, made if it is missing")
    make.add_argument("--name", required=True, help="a plain name for its user id")
    make.set_defaults(run=_make)
    return parser


def _keys(command: argparse.ArgumentParser) -> None:
    """What a signer is started with."""
    key = command.add_mutually_exclusive_group(required=True)
    key.add_argument("--home", type=Path, help="the GnuPG home with the release key, its agent's or its card's")
    key.add_argument("--key-file", type=Path, metavar="FILE", help="a secret key, kept in memory while this runs")
    key.add_argument("--gpg", metavar="PROGRAM", help="a gpg without a home, as qubes-gpg-client-wrapper")
    command.add_argument("--record", type=Path, required=True, help="its own append-only record")
    command.add_argument("--policy", type=Path, help="sign unasked what this file allows")
    command.add_argument("--key", help="the key's full fingerprint, if there are several")
    command.add_argument(
        "--ed25519", type=Path, metavar="FILE", help="sign the provenance with this PKCS8 PEM too"
    )
    command.add_argument("--uid", type=int, help="become this user first")
    command.add_argument("--gid", type=int, help="and this group")
    command.add_argument("--ask", choices=["tty"], help="ask the person on this signer's own terminal")


def _serve(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the console is the console's to handle
    with _signer(options) as signer:
        Conversation(signer).serve(sys.stdin.buffer, sys.stdout.buffer)
    return 0


def _listen(options: argparse.Namespace) -> int:
    with _signer(options) as signer, contextlib.closing(Listener(options.socket, options.allow_uid)) as listener:
        print(f"listens at {options.socket}, with key {signer.key.fingerprint}", file=sys.stderr, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            listener.serve(signer)
    return 0


@contextlib.contextmanager
def _signer(options: argparse.Namespace) -> Iterator[Signer]:
    """A signer as the options say, as the user that they say; what it began is ended with it."""
    for sign in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, _ended)
    policy = load_signing_policy(options.policy, options.uid) if options.policy else None
    ed25519 = read_ed25519(options.ed25519, options.uid) if options.ed25519 else None
    secret = read_secret(options.key_file, options.uid) if options.key_file else None
    _drop(options.uid, options.gid)
    os.umask(0o077)
    with contextlib.ExitStack() as stack:
        record = stack.enter_context(contextlib.closing(Record(options.record)))
        home = options.home
        if secret is not None:
            home = stack.enter_context(home_in_memory(secret))
        stack.enter_context(own_agent(home))
        gpg = SigningGpg(home) if home else SigningGpg(program=options.gpg)
        key = stack.enter_context(contextlib.closing(SigningKey(gpg, options.key, ed25519)))
        yield Signer(key, record, policy, Terminal() if options.ask else None)


def _ended(number: int, frame: object) -> NoReturn:
    """End as the end of the input does it: what was begun is put away."""
    sys.exit(128 + number)


def _drop(uid: int | None, gid: int | None) -> None:
    if uid is None and gid is None:
        return
    if not uid or not gid:
        raise SignerError("--uid and --gid", "both are needed, and neither may be 0", "give both, or none")
    for name in _CODECS:
        codecs.lookup(name)
    try:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    except PermissionError:
        raise SignerError("--uid and --gid", "only root can become another user", "start it as root") from None


def _connect(options: argparse.Namespace) -> int:
    carry(options.socket, {0, os.geteuid()} if options.server_uid is None else {options.server_uid})
    return 0


def _record(options: argparse.Namespace) -> int:
    try:
        for line in tell(options.record):
            print(line)
    except BrokenError as error:
        _tell(error.what, error.because, error.next_step)
        return EXIT_NO
    return 0


def _make(options: argparse.Namespace) -> int:
    print(make_throwaway_key(options.home, options.name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
