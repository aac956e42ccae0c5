"""The command that lays sealed evidence out as a static site and a git repository folder.

- What the audit says no to is told as `audit` tells it.
- Files are written, and nothing more: whether they are committed or copied to a server is a person's decision.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealwright_console.complaints import print_json
from sealwright_console.reviewing import add_reviewer, require_evidence, reviewer_of, told
from sealwright_console.sanitise import clean
from sealwright_stages.errors import Exit, ManifestError

if TYPE_CHECKING:
    from sealwright_stages.publish.publish import Landed, Published


def add_publishing(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the command line's parser."""
    publish = commands.add_parser(
        "publish",
        help="lay evidence out as a static site and a git folder; never over another release",
        epilog="Without EVIDENCE_DIR it only makes the pages anew that list what lies in DIR, as after a git merge.",
    )
    publish.add_argument("evidence", type=Path, nargs="?", metavar="EVIDENCE_DIR")
    publish.add_argument("--to", type=_site, required=True, metavar="DIR", help="the site's folder")
    publish.add_argument("--as", dest="signer", default="", metavar="NAME", help="as whose, if several signed")
    add_reviewer(publish, "leave the products out, for ones that lie elsewhere; they are audited all the same")
    publish.add_argument("--json", action="store_true")
    publish.set_defaults(run=_publish)


def _site(words: str) -> Path:
    if not words:
        raise argparse.ArgumentTypeError("it is empty, and no folder is meant by that")
    return Path(words)


def _publish(options: argparse.Namespace) -> int:
    from sealwright_stages.publish.publish import publish, relist  # noqa: PLC0415 - quick help needs none of this

    reviewer = reviewer_of(options)
    if options.evidence is None:
        if options.signer or reviewer.keyring or reviewer.witnesses:
            raise ManifestError("publish", "nothing is audited without EVIDENCE_DIR", "name the evidence")
        pages, notices = relist(options.to)
        return _relisted(pages, notices, as_json=options.json)
    require_evidence(options.evidence)
    done = publish(options.evidence, options.to, reviewer, options.signer)
    if options.json:
        return _as_json(done, options.to)
    if done.landed is None:
        return told(done.audit.findings, done.audit.provided)
    from sealwright_console.auditing import verdict  # noqa: PLC0415

    print(clean(verdict(done.audit.findings, done.audit.provided)))
    _say(done.landed, done.pages, done.notices, options.to)
    return int(Exit.DONE)


def _say(landed: Landed, pages: Sequence[str], notices: Sequence[str], site: Path) -> None:
    where = site / str(landed.place)
    print(f"{'published' if landed.new else 'already published'}: {clean(str(where))}")
    print(f"{len(landed.files)} files; SHA-256 of the list of them, FILES: {landed.sha256}")
    for notice in notices:
        print(f"! advice {clean(notice)}")
    print(f"next: {clean(_next(site, [*pages, str(landed.place)]))}")


def _next(site: Path, paths: Sequence[str]) -> str:
    if not _in_git(site):
        return f"look at {site / 'index.html'}, then copy {site} to a web server as it is"
    words = ["git", "-C", str(site), "add", "--", *paths]
    import shlex  # noqa: PLC0415

    return f"look at it, then {shlex.join(words)} and commit"


def _in_git(site: Path) -> bool:
    return any((folder / ".git").exists() for folder in (site.resolve(), *site.resolve().parents))


def _relisted(pages: Sequence[str], notices: Sequence[str], *, as_json: bool) -> int:
    if as_json:
        print_json({"published": "none", "pages": list(pages), "notices": list(notices)})
        return int(Exit.DONE)
    print(f"{len(pages)} pages made anew from what lies there; nothing was audited")
    for notice in notices:
        print(f"! advice {clean(notice)}")
    return int(Exit.DONE)


def _as_json(done: Published, site: Path) -> int:
    audit = done.audit
    value: dict[str, object] = {
        "published": "no",
        "passed": audit.passed,
        "provided": audit.provided,
        "findings": [{"ok": f.ok, "what": f.what, "detail": f.detail} for f in audit.findings],
    }
    if landed := done.landed:
        value |= {
            "published": "new" if landed.new else "already",
            "path": str(site / str(landed.place)),
            "files": len(landed.files),
            "sha256": landed.sha256,
            "pages": list(done.pages),
            "notices": list(done.notices),
        }
    print_json(value)
    return int(Exit.DONE if done.landed else Exit.CLOSED)
