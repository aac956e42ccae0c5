"""A made-up release: events written by hand, folded by the real reducer, behind a feed that notes its orders."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sealwright_console.cursor import Cursor
from sealwright_console.feed import SigningRequest, segments
from sealwright_console.repeat import Places, places_of
from sealwright_console.review_app import ReviewApp
from sealwright_console.review_feed import ReviewFeed
from sealwright_stages import events as ev
from sealwright_stages.finish import Finish, Thing, digest_over
from sealwright_stages.fold import apply
from sealwright_stages.live import Ahead, Now
from sealwright_stages.review.past import Past, read_past
from sealwright_stages.state import State
from support.past_log import End, Output, Seal, Told, write_past

BEGIN = datetime(2026, 3, 2, 12, 39, 0, tzinfo=UTC)
THINGS = tuple(
    Thing(name, kind, hashlib.sha256(name.encode()).hexdigest(), size)
    for name, kind, size in (
        ("SHA256SUMS", "sha256sums", 1037),
        ("log/SHA256SUMS", "log-sha256sums", 1412),
        ("provenance", "dsse-payload", 9120),
    )
)
DIGEST = digest_over(THINGS)
FINGERPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"


def sha(text: str) -> str:
    """A hash that belongs to nothing."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Entry:
    """A record as the reducer wants it."""

    n: int
    t: str
    kind: str
    body: Mapping[str, object]


class Story:
    """Writes entries one after the other, two seconds apart."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def tell(self, *told: ev.Event) -> None:
        for event in told:
            self._put("ev", ev.to_body(event))

    def seal(self) -> None:
        self._put("seal", {})

    def _put(self, kind: str, body: Mapping[str, object]) -> None:
        n = len(self.entries)
        moment = BEGIN + timedelta(seconds=2 * n)
        self.entries.append(Entry(n, moment.isoformat().replace("+00:00", "Z"), kind, body))

    def declare(self, component: str, *items: tuple[str, str, str]) -> None:
        """Each item as (stage, kind, title)."""
        for stage, kind, title in items:
            self.tell(ev.ItemDeclared(f"{component}/{title}", component, stage, kind, title))

    def verdict(self, item: str, verdict: str, reason: str, **more: str) -> None:
        self.tell(
            ev.ItemStarted(item),
            ev.ItemVerdict(
                item=item,
                verdict=verdict,
                code=more.get("code", "ok"),
                reason=reason,
                next=more.get("next", ""),
                subject_sha256=sha(item),
                evidence=more.get("evidence", ""),
                evidence_sha256="",
                evidence_stream="",
            ),
        )


GIT_ITEMS = (
    ("get-sources", "git", "source has arrived"),
    ("verify", "git-tag", "signature of the tag"),
    ("build", "build", "build"),
)
NAMES = (
    "vmm-core",
    "core-admin",
    "gui-daemon",
    "linux-utils",
    "input-proxy",
    "doc-site",
    "artwork",
    "release-tools",
)


def started() -> Story:
    """Everything is declared and the first stage runs."""
    story = Story()
    story.tell(ev.RunStarted("example", "1.0", "sealwright 0.1.0", sha("manifest"), sha("policy"), False, True))
    story.declare("xen", *GIT_ITEMS[:2], ("verify", "digest", "grub-0.97.tar.gz"), GIT_ITEMS[2])
    story.declare("kde-desktop", *GIT_ITEMS)
    story.declare("lvm2", *GIT_ITEMS)
    for name in NAMES:
        story.declare(name, *GIT_ITEMS)
    story.tell(ev.StageStarted("get-sources"))
    return story


def evidence(signer: str = "release-key-a") -> str:
    """What a tag's check may say."""
    tool = {
        "tool": "gpg (GnuPG) 2.2.40",
        "exit": 0,
        "second_check": "agrees",
        "signed_at": "2026-02-20T10:11:12+00:00",
    }
    key = {"kind": "openpgp", "key": FINGERPRINT, "argv": ["gpg", "--no-options", "--verify"], **tool}
    return json.dumps(
        {
            "url": "https://example.org/sources.git",
            "tag": "v4.2.1",
            "tag_object": sha(signer)[:40],
            "object_base64": base64.b64encode(f"tag v4.2.1\ntagger {signer}\n".encode()).decode(),
            "signature": {"persons": [signer], "signatures": [key], "threshold": 1},
        }
    )


def passed(story: Story, *names: str) -> None:
    """Sources and tag of each are green, and promoted."""
    for name in names:
        fetched = json.dumps({"ref": "refs/tags/v4.2.1", "url": f"https://git.example.org/{name}.git"})
        story.verdict(
            f"{name}/source has arrived", "passed", "fetched over https from git.example.org", evidence=fetched
        )
        story.verdict(
            f"{name}/signature of the tag",
            "passed",
            "good signature by release-key-a",
            evidence=evidence(),
        )
        promote(story, name)


def promote(story: Story, name: str) -> None:
    """The component's verified bytes are in their folder."""
    story.tell(ev.SourcesPromoted(name, sha(f"{name} manifest"), 31, 204_000_000, "", "", ""))


def troubled() -> Story:
    """One red item whose file was deleted, one warning, one at work, the rest green."""
    story = started()
    passed(story, *NAMES)
    story.tell(ev.StageStarted("verify"))
    story.verdict("xen/source has arrived", "passed", "fetched over https from git.example.org")
    story.verdict("xen/signature of the tag", "passed", "good signature by release-key-a", evidence=evidence())
    story.tell(
        ev.ItemStarted("xen/grub-0.97.tar.gz"),
        ev.FileDeleted("xen/grub-0.97.tar.gz", "grub-0.97.tar.gz", sha("bad"), 971_783, "sha256 mismatch"),
    )
    story.verdict(
        "xen/grub-0.97.tar.gz",
        "failed",
        "the served file is not the pinned one",
        code="digest-mismatch",
        next="compare with another mirror; if the pin is wrong, change it in the manifest, then r",
        evidence=json.dumps(
            {"url": "https://example.org/grub-0.97.tar.gz", "wanted": sha("good"), "found": sha("bad")}
        ),
    )
    story.verdict("kde-desktop/source has arrived", "passed", "fetched over https from git.example.org")
    story.verdict(
        "kde-desktop/signature of the tag",
        "warned",
        "the key of release-key-b expired nine days after it signed",
        code="key-expired-since",
        next="ask for the extended key, or waive it by name",
        evidence=evidence("release-key-b"),
    )
    story.tell(
        ev.ItemStarted("lvm2/source has arrived"),
        ev.ItemProgress("lvm2/source has arrived", 61, 100, "via tor"),
    )
    return story


def green() -> Story:
    """All sources are verified, one of them by a waiver."""
    story = started()
    passed(story, "xen", "kde-desktop", "lvm2", *NAMES)
    story.verdict("xen/grub-0.97.tar.gz", "passed", "sha256 as pinned")
    story.verdict(
        "kde-desktop/signature of the tag", "warned", "the key has expired since", code="key-expired-since"
    )
    waive(story, "kde-desktop/signature of the tag", "release-manager-1", "extension seen on the key server")
    story.tell(ev.StageEnded("get-sources", True), ev.StageStarted("verify"), ev.StageEnded("verify", True))
    return story


def waive(story: Story, item: str, person: str, reason: str) -> None:
    """A waiver that covers the warning which stands."""
    story.tell(ev.ItemWaived(item, "key-expired-since", person, reason, sha(item), sha("policy")))


def building() -> Story:
    """Two builds are done, one runs."""
    story = green()
    story.tell(ev.StageStarted("build"))
    for name in ("vmm-core", "core-admin"):
        built(story, name)
    begin_build(story, "xen")
    for step in range(24):
        cpu, memory = 40 + 53 * step % 140, (300 + 61 * step) << 20
        story.tell(
            ev.BuildSample(
                "xen", cpu, memory, 9, (1 + step) << 20, (4 + 2 * step) << 20, False, (20 + step) << 20, 3400
            )
        )
    return story


def red_build() -> Story:
    """Two builds are done, one is red, and another runs."""
    story = building()
    story.tell(
        ev.BuildEnded(
            "xen", 2, 95_000, "", False, 171_000, "cgroup", 310 << 20, 0, 9, 44 << 20, 3400, 1 << 20, 50 << 20
        )
    )
    why = "exit 2: make: *** [all] Error 2"
    story.verdict("xen/build", "failed", why, code="build-failed", next="read the end of its log; mend it, then r")
    begin_build(story, "kde-desktop")
    story.tell(ev.BuildSample("kde-desktop", 96, 300 << 20, 4, 1 << 20, 2 << 20, False, 12 << 20, 120))
    return story


def past_trouble() -> Story:
    """A release that was red once, and went well in the end."""
    story = troubled()
    story.tell(ev.GateDecided("build", False, 28, 1, 1, 14))
    story.verdict("xen/grub-0.97.tar.gz", "passed", "sha256 as pinned, from another mirror")
    waive(story, "kde-desktop/signature of the tag", "release-manager-1", "extension seen on the key server")
    passed(story, "lvm2")
    promote(story, "xen")
    promote(story, "kde-desktop")
    story.tell(ev.StageEnded("verify", True), ev.GateDecided("build", True, 34, 0, 0, 0))
    return finish(story)


def begin_build(story: Story, name: str) -> None:
    """A build starts; its output is on the stream build/NAME/1-1."""
    story.tell(
        ev.ItemStarted(f"{name}/build"),
        ev.BuildStarted(
            name,
            f"{name}/build",
            f"build/{name}/1-1",
            "commands",
            "debian:bookworm",
            sha("environment"),
            sha(f"{name} manifest"),
            1_700_000_000,
            most_seconds=7200,
            most_memory=8 << 30,
            most_disk=20 << 30,
            most_processes=512,
        ),
    )


def built(story: Story, name: str) -> None:
    """A build from its start to its product."""
    begin_build(story, name)
    story.tell(
        ev.BuildEnded(
            name, 0, 95_000, "", False, 171_000, "cgroup", 310 << 20, 0, 9, 44 << 20, 3400, 1 << 20, 50 << 20, 9000
        ),
        ev.ProductCollected(name, f"{name}_4.2.1_amd64.deb", sha(name), 48_300),
        ev.ProductCompared(name, f"{name}_4.2.1_amd64.deb", "identical", sha(name), "the archive"),
    )
    story.verdict(f"{name}/build", "passed", "exit 0, one product")


def sealed() -> Story:
    """All is built and the log is closed."""
    return finish(green())


def finish(story: Story) -> Story:
    """All of a green story is built and sealed."""
    story.tell(ev.StageStarted("build"))
    for name in ("xen", "kde-desktop", "lvm2", *NAMES):
        built(story, name)
    story.tell(ev.StageEnded("build", True), ev.StageStarted("seal"), ev.StageEnded("seal", True))
    story.seal()
    return story


def request(digest: str = DIGEST, things: tuple[Thing, ...] = THINGS, number: int = 1) -> SigningRequest:
    """What the signer asks."""
    return SigningRequest(
        release="example-1.0",
        digest=digest,
        summary=(
            "SHA256SUMS: 11 products",
            "log/SHA256SUMS: the sealed log, 14 files",
            "provenance: 11 products of example-1.0",
            "0 warnings, 1 waivers",
        ),
        keys=(FINGERPRINT,),
        counts=(("products", 11),),
        warnings=("kde-desktop/signature of the tag: extension seen on the key server (release-manager-1)",),
        things=things,
        number=number,
    )


OTHER_THINGS = (*THINGS[:2], Thing("provenance", "dsse-payload", sha("another"), 9120))


def other_request() -> SigningRequest:
    """The next question, over other documents."""
    return request(digest_over(OTHER_THINGS), OTHER_THINGS, 2)


@dataclass
class MadeUpFeed:
    """A feed over a story; what it is asked to do is noted, nothing is done."""

    story: Story
    data: Path = Path("/nonexistent")
    title: str = "example-1.0"
    read_only: bool = False
    finished: int | None = None
    cursor: None = None
    waiting: SigningRequest | None = None
    said: tuple[str, ...] = ("✓ log authority connected · 204 sent, 204 acked",)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    looks: dict[str, Now] = field(default_factory=dict)
    lefts: dict[str, str] = field(default_factory=dict)
    far: dict[str, Ahead] = field(default_factory=dict)
    state: State = field(default_factory=State)
    finish: Finish = field(default_factory=Finish)
    _at: int = 0

    def __post_init__(self) -> None:
        self.poll()

    def poll(self) -> bool:
        fresh = self.story.entries[self._at :]
        for entry in fresh:
            apply(self.state, entry)
        self._at += len(fresh)
        return bool(fresh)

    def log_files(self, stream: str) -> list[Path]:
        return segments(self.data, stream)

    @property
    def places(self) -> Places:
        return places_of(Path("/srv/releases/example-1.0.release"), Path("/srv/releases/keyring/keys"))

    def now(self, component: str) -> Now | None:
        return self.looks.get(component)

    def left(self, component: str = "") -> str:
        return self.lefts.get(component, "")

    def ahead(self, component: str) -> Ahead | None:
        return self.far.get(component)

    def notices(self) -> Sequence[str]:
        return self.said

    def signing(self) -> SigningRequest | None:
        return self.waiting

    def retry(self, item: str) -> None:
        self.asked.append(("retry", item))

    def waive(self, item: str, person: str, reason: str, code: str, sha256: str) -> None:
        self.asked.append(("waive", item, person, reason))

    def stop(self) -> None:
        self.asked.append(("stop",))

    def confirm_signing(self, typed_digest: str, typed_release: str) -> None:
        self.asked.append(("confirm", typed_digest, typed_release))

    def refuse_signing(self) -> None:
        self.asked.append(("refuse",))


def past(folder: Path, story: Story, *, lines: int = 12) -> Past:
    """A story as a log of a past release, read; each build says some lines, one of them evil."""
    evil = b"evil line: \x1b[1;1HGREEN verified\x1b]0;title\x07 \xe2\x80\xae\x9b"
    told: list[Told] = []
    for entry in story.entries:
        if entry.kind != "ev":
            told.append(Seal())
            continue
        event = ev.from_body(entry.body)
        told.append(event)
        if isinstance(event, ev.BuildStarted):
            said = [f"CC      {event.component}/part_{number:03}.o".encode() for number in range(lines)]
            said[lines // 2] = evil if event.component == "xen" else b"warning: unused variable 'x' [-Wunused]"
            told += [Output(event.stream, line + b"\n") for line in said]
            told.append(End(event.stream))
    return read_past(write_past(folder, told, step=2000))


def review(folder: Path, story: Story, at: int | None = None) -> ReviewApp:
    """The console over such a past, at a record or at the end; it never rests between showings."""
    known = past(folder, story)
    said = ("✓ verdict: yes", "✓ good   log: whole, sealed")
    cursor = Cursor(known, known.size - 1 if at is None else at, proved=True)
    return ReviewApp(ReviewFeed(cursor, said), cursor, clock=lambda: 0.0)


def write_log(data: Path, component: str = "xen", lines: int = 220, last: bytes = b"") -> None:
    """A build's output, with one evil line and one long one, and `last` after that."""
    folder = data / "build" / component / "1-1"
    folder.mkdir(parents=True, exist_ok=True)
    text = [f"CC      tools/libxl/libxl_part_{number:03}.o".encode() for number in range(lines)]
    text[lines - 6] = b"warning: 'strncpy' output may be truncated [-Wstringop-truncation]"
    text[lines - 5] = b"evil line: \x1b[1;1HGREEN verified\x1b]0;title\x07 \xe2\x80\xae\x9b"
    text[lines - 4] = b"x" * 6000
    (folder / "00000042.log").write_bytes(b"\n".join(text) + b"\n" + last)
