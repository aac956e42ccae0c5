"""The commands of somebody who attends a run: start it or come back to it, leave it running, ask how it stands.

- `run` comes to the engine that works on this release, or starts one; `attach` comes to one, and never starts any.
- How a run ended that nobody saw end is said by whoever comes next, with its exit code from `attach`.
- Leaving a run that goes on is no yes: the exit code is that of an interruption.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealwright_console.complaints import print_json, say
from sealwright_console.looks import Looks, add_looks, looks_of, require_screen
from sealwright_console.sanitise import clean
from sealwright_console.signals import leave_signals
from sealwright_stages import VERSION
from sealwright_stages.errors import Exit, MachineError, ManifestError

if TYPE_CHECKING:
    from sealwright_stages.attended.client import Link
    from sealwright_stages.attended.place import Place
    from sealwright_stages.attended.protocol import Over
    from sealwright_stages.events import Stage
    from sealwright_stages.manifest import Manifest
    from sealwright_stages.wish import Wish


def add_attending(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands to the command line's parser; `run` is added elsewhere."""
    attach = commands.add_parser(
        "attach", help="come back to a run that was left running, or hear how it ended; starts nothing"
    )
    _add_work(attach)
    add_looks(attach)
    attach.set_defaults(run=_attach)
    status = commands.add_parser("status", help="how a release stands, as plain text, and whether it runs")
    _add_work(status)
    status.add_argument("--json", action="store_true")
    status.set_defaults(run=_status)


def _add_work(command: argparse.ArgumentParser) -> None:
    command.add_argument("--work", type=Path, metavar="DIR", help="default: the only *.release folder here")


def run_attended(wish: Wish, until: Stage, looks: Looks) -> int:
    """Come to the engine of this release, or start it; gives the exit code.

    Raises:
        SealwrightError: it can't be started or come to.
    """
    from sealwright_stages.attended.client import attached, start  # noqa: PLC0415 - quick errors need none of this
    from sealwright_stages.attended.place import Place  # noqa: PLC0415
    from sealwright_stages.attended.protocol import Over  # noqa: PLC0415
    from sealwright_stages.manifest import load  # noqa: PLC0415
    from sealwright_stages.work import work_folder  # noqa: PLC0415

    manifest = load(wish.manifest)
    place = Place(work_folder(manifest.release, wish.work))
    link = attached(place, wish.tool)
    if link is not None:
        _same(link, manifest, wish, until)
        return _show(link, looks)
    _tell_unseen(place)
    try:
        begun = start(wish, until, place, _tell)
    except MachineError:  # another was started at the same moment, perhaps
        if place.work.holder() is None or (link := attached(place, wish.tool)) is None:
            raise
        _same(link, manifest, wish, until)
        begun = link
    return _told(place, begun) if isinstance(begun, Over) else _show(begun, looks)


def _same(link: Link, manifest: Manifest, wish: Wish, until: Stage) -> None:
    """The engine that runs must work on this very manifest; how far and how broad it goes was said when it began."""
    hello = link.hello
    if (hello.release, hello.manifest_sha256) != (manifest.release, manifest.sha256):
        link.close()
        raise ManifestError(
            f"{manifest.path} is not what the engine works on, which has the work folder",
            f"it runs {hello.release} by another manifest, since {hello.since}",
            "come to it with `sealwright attach --work DIR`, or name another folder",
        )
    if hello.until != str(until):
        _tell(f"the engine was started with --until {hello.until}, and that holds")
    if hello.jobs != wish.jobs:
        _tell(f"the engine was started with --jobs {hello.jobs}, and that holds")


def _attach(options: argparse.Namespace) -> int:
    from sealwright_stages.attended.client import attached, gone  # noqa: PLC0415 - quick errors need none of this

    place = _place(options.work)
    if place.work.holder() is not None:
        require_screen("use `sealwright status` without one")
        looks = looks_of(options)
        if (link := attached(place, VERSION)) is not None:
            return _show(link, looks)
    if (over := place.ended()) is not None:
        return _told(place, over)
    if (engine := place.engine()) is not None:
        raise gone(place, engine.pid)
    raise ManifestError(
        f"nothing runs in {place.work.root}",
        "no engine was left there",
        "`sealwright run RELEASE.toml` starts one",
    )


def _show(link: Link, looks: Looks) -> int:
    """The console over a connection, until the person leaves."""
    from sealwright_console.app import run_console  # noqa: PLC0415 - it brings in textual
    from sealwright_console.attached import AttachedFeed  # noqa: PLC0415

    leave_signals()
    place = link.place
    come_back = _come_back(place)
    feed = AttachedFeed(link)
    try:
        code = run_console(feed, looks, come_back)
        over = feed.over
    finally:
        feed.close()
    if over is None:
        _tell(f"{link.hello.release} runs on, in process {link.hello.pid}")
        _tell(f"next: come back with `{come_back}`")
        return code
    return _told(place, over)


def _told(place: Place, over: Over) -> int:
    """Say how a run ended; gives its exit code."""
    from sealwright_stages.attended.client import exhibits  # noqa: PLC0415

    if over.exit == Exit.DONE:
        _tell(f"done: {over.what}")
        _tell(f"next: {over.next}")
    else:
        say(over.what, [(over.because, over.next)], exhibits(over))
    if place.ended() == over:
        place.mark_seen()
    return over.exit


def _tell_unseen(place: Place) -> None:
    """Say how the last run ended, if nobody has seen that; a new one begins."""
    if (over := place.ended()) is not None and not place.seen:
        why = f": {over.because}" if over.because else ""
        _tell(f"the last run ended while nobody watched, with exit {over.exit}: {over.what}{why}")


def _tell(line: str) -> None:
    print(clean(line), file=sys.stderr, flush=True)


def _come_back(place: Place) -> str:
    """The command that comes to a run, as one would type it here."""
    program, found = Path(sys.argv[0]), shutil.which("sealwright")
    word = "sealwright"
    if program.name == word and program.exists() and not (found and Path(found).samefile(program)):
        word = _short(program.absolute())
        word = word if "/" in word else f"./{word}"
    return shlex.join([word, "attach", "--work", _short(place.work.root)])


def _short(path: Path) -> str:
    """A path as one would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _status(options: argparse.Namespace) -> int:
    from sealwright_console.summary import summary  # noqa: PLC0415
    from sealwright_stages.release import folded  # noqa: PLC0415

    place = _place(options.work)
    log = place.work.log
    if not (log / "index.jsonl").exists():
        raise ManifestError(str(place.work.root), "there is no log in it", "name a work folder: --work DIR")
    state = folded(log)
    runs, lines = _runs(place)
    if options.json:
        items = {
            item.id: {"status": item.status, "code": item.code, "reason": item.reason}
            for item in state.items.values()
        }
        print_json(
            {
                "release": state.release,
                "version": state.version,
                "sealed": state.sealed,
                "items": items,
                "run": runs,
            }
        )
    else:
        print("\n".join([*summary(state), *map(clean, lines)]))
    return int(Exit.DONE)


def _runs(place: Place) -> tuple[dict[str, object], list[str]]:
    """Whether something runs in a work folder, and else how the last run ended: as JSON, and in lines."""
    from sealwright_stages.attended.protocol import PROTOCOL  # noqa: PLC0415 - quick errors need none of this

    try:
        holder, engine, over = place.work.holder(), place.engine(), place.ended()
    except (MachineError, OSError) as error:
        because = error.because if isinstance(error, MachineError) else error.strerror or str(error)
        return {"runs": "unknown"}, [f"whether it runs can't be told: {because}", "next: ask as its owner"]
    if holder is not None and (number := place.protocol_of(holder) or PROTOCOL) != PROTOCOL:
        line = f"an engine of another version runs, pid {holder}: it speaks protocol {number}, and this {PROTOCOL}"
        return {"runs": "engine", "pid": holder, "protocol": number}, [line, "next: come to it by that version"]
    if holder is not None and engine is not None and engine.pid == holder:
        told = {"runs": "engine", "pid": holder, "since": engine.since, "until": engine.until}
        since = f"an engine runs, pid {holder}, since {engine.since}, until {engine.until}"
        return told, [
            since,
            f"next: come to it with `{_come_back(place)}`",
        ]
    if holder is not None:
        return {"runs": "yes", "pid": holder}, [f"process {holder or 'unknown'} works on it, without a console"]
    if over is not None:
        ended = {"exit": over.exit, "what": over.what, "because": over.because, "next": over.next}
        why = [f"because: {over.because}"] if over.because else []
        return {"runs": "no", "ended": ended}, [
            f"the last attended run ended with exit {over.exit}: {over.what}",
            *why,
            f"next: {over.next}",
        ]
    if engine is not None:
        told = {"runs": "no", "gone": engine.pid, "since": engine.since}
        gone = f"the engine, pid {engine.pid}, that ran since {engine.since} is gone without a word"
        return told, [gone, "next: run again to resume"]
    return {"runs": "no"}, []


def _place(asked: Path | None) -> Place:
    from sealwright_stages.attended.place import Place  # noqa: PLC0415
    from sealwright_stages.work import WorkFolder  # noqa: PLC0415

    return Place(WorkFolder((asked or _only_work_folder()).absolute()))


def _only_work_folder() -> Path:
    """The work folder that lies here, if there is just one."""
    found = sorted(path for path in Path().glob("*.release") if path.is_dir())
    if len(found) == 1:
        return found[0]
    because = f"there are {len(found)}: {', '.join(map(str, found[:5]))}" if found else "there is none here"
    raise ManifestError("no single work folder", because, "name one: --work DIR")
