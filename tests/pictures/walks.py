"""The walks on which pictures are taken, each by keys alone, on real releases: red, waived and built, batch, past.

No list of components is taken where its column of signers has room: those of Debian's packages are real persons' keys.
A walk says which keys it presses, which words it waits for, and what the picture that it takes then is called.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from pictures.camera import Camera
from pictures.drawing import BLACK, DARK, LIGHT
from pictures.evidence_page import photograph
from pictures.release import Made, environment, make
from pictures.terminal import LARGE, SMALL, WIDE, NotSeenError, Terminal

RUN = "sealwright run release.toml"
ATTACH = "sealwright attach"
_BUILDS = 300  # seconds: build roots may have to be made anew


class Walk:
    """A terminal, a camera, and a place for releases."""

    def __init__(self, place: Path, camera: Camera) -> None:
        self.place, self.camera = place, camera
        self.terminal = Terminal(place / "tmux", environment(place))
        self._releases: list[Made] = []

    def made(self, version: str, *below: str, tampered: bool = False) -> Made:
        """A new release; it is ended with this walk."""
        self._releases.append(make(self.place.joinpath(*below), version, tampered=tampered))
        return self._releases[-1]

    def end(self) -> None:
        """End what runs."""
        self.terminal.close()
        for each in self._releases:
            each.end()

    def __call__(
        self, name: str, *keys: str, words: tuple[str, ...] = (), title: str = RUN, **more: object
    ) -> None:
        """Press keys, wait for words, and take a picture."""
        self.terminal.press(*keys)
        if words:
            self.terminal.seen(*words)
        self.camera.take(self.terminal, name, title, **more)  # type: ignore[arg-type]

    def sized(self, name: str, size: tuple[int, int], title: str = RUN) -> None:
        """The same at another size, and back."""
        before = self.terminal.size
        self.terminal.resize(size)
        self.camera.take(self.terminal, f"{name}-{size[0]}x{size[1]}", title)
        self.terminal.resize(before)

    def to(self, words: str, most: int = 40) -> None:
        """Go from the first line down until the one under the cursor has these words."""
        self.terminal.settle()
        self.terminal.press("Home", apart=0.5)
        for _ in range(most):
            if any(line.startswith(">") and words in line for line in self.terminal.text().splitlines()):
                return
            self.terminal.press("Down", apart=0.3)
        raise NotSeenError(f"no line has {words!r} in\n{self.terminal.text()}")

    def start(self, made: Made, *words: str | Path, size: tuple[int, int] = LARGE) -> None:
        """Run a program in the release's folder."""
        self.terminal.env = made.env
        self.terminal.open(words, made.folder, size)


def red(walk: Walk) -> None:
    """A file was changed on its way, and a signature stands on a commit only: the gate stays closed."""
    made, t = walk.made("1.1", "red", tampered=True), walk.terminal
    walk.start(made, *RUN.split())
    t.seen("✗ GATE build: CLOSED, 2 red", "! 1 warned  ·", seconds=_BUILDS)
    t.press("Home")
    walk("overview-red")
    walk.sized("overview-red", SMALL)
    for name, theme in (("light", LIGHT), ("high-contrast", BLACK), ("ansi", DARK)):
        turn(walk, name)
        walk(f"overview-{name}", theme=theme)
    turn(walk, "dark")
    walk("filter", "/", *"art")
    t.press("Escape", "Home")
    walk("component-red", "Enter")
    walk.to("by hand")
    walk("component-command", "Right")
    t.press("Escape")
    walk("gate-red", "g", words=("CLOSED",))
    walk.sized("gate-red", SMALL)
    t.press("Down", "Down")
    waiver(walk)
    walk("waive")
    t.press("Escape")
    walk("help", "?", words=("HELP",))
    t.press("Escape")
    walk("palette", ":", *"the")
    t.press("Escape", "Escape")
    walk("quit", "q", words=("Leave",))
    t.press("Enter")
    t.seen("runs on")
    walk.start(made, *ATTACH.split(), "--work", "demo-1.1.release", "--ascii")
    t.seen("GATE build: CLOSED")
    walk("overview-ascii", title=f"{ATTACH} --ascii")
    stop(walk)


def turn(walk: Walk, name: str) -> None:
    """Take the next theme, and wait until the word that it was taken is gone."""
    walk.terminal.press("t")
    walk.terminal.seen(f"theme: {name}")
    while f"theme: {name}" in walk.terminal.text():
        walk.terminal.settle(0.2)


def waiver(walk: Walk) -> None:
    """Begin to waive the warning under the cursor, as far as the button."""
    walk.terminal.press("a")
    walk.terminal.seen("WAIVE A WARNING")
    walk.terminal.write("release-manager-1")
    walk.terminal.press("Tab")
    walk.terminal.write("this commit was announced as 1.1")


def stop(walk: Walk) -> None:
    """End the run that is shown."""
    walk.terminal.press("q")
    walk.terminal.seen("Stop the run")
    walk.terminal.press("Right", "Enter")
    walk.terminal.seen("next:")


def batch(walk: Walk) -> None:
    """1.0 without a screen: the live block, and what stays."""
    made, t = walk.made("1.0"), walk.terminal
    walk.start(made, *RUN.split(), "--batch", size=(100, 34))
    t.seen("build hello", "build artwork", "left", seconds=_BUILDS)
    walk("batch", title=f"{RUN} --batch")
    t.seen("done:", seconds=_BUILDS)
    walk("batch-summary", title=f"{RUN} --batch")


def console(walk: Walk) -> None:
    """1.1 in the console, from its start to its signature."""
    made, t = walk.made("1.1"), walk.terminal
    walk.start(made, *RUN.split())
    t.seen("running", "CLOSED")
    walk("overview-running")
    t.seen("! GATE build: CLOSED, 1 warned", "! 1 warned  · ", seconds=_BUILDS)
    walk("gate-warned", "g", words=("CLOSED",))
    waiver(walk)
    t.press("Tab", "Tab", "Enter")
    t.seen("WAIVED 1")
    t.press("Escape")
    t.seen("… running  hello", "… running  artwork", seconds=_BUILDS)
    walk("overview-building")
    walk("build", "3")
    walk.sized("build", WIDE)
    walk.sized("build", SMALL)
    walk("builds", "v")
    walk.sized("builds", WIDE)
    t.press("Escape", "Escape")
    t.seen("the signer waits for you", seconds=_BUILDS)
    t.press("Home")
    walk("overview-green")
    walk("gate-open", "g")
    t.press("Escape")
    walk.to("greeting")
    walk("component-good", "Enter")
    t.press("Escape")
    t.seen("STATUS")
    walk.to("artwork")
    t.press("l")
    t.seen("artwork  ✓ passed")
    walk("build-log", "/", *"evil", "Enter", words=("GREEN verified",))
    t.press("Escape")
    walk("seal", "4")
    t.press("5")
    shown = t.seen("YOU ARE ABOUT TO SIGN", "digest ")
    digits = re.search(r"^[\s│]*digest +([0-9a-f]{4}) ?([0-9a-f]{4})", shown, re.MULTILINE)
    if digits is None:
        raise NotSeenError(f"there is no digest in\n{shown}")
    t.write(digits[1] + digits[2])
    walk("sign-half")
    t.press("Tab", *"demo-1.1")
    walk("sign-armed", words=("matches",))
    walk.sized("sign-armed", SMALL)
    t.press("Tab", "Enter")
    t.seen("signed by", seconds=120)
    walk("sign-signed")
    t.press("q")
    t.seen("done:")


def review(walk: Walk) -> None:
    """The past of 1.1, and what changed since 1.0."""
    made, t = Made(walk.place / "demo-1.1", environment(walk.place)), walk.terminal
    whose = ("--keyring", "keyring", "--signers", "demo-manager")
    told = f"sealwright review {made.evidence.relative_to(made.folder)}"
    walk.start(made, "sealwright", "review", made.evidence.relative_to(made.folder), *whose)
    t.seen("REVIEW", seconds=120)
    walk("review", title=told)
    walk("review-earlier", *["["] * 6, title=told)
    walk("review-records", "e", "End", title=told)
    walk("review-search", "/", *"evil", "Enter", title=told)
    t.press("Escape", "Escape")
    told = "sealwright diff ../demo-1.0/demo-1.0.release/evidence demo-1.1.release/evidence"
    walk.start(made, "sh", "-c", f"{told} | head -n 38", size=(110, 40))
    t.seen("KEY CHANGED", seconds=120)
    walk("diff", title=f"{told} | head")


def lone(walk: Walk) -> None:
    """The console without a release."""
    made, t = Made(walk.place / "demo-1.1", environment(walk.place)), walk.terminal
    walk.start(made, "sealwright")
    t.seen("recent releases", "sealed")
    walk("start", title="sealwright")
    t.press("d")
    t.seen("✓", seconds=120)
    walk("doctor", title="sealwright")
    t.press("s")
    t.seen("✓ 1", " held", seconds=120)
    walk("doctor-selftest", "End", title="sealwright")
    t.press("q")


def page(walk: Walk) -> None:
    """The evidence page of 1.1, or of a release that is made for it."""
    made = Made(walk.place / "demo-1.1", environment(walk.place))
    if not (made.evidence / "SHA256SUMS.asc").exists():
        made = walk.made("1.0", "page")
        walk.start(made, *RUN.split(), "--batch", size=(100, 34))
        walk.terminal.seen("done:", seconds=_BUILDS)
    photograph(made.evidence, walk.camera)


WALKS: Mapping[str, Callable[[Walk], None]] = {
    "red": red,
    "batch": batch,
    "console": console,
    "review": review,
    "lone": lone,
    "page": page,
}
