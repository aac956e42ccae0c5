"""A button for what can't be undone: it takes only what was pressed after it could be seen.

- A key or a click counts if it was made after the button stood on the screen awake, and for a key, with the focus. So
  nothing that was typed ahead, however slow the machine is, presses it.
- It is pressed by enter, space or the mouse; no command of the palette does.
"""

from __future__ import annotations

from math import inf

from textual.events import Click, Focus, Key
from textual.message import Message
from textual.widgets import Button

_KEYS = ("enter", "space")


class CarefulButton(Button):
    """A compact button that is not pressed by what came before it was seen."""

    def __init__(self, label: str, id: str, variant: str) -> None:
        """Begin asleep."""
        super().__init__(label, id=id, variant=variant, compact=True, disabled=True)  # type: ignore[arg-type]
        self._seen_awake = self._seen_focused = inf

    def wake(self, awake: bool) -> None:
        """Let it be pressed from when it is seen on, or not."""
        if awake == (not self.disabled):
            return
        self.disabled = not awake
        self._seen_awake = inf
        if awake:
            self.call_after_refresh(self._see, "_seen_awake")

    def _see(self, what: str) -> None:
        """It stands on the screen now."""
        if not self.disabled:
            setattr(self, what, Message().time)

    def on_focus(self, event: Focus) -> None:
        """The focus has come; it has to be seen there."""
        self._seen_focused = inf
        self.call_after_refresh(self._see, "_seen_focused")

    def on_key(self, event: Key) -> None:
        """Take a press that was meant."""
        if event.key not in _KEYS:
            return
        event.stop()
        event.prevent_default()
        if event.time > max(self._seen_awake, self._seen_focused):
            self.press()
        else:
            self.app.notify("that was typed ahead: look, then press it again", markup=False, timeout=3)

    async def _on_click(self, event: Click) -> None:
        event.stop()
        if event.time > self._seen_awake:
            self.press()

    def action_press(self) -> None:
        """Nothing: only `on_key` knows when the key was pressed."""
