"""`sealwright`: the command line. Each command is a function here; what it does lives elsewhere."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sealwright_console.complaints import complain, print_json, print_result, say
from sealwright_console.sanitise import clean
from sealwright_console.signals import end_by_signals, leave_signals
from sealwright_stages.errors import Exit, InterruptedRunError, MachineError, ManifestError, SealwrightError
from sealwright_stages.events import STAGES, Stage

if TYPE_CHECKING:
    from sealwright_stages.audit import Reviewer
    from sealwright_stages.findings import Finding

_EXIT_CODES = """exit codes: 0 done; 1 gate closed, or audit or check says no; 2 usage, manifest or no terminal;
3 a tool, permission or service is missing; 4 log or seal failure; 5 signing refused; 130 interrupted"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; gives its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    end_by_signals()
    try:
        options = _parser().parse_args(words)
        return int(options.run(options))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return int(Exit.DONE)
    except (SealwrightError, KeyboardInterrupt, OSError) as error:
        refusal = _refusal(error)
        complain(refusal)
        if words[:1] == ["run"] and "--json" in words:
            print_result(int(refusal.exit_code), refusal.what, refusal.because, refusal.next_step)
        return int(refusal.exit_code)


def _refusal(error: BaseException) -> SealwrightError:
    """What ended the program, as a refusal with a cause and a next step."""
    if isinstance(error, SealwrightError):
        return error
    if isinstance(error, OSError):
        because = error.strerror or str(error)
        return MachineError(f"{error.filename or 'a file'} can't be used", because, "mend that, then run again")
    return InterruptedRunError("the program was stopped", "Interrupt", "run again to resume")


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
    parser.add_argument("--version", action="version", version=f"sealwright {version('sealwright')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_run(commands)
    status = commands.add_parser("status", help="how a release stands, as plain text")
    status.add_argument("--work", type=Path, metavar="DIR", help="default: the only *.release folder here")
    status.add_argument("--json", action="store_true")
    status.set_defaults(run=_status)
    review = commands.add_parser("review", help="a past release, in the console or as text")
    review.add_argument("evidence", type=Path, metavar="EVIDENCE_DIR")
    _add_reviewer(review)
    review.add_argument("--batch", action="store_true")
    review.add_argument("--ascii", action="store_true")
    review.set_defaults(run=_review)
    audit = commands.add_parser("audit", help="check a sealed release offline: log, rules, products, signatures")
    audit.add_argument("evidence", type=Path, metavar="EVIDENCE_DIR")
    _add_reviewer(audit)
    audit.add_argument("--json", action="store_true")
    audit.set_defaults(run=_audit)
    check = commands.add_parser("check", help="was this file an output of the sealed release?")
    check.add_argument("files", type=Path, nargs="+", metavar="FILE")
    check.add_argument("--evidence", type=Path, required=True, metavar="EVIDENCE_DIR")
    _add_reviewer(check)
    check.set_defaults(run=_check)
    doctor = commands.add_parser("doctor", help="is this machine fit for an official build")
    doctor.add_argument("manifest", type=Path, nargs="?", metavar="RELEASE.toml", help="fit for this release")
    doctor.add_argument("--selftest", action="store_true", help="try to break out of the sandbox")
    doctor.set_defaults(run=_doctor)
    explain = commands.add_parser("explain", help="what a verdict's code means, and whether it can be waived")
    explain.add_argument("code", nargs="?", default="", metavar="CODE")
    explain.set_defaults(run=_explain)
    new = commands.add_parser("new", help="a commented release.toml and keyring to start from")
    new.add_argument("dir", type=Path, metavar="DIR")
    new.set_defaults(run=_new)
    keyring = commands.add_parser("keyring", help="the keys of a keyring folder, by full fingerprint")
    keyring.add_argument("action", choices=("list", "show", "add", "digest"))
    keyring.add_argument("words", nargs="*", metavar="FINGERPRINT | FILE PERSON FINGERPRINT")
    keyring.add_argument("--keyring", type=Path, default=Path("keyring"), metavar="DIR")
    keyring.set_defaults(run=_keyring)
    return parser


def _add_reviewer(command: argparse.ArgumentParser) -> None:
    command.add_argument("--keyring", type=Path, metavar="DIR", help="your own keyring folder with signers.toml")
    command.add_argument("--signers", default="", metavar="NAME,NAME", help="who of it must have signed")
    command.add_argument("--threshold", type=int, metavar="N", help="how many of them; default: all")
    command.add_argument(
        "--witness", action="append", default=[], metavar="VKEY", help="a witness whose cosignature is checked"
    )


def _reviewer(options: argparse.Namespace) -> Reviewer:
    """What the reviewer brings."""
    from sealwright_appendlog.cosignature import WitnessKey  # noqa: PLC0415
    from sealwright_appendlog.note import NoteError  # noqa: PLC0415
    from sealwright_stages.audit import Reviewer  # noqa: PLC0415

    names = tuple(dict.fromkeys(name.strip() for name in options.signers.split(",") if name.strip()))
    if options.keyring is None and (names or options.threshold is not None):
        raise ManifestError(
            "--signers", "without --keyring the keys are not yours", "name your own: --keyring DIR"
        )
    if options.threshold is not None and not 1 <= options.threshold <= (len(names) or options.threshold):
        raise ManifestError("--threshold", f"{options.threshold} of {len(names)} signers", "1 to that many")
    try:
        witnesses = tuple(WitnessKey.parse(text) for text in options.witness)
    except NoteError as error:
        raise ManifestError("--witness", str(error), "sealwright-appendlog witness-key prints it") from None
    return Reviewer(options.keyring, names, options.threshold, witnesses)


def _add_run(commands: argparse._SubParsersAction[_Parser]) -> None:
    run = commands.add_parser("run", help="walk a release, or go on with it", epilog=_EXIT_CODES)
    run.add_argument("manifest", type=Path, metavar="RELEASE.toml")
    run.add_argument("--batch", action="store_true", help="no screen: progress on stderr")
    run.add_argument("--until", choices=[str(stage) for stage in STAGES], default=str(Stage.SIGN), metavar="STAGE")
    run.add_argument("--work", type=Path, metavar="DIR", help="default: ./<name>-<version>.release")
    run.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    run.add_argument("--json", action="store_true", help="each event as one JSON object a line on stdout")
    run.add_argument("--ascii", action="store_true", help="no characters beyond ASCII on the screen")
    run.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from sealwright_stages.release import Wish  # noqa: PLC0415 - quick help and errors need none of this

    attended = not options.batch and not options.json
    if attended and not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise ManifestError(
            "no terminal", "the console needs one on stdin, stdout and stderr", "use --batch without one"
        )
    if options.jobs < 1:
        raise ManifestError("--jobs", "it must be at least 1", "name a number of builds at a time")
    wish = Wish(options.manifest, options.work, options.jobs, attended, version("sealwright"))
    if not attended:
        from sealwright_console.batch import run_batch  # noqa: PLC0415

        return run_batch(wish, Stage(options.until), as_json=options.json)
    return _console(wish, Stage(options.until), options.ascii)


def _console(wish, until: Stage, ascii_only: bool) -> int:  # type: ignore[no-untyped-def]
    from sealwright_console.app import run_console  # noqa: PLC0415
    from sealwright_console.feed import Mirror  # noqa: PLC0415
    from sealwright_console.live import Answers, LiveFeed  # noqa: PLC0415
    from sealwright_stages.release import folded, opened, read_release, work_folder  # noqa: PLC0415

    leave_signals()
    answers = Answers()
    mirror = Mirror(folded(work_folder(read_release(wish.manifest)[0], wish.work).log))
    with opened(wish, answers.ask, mirror.take) as release:
        feed = LiveFeed(release, answers, until, mirror)
        feed.start()
        try:
            run_console(feed, ascii=ascii_only)
        finally:
            ended = feed.join()
    if ended.exit != Exit.DONE:
        say(ended.what, [(ended.because, ended.next_step)])
    return int(ended.exit)


def _status(options: argparse.Namespace) -> int:
    from sealwright_console.batch import summary  # noqa: PLC0415
    from sealwright_stages.release import folded  # noqa: PLC0415

    work = options.work or _only_work_folder()
    if not (work / "log" / "index.jsonl").exists():
        raise ManifestError(str(work), "there is no log in it", "name a work folder: --work DIR")
    state = folded(work / "log")
    if options.json:
        items = {
            item.id: {"status": item.status, "code": item.code, "reason": item.reason}
            for item in state.items.values()
        }
        print_json({"release": state.release, "version": state.version, "sealed": state.sealed, "items": items})
    else:
        print("\n".join(summary(state)))
    return int(Exit.DONE)


def _only_work_folder() -> Path:
    """The work folder that lies here, if there is just one."""
    found = sorted(path for path in Path().glob("*.release") if path.is_dir())
    if len(found) == 1:
        return found[0]
    because = f"there are {len(found)}: {', '.join(map(str, found[:5]))}" if found else "there is none here"
    raise ManifestError("no single work folder", because, "name one: --work DIR")


def _review(options: argparse.Namespace) -> int:
    from sealwright_stages.audit import audit  # noqa: PLC0415
    from sealwright_stages.log import read_entries  # noqa: PLC0415

    result = audit(options.evidence, _reviewer(options))
    if options.batch or not sys.stdout.isatty():
        from sealwright_console.batch import summary  # noqa: PLC0415

        print("\n".join(summary(result.state)))
        return _told(result.findings, result.provided)
    from sealwright_console.app import run_console  # noqa: PLC0415
    from sealwright_console.feed import ReviewFeed  # noqa: PLC0415

    log = options.evidence / "log"
    verdict = _verdict(result.findings, result.provided)
    notices = [verdict, *(clean(f"{_MARK[f.ok]} {f.what}: {f.detail}") for f in result.findings)]
    feed = ReviewFeed(f"{result.state.release}-{result.state.version}", read_entries(log), log / "data", notices)
    run_console(feed, ascii=options.ascii)
    return int(Exit.DONE if result.passed else Exit.CLOSED)


def _audit(options: argparse.Namespace) -> int:
    from sealwright_stages.audit import audit  # noqa: PLC0415

    result = audit(options.evidence, _reviewer(options))
    if options.json:
        found = [{"ok": f.ok, "what": f.what, "detail": f.detail} for f in result.findings]
        print_json({"passed": result.passed, "provided": result.provided, "findings": found})
        return int(Exit.DONE if result.passed else Exit.CLOSED)
    return _told(result.findings, result.provided)


_MARK = {"good": "✓ good  ", "bad": "✗ BAD   ", "advice": "! advice"}


def _told(findings: Iterable[Finding], provided: str) -> int:
    """Print findings and the verdict over them, with what it hangs on."""
    findings = list(findings)
    for finding in findings:
        print(f"{_MARK[finding.ok]} {clean(finding.what)}: {clean(finding.detail)}")
    print(clean(_verdict(findings, provided)))
    return int(Exit.CLOSED if any(finding.ok == "bad" for finding in findings) else Exit.DONE)


def _verdict(findings: Iterable[Finding], provided: str) -> str:
    if any(finding.ok == "bad" for finding in findings):
        return "verdict: NO"
    return f"verdict: yes, {provided}" if provided else "verdict: yes"


def _check(options: argparse.Namespace) -> int:
    from sealwright_stages.audit import check_file  # noqa: PLC0415

    worst, reviewer = 0, _reviewer(options)
    for path in options.files:
        digest, findings, provided = check_file(path, options.evidence, reviewer)
        print(f"{clean(str(path))}: sha256 {digest or 'unknown'}")
        worst = max(worst, _told(findings, provided))
    return worst


def _doctor(options: argparse.Namespace) -> int:
    from sealwright_stages.doctor import examine, selftest  # noqa: PLC0415
    from sealwright_stages.release import read_release, work_folder  # noqa: PLC0415

    folder = None
    if options.manifest is not None:
        folder = work_folder(read_release(options.manifest)[0], None).root
    findings = [*examine(folder), *(selftest() if options.selftest else ())]
    for finding in findings:
        print(f"{_MARK[finding.ok]} {finding.name}: {clean(finding.found)}")
        if finding.ok != "good":
            print(f"         next: {clean(finding.next)}")
    return int(Exit.ENVIRONMENT if any(finding.ok == "bad" for finding in findings) else Exit.DONE)


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
