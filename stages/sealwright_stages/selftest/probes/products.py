"""Products that are not what they seem. Each lies in a folder of its own below /out."""

import os
import socket
import time
from pathlib import Path

from sealwright_stages.selftest.probes.common import Bait, leave_behind

NAMES = {
    "product_newline": "a\nb.deb",
    "product_control": "\x1b[2J.deb",
    "product_bidi": "\u202edeb.exe.deb",
    "product_dash": "--checkpoint-action=exec=sh.deb",
    "product_dots": "...deb",
    "product_long": "x" * 250 + ".deb",
    "product_bytes": "\udcff\udcfe.deb",
}


def _place(name: str) -> Path:
    folder = Path("/out", name)
    folder.mkdir()
    return folder


def product_link(bait: Bait) -> None:
    """A symbolic link to a file of the host."""
    (_place("product_link") / "x.deb").symlink_to(bait.file)


def product_hard_link(_bait: Bait) -> None:
    """A file with a second name. It could be changed by that later."""
    place = _place("product_hard_link")
    (place / "hidden").write_bytes(b"x")
    os.link(place / "hidden", place / "x.deb")


def product_fifo(_bait: Bait) -> None:
    """A FIFO. A reader waits for ever."""
    os.mkfifo(_place("product_fifo") / "x.deb")


def product_socket(_bait: Bait) -> None:
    """A socket."""
    os.chdir(_place("product_socket"))
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("x.deb")


def product_device(_bait: Bait) -> None:
    """A device, or a folder where none can be made."""
    path = _place("product_device") / "x.deb"
    try:
        os.mknod(path, 0o20600, os.makedev(1, 5))
    except OSError:
        path.mkdir()


def product_sparse(_bait: Bait) -> None:
    """A sparse file that is larger than the disk may be."""
    with (_place("product_sparse") / "x.deb").open("wb") as stream:
        stream.truncate(120 << 20)


def product_many(_bait: Bait) -> None:
    """More files than anybody would release."""
    place = _place("product_many")
    for number in range(1001):
        (place / f"{number}.deb").touch()


def _named(name: str) -> None:
    (_place(name) / NAMES[name]).write_bytes(b"x")


def product_newline(_bait: Bait) -> None:
    """A name with a line's end. It makes two lines of a list of digests."""
    _named("product_newline")


def product_control(_bait: Bait) -> None:
    """A name that clears the screen."""
    _named("product_control")


def product_bidi(_bait: Bait) -> None:
    """A name that reads backwards."""
    _named("product_bidi")


def product_dash(_bait: Bait) -> None:
    """A name that a program takes for an option."""
    _named("product_dash")


def product_dots(_bait: Bait) -> None:
    """A hidden name of dots."""
    _named("product_dots")


def product_long(_bait: Bait) -> None:
    """A name that is longer than names should be."""
    _named("product_long")


def product_bytes(_bait: Bait) -> None:
    """A name that is no text."""
    _named("product_bytes")


def product_raced(bait: Bait) -> None:
    """A file that a daemon changes while it is collected. It holds it open, and goes on after it was hashed."""
    place = _place("product_raced")
    (place / "x.deb").write_bytes(b"good")
    loop = "f = open('x.deb', 'r+b', 0)\nwhile True:\n f.seek(0)\n f.write(b'bad!good')\n"
    os.chdir(place)
    leave_behind(f"{bait.token}-racer", loop)
    time.sleep(0.2)
