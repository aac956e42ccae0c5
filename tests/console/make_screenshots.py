"""Makes the pictures in screenshots/ from a made-up release: python tests/console/make_screenshots.py [FOLDER]."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from console import made_up  # noqa: E402
from sealwright_console.app import app_for  # noqa: E402
from sealwright_console.cursor import Cursor  # noqa: E402
from sealwright_console.review_feed import ReviewFeed  # noqa: E402

SIZE = (100, 30)


def scenes(data: Path) -> dict[str, tuple[object, tuple[str, ...]]]:
    """Name of a picture -> the feed, and the keys that lead there."""
    troubled, running = made_up.MadeUpFeed(made_up.troubled()), made_up.MadeUpFeed(made_up.building(), data=data)
    sealed = made_up.MadeUpFeed(made_up.sealed(), waiting=made_up.request())
    known = made_up.past(data / "past", made_up.past_trouble())
    said = ("✓ verdict: yes", f"✓ good   log: {known.size} records, sealed", "✓ good   rules: kept")
    past = ReviewFeed(Cursor(known, known.size - 1), said)
    return {
        "overview": (troubled, ()),
        "component": (troubled, ("enter",)),
        "component-command": (troubled, ("down", "enter", "right", *["down"] * 6, "right")),
        "gate": (troubled, ("g",)),
        "waive": (troubled, ("g", "down", "a", *"release-manager-1", "tab")),
        "build": (running, ("3",)),
        "seal": (sealed, ("4",)),
        "sign": (sealed, ("5", *made_up.DIGEST[:8], "tab", *"example-1.")),
        "review": (past, ("at", *str(known.red[0]), "enter")),
        "review-events": (past, ("e", "end", "slash", *"unused", "enter", "n")),
        "help": (troubled, ("question_mark",)),
        "overview-light": (troubled, ("t",)),
    }


async def take(feed: object, keys: tuple[str, ...], file: Path) -> None:
    """Press the keys, and write what is to be seen then."""
    app = app_for(feed)  # type: ignore[arg-type]
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(0.3)
        await pilot.press(*keys)
        await pilot.pause(0.3)
        svg = app.export_screenshot(title="Sealwright", simplify=True)
    file.write_text(without_web_fonts(svg))


def without_web_fonts(svg: str) -> str:
    """The picture without the font files that it would ask the web for."""
    out, inside = [], False
    for line in svg.splitlines():
        inside = inside or "@font-face" in line
        if not inside:
            out.append(line.rstrip())
        inside = inside and "}" not in line
    return "\n".join(out).replace("Fira Code", "monospace") + "\n"


def main() -> None:
    """Take all pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "screenshots"
    folder.mkdir(exist_ok=True)
    os.environ.pop("NO_COLOR", None)
    with tempfile.TemporaryDirectory() as temporary:
        made_up.write_log(Path(temporary))
        for name, (feed, keys) in scenes(Path(temporary)).items():
            asyncio.run(take(feed, keys, folder / f"{name}.svg"))


if __name__ == "__main__":
    main()
