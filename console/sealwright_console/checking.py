"""The command that leads from downloaded files to the truth; and how a person pins the keys that are met first.

- A key is pinned by a person who types digits of it at a terminal, or by a command line that says `--pin`.
- Nothing is pinned from evidence on which anything else is wrong. A pin is replaced where `--repin` says so, or where signed
  steps of the pinned keyring lead to other keys and the whole check is a yes.
- Without a terminal, a release that is met for the first time is a no.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealwright_console.complaints import print_json
from sealwright_console.reviewing import add_reviewer, require_evidence, reviewer_of
from sealwright_stages.errors import Exit, ManifestError

if TYPE_CHECKING:
    from sealwright_stages.check.hashing import Hashed
    from sealwright_stages.check.trust import Trust
    from sealwright_stages.check.way import Answer, Way
    from sealwright_stages.reviewer import Reviewer

_FINGERPRINT = re.compile(r"(?:[0-9A-F]{40}|[0-9A-F]{64})\Z")
_MOST_FILES = 100_000
_DIGITS = 8


def add_checking(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the command line's parser."""
    check = commands.add_parser(
        "check",
        help="from a downloaded file to the truth: is it a product of the sealed release?",
        epilog="Keys count that you gave (--keyring, --fingerprint) or pinned; never because they lie in the folder.",
    )
    check.add_argument("files", type=Path, nargs="*", metavar="FILE", help="files, or folders of files")
    check.add_argument(
        "--evidence",
        type=Path,
        metavar="EVIDENCE_DIR",
        help="the release's evidence, or a joined release; default: a folder `evidence` beside the file, or what it lies in",
    )
    add_reviewer(check, "changes nothing here: only the files that you name are looked at")
    check.add_argument(
        "--fingerprint",
        default="",
        metavar="FPR,FPR",
        help="full fingerprints of the keys that count, with --threshold N (default: all)",
    )
    check.add_argument(
        "--pin", action="store_true", help="pin the keys of a release that is met for the first time"
    )
    check.add_argument("--repin", action="store_true", help="replace the pin of this release by its keys of now")
    check.add_argument("--pins", action="store_true", help="say what is pinned, and check nothing")
    check.add_argument(
        "-v", "--explain", action="store_true", help="add the commands that repeat each link without Sealwright"
    )
    check.add_argument("--json", action="store_true", help="one JSON object a file, with all of it")
    check.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from sealwright_stages.check.pins import pins_file, read_pins  # noqa: PLC0415 - quick help needs none of this

    if options.pins:
        return _told_pins(options, read_pins(pins_file()))
    if not options.files:
        raise ManifestError("the command line", "it names no file", "see `sealwright check --help`")
    given, reviewer = _given(options)
    pins = None if reviewer.keyring else pins_file()
    files = list(_files(options.files))
    evidence = options.evidence or _beside(options.files[0])
    require_evidence(evidence, joined=True)
    return _walked(options, evidence, reviewer, pins, given, files)


def _told_pins(options: argparse.Namespace, known: Any) -> int:
    from sealwright_console.check_text import pins as as_text  # noqa: PLC0415

    if options.json:
        from sealwright_stages.check.report import pinned  # noqa: PLC0415

        print_json({"pins": {name: pinned(pin) for name, pin in known.items()}})
    else:
        print("\n".join(as_text(known)))
    return int(Exit.DONE)


def _given(options: argparse.Namespace) -> tuple[tuple[str, ...], Reviewer]:
    """The fingerprints that were given, and what else the reviewer brings.

    Raises:
        ManifestError: they are not full, or don't go with the other options.
    """
    words = [word.replace(" ", "").upper() for word in options.fingerprint.split(",") if word.strip()]
    given = tuple(dict.fromkeys(words))
    for word in given:
        if not _FINGERPRINT.match(word):
            raise ManifestError("--fingerprint", f"{word!r} is not full", "give all 40 or 64 hex digits")
    if options.keyring is not None and (given or options.pin or options.repin):
        raise ManifestError("--keyring", "its keys count, and nothing else", "leave out the other options")
    if options.pin and options.repin:
        raise ManifestError("--repin", "it is for a release that is pinned, --pin for others", "name one of them")
    if options.repin and not given and not _terminal(options):
        because = "without a terminal nobody can type digits of the new keys"
        raise ManifestError("--repin", because, "name the new keys: --fingerprint FPR,FPR --threshold N")
    if not given:
        if options.keyring is None and (options.signers or options.threshold is not None):
            because = "they say who of the keys that you give must have signed, and you give none"
            raise ManifestError(
                "--signers, --threshold", because, "name the keys: --keyring DIR, or --fingerprint FPR,FPR"
            )
        return given, reviewer_of(options)
    threshold = options.threshold
    if threshold is not None and not 1 <= threshold <= len(given):
        raise ManifestError("--threshold", f"{threshold} of {len(given)} keys", "1 to that many")
    options.threshold = None
    reviewer = reviewer_of(options)
    options.threshold = threshold
    return given, reviewer


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files that are named, and those in the folders that are, with the links there: nobody follows these.

    Raises:
        ManifestError: a folder holds no file, or too many.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        held = sorted(_within(path))
        if not held or len(held) > _MOST_FILES:
            raise ManifestError(f"the folder {path}", f"it holds {len(held)} files", "name the files themselves")
        yield from held


def _within(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        yield from (Path(parent) / name for name in names)
        yield from filter(Path.is_symlink, (Path(parent) / name for name in folders))


def _refuse(error: OSError) -> None:
    raise error


def _beside(file: Path) -> Path:
    """The evidence that lies around a file.

    Raises:
        ManifestError: none does.
    """
    from sealwright_stages.join.sources import REPORT, is_joined  # noqa: PLC0415

    place = file.absolute()
    for folder in (place.parent / "evidence", *place.parents):
        if (folder / "log" / "checkpoint.sealed").is_file() or (is_joined(folder) and (folder / REPORT).is_file()):
            return folder
    because = f"no evidence lies beside {file}, or around it"
    raise ManifestError("--evidence", because, "name the evidence folder of the release: --evidence EVIDENCE_DIR")


def _walked(
    options: argparse.Namespace,
    evidence: Path,
    reviewer: Reviewer,
    pins: Path | None,
    given: Sequence[str],
    files: Sequence[Path],
) -> int:
    from sealwright_stages.check.hashing import Hasher  # noqa: PLC0415
    from sealwright_stages.check.trust import trust_in  # noqa: PLC0415
    from sealwright_stages.check.way import answer  # noqa: PLC0415

    hasher = Hasher(files, frozenset(options.files))
    trust = trust_in(evidence, reviewer, pins, given, options.threshold)
    way = _way(evidence, trust)
    first = hasher.next()
    way = _pinned(options, way, pins, first)
    passed = [_tell(options, way, answer(way, hashed)) for hashed in _all(first, hasher, len(files))]
    if len(passed) > 1 and not options.json:
        yes = sum(passed)
        print(f"verdict: {'YES' if yes == len(passed) else 'NO'}, {yes} of {len(passed)} files are products")
    return int(Exit.DONE if all(passed) else Exit.CLOSED)


def _all(first: Hashed, hasher: Any, count: int) -> Iterator[Hashed]:
    yield first
    for _ in range(count - 1):
        yield hasher.next()


def _tell(options: argparse.Namespace, way: Way, found: Answer) -> bool:
    if options.json:
        from sealwright_stages.check.report import report  # noqa: PLC0415

        table = report(way, found)
        if options.explain:
            from sealwright_console.check_by_hand import commands  # noqa: PLC0415

            table["by_hand"] = [{"link": title, "commands": each} for title, each in commands(way, found)]
        print_json(table)
        return found.yes
    from sealwright_console.check_text import lines  # noqa: PLC0415

    if options.explain:
        from sealwright_console.check_by_hand import commands  # noqa: PLC0415
        from sealwright_console.check_by_hand import lines as by_hand  # noqa: PLC0415

        print("\n".join(by_hand(list(commands(way, found)))))
    print("\n".join(lines(way, found)))
    return found.yes


def _terminal(options: argparse.Namespace) -> bool:
    return not options.json and all(stream.isatty() for stream in (sys.stdin, sys.stderr))


def _pinned(options: argparse.Namespace, way: Way, pins: Path | None, first: Hashed) -> Way:
    """The way, with its keys pinned if that is what was asked for; only if nothing else is wrong."""
    from dataclasses import replace  # noqa: PLC0415

    from sealwright_stages.check.pins import OtherPinError, keep, now_pinned  # noqa: PLC0415

    trust = way.trust
    if pins is None or trust.offered is None or not way.audit.report:
        return way
    if trust.how == "followed":
        if way.audit.passed:
            with contextlib.suppress(OtherPinError):  # somebody pinned meanwhile: that stands
                keep(pins, now_pinned(trust.offered, str(way.named.absolute())), instead=trust.pin)
        return way
    wants = _wants(options, trust)
    if not wants:
        return way
    way = _by_offered(way) if trust.how == "other" else way
    if not way.audit.passed or (wants == "typed" and not _typed(way.trust)):
        return replace(way, trust=trust)
    pin = now_pinned(trust.offered, str(way.named.absolute()))
    try:
        keep(pins, pin, instead=trust.pin if options.repin else None)
    except OtherPinError:
        because = f"{trust.offered.name} is pinned already, with other keys"
        raise ManifestError("--pin", because, "look at `sealwright check --pins`; --repin replaces it") from None
    how = "given" if trust.how == "given" else "pinned"
    return replace(way, trust=replace(trust, how=how, pin=pin, because=""))


def _wants(options: argparse.Namespace, trust: Trust) -> str:
    """Whether the keys are to be pinned: `typed` once digits of them were, `said` by the command line."""
    if trust.how == "first" and (options.pin or options.repin):
        return "said" if options.pin else "typed"
    if trust.how == "given" and (options.pin or options.repin):
        return "said"
    if trust.how == "other" and options.repin:
        return "typed"
    return "typed" if trust.how == "first" and _terminal(options) else ""


def _way(evidence: Path, trust: Trust) -> Way:
    """The way through evidence, or through a joined release: it is audited here, but for its products."""
    from dataclasses import replace  # noqa: PLC0415

    from sealwright_stages.check.way import way_through  # noqa: PLC0415
    from sealwright_stages.join.joined import audited  # noqa: PLC0415

    place, result = audited(evidence, replace(trust.reviewer, without_products=True))
    return way_through(place, trust, result, evidence)


def _by_offered(way: Way) -> Way:
    """The way under the keys that the folder brings, for a person who means to pin them instead."""
    from dataclasses import replace  # noqa: PLC0415

    from sealwright_stages.reviewer import Trusted  # noqa: PLC0415

    offered = way.trust.offered
    assert offered is not None  # noqa: S101 - the caller looked
    trusted = Trusted(offered.persons, offered.threshold)
    trust = replace(way.trust, reviewer=replace(way.trust.reviewer, trusted=trusted))
    return _way(way.named, trust)


def _typed(trust: Trust) -> bool:
    """Show the keys, and have the last digits of each typed."""
    from sealwright_console.check_text import keys  # noqa: PLC0415
    from sealwright_console.complaints import to_stderr  # noqa: PLC0415

    assert trust.offered is not None  # noqa: S101 - the caller looked
    to_stderr(f"{trust.offered.release}: these keys are not pinned. Compare them with what you got elsewhere:")
    for title, pin in (("pinned", trust.pin), ("in the folder", trust.offered)):
        for line in keys(title, pin) if pin else ():
            to_stderr(line)
    for fingerprint in (key for each in trust.offered.persons.values() for key in each):
        print(
            f"the last {_DIGITS} digits of {fingerprint[:8]}..., to pin it (empty: don't): ",
            end="",
            file=sys.stderr,
            flush=True,
        )
        words = sys.stdin.readline(200).replace(" ", "").strip().upper()
        if words != fingerprint[-_DIGITS:]:
            to_stderr("nothing is pinned")
            return False
    return True
