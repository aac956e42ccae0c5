"""The pictures of the docs: each that is named exists and each that exists is named; none asks for anything from the web.

- A picture is an SVG and a PNG of one name; one of a browser is a PNG.
- No picture is large: a reader on a train loads a page of them.
- They are exchanged as a whole, and only by others; of some walks, only what these took.
- What is needed and missing is named, before anything is begun; what shows this machine is refused.
- An SVG holds no address but that of its own format, no script, and nothing that is loaded.
"""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

import pytest

from pictures.__main__ import CannotError, exchange, require
from pictures.camera import Camera, NotNeutralError
from pictures.drawing import DARK, smaller, svg

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "screenshots"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MOST = 150_000  # bytes


def named() -> dict[str, Path]:
    """Each picture that a page shows, with the page."""
    found = {}
    for page in PAGES:
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text()):
            found[str((page.parent / target).resolve())] = page
    return found


def test_each_picture_that_is_named_exists() -> None:
    missing = {path: str(page) for path, page in named().items() if not Path(path).is_file()}
    assert not missing


def test_each_picture_that_exists_is_named() -> None:
    shown = {Path(path).stem for path in named()}
    assert {path.stem for path in FOLDER.iterdir()} == shown


def test_each_picture_is_there_in_both_forms() -> None:
    forms = {kind: {path.stem for path in FOLDER.glob(f"*.{kind}")} for kind in ("svg", "png")}
    of_a_browser = {name for name in forms["png"] if name.startswith("page")}  # a page has no other form
    assert forms["svg"] == forms["png"] - of_a_browser and forms["svg"] and of_a_browser


def test_no_picture_is_large() -> None:
    assert {path.name: path.stat().st_size for path in FOLDER.iterdir() if path.stat().st_size > MOST} == {}


def test_no_picture_asks_for_anything() -> None:
    for path in FOLDER.glob("*.svg"):
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        tags = re.sub(r">[^<]*<", "><", text)  # what is shown may be an address; what is loaded stands in tags
        assert not re.search(r"https?://|@import|@font-face|<script|<image|href=", tags), path.name


def test_what_is_missing_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        CannotError, match=r"because: missing: chromium, tmux, fontconfig\nnext: apt install chromium"
    ):
        require()


@pytest.mark.parametrize("whole", [True, False])
def test_pictures_are_exchanged_as_a_whole_or_only_those_of_a_walk(tmp_path: Path, whole: bool) -> None:
    new, folder = tmp_path / "new", tmp_path / "screenshots"
    for place, names in ((new, ("a", "b")), (folder, ("b", "c"))):
        place.mkdir()
        for name in names:
            (place / name).write_text(place.name)
    exchange(new, folder, whole=whole)
    kept = {"a": "new", "b": "new"} | ({} if whole else {"c": "screenshots"})
    assert {path.name: path.read_text() for path in folder.iterdir()} == kept
    assert [path.name for path in tmp_path.iterdir()] == ["screenshots"]


class Shows:
    """A terminal that shows one text."""

    size = (80, 24)

    def __init__(self, text: str) -> None:
        self._text = text

    def settle(self) -> None:
        """It never moves."""

    def text(self) -> str:
        return self._text

    def lines(self) -> list[str]:
        return self._text.splitlines()


def test_a_picture_that_shows_this_machine_is_refused_even_where_it_wraps() -> None:
    camera, path = Camera(), str(ROOT)
    with pytest.raises(NotNeutralError, match="of this machine"):
        camera.take(Shows(f"in {path[:6]}\n   {path[6:]}/x"), "n", "t")  # type: ignore[arg-type]
    camera.take(Shows("in /srv/release/x"), "n", "t")  # type: ignore[arg-type]
    assert list(camera.taken) == ["n"]


def test_colours_go_on_from_line_to_line() -> None:
    drawn = svg(["\x1b[48;2;1;2;3m one", " two"], (8, 2), "t", DARK, "n")
    assert len(re.findall(r'<rect fill="#010203"', drawn)) == 2


@pytest.mark.parametrize("kind", range(5))
def test_a_smaller_png_shows_the_same(kind: int) -> None:
    rows = [bytes((x * 5 + y, y * 7, 9)[c] % 256 for x in range(6) for c in range(3)) for y in range(4)]
    first = smaller(_png(rows, kind))
    palette, pixels = _parts(first)[b"PLTE"], zlib.decompress(_parts(first)[b"IDAT"])
    shown = [b"".join(palette[3 * n : 3 * n + 3] for n in pixels[y * 7 + 1 : y * 7 + 7]) for y in range(4)]
    assert shown == rows


def _png(rows: list[bytes], kind: int) -> bytes:
    """A PNG whose rows are filtered by `kind` (PNG, 9.2), written from the other side than it is read."""
    raw, before = b"", bytes(len(rows[0]))
    for row in rows:
        left, corner = bytes(3) + row[:-3], bytes(3) + before[:-3]
        guesses = []
        for a, b, c in zip(left, before, corner, strict=True):
            nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
            guesses.append((0, a, b, (a + b) // 2, nearest)[kind])
        raw += bytes([kind]) + bytes((x - g) % 256 for x, g in zip(row, guesses, strict=True))
        before = row
    head = struct.pack(">IIBBBBB", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _parts(data: bytes) -> dict[bytes, bytes]:
    at, found = 8, {}
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        found[name] = data[at + 8 : at + 8 + length]
        at += length + 12
    return found
