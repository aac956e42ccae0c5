"""Releases that may not go on, each behind a feed at which a broken engine asks for a signature all the same.

- `Guarded` notes what reaches the engine's port, and calls it unlawful at that very moment if the rules forbid it.
- The rules are said here once more, by hand, and not taken from what is tested.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from textual.app import App
from textual.events import Key, MouseDown, MouseUp, Resize
from textual.geometry import Size
from textual.keys import _character_to_key

from console import made_up
from sealwright_console.app import ConsoleApp
from sealwright_console.feed import Feed
from sealwright_console.review_app import ReviewApp
from sealwright_stages import events as ev
from sealwright_stages.verdict import Status

ASKS = frozenset({"retry", "waive", "stop", "confirm_signing", "refuse_signing"})
"""All that a console can ask of an engine. There is no word for going on to the next stage."""
READS = frozenset(
    {
        "title",
        "read_only",
        "state",
        "cursor",
        "finished",
        "poll",
        "log_files",
        "ahead",
        "finish",
        "places",
        "now",
        "left",
        "notices",
        "signing",
    }
)


def members() -> frozenset[str]:
    """What a feed has."""
    return frozenset(name for name, _ in inspect.getmembers(Feed) if not name.startswith("_"))


@dataclass
class Guarded(made_up.MadeUpFeed):
    """Says at once what is against the rules, and in which state it was asked."""

    unlawful: list[str] = field(default_factory=list)
    signable: bool = False
    """Whether this release may be signed by who types what is asked for."""

    def confirm_signing(self, typed_digest: str, typed_release: str) -> None:
        super().confirm_signing(typed_digest, typed_release)
        asked = self.waiting
        good = asked is not None and (typed_digest, typed_release) == (asked.digest[:8], asked.release)
        if not self.signable or not good:
            self.unlawful.append(f"confirm {typed_digest!r} {typed_release!r}")

    def waive(self, item: str, person: str, reason: str, *seen: str) -> None:
        super().waive(item, person, reason, *seen)
        known = self.state.items.get(item)
        if known is None or known.status is not Status.WARNED or known.waiver is not None:
            self.unlawful.append(f"waive {item}")
        elif not person.strip() or not reason.strip():
            self.unlawful.append(f"waive {item} without a name or a reason")
        elif seen and seen != (known.code, known.subject_sha256):
            self.unlawful.append(f"waive {item} for what it is not now")


def all_built() -> made_up.Story:
    """All is built and green, and the log not sealed."""
    story = made_up.green()
    story.tell(ev.StageStarted("build"))
    for name in ("xen", "kde-desktop", "lvm2", *made_up.NAMES):
        made_up.built(story, name)
    return story


def red_in_a_sealed_log() -> made_up.Story:
    """What no engine of ours writes: a seal over a red item."""
    story = all_built()
    story.verdict("xen/grub-0.97.tar.gz", "failed", "the pin says otherwise", code="digest-mismatch", next="r")
    story.seal()
    return story


def waived_then_red() -> made_up.Story:
    """A warning was waived, and then the same item came out red, in a log that is sealed all the same."""
    story = all_built()
    story.verdict("kde-desktop/signature of the tag", "failed", "another tag", code="signature-bad", next="r")
    story.seal()
    return story


def warned_again() -> made_up.Story:
    """A warning was waived, and then another one came, for other bytes."""
    story = all_built()
    story.verdict("kde-desktop/signature of the tag", "warned", "another warning", code="another-warning")
    story.seal()
    return story


def nothing_declared() -> made_up.Story:
    """A run began and was sealed; there was nothing to check."""
    story = made_up.Story()
    story.tell(ev.RunStarted("example", "1.0", "t", made_up.sha("m"), made_up.sha("p"), False, True))
    story.seal()
    return story


def one_runs() -> made_up.Story:
    """A build runs in a sealed log."""
    story = all_built()
    made_up.begin_build(story, "xen")
    story.seal()
    return story


def one_waits() -> made_up.Story:
    """An item was declared last and never looked at, in a sealed log."""
    story = all_built()
    story.declare("late", ("verify", "git-tag", "signature of the tag"))
    story.seal()
    return story


STORIES: Mapping[str, Callable[[], made_up.Story]] = {
    "red": made_up.troubled,
    "red in a sealed log": red_in_a_sealed_log,
    "waived, then red": waived_then_red,
    "warned again": warned_again,
    "pending": made_up.started,
    "one waits": one_waits,
    "running": made_up.building,
    "one runs": one_runs,
    "no items": nothing_declared,
    "no records": made_up.Story,
    "not sealed": all_built,
    "log lost": all_built,
}
LOST = ("✗ the log is lost: its authority ended",)


def guarded(name: str) -> Guarded:
    """The feed of a story; the signer's question waits."""
    said = LOST if name == "log lost" else ("✓ log authority connected",)
    return Guarded(STORIES[name](), waiting=made_up.request(), said=said)


class Kept(ConsoleApp):
    """A console that can't be left: leaving is noted, and the hands go on."""

    left = 0

    def exit(self, *words: object, **named: object) -> None:  # type: ignore[override]
        """Stay."""
        self.left += 1

    def notify(self, *words: object, **named: object) -> None:  # type: ignore[override]
        """Say nothing: hundreds of toasts would be laid out again at each key."""


class KeptReview(ReviewApp):
    """A review that can't be left."""

    def exit(self, *words: object, **named: object) -> None:  # type: ignore[override]
        """Stay."""


async def turns(count: int = 12) -> None:
    """Let the app work off what it has."""
    for _ in range(count):
        await asyncio.sleep(0)


async def settled(app: Kept | KeptReview, seconds: float = 20.0) -> None:
    """Wait until each key is dealt with and each screen stands whole: one taken down while it mounts has no children."""
    deadline = time.monotonic() + seconds
    while not (app.at_rest and all(screen._mounted_event.is_set() for screen in app.screen_stack)):
        assert time.monotonic() < deadline, app.screen_stack
        await turns()
    await turns(60)


async def strike(app: App[int], key: str) -> None:
    """Press a key, named as Textual names it, or a character."""
    if len(key) == 1:
        app.post_message(Key(_character_to_key(key), key))
    else:
        app.post_message(Key(key, " " if key == "space" else None))
    await turns()


async def click(app: App[int], x: int, y: int) -> None:
    """Press the first button of the mouse at a cell and let go, as a terminal tells it."""
    for kind in (MouseDown, MouseUp):
        app.post_message(kind(None, x, y, 0, 0, 1, False, False, False, x, y))
    await turns()


async def resize(app: App[int], width: int, height: int) -> None:
    """The terminal has another size."""
    size = Size(width, height)
    app.post_message(Resize(size, size))
    await turns()
