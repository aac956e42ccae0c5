"""Keys in their order: one is handed on when the one before it has been dealt with, however fast they come.

- A key that opens a field or a screen is followed by its consequences: what comes after it, typed or pasted, is that
  field's or screen's, and never a command of the screen below.
- A key that comes alone is handed on at once. What is waited for after it is the queues of the widgets that saw it, not
  a time.
- A key that nobody deals with in two seconds holds up no other, nor does one on which something fails.
- Where too many wait, the newest are dropped: without those before it, a key would be another command.

Textual hands all keys of one read to whatever has the focus at that moment, and moves the focus later.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Coroutine
from typing import Any, TypeVar

from textual.app import App
from textual.events import Event, Key, Paste
from textual.message_pump import MessagePump

Result = TypeVar("Result")
_PATIENCE = 2.0  # seconds
_MOST = 4096
"""Keys that may wait; a terminal that types more while nothing moves is pasting into nowhere."""
_ROUNDS = 8
"""Screens that may open one after the other because of one key."""


class KeysInOrder(App[Result]):
    """An app that hands keys on one by one."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Nothing waits yet."""
        super().__init__(*args, **options)
        self._typed: deque[Key | Paste] = deque()
        self._busy = True
        self._let_go: Event | None = None
        self._handed: asyncio.Queue[tuple[Event, MessagePump]] = asyncio.Queue()
        self._following: asyncio.Task[None] | None = None

    def on_mount(self) -> None:
        """Begin to hand keys on; what was typed before waits until the first screen stands."""
        self._following = asyncio.create_task(self._follow(), name="keys")

    def on_unmount(self) -> None:
        """No key comes after the end."""
        if self._following is not None:
            self._following.cancel()

    @property
    def at_rest(self) -> bool:
        """Whether every key that came has been dealt with."""
        return not self._busy

    async def on_event(self, event: Event) -> None:
        """Let a key wait for its turn; everything else goes its way."""
        if not isinstance(event, Key | Paste) or event.is_forwarded:
            await super().on_event(event)
        elif self._busy and event is not self._let_go:
            if len(self._typed) < _MOST:
                self._typed.append(event)
        else:
            self._busy = True
            taker = self.focused or self.screen
            try:
                await super().on_event(event)
            finally:
                self._handed.put_nowait((event, taker))

    async def _follow(self) -> None:
        await self._in_time(self._settled())
        while True:
            if self._typed:
                self._let_go = self._typed.popleft()
                self.post_message(self._let_go)
            else:
                self._busy = False
            event, taker = await self._handed.get()
            await self._in_time(self._dealt_with(event, taker))
            await self._in_time(self._settled())

    async def _in_time(self, what: Coroutine[None, None, None]) -> None:
        with contextlib.suppress(Exception):  # whatever it is, the next key may be the one that leaves
            async with asyncio.timeout(_PATIENCE):
                await what

    async def _settled(self) -> None:
        """Until the screen on top stands, and has the focus where it wants it."""
        for _ in range(_ROUNDS):
            top = self.screen
            while not top.is_mounted and top in self.screen_stack:
                await asyncio.sleep(0)
            await _turn(top)
            await _turn(self)
            if top is self.screen:
                return

    async def _dealt_with(self, event: Event, taker: MessagePump) -> None:
        """Until a key was seen by each widget that it rose through, up to the app, or one of them stopped it."""
        node: MessagePump | None = taker
        while node is not None and node is not self and not event._stop_propagation:
            if not await _turn(node):
                return
            node = node._parent
        await _turn(self)


async def _turn(pump: MessagePump) -> bool:
    """Until all that was in a queue has been dealt with; False if it takes nothing any more."""
    done = asyncio.Event()
    if not pump.call_later(done.set):
        return False
    await done.wait()
    return True
