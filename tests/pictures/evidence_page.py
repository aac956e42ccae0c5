"""Pictures of the evidence page of a real release, in Chromium: good by day and by night, narrow, and harmed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from page.harms import Data, harmed
from pictures.camera import Camera
from pictures.drawing import smaller
from support.browser import Page


def photograph(evidence: Path, camera: Camera) -> None:
    """Take them all; a product is looked for in each that is good.

    Raises:
        NotNeutralError: a page shows something of this machine.
    """
    product = min((evidence / "products").rglob("*.*"))
    with tempfile.TemporaryDirectory() as profile, Page(Path(profile)) as page:

        def take(name: str, path: Path, word: str, *, file: bool = True, **looks: object) -> None:
            page.look(**looks)  # type: ignore[arg-type]
            page.open(path)
            page.wait(f"document.documentElement.dataset.word === '{word}'")
            if file:
                page.choose("#pick", [product])
                page.wait("document.querySelectorAll('#files code').length")
            camera.keep(name, smaller(page.picture()), str(page.ask("document.body.innerText")))

        good = evidence / "index.html"
        take("page", good, "yes", width=1000, height=1000)
        take("page-dark", good, "yes", width=1000, height=1000, dark=True)
        take("page-narrow", good, "yes", width=360, height=780)
        bad = harmed(good, _one_byte)
        take("page-no", bad, "no", width=1000, height=1000)
        bad.unlink()


def _one_byte(data: Data, _: Data) -> None:
    """Somebody exchanges a product after the seal, and its hash in the log."""
    n = data["products"][0]
    line = data["log"][n // 256][n % 256]
    at = line.index('"sha256":"') + 10
    data["log"][n // 256][n % 256] = line[:at] + ("0" if line[at] != "0" else "1") + line[at + 1 :]
