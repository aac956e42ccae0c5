"""`sealwright`: the command line. Each command is a function here; what it does lives elsewhere."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from sealwright_console.attending import add_attending, run_attended
from sealwright_console.checking import add_checking
from sealwright_console.complaints import complain, print_refused
from sealwright_console.diffing import add_diffing
from sealwright_console.joining import add_joining
from sealwright_console.looks import add_looks, looks_of, require_screen, start_looks
from sealwright_console.publishing import add_publishing
from sealwright_console.reproducing import add_reproducing
from sealwright_console.reviewing import add_reviewing
from sealwright_console.sanitise import clean
from sealwright_console.signals import end_by_signals
from sealwright_console.signing_command import add_signing
from sealwright_stages import VERSION
from sealwright_stages.errors import Exit, InterruptedRunError, MachineError, ManifestError, SealwrightError
from sealwright_stages.stage import STAGES, Stage

_EXIT_CODES = """exit codes: 0 done; 1 gate closed, audit, check, diff, join or reproduce says no, publish refuses; 2 usage,
manifest or no terminal; 3 a tool, permission or service is missing; 4 log or seal failure; 5 signing refused;
6 signed, and other builders must agree; 130 interrupted; 141 nobody read what it said"""
_UNREAD = 141  # as a shell tells of SIGPIPE: what was not read is no yes


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; gives its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    end_by_signals()
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # it was closed by whoever called; no file of ours may take its descriptor
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - open until the end
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            errors="backslashreplace"
        )  # a terminal without these characters is no reason to fail
    try:
        return _run_words(words)
    except BrokenPipeError:
        return _UNREAD
    finally:
        _let_go()


def _let_go() -> None:
    """Drop what can't be told any more: at its end Python would try once again, and change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run_words(words: Sequence[str]) -> int:
    try:
        looks = start_looks(words)
        if looks is not None and all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
            require_screen("name a command: see `sealwright --help`")
            from sealwright_console.start import run_start  # noqa: PLC0415 - quick help and errors need none of this

            words = run_start(looks)
            return _run_words(words) if words else int(Exit.DONE)
        options = _parser().parse_args(words)
        code = int(options.run(options))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, it has a code and three lines
        refusal = _refusal(error)
        complain(refusal)
        if "--json" in words:
            with contextlib.suppress(OSError):  # where it can't be said, the exit code must do
                print_refused(refusal, words[0])
        return int(refusal.exit_code)


def _refusal(error: BaseException) -> SealwrightError:
    """What ended the program, as a refusal with a cause and a next step."""
    if isinstance(error, SealwrightError):
        return error
    if isinstance(error, OSError):
        because = error.strerror or str(error)
        return MachineError(f"{error.filename or 'a file'} can't be used", because, "mend that, then run again")
    if isinstance(error, KeyboardInterrupt):
        return InterruptedRunError("the program was stopped", "Interrupt", "run again to resume")
    import traceback  # noqa: PLC0415 - a start should not pay for what hardly ever happens

    where = traceback.extract_tb(error.__traceback__)[-1]
    because = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
    return MachineError("Sealwright itself failed", because, "it said neither yes nor no: report this")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the command line as every error is said."""

    def error(self, message: str) -> NoReturn:
        raise ManifestError("the command line", message, f"see `{self.prog} --help`")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="sealwright",
        description="Walk a release through get-sources, verify, sandboxed build, sealing the log and signing.",
        epilog=_EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"sealwright {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_run(commands)
    add_attending(commands)
    add_reviewing(commands)
    add_checking(commands)
    add_diffing(commands)
    add_reproducing(commands)
    add_signing(commands)
    add_publishing(commands)
    add_joining(commands)
    doctor = commands.add_parser("doctor", help="is this machine fit for an official build")
    doctor.add_argument("manifest", type=Path, nargs="?", metavar="RELEASE.toml", help="fit for this release")
    doctor.add_argument("--selftest", action="store_true", help="try to break out of the sandbox")
    doctor.set_defaults(run=_doctor)
    explain = commands.add_parser("explain", help="what a verdict's code means, and whether it can be waived")
    explain.add_argument("code", nargs="?", default="", metavar="CODE")
    explain.set_defaults(run=_explain)
    keys = commands.add_parser("keys", help="the console's keys, as a file to make your own from")
    keys.add_argument("--check", type=Path, metavar="FILE", help="say whether this file of keys can be used")
    keys.set_defaults(run=_keys)
    new = commands.add_parser("new", help="a commented release.toml and keyring to start from")
    new.add_argument("dir", type=Path, metavar="DIR")
    new.set_defaults(run=_new)
    keyring = commands.add_parser("keyring", help="a keyring folder: its keys by full fingerprint, its versions")
    keyring.add_argument("action", choices=("list", "show", "add", "digest", "rotate", "history"))
    keyring.add_argument("words", nargs="*", metavar="FINGERPRINT | FILE PERSON FINGERPRINT")
    keyring.add_argument("--keyring", type=Path, default=Path("keyring"), metavar="DIR")
    keyring.set_defaults(run=_keyring)
    return parser


def _add_run(commands: argparse._SubParsersAction[_Parser]) -> None:
    run = commands.add_parser(
        "run", help="walk a release, or go on with it, or come back to a run", epilog=_EXIT_CODES
    )
    run.add_argument("manifest", type=Path, metavar="RELEASE.toml")
    run.add_argument("--batch", action="store_true", help="no screen: progress on stderr")
    run.add_argument("--until", choices=[str(stage) for stage in STAGES], default=str(Stage.SIGN), metavar="STAGE")
    run.add_argument("--work", type=Path, metavar="DIR", help="default: ./<name>-<version>.release")
    run.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    run.add_argument("--json", action="store_true", help="each event as one JSON object a line on stdout")
    add_looks(run)
    run.add_argument(
        "--annotations", choices=("github",), metavar="github", help="with --batch: what is wrong, as annotations"
    )
    run.add_argument("--junit", type=Path, metavar="FILE", help="with --batch: checks and builds as JUnit XML")
    run.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    attended = not options.batch and not options.json
    if attended:
        require_screen("use --batch without one")
    looks = looks_of(options) if attended else None
    if options.jobs < 1:
        raise ManifestError("--jobs", "it must be at least 1", "name a number of builds at a time")
    if looks is None:
        code = _run_batch(options)
        if options.notify and sys.stderr.isatty():
            _call(options, code)
        return code
    if options.annotations or options.junit:
        raise ManifestError("--annotations, --junit", "they are for a run without a screen", "add --batch")
    from sealwright_console.recent import remember  # noqa: PLC0415
    from sealwright_stages.wish import Wish  # noqa: PLC0415

    remember(options.manifest, options.work)
    wish = Wish(options.manifest, options.work, options.jobs, True, VERSION)
    return run_attended(wish, Stage(options.until), looks)


def _call(options: argparse.Namespace, code: int) -> None:
    from sealwright_console.calling import call_here  # noqa: PLC0415 - hardly ever asked for

    call_here(options.notify, options.manifest.name, f"the run has ended with exit {code}", options.ascii)


def _keys(options: argparse.Namespace) -> int:
    from sealwright_console.keymap import default_text, read_keymap  # noqa: PLC0415 - it brings in every screen

    if options.check is None:
        sys.stdout.write(default_text())
    else:
        count = len(read_keymap(options.check))
        print(f"{clean(str(options.check))}: it can be used; actions with keys of your own: {count}")
    return int(Exit.DONE)


def _run_batch(options: argparse.Namespace) -> int:
    from sealwright_stages.ahead import ahead_of  # noqa: PLC0415 - quick help and errors need none of this

    with ahead_of() as ahead:
        ahead.start_authority()
        from sealwright_console.batch import Telling, run_batch  # noqa: PLC0415
        from sealwright_stages.wish import Wish  # noqa: PLC0415

        wish = Wish(options.manifest, options.work, options.jobs, False, VERSION)
        telling = Telling(options.json, options.ascii, options.annotations or "", options.junit)
        return run_batch(wish, Stage(options.until), telling, ahead)


def _doctor(options: argparse.Namespace) -> int:
    from sealwright_console.fitness import run_doctor  # noqa: PLC0415

    return run_doctor(options)


def _explain(options: argparse.Namespace) -> int:
    from sealwright_console.explain import run_explain  # noqa: PLC0415

    return run_explain(options.code)


def _new(options: argparse.Namespace) -> int:
    from sealwright_console.template import write_template  # noqa: PLC0415

    write_template(options.dir)
    print(f"made {clean(str(options.dir))}: edit release.toml and keyring/signers.toml, then run it")
    return int(Exit.DONE)


def _keyring(options: argparse.Namespace) -> int:
    from sealwright_console.keys import run_keyring  # noqa: PLC0415

    return run_keyring(options.action, options.words, options.keyring)


if __name__ == "__main__":
    sys.exit(main())
