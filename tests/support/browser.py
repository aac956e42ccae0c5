"""Headless Chromium, driven by its DevTools protocol over a pipe: no port, no driver, no library.

- It has no network: its proxy is a port where nobody listens, and every request that a page makes is noted.
- It has a profile of its own, and ends with its `Browser`.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
WORDS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--disable-lcd-text", "--hide-scrollbars",
         "--force-device-scale-factor=1", "--proxy-server=127.0.0.1:9")  # fmt: skip
_SECONDS = 60.0


class BrowserError(Exception):
    """Chromium ended, was silent for a minute, or said that a command failed."""


class Browser:
    """One Chromium; a context manager."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        ours, theirs = os.pipe(), os.pipe()
        # The child's ends become its descriptors 3 and 4; until then they are kept out of the way of both.
        reads, writes = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (ours[0], theirs[1]))
        for fd in (ours[0], theirs[1]):
            os.close(fd)
        self._out, self._in = ours[1], theirs[0]
        argv = [CHROMIUM, *WORDS, f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"]
        actions = [(os.POSIX_SPAWN_DUP2, reads, 3), (os.POSIX_SPAWN_DUP2, writes, 4)]
        actions += [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]  # type: ignore[misc]
        env = {"HOME": str(profile), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        self.pid = os.posix_spawn(CHROMIUM, argv, env, file_actions=actions, setpgroup=0)
        os.close(reads)
        os.close(writes)
        self._rest, self._count = b"", 0

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrowserError, OSError):
            self.call("Browser.close")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, 9)
        os.waitpid(self.pid, 0)
        os.close(self._in)
        os.close(self._out)

    def call(self, method: str, session: str = "", /, **params: object) -> Mapping[str, Any]:
        """Have a command done, and give its result; events that come meanwhile go to `heard`."""
        self._count += 1
        told = {"id": self._count, "method": method, "params": params} | (
            {"sessionId": session} if session else {}
        )
        os.write(self._out, json.dumps(told).encode() + b"\0")
        until = time.monotonic() + _SECONDS
        while True:
            answer = self._next(until)
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                result: Mapping[str, Any] = answer["result"]
                return result
            self.heard(answer)

    def heard(self, event: Mapping[str, Any]) -> None:
        """An event of some page."""

    def _next(self, until: float) -> Mapping[str, Any]:
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], max(0, until - time.monotonic()))[0]:
                raise BrowserError("Chromium said nothing for a minute")
            data = os.read(self._in, 1 << 20)
            if not data:
                raise BrowserError("Chromium ended")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\0")
        message: Mapping[str, Any] = json.loads(line)
        return message


class Page(Browser):
    """A browser with one page, and what it asked of whom."""

    def __init__(self, profile: Path) -> None:
        super().__init__(profile)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "DOM", "Runtime", "Log"):
            self.do(f"{domain}.enable")

    def heard(self, event: Mapping[str, Any]) -> None:
        """Note requests, errors and complaints about the page's policy."""
        params = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif event.get("method") == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])

    def do(self, method: str, **params: object) -> Mapping[str, Any]:
        """A command to the page."""
        return self.call(method, self._session, **params)

    def ask(self, expression: str) -> Any:
        """The value of an expression of JavaScript in the page; a promise is waited for."""
        told = self.do("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in told:
            raise BrowserError(str(told["exceptionDetails"]))
        return told["result"].get("value")

    def wait(self, expression: str, seconds: float = 30) -> Any:
        """The value of the expression, once it is true."""
        until = time.monotonic() + seconds
        while not (value := self.ask(expression)):
            if time.monotonic() > until:
                raise BrowserError(f"not in {seconds} s: {expression}")
        return value

    def look(self, *, width: int = 1200, height: int = 800, dark: bool = False, scripts: bool = True) -> None:
        """How the next page is looked at."""
        self.do(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.do("Emulation.setEmulatedMedia", features=scheme)
        self.do("Emulation.setScriptExecutionDisabled", value=not scripts)

    def open(self, path: Path) -> None:
        """Load a file, whole."""
        self.requests.clear()
        self.complaints.clear()
        self.do("Page.navigate", url=path.as_uri())
        self.wait(f"document.readyState === 'complete' && location.href === {json.dumps(path.as_uri())}")

    def keys(self, *names: str) -> None:
        """Press and let go of keys, by their names."""
        codes = {"Tab": 9, "Enter": 13, " ": 32}
        for name in names:
            text = {"Enter": "\r", " ": " "}.get(name, "")
            known = {"key": name, "code": "Space" if name == " " else name, "windowsVirtualKeyCode": codes[name]}
            self.do("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **known)
            self.do("Input.dispatchKeyEvent", type="keyUp", **known)

    def choose(self, selector: str, files: Sequence[Path]) -> None:
        """Put files into a picker, as a person does."""
        root = self.do("DOM.getDocument")["root"]["nodeId"]
        node = self.do("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.do("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in files])

    def drop(self, files: Sequence[Path], x: int = 300, y: int = 300) -> None:
        """Drop files on the page, as a person does."""
        self.do("Emulation.setScriptExecutionDisabled", value=False)
        data = {"items": [], "files": [str(path) for path in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.do("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def picture(self) -> bytes:
        """What the window shows, as PNG."""
        return base64.b64decode(self.do("Page.captureScreenshot", format="png")["data"])
