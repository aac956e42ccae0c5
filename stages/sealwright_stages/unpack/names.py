"""What a file's name says of its inside: how it is compressed, whether it is an archive, what it is called without that.

A pure module.

- The name decides, never the content: what is signed or unpacked is declared before anything was fetched.
- A suffix that is not in the table is none: such a file is neither decompressed nor unpacked.
- A name always keeps something in front of its suffixes.
"""

from __future__ import annotations

from collections.abc import Mapping

_COMPRESSED: Mapping[str, tuple[str, str]] = {
    ".gz": ("gzip", ""),
    ".tgz": ("gzip", ".tar"),
    ".xz": ("xz", ""),
    ".txz": ("xz", ".tar"),
    ".bz2": ("bzip2", ""),
    ".tbz": ("bzip2", ".tar"),
    ".tbz2": ("bzip2", ".tar"),
    ".zst": ("zstd", ""),
    ".tzst": ("zstd", ".tar"),
}
_ARCHIVES = (".tar", ".zip")


def decompressor(name: str) -> str:
    """The tool that a compressed file's name asks for; empty if it asks for none."""
    return _split(name)[1]


def uncompressed_name(name: str) -> str:
    """What the file is called once it is decompressed: `a.tar.xz` and `a.txz` are `a.tar`, `a.tar` stays."""
    return _split(name)[0]


def archive_kind(name: str) -> str:
    """`tar` or `zip` if the name is that of an archive, compressed or not; else empty. No archive in a zip's suffix."""
    plain, tool = _split(name)
    kind = next((suffix for suffix in _ARCHIVES if plain.endswith(suffix) and plain != suffix), "")
    return "" if kind == ".zip" and tool else kind[1:]


def unpacked_name(name: str) -> str:
    """The folder that an archive is unpacked into: its name without suffixes.

    Raises:
        ValueError: it is no archive's name.
    """
    kind = archive_kind(name)
    if not kind:
        raise ValueError(f"{name} is no archive")
    return uncompressed_name(name).removesuffix(f".{kind}")


def _split(name: str) -> tuple[str, str]:
    for suffix, (tool, plain) in _COMPRESSED.items():
        stem = name.removesuffix(suffix)
        if stem not in (name, ""):
            return stem + plain, tool
    return name, ""
