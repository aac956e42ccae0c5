"""`sealwright-signer`: sign a release's few documents, and nothing else.

- It gives up root before it reads a request; a uid without a gid is refused.
- What Python loads late, codecs, is loaded before that: the signer's own user may be unable to read this Python.
- The policy is read before that, so that the file need not be readable to the signer's own user.
- Refusals at the start go to stderr as error, because, next; the exit code is 5.
"""

from __future__ import annotations

import argparse
import codecs
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from sealwright_keyring.errors import KeyringError, SignerError
from sealwright_keyring.signer.gpg_sign import make_throwaway_key, own_agent
from sealwright_keyring.signer.policy import load_signing_policy
from sealwright_keyring.signer.server import SignerServer
from sealwright_keyring.signer.terminal import Terminal

EXIT_REFUSED = 5
EXIT_USAGE = 2
_CODECS = ("ascii", "unicode_escape")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; gives its exit code."""
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options))
    except KeyringError as error:
        _tell(error.what, error.because, error.next_step)
    except OSError as error:
        _tell(str(error.filename), str(error.strerror), "look at that file and its permissions, then run it again")
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
        epilog="exit codes: 0 done, 2 usage, 5 refused at the start; a refused request is an answer, not an exit",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="answer requests on stdin and stdout, one JSON object a line")
    serve.add_argument("--home", type=Path, required=True, help="the GnuPG home with the release key")
    serve.add_argument("--record", type=Path, required=True, help="its own append-only record")
    serve.add_argument("--policy", type=Path, help="sign unasked what this file allows")
    serve.add_argument("--key", help="the key's full fingerprint, if the home has several")
    serve.add_argument("--uid", type=int, help="become this user first")
    serve.add_argument("--gid", type=int, help="and this group")
    serve.add_argument("--ask", choices=["tty"], help="ask the person on this signer's own terminal")
    serve.set_defaults(run=_serve)
    make = commands.add_parser("make-throwaway-key", help="make a key for a demo or a test")
    make.add_argument("--home", type=Path, required=True, help="where: a GnuPG home, made if it is missing")
    make.add_argument("--name", required=True, help="a plain name for its user id")
    make.set_defaults(run=_make)
    return parser


def _serve(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the console is the console's to handle
    policy = load_signing_policy(options.policy) if options.policy else None
    _drop(options.uid, options.gid)
    os.umask(0o077)
    asker = Terminal() if options.ask else None
    with own_agent(options.home):
        server = SignerServer(options.home, options.record, policy, options.key, asker)
        server.serve(sys.stdin.buffer, sys.stdout.buffer)
    return 0


def _drop(uid: int | None, gid: int | None) -> None:
    if uid is None and gid is None:
        return
    if not uid or not gid:
        raise SignerError("--uid and --gid", "both are needed, and neither may be 0", "give both, or none")
    for name in _CODECS:
        codecs.lookup(name)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def _make(options: argparse.Namespace) -> int:
    print(make_throwaway_key(options.home, options.name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
