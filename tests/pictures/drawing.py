"""From what a terminal shows to a picture: an SVG that asks nobody for a font, and a PNG of it by headless Chromium.

- The SVG names fonts and embeds none; each run of text says how long it is, so columns line up in any of them.
- A PNG has a palette of at most 256 colours, which is plenty for text, and a third of the bytes.
"""

from __future__ import annotations

import re
import struct
import subprocess
import zlib
from collections import Counter
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from rich.ansi import AnsiDecoder
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

_FONTS = "'DejaVu Sans Mono', 'Liberation Mono', Menlo, Consolas, FreeMono, monospace"
_FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: FONTS; font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 16px; font-family: FONTS; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
""".replace("FONTS", _FONTS)
_NORMAL = [(0x24, 0x28, 0x38), (0xFF, 0x7A, 0x8A), (0x9E, 0xCE, 0x6A), (0xE0, 0xAF, 0x68)]
_NORMAL += [(0x7A, 0xA2, 0xF7), (0xBB, 0x9A, 0xF7), (0x7D, 0xCF, 0xFF), (0xD5, 0xD9, 0xE8)]
DARK = TerminalTheme((0x14, 0x16, 0x1F), (0xD5, 0xD9, 0xE8), _NORMAL, _NORMAL)
LIGHT = TerminalTheme((0xFB, 0xFA, 0xF7), (0x1D, 0x22, 0x30), _NORMAL, _NORMAL)
BLACK = TerminalTheme((0, 0, 0), (0xFF, 0xFF, 0xFF), _NORMAL, _NORMAL)


def svg(lines: Sequence[str], size: tuple[int, int], title: str, theme: TerminalTheme, name: str) -> str:
    """What `lines` with SGR sequences show on a terminal of `size`, under `title`; `name` makes its ids its own."""
    width, height = size
    console = Console(
        width=width, height=height, record=True, file=StringIO(), force_terminal=True, color_system="truecolor"
    )
    decoder = AnsiDecoder()  # one for all: a line goes on as the one before ended
    rows = [decoder.decode_line(line) for line in lines]
    for row in [*rows, *([Text()] * (height - len(rows)))][:height]:
        console.print(row, no_wrap=True, overflow="crop", crop=True, soft_wrap=False, highlight=False)
    drawn = console.export_svg(title=title, theme=theme, code_format=_FORMAT, unique_id=name)
    drawn = re.sub(
        r'<g transform="translate\(26,22\)">.*?</g>', "", drawn, flags=re.DOTALL
    )  # buttons of no window
    return re.sub(r"[ \t]+\n", "\n", drawn)


def png(source: Path, target: Path, profile: Path) -> None:
    """Draw an SVG with Chromium, which gets no network and the folder `profile` for itself."""
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', source.read_text())
    assert size is not None
    width, height = (round(float(each)) for each in size.groups())
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    words += ["--disable-background-networking", "--disable-component-update", "--disable-lcd-text"]
    words += ["--hide-scrollbars", "--force-device-scale-factor=1", "--proxy-server=127.0.0.1:9"]
    words += [f"--user-data-dir={profile}", f"--window-size={width},{height}", f"--screenshot={target}"]
    subprocess.run(["chromium", *words, source.as_uri()], check=True, capture_output=True, timeout=60)
    target.write_bytes(smaller(target.read_bytes()))


def smaller(data: bytes) -> bytes:
    """The same PNG with a palette; colours beyond 256 become their nearest."""
    width, height, channels, rows = _pixels(data)
    known = Counter[bytes]()
    for row in rows:
        known.update(row[at : at + 3] for at in range(0, len(row), channels))
    palette = [colour for colour, _ in known.most_common(256)]
    place = {colour: number for number, colour in enumerate(palette)}
    for colour in known:
        if colour not in place:
            place[colour] = min(range(len(palette)), key=lambda at: _far(palette[at], colour))
    lines = (b"\0" + bytes(place[row[at : at + 3]] for at in range(0, len(row), channels)) for row in rows)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, body)
        for kind, body in (
            (b"IHDR", head),
            (b"PLTE", b"".join(palette)),
            (b"IDAT", zlib.compress(b"".join(lines), 9)),
            (b"IEND", b""),
        )
    )


def _far(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _pixels(data: bytes) -> tuple[int, int, int, list[bytes]]:
    """Width, height, bytes a pixel, and the rows of a PNG of 8 bits a channel without interlace (PNG, 9.2)."""
    at, packed, head = 8, b"", b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        head, packed = (body if kind == b"IHDR" else head), packed + (body if kind == b"IDAT" else b"")
        at += length + 12
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", head)
    channels = {2: 3, 6: 4}[colour]
    assert (depth, interlace) == (8, 0)
    raw, long = zlib.decompress(packed), width * channels
    rows, before = [], bytes(long)
    for start in range(0, len(raw), long + 1):
        before = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + long]), before, channels)
        rows.append(before)
    return width, height, channels, rows


def _unfiltered(kind: int, row: bytearray, up: bytes, step: int) -> bytes:
    if kind == 1:
        for at in range(step, len(row)):
            row[at] = (row[at] + row[at - step]) & 255
    elif kind == 2:
        for at in range(len(row)):
            row[at] = (row[at] + up[at]) & 255
    elif kind == 3:
        for at in range(len(row)):
            left = row[at - step] if at >= step else 0
            row[at] = (row[at] + (left + up[at]) // 2) & 255
    elif kind == 4:
        for at in range(len(row)):
            left, corner = (row[at - step], up[at - step]) if at >= step else (0, 0)
            row[at] = (row[at] + _paeth(left, up[at], corner)) & 255
    return bytes(row)


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    to_left, to_up, to_corner = abs(guess - left), abs(guess - up), abs(guess - corner)
    if to_left <= to_up and to_left <= to_corner:
        return left
    return up if to_up <= to_corner else corner
