"""What every screen in a terminal stands on: the console's app and the start screen's are made of it.

- One list of themes, one set of filters, one way to copy, one place for keys and calls; no app has its own.
- NO_COLOR leaves the terminal's own colours, and then takes them away.
- What is copied is clean. Where a terminal takes no clipboard, or perhaps did not, the text is shown to be selected.
- What the terminal is told beside the picture goes through the driver between two frames, never into one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from textual import work
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import Screen

from sealwright_console.calling import ask_tmux, give_tmux
from sealwright_console.key_names import shown_key
from sealwright_console.key_order import KeysInOrder
from sealwright_console.looks import PLAIN, Looks
from sealwright_console.output_filter import AsciiFilter, DeadFilter
from sealwright_console.terminal import Terminal, Within, call, clipboard, copyable, terminal_of
from sealwright_console.theme import ANSI, DARK, THEME_NAMES, THEMES
from sealwright_console.widgets.rows import Rows

Result = TypeVar("Result")

SHARED_KEYS: list[BindingType] = [
    Binding("t", "turn_theme", "Theme", show=False, tooltip="the next theme"),
    Binding("colon,ctrl+p", "command_palette", "Palette", show=False, tooltip="all commands, to search"),
    Binding("question_mark", "keys", "Help", key_display="?", tooltip="the keys of this screen, and all others"),
    Binding("ctrl+q,ctrl+c", "leave", show=False, priority=True),
    Binding("q", "leave", "Quit", tooltip="quit; asks while the release runs"),
]
"""Those of every app; an app binds them after its own, for that is their order in the footer."""


class Face(KeysInOrder[Result]):
    """An app that looks, listens and calls as all of ours do."""

    CSS = """
    CommandPalette SearchIcon { display: none; }
    CommandPalette #--input { border: none; padding: 0 1; }
    """
    TITLE = "Sealwright"

    def __init__(self, looks: Looks = PLAIN, **options: Any) -> None:
        """Look as `looks` asks."""
        self._last_filters: tuple[LineFilter, ...] = (
            (DeadFilter(), AsciiFilter()) if looks.ascii else (DeadFilter(),)
        )
        if looks.keys:
            from sealwright_console.keymap import give_names  # noqa: PLC0415 - without own keys nothing needs names

            give_names()
        colourless = "NO_COLOR" in os.environ
        super().__init__(ansi_color=True if colourless else None, **options)  # else Textual would make greys of it
        self.looks = looks
        self._copied = ""
        for each in THEMES:
            self.register_theme(each)
        chosen = looks.theme or os.environ.get("SEALWRIGHT_THEME", "")
        self.theme = ANSI.name if colourless else chosen if chosen in THEME_NAMES else DARK.name
        self.set_keymap(dict(looks.keys))

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's own filters, and ours after them."""
        return (*super().get_line_filters(), *self._last_filters)

    def get_key_display(self, binding: Binding) -> str:
        """A key in the footer, named as help and the file of keys name it."""
        return binding.key_display or shown_key(binding.key)

    def action_turn_theme(self) -> None:
        """Take the next theme."""
        here = THEME_NAMES.index(self.theme) if self.theme in THEME_NAMES else 0
        self.take_theme(THEME_NAMES[(here + 1) % len(THEME_NAMES)])

    def take_theme(self, name: str) -> None:
        """Take this theme; without colours there is only one."""
        if self.no_color:
            self.notify("NO_COLOR is set: there are no colours to choose", markup=False, timeout=3)
            return
        self.theme = name
        self.notify(f"theme: {name}", markup=False, timeout=1)

    def action_keys(self) -> None:
        """Show the keys of this screen, and all others; or go back from them."""
        from sealwright_console.screens.help import HelpScreen, LoneHelpScreen, help_over  # noqa: PLC0415 - as below

        if isinstance(self.screen, HelpScreen | LoneHelpScreen):
            self.screen.action_back()
        elif not self.screen.is_modal:
            self.push_screen(help_over(self.screen))

    def action_command_palette(self) -> None:
        """Open the palette."""
        from sealwright_console.widgets.palette import Palette  # noqa: PLC0415 - after the first paint

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def action_leave(self) -> None:
        """Quit."""
        self.exit()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the palette offers: all that keys do on this screen, and the themes; nothing that writes files."""
        from sealwright_console.screens.help import commands_of  # noqa: PLC0415 - after the first paint

        if not screen.is_modal:
            for command in (each for each in commands_of(screen) if not isinstance(each.node, Rows)):
                does = partial(self.run_action, command.action, command.node)
                yield SystemCommand(command.name, f"{command.keys}  {command.what}", does)
        for name in THEME_NAMES:
            yield SystemCommand(f"Theme: {name}", "how the console looks", partial(self.take_theme, name))

    # -- what the terminal is told beside the picture

    def copy(self, text: str, what: str = "") -> None:
        """Put a text on the clipboard, cleaned, and say so; the same once more shows it to be selected by hand."""
        text = copyable(text)
        if not text:
            self.notify(f"there is none: {what}" if what else "nothing to copy", markup=False, timeout=2)
        elif text == self._copied:
            self._show_text(text, "copied twice: if the clipboard has nothing, select it here")
            self._copied = ""
        else:
            self._clipboard = self._copied = text
            self._give(text, what)

    def copy_to_clipboard(self, text: str) -> None:
        """Whatever Textual copies by itself goes the same way."""
        self.copy(text)

    def _give(self, text: str, what: str) -> None:
        if os.environ.get("TMUX") and self._writes:
            self._give_tmux(text, what)
        else:
            self._gave(text, what, clipboard(self.terminal, text))

    @work(thread=True, group="clipboard", exit_on_error=False)
    def _give_tmux(self, text: str, what: str) -> None:
        """tmux keeps it as its newest buffer, and hands it on to the clipboard outside as its own settings say."""
        taken, terminal = give_tmux(text), self.terminal
        sequence = clipboard(terminal, text) if terminal.within is not Within.SHUT_TMUX else ""
        self.call_from_thread(self._gave, text, f"{what}, to tmux too" if taken else what, sequence, taken)

    def _gave(self, text: str, what: str, sequence: str, taken: bool = False) -> None:
        if sequence:
            self.tell_terminal(sequence)
        elif self._writes and not taken:
            self._show_text(text, "the terminal takes no clipboard, or none so long: select it here")
            return
        told = f"copied {what}".rstrip().replace(" ,", ",")
        self.notify(f"{told}; again shows it", markup=False, timeout=2)

    def _show_text(self, text: str, why: str) -> None:
        from sealwright_console.screens.selecting import SelectScreen  # noqa: PLC0415 - hardly ever needed

        self.push_screen(SelectScreen(text, why))

    @property
    def _writes(self) -> bool:
        return self._driver is not None and not self.is_headless

    @property
    def terminal(self) -> Terminal:
        """The terminal that this runs in; tmux is asked each time, for another one may have come to its session."""
        return terminal_of(os.environ if self._writes else {}, ask_tmux)

    def tell_terminal(self, sequence: str) -> None:
        """Write between two frames: the driver takes whole strings, one after the other."""
        if self._writes and self._driver is not None:
            self._driver.write(sequence)

    @work(thread=True, group="call", exit_on_error=False)
    def call_person(self, title: str, text: str) -> None:
        """Make the terminal call whoever sits elsewhere; in a thread, since tmux may have to be asked first."""
        sequence = call(self.looks.notify, self.terminal, title, text, ascii_only=self.looks.ascii)
        if sequence:
            self.call_from_thread(self.tell_terminal, sequence)
