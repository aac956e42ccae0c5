"""Other people's code that goes into the evidence page, unchanged; `README.md` says what, from where, with which hash."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent
LIBRARY = "OpenPGP.js 6.3.2"
SOURCE = "https://github.com/openpgpjs/openpgpjs, tag v6.3.2; in the form used here: package openpgp 6.3.2 of npm"


@cache
def openpgp_js() -> str:
    """The minified build for browsers, with its banner."""
    return (_FOLDER / "openpgp.min.js").read_text("ascii")


@cache
def licences() -> Mapping[str, str]:
    """The licence of that, and the one on which it builds, by their names."""
    texts = {"GNU Lesser General Public License 3": "LGPL-3.txt", "GNU General Public License 3": "GPL-3.txt"}
    return {name: (_FOLDER / file).read_text("utf-8") for name, file in texts.items()}
