"""A release whose sources are good and hostile, each a component of its own; its manifest says what each must be called.

Everything is made once with throw-away keys: a stranger's tag, a signature over other bytes, a wrong digest, an archive
that climbs out, a bomb, a Debian package one of whose files was changed.
"""

from __future__ import annotations

import gzip
import lzma
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from support.small_release import Key, make_key, make_repository, sign_file, stop_agent, write_keyring
from unpack.crafting import honest_tar, member, tar
from verify.miniature import DIRECTORY, Miniature
from verify.workbench import Keys, sha256
from walk.watching import Good, digests

GREETING = {"greeting.txt": "A greeting, signed.\n"}
PARTS = {f"parts-1.0/part-{number}.txt": b"a part\n" * 500 for number in range(40)}
WORDS = b"hello\n" * 30_000
HEAD = """[release]
name = "small"
version = "1.0"
keyring = "keyring"
signers = ["author"]

[environment]
mirror = "{mirror}"
archive_keyring = "archive.gpg"
"""
GIT = """
[[component]]
name = "{name}"
git = "upstream/{repository}.git"
tag = "v1.0"
signers = ["author"]
"""
FILE = """
[[component]]
name = "{name}"
[[component.file]]
url = "upstream/{file}"
{more}
"""
SIGNED = 'signature = "upstream/{}"\nsigners = ["author"]'
DSC = """
[[component]]
name = "package"
dsc = "debian:bookworm/hi"
uploaders = "./uploaders.gpg"
"""
BAD: Mapping[str, str] = {
    "strangers-tag": "signature-unknown-key",
    "other-bytes": "signature-bad",
    "wrong-digest": "digest-mismatch",
    "climbing": "archive-refused",
    "bomb": "archive-bomb",
    "package": "digest-mismatch",
}
"""Component -> the code that turns it red."""


def make_inputs(folder: Path) -> None:
    """Write everything but the work folder below `folder`, `release.toml` too."""
    upstream = folder / "upstream"
    upstream.mkdir(parents=True)
    author, stranger = (make_key(folder / f"{name}-home", name) for name in ("author", "stranger"))
    write_keyring(folder / "keyring", [author])
    make_repository(upstream / "greeting.git", author, "v1.0", GREETING)
    make_repository(upstream / "strange.git", stranger, "v1.0", GREETING)
    text = HEAD.format(mirror=(folder / "archive").as_uri())
    text += GIT.format(name="greeting", repository="greeting")
    text += GIT.format(name="strangers-tag", repository="strange")
    text += "".join(_files(upstream, author))
    text += _package(folder)
    (folder / "release.toml").write_text(text)
    for key in (author, stranger):
        stop_agent(key.home)
        shutil.rmtree(key.home)


def _files(upstream: Path, author: Key) -> list[str]:
    parts = honest_tar(PARTS)
    climbing = tar([member("fine", b"x"), member("../../../climbed", b"x")])
    held = {
        "words.txt": WORDS,
        "other.txt": WORDS,
        "parts-1.0.tar": parts,
        "parts-1.0.tar.xz": lzma.compress(parts),
        "climbing.tar": climbing,
        "bomb.tar": b"small",
        "bomb.tar.gz": gzip.compress(bytes(70 << 20), 9),
    }
    for name, data in held.items():
        (upstream / name).write_bytes(data)
    for name in ("words.txt", "other.txt", "parts-1.0.tar", "bomb.tar"):
        sign_file(upstream / name, author)
    (upstream / "other.txt").write_bytes(WORDS + b"and evil ones\n")
    inside = SIGNED.format("parts-1.0.tar.asc") + '\nsigned = "uncompressed"\nunpack = true'
    bomb = SIGNED.format("bomb.tar.asc") + '\nsigned = "uncompressed"'
    return [
        FILE.format(name="words", file="words.txt", more=SIGNED.format("words.txt.asc")),
        FILE.format(name="parts", file="parts-1.0.tar.xz", more=inside),
        FILE.format(name="other-bytes", file="other.txt", more=SIGNED.format("other.txt.asc")),
        FILE.format(name="wrong-digest", file="words.txt", more=f'sha256 = "{sha256(b"other")}"'),
        FILE.format(name="climbing", file="climbing.tar", more=f'sha256 = "{sha256(climbing)}"\nunpack = true'),
        FILE.format(name="bomb", file="bomb.tar.gz", more=bomb),
    ]


def _package(folder: Path) -> str:
    keys = Keys(folder / "archive-home")
    archive = Miniature(folder / "archive", keys, suite="bookworm")
    archive.publish()
    archive.source()  # writes the keyrings
    original = folder / "archive" / DIRECTORY / "hi_1.0.orig.tar.gz"
    original.write_bytes(b"evilness\n")
    subprocess.run(["gpgconf", "--homedir", str(keys.home), "--kill", "all"], check=False)
    shutil.rmtree(keys.home)
    return DSC


def good() -> Good:
    """What may be in `sources/`, and nothing else may."""
    return {
        "greeting": digests({f"source/{name}": text.encode() for name, text in GREETING.items()}),
        "words": digests({"files/words.txt": WORDS}),
        "parts": digests(
            {
                "files/parts-1.0.tar": honest_tar(PARTS),
                **{f"unpacked/parts-1.0/{name}": data for name, data in PARTS.items()},
            }
        ),
    }
