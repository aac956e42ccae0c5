"""A console over a feed in which every text is an attack; run as a program on a pseudo terminal.

`hostile.py feed` shows the console; `hostile.py every FILE` shows each of its screens, one after the other, over several
such releases, and writes into FILE which widgets were there; `hostile.py raw` shows widgets that nobody cleans, so that only the output
filter stands before the terminal; `hostile.py start` the start and doctor screens; `hostile.py open` takes the filter away too, to prove that the test can fail.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.text import Text
from textual.app import App, ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Button, DataTable, Input, Label, OptionList, Static

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from console import made_up
from console.reach import GIVEN, at, make, screens
from sealwright_console.app import ConsoleApp
from sealwright_console.feed import SigningRequest
from sealwright_console.lines import Part
from sealwright_console.looks import Looks
from sealwright_console.theme import THEME_NAMES
from sealwright_stages import events as ev
from support.stream import CANARY


def attack(mark: str) -> str:
    """CSI, OSC with BEL, C1, bidi, zero width, NUL and markup around a mark."""
    return f"\x1b[7m{mark}\x1b]0;t\x07\x9b1m\u202e\u200b\x00[b]{mark}"


ATTACKS = (
    f"\x1b[{CANARY};9H",
    f"\x1b[5;{CANARY}m",
    f"\x1b]0;{CANARY}\x07",
    f"\x1b]8;;https://example.org/{CANARY}\x1b\\link\x1b]8;;\x1b\\",
    f"\x1b]52;c;{base64.b64encode(CANARY.encode()).decode()}\x07",
    f"\x1b]9;{CANARY}\x07",
    f"\x1b]777;notify;{CANARY};x\x1b\\",
    f"\x1bP{CANARY}q\x1b\\",
    f"\x1b_{CANARY}\x1b\\\x1b^{CANARY}\x1b\\\x1bX{CANARY}\x1b\\",
    f"\x1bc\x1b(0\x1b#8\x9b{CANARY}H\x9d0;{CANARY}\x9c",
    f"\udc9b{CANARY}H\udcff\udcc3",
    "\x00\x07\x08\r\x0b\x0c\x0e\x7f",
    "\u202eright to left\u2066\u200f\u2028\u2029",
    "\u200b\u200d\ufeff\u00ad\U000e0041\u3164\ufe0f",
    "e" + "\u0301" * 300,
    "\u754c" * 40,
    f"[red]{CANARY}[/] [/] [link=https://example.org]l[/link] [@click=app.leave]c[/] [bold",
)
"""One of each kind; none of them is text that may come out as it is, but for wide characters and markup."""


def all_of(mark: str, turn: int) -> str:
    """Every attack after a mark; `turn` says which is the first, since what is cut off never gets anywhere."""
    turn %= len(ATTACKS)
    return mark + "".join((*ATTACKS[turn:], *ATTACKS[:turn]))


SURFACES = (
    "component",
    "title",
    "reason",
    "next",
    "evidence-key",
    "evidence-value",
    "deleted",
    "person",
    "why-waived",
    "environment",
    "product",
    "reference",
    "log-line",
    "notice",
    "heading",
    "summary",
    "key",
    "warning",
    "because",
)
MARKS = {name: f"M{number:02}" for number, name in enumerate(SURFACES)}


def evil(name: str) -> str:
    """The attack of a surface."""
    return attack(MARKS[name])


def longest(name: str) -> str:
    """A megabyte of attacks."""
    text = all_of(MARKS[name], 3)
    return text * ((1 << 20) // len(text))


def feed(data: Path, evil: Callable[[str], str] = evil) -> made_up.MadeUpFeed:
    """A release in which nothing is meant well; `evil` gives what is said on a surface."""
    story = made_up.Story()
    story.tell(ev.RunStarted("x", "1", "t", made_up.sha("m"), made_up.sha("p"), False, True))
    name = evil("component")
    story.tell(ev.ItemDeclared("a", name, "verify", "git", evil("title")))
    story.tell(ev.ItemDeclared("w", name, "verify", "git", "warned"))
    story.tell(ev.FileDeleted("a", evil("deleted"), "", 1, ""))
    proof = json.dumps({evil("evidence-key"): evil("evidence-value")})
    story.verdict("a", "failed", evil("reason"), next=evil("next"), evidence=proof, code="bad")
    story.verdict("w", "warned", "expired", code="key-expired-since")
    waiver = (evil("person"), evil("why-waived"), made_up.sha("w"), made_up.sha("p"))
    story.tell(ev.ItemWaived("w", "key-expired-since", *waiver))
    story.tell(ev.BuildStarted(name, "a", "build/xen/1-1", "commands", evil("environment"), "", "", 0))
    story.tell(ev.ProductCollected(name, evil("product"), made_up.sha("x"), 1))
    story.tell(ev.ProductCompared(name, evil("product"), "differs", "", evil("reference")))
    story.tell(ev.RunEnded(1, evil("because"), ""))
    folder = data / "build" / "xen" / "1-1"
    folder.mkdir(parents=True, exist_ok=True)
    line = evil("log-line").encode("utf-8", "surrogateescape")
    (folder / "00000001.log").write_bytes(line + b"\x9b\xff raw\n")
    request = SigningRequest(
        "x-1", made_up.DIGEST, (evil("summary"),), (evil("key"),), (("items", 1),), (evil("warning"),)
    )
    said = (f"✓ {evil('notice')}",)
    return made_up.MadeUpFeed(story, data=data, title=evil("heading"), finished=1, waiting=request, said=said)


def turned(turn: int) -> Callable[[str], str]:
    """What is said on each surface, beginning with another attack on each."""
    return lambda name: all_of(MARKS[name], turn + list(MARKS).index(name))


class EveryScreen(ConsoleApp):
    """Shows each screen of the package over one hostile release after the other, and copies what can be copied there."""

    told: Path

    async def on_ready(self) -> None:
        """Begin once the first screen stands."""
        self.run_worker(self._show_all(), exit_on_error=True)

    async def _show_all(self) -> None:
        seen: set[str] = set()
        with tempfile.TemporaryDirectory() as folder:
            cursor = at(Path(folder) / "past", made_up.past_trouble())
            for number, said in enumerate((turned(0), turned(6), longest)):
                over = feed(Path(folder) / str(number), said)
                for kind in screens():
                    self._given(said)
                    screen = make(kind, over, cursor)
                    self.push_screen(screen)
                    await asyncio.sleep(0.05)
                    seen |= {type(each).__name__ for each in (screen, *screen.query("*"))}
                    for each in ("copy", "copy_command", "copy_evidence"):
                        if said is not longest and hasattr(screen, f"action_{each}"):
                            await screen.run_action(each)
                    self.notify(Part(said("notice")).text, markup=False, timeout=0.2)
                    await asyncio.sleep(0.05)
                    screen.app.pop_screen()
                    await asyncio.sleep(0)
        self.told.write_text(json.dumps(sorted(seen)))
        self.exit(0)

    def _given(self, said: Callable[[str], str]) -> None:
        """What screens are made from is hostile, too."""
        text = said("reason")
        words: dict[str, object] = {
            "name": said("component"),
            "text": f"+{text}\n-{text[:99]}\n",
            "question": ((Part(text),),),
            "hint": Part(text).text,
            "yes": Part(text, limit=20).text,
            "answers": {"one": Part(text, limit=20).text},
        }
        for name, word in words.items():
            GIVEN[name] = lambda feed, cursor, word=word: word  # type: ignore[misc]


RAW = ("static", "border", "cell", "value", "button", "option", "label", "toast")


class RawScreen(Screen[None]):
    """Widgets that are handed hostile text as it is."""

    def compose(self) -> ComposeResult:
        """One surface each."""
        framed = Static("framed", markup=False)
        framed.styles.border = ("solid", "red")
        framed.border_title = Content(attack("R-border"))  # type: ignore[assignment]
        table: DataTable[Text] = DataTable()
        table.add_column("head")
        table.add_row(Text(attack("R-cell")))
        yield Static(Content(attack("R-static")))
        yield framed
        yield table
        yield Input(attack("R-value"))
        yield Button(Content(attack("R-button")))  # type: ignore[arg-type]
        yield OptionList(Content(attack("R-option")))
        yield Label(Text(attack("R-label"), style="link https://example.org"))

    def on_mount(self) -> None:
        """A toast too."""
        self.notify(attack("R-toast"), markup=False, timeout=60)


LONE = ("folder", "manifest", "release", "stage", "part", "found", "cure", "attempt")


def lone_mark(name: str) -> str:
    """An attack of the start or doctor screen, with its mark first: what is cut is cut at the end."""
    return attack(f"L-{name}")


def start_app() -> App[list[str]]:
    """The start screen over a list and logs that are attacks; d opens a doctor whose parts are some."""
    from sealwright_console import start
    from sealwright_console.recent import Recent, Stand
    from sealwright_console.screens import doctor
    from sealwright_stages.doctor import Finding
    from sealwright_stages.selftest.attempts import ATTEMPTS, Result, Tried
    from sealwright_stages.verdict import Status

    where = Recent(Path(f"/{lone_mark('folder')}"), Path(f"/{lone_mark('manifest')}"))
    start.stand = lambda recent: Stand(where, lone_mark("release"), lone_mark("stage"), Status.FAILED)
    parts = [Finding(lone_mark("part"), "bad", lone_mark("found"), lone_mark("cure"))]
    tried = [Tried(ATTEMPTS[0], Result.BROKEN, lone_mark("attempt"))]
    screen = doctor.DoctorScreen
    doctor.DoctorScreen = lambda: screen(lambda: parts, lambda tell, stop: tell(tried))  # type: ignore[assignment, misc]
    return start.StartApp([where])


def calling_app() -> App[int]:
    """Calls twenty times with texts that are attacks, while it draws as fast as it can; then says that it is done."""
    story = made_up.troubled()
    app = ConsoleApp(made_up.MadeUpFeed(story), looks=Looks(notify="osc777"))

    async def draw() -> None:
        for number in range(20):
            for theme in THEME_NAMES:
                app.theme = theme
                await asyncio.sleep(0.005)
            app.call_person("x-1", f"red: {attack('C-x')} {number}; {attack('C-y')}")
        await app.workers.wait_for_complete([each for each in app.workers if each.group == "call"])
        app.notify("scrolled to the end", timeout=60)

    app.call_later(lambda: app.run_worker(draw(), group="draw"))
    return app


def main() -> None:
    """Show what was asked for."""
    if sys.argv[1] == "start":
        start_app().run()
        return
    if sys.argv[1] == "call":
        calling_app().run()
        return
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[1] == "every":
            every = EveryScreen(feed(Path(folder)))
            every.told = Path(sys.argv[2])
            every.run()
            return
        app = ConsoleApp(feed(Path(folder)))
        if sys.argv[1] != "feed":
            app.call_later(app.push_screen, RawScreen())
        if sys.argv[1] == "open":
            app._last_filters = ()
        app.run()


if __name__ == "__main__":
    main()
