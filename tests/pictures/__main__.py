"""`python -m pictures [WALK...]`: take the pictures of all walks, or of these alone, into screenshots/.

- All or nothing: what is there is exchanged once every picture was taken and drawn.
- What is needed and missing is said before anything is begun.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pictures.camera import Camera, NotNeutralError
from pictures.terminal import NotSeenError
from pictures.walks import WALKS, Walk

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "screenshots"
_PLACES = (Path("/srv/release"), Path("/tmp/release"))
_NEEDED = {"chromium": "chromium", "tmux": "tmux", "fc-list": "fontconfig"}
"""Programs beyond those that `make setup` installs, and the Debian packages that have them."""
_GLYPHS = {"2713": "fonts-dejavu-core", "241b": "fonts-freefont-ttf"}
"""Characters of the pictures, and fonts that have them; without one Chromium draws an empty box."""


class CannotError(Exception):
    """Pictures can't be taken: what, because of what, and what to do."""

    def __init__(self, what: str, because: str, next_step: str) -> None:
        super().__init__(f"error: {what}\nbecause: {because}\nnext: {next_step}")


def require() -> None:
    """Refuse to begin where something is missing."""
    missing = [package for name, package in _NEEDED.items() if shutil.which(name) is None]
    if "fontconfig" not in missing:
        missing += [font for glyph, font in _GLYPHS.items() if not _fonts(glyph)]
    if missing:
        raise CannotError(
            "no pictures can be taken", f"missing: {', '.join(missing)}", f"apt install {' '.join(missing)}"
        )


def _fonts(glyph: str) -> str:
    argv = ["fc-list", f":charset={glyph}", "family"]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=20).stdout.strip()


@contextmanager
def place(named: Path | None) -> Iterator[Path]:
    """A folder with a neutral name, gone afterwards; or the one that was named, which stays."""
    if named is not None:
        named.mkdir(exist_ok=True)
        yield named
        return
    for each in _PLACES:
        try:
            each.mkdir(mode=0o755)
        except OSError:
            continue
        try:
            yield each
        finally:
            shutil.rmtree(each, ignore_errors=True)
        return
    because = "neither can be made; somebody has them, or pictures that were killed left them"
    raise CannotError(
        f"no place for a release: {' or '.join(map(str, _PLACES))}", because, "remove the one that is yours"
    )


def exchange(new: Path, folder: Path, *, whole: bool) -> None:
    """Put the new pictures where the old ones are; of a part of the walks only what they took."""
    if not whole and folder.exists():
        for path in [path for path in folder.iterdir() if not (new / path.name).exists()]:
            shutil.copy2(path, new / path.name)
    old = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def main(argv: Sequence[str]) -> int:
    """Take them."""
    parser = argparse.ArgumentParser(prog="pictures", description=__doc__)
    parser.add_argument("walks", nargs="*", metavar="WALK", help=f"some of {', '.join(WALKS)}; default: all")
    parser.add_argument(
        "--place", type=Path, help="a folder for the releases, which stays; default: one that goes"
    )
    parser.add_argument("--to", type=Path, default=FOLDER, help="default: screenshots/")
    options = parser.parse_args(argv)
    try:
        if unknown := set(options.walks) - set(WALKS):
            raise CannotError(
                f"no walk is called {', '.join(unknown)}", f"there are {', '.join(WALKS)}", "name one"
            )
        require()
        take(options.walks or list(WALKS), options.place, options.to.absolute())
    except CannotError as error:
        print(error, file=sys.stderr)
        return 3
    except (NotSeenError, NotNeutralError) as error:
        told = CannotError(
            "the pictures are not whole, and none was exchanged", str(error), "mend the walk, or the screen"
        )
        print(told, file=sys.stderr)
        return 1
    return 0


def take(walks: Sequence[str], named: Path | None, folder: Path) -> None:
    """Go these walks, draw what was taken, and exchange it."""
    camera = Camera()
    with place(named) as here:
        walk = Walk(here, camera)
        try:
            for name in walks:
                print(f"walk: {name}", flush=True)
                WALKS[name](walk)
        finally:
            walk.end()
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".pictures-") as temporary:
            new = Path(temporary) / "new"
            new.mkdir()
            camera.draw(new, Path(temporary) / "chromium")
            exchange(new, folder, whole=set(walks) == set(WALKS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
