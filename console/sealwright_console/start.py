"""The console without a command: recent releases, a new one, past evidence, the doctor. Its result is what to run next.

- What is chosen is a line of the command line, run after this screen has gone: there is one way to do each thing.
- esc leaves nothing but windows; only q quits, and nothing runs that could be lost.
- Going on with a release is asked first, since it walks on at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

from sealwright_console.face import SHARED_KEYS, Face
from sealwright_console.lines import Line, Part, Row, Tone, blank, fit, heading, word
from sealwright_console.looks import PLAIN, Looks
from sealwright_console.recent import Recent, Stand, remembered, stand
from sealwright_console.screens.asking import WINDOW_CSS, AskScreen
from sealwright_console.template import write_template
from sealwright_console.widgets.keys_line import KeysLine
from sealwright_console.widgets.ledger import Ledger
from sealwright_console.widgets.texts import Texts
from sealwright_stages.errors import SealwrightError

_READING = "its log is being read"
_DEEDS = (
    ("n", "new release", "a commented manifest and keyring"),
    ("o", "open evidence", "audits a past release, shows it"),
    ("d", "doctor", "is this machine fit"),
)


def recent_rows(stands: Sequence[Stand]) -> list[Row]:
    """A release in two lines: how it stands, and where."""
    rows = [heading("recent releases")]
    if not stands:
        rows.append(
            Row("", ((Part("  none yet: n makes one, or `sealwright run RELEASE.toml` walks one", Tone.DIM),),))
        )
    for number, each in enumerate(stands):
        place = (Part(f"{'':14}", Tone.DIM), Part(str(each.recent.work), Tone.DIM))
        name = each.release or each.recent.work.name.removesuffix(".release")
        if each.trouble:
            label = "! missing" if each.gone else "… reading" if each.trouble == _READING else "! unknown"
            first: Line = (
                Part(f"  {label:<12}", Tone.WARNED),
                Part(fit(name, 26), Tone.HEAD),
                Part(f"  {each.trouble}"),
            )
        else:
            at = each.at.replace("T", " ")[:16]
            first = (
                Part("  "),
                word(each.status, 12),
                Part(fit(name, 26), Tone.HEAD),
                Part(f"  {each.stage:<13}{at} UTC"),
            )
        rows.append(Row(f"recent {number}", (first, place)))
    return rows


def deed_rows() -> list[Row]:
    """What else can be done."""
    rows = [blank(), heading("or")]
    for key, name, what in _DEEDS:
        rows.append(
            Row(
                f"deed {key}",
                ((Part(f"  {key:<12}", Tone.KEY), Part(fit(name, 26), Tone.HEAD), Part(f"  {what}")),),
            )
        )
    return rows


class PathScreen(ModalScreen[str]):
    """Asks for a path; what is wrong with it is said below it, and it can be mended there."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Back")]
    DEFAULT_CSS = f"PathScreen {{ {WINDOW_CSS} }}"

    def __init__(self, question: str, hint: str, check: Callable[[Path], str]) -> None:
        """Ask `question`; `check` does what is to be done with the path, and gives what is wrong, or nothing."""
        super().__init__()
        self._question, self._hint, self._check = question, hint, check

    def compose(self) -> ComposeResult:
        """The question, a field, and what is wrong."""
        with Vertical(id="window"):
            yield Texts((Part(self._question, Tone.HEAD),), id="question")
            yield Input(placeholder=self._hint, compact=True, id="path")
            yield Texts(id="wrong")

    def on_mount(self) -> None:
        """Begin with the field."""
        self.query_one(Input).focus()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Take it, or say why not."""
        typed = message.value.strip()
        try:
            wrong = self._check(Path(typed).expanduser().absolute()) if typed else "type a path"
        except (OSError, ValueError, RuntimeError) as error:
            wrong = str(error)
        if wrong:
            self.query_one("#wrong", Texts).show((Part(f"! {wrong}", Tone.WARNED),))
        else:
            self.dismiss(typed)


class StartScreen(Screen[None]):
    """What there is to do."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter", "choose", "Open", key_display="enter", tooltip="open the release, or do what the line says"
        ),
        Binding("n", "deed('n')", "New", tooltip="make a new release: a commented manifest and keyring"),
        Binding(
            "o",
            "deed('o')",
            "Open evidence",
            tooltip="audit a past release by the path of its evidence, and show it",
        ),
        Binding("d", "deed('d')", "Doctor", tooltip="is this machine fit, with cures and the selftest"),
        Binding("y", "copy", "Copy", show=False, tooltip="copy the selected row in full"),
        Binding("escape", "stay", show=False),
    ]
    DEFAULT_CSS = """
    StartScreen #heading { height: auto; background: $panel; padding: 0 1; }
    StartScreen #notices { height: 1; padding: 0 1; background: $surface; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, recent: Sequence[Recent]) -> None:
        """Show `recent`."""
        super().__init__()
        self._recent = recent
        self._stands: list[Stand] = []

    def compose(self) -> ComposeResult:
        """The heading, the list, the keys."""
        yield Texts(
            (
                Part("SEALWRIGHT", Tone.HEAD),
                Part("   walks a release from its sources to its signatures", Tone.DIM),
            ),
            id="heading",
        )
        yield Ledger(id="list")
        yield Texts(id="notices")
        yield KeysLine()

    def on_mount(self) -> None:
        """Show the list at once, and how each stands as it is read."""
        self._stands = [Stand(each, trouble=_READING) for each in self._recent]
        self._show()
        self.query_one(Ledger).focus()
        self._read()

    @work(thread=True, exit_on_error=False)
    def _read(self) -> None:
        for number, each in enumerate(self._recent):
            found = stand(each)
            if not self.app.is_running:
                return
            self.app.call_later(self._take, number, found)

    def _take(self, number: int, found: Stand) -> None:
        self._stands[number] = found
        self._show()

    def _show(self) -> None:
        if self.is_mounted and self.query(Ledger):
            self.query_one(Ledger).show([*recent_rows(self._stands), *deed_rows()])

    def _say(self, *parts: Part) -> None:
        self.query_one("#notices", Texts).show(parts)

    def on_ledger_chosen(self, message: Ledger.Chosen) -> None:
        """A click on the selected row is the enter key."""
        self.action_choose()

    def action_stay(self) -> None:
        """Esc has nowhere to go back to."""
        self._say(Part("q quits", Tone.DIM))

    def action_choose(self) -> None:
        """Do what is under the cursor."""
        kind, _, which = self.query_one(Ledger).key.partition(" ")
        if kind == "deed":
            self.action_deed(which)
        elif kind == "recent":
            self._open(self._stands[int(which)])

    def _open(self, chosen: Stand) -> None:
        evidence = chosen.recent.work / "evidence"
        if chosen.trouble:
            self._say(Part(f"! {chosen.recent.work}: {chosen.trouble}", Tone.WARNED))
        elif chosen.sealed and evidence.is_dir():
            self._leave(["review", str(evidence)])
        else:
            question: tuple[Line, ...] = (
                (Part(f"Go on with {chosen.release}?", Tone.HEAD),),
                (Part("It is taken up where its log ends, and walks on at once."),),
                (Part(str(chosen.recent.manifest), Tone.DIM),),
            )
            words = ["run", str(chosen.recent.manifest), "--work", str(chosen.recent.work)]
            self.app.push_screen(
                AskScreen(question, yes="Go on", no="Stay"), lambda yes: self._leave(words) if yes else None
            )

    def action_deed(self, which: str) -> None:
        """New, open, doctor."""
        if which == "n":
            self.app.push_screen(
                PathScreen("A new release: in which folder?", "a new or empty folder", _new), self._made
            )
        elif which == "o":
            hint = "an evidence folder, with its log"
            self.app.push_screen(PathScreen("Open which evidence?", hint, _evidence), self._review)
        elif which == "d":
            from sealwright_console.screens.doctor import DoctorScreen  # noqa: PLC0415 - after the first paint

            self.app.push_screen(DoctorScreen())

    def _made(self, folder: str | None) -> None:
        if folder:
            self._say(
                Part(f"✓ made {folder}", Tone.PASSED),
                Part(": edit release.toml and keyring/signers.toml, then run it"),
            )

    def _review(self, folder: str | None) -> None:
        if folder:
            self._leave(["review", str(Path(folder).expanduser().absolute())])

    def _leave(self, words: list[str]) -> None:
        self.app.exit(words)

    def action_copy(self) -> None:
        """Copy the row under the cursor."""
        self.app.copy_to_clipboard(self.query_one(Ledger).selected_text())


def _new(folder: Path) -> str:
    try:
        write_template(folder)
    except SealwrightError as error:
        return f"{error.because}: {error.next_step}"
    return ""


def _evidence(folder: Path) -> str:
    return (
        ""
        if (folder / "log" / "index.jsonl").is_file()
        else "there is no log in it: name the folder evidence of a release"
    )


class StartApp(Face[list[str]]):
    """The app of the start screen."""

    BINDINGS: ClassVar[list[BindingType]] = [*SHARED_KEYS]

    def __init__(self, recent: Sequence[Recent], looks: Looks = PLAIN) -> None:
        """Show `recent` as `looks` asks."""
        super().__init__(looks)
        self._recent = recent

    def on_mount(self) -> None:
        """Begin."""
        self.push_screen(StartScreen(self._recent))

    def action_leave(self) -> None:
        """Quit: nothing runs here."""
        self.exit([])


def run_start(looks: Looks = PLAIN) -> list[str]:
    """Show the start screen; gives the words of the command that was chosen, none if it was left."""
    words = StartApp(remembered(), looks).run() or []
    return [*words, *looks.words] if words else []
