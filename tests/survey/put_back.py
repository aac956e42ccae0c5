"""Puts back into a build root what bookworm's point releases changed under every build-id, to see whether that is all.

- gcc-12 says which package it is in each object that it makes. That is 12.2.0-14+deb12u1 since April 2025, and was
  12.2.0-14 before.
- In glibc's fortify headers a variable is called `__sz` since 2.36-9+deb12u9, of November 2024, and was called `sz`
  before. Its name stands in the debug symbols of whoever calls one of these functions.
- A build-id is made before debug symbols are taken off, so it tells both, and nothing else of a stripped file does.
- The root made so is a trial by hand: no archive vouches for it, and what comes of it proves a reason, not a package.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

_NOW, _BEFORE = b"(Debian 12.2.0-14+deb12u1) ", b"(Debian 12.2.0-14) "
_GCC = "usr/lib/gcc/x86_64-linux-gnu/12"
_HEADERS = "usr/include/x86_64-linux-gnu/bits"
_COMPILERS = ("cc1", "cc1plus", "lto1")


def put_back(root: Path, tar: Path) -> None:
    """Write the root as a tar, with these two as they were; `root` itself stays as it is."""
    with tempfile.TemporaryDirectory(dir=tar.parent) as scratch:
        copy = Path(scratch, "root")
        subprocess.run(["cp", "-a", root, copy], check=True)
        for name in _COMPILERS:
            program = copy / _GCC / name
            if program.exists():
                program.write_bytes(program.read_bytes().replace(_NOW, _BEFORE.ljust(len(_NOW), b"\0")))
        for part in (copy / _GCC).glob("*.o"):
            if _NOW in part.read_bytes():
                _comment(part, Path(scratch, "comment"))
        for header in (copy / _HEADERS).glob("*.h"):
            text = header.read_bytes()
            if b"__sz" in text:
                header.write_bytes(re.sub(rb"\b__sz\b", b"sz", text))
        owner = ("--sort=name", "--mtime=@0", "--numeric-owner", "--owner=0", "--group=0")
        argv = ["tar", "--create", "--zstd", *owner, "--file", tar, "--directory", copy, "."]
        subprocess.run(argv, check=True)


def _comment(part: Path, scratch: Path) -> None:
    only = ("--only-section=.comment", "--set-section-flags", ".comment=alloc")
    subprocess.run(["objcopy", "-O", "binary", *only, part, scratch], check=True)
    scratch.write_bytes(scratch.read_bytes().replace(_NOW, _BEFORE))
    subprocess.run(["objcopy", "--update-section", f".comment={scratch}", part], check=True)
