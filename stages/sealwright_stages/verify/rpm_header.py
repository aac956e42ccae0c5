"""The header structure of an RPM package, read strictly (rpm.org, "RPM v4 package format"; rpm's lib/header.c).

- The introduction is the magic, version 1, four zero bytes, then counts within limits.
- The first entry is the region that was asked for; it spans the whole index and the whole store, and its trailer
  are the store's last 16 bytes, which point back to the index's begin.
- The other entries have ascending tags, each once, of known types, with at least one value.
- Their data lie in the order of the index, each aligned by zero bytes, without a gap or an overlap, from the
  store's begin up to the trailer. So there is one way to write a header, and no byte in it is nobody's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

INTRO = 16
SIGNATURES, IMMUTABLE = 62, 63
INT32, INT64, STRING, BIN, STRINGS = 4, 5, 6, 7, 8
_MAGIC = b"\x8e\xad\xe8\x01\0\0\0\0"
_I18N = 9
_SIZES: Mapping[int, int] = {1: 1, 2: 1, 3: 2, INT32: 4, INT64: 8, BIN: 1}
_ENTRY = struct.Struct(">IIII")
_TRAILER = struct.Struct(">IIiI")
_REGIONS = 63  # tags up to here are those of regions
_MAX_ENTRIES = 0xFFFF
_MAX_STORE = 64 << 20


class RpmError(ValueError):
    """Not as RPM writes it; the sentence says why."""


@dataclass(frozen=True)
class Value:
    """One entry: its type, how many values it has, and their bytes."""

    kind: int
    count: int
    data: bytes


@dataclass(frozen=True)
class Header:
    """A header: all of its bytes, and its entries by tag, without the region."""

    raw: bytes
    entries: Mapping[int, Value]

    def number(self, tag: int) -> int | None:
        """The one number of an INT32 or INT64 entry; None if there is no such entry.

        Raises:
            RpmError: it is of another type, or has more values.
        """
        value = self.entries.get(tag)
        if value is None:
            return None
        if value.kind not in (INT32, INT64) or value.count != 1:
            raise RpmError(f"tag {tag} is not one number")
        return int.from_bytes(value.data, "big")

    def text(self, tag: int, *, listed: bool = False) -> str | None:
        """The one text of a STRING entry (or of a list, if `listed`); None if there is no such entry.

        Raises:
            RpmError: it is of another type, has more values, or is no ASCII.
        """
        value = self.entries.get(tag)
        if value is None:
            return None
        if value.kind != (STRINGS if listed else STRING) or value.count != 1:
            raise RpmError(f"tag {tag} is not one text")
        try:
            return value.data[:-1].decode("ascii")
        except UnicodeDecodeError as error:
            raise RpmError(f"tag {tag} is no ASCII") from error

    def blob(self, tag: int) -> bytes | None:
        """The bytes of a BIN entry; None if there is no such entry.

        Raises:
            RpmError: it is of another type.
        """
        value = self.entries.get(tag)
        if value is not None and value.kind != BIN:
            raise RpmError(f"tag {tag} is not of bytes")
        return None if value is None else value.data


def header_size(intro: bytes) -> int:
    """Bytes of the whole header that begins with these 16.

    Raises:
        RpmError: it is no header, or beyond the limits (65,535 entries, 64 MiB of data).
    """
    if len(intro) != INTRO or intro[:8] != _MAGIC:
        raise RpmError("a header does not begin like one")
    count, store = struct.unpack(">II", intro[8:])
    if not 1 <= count <= _MAX_ENTRIES or not INTRO <= store <= _MAX_STORE:
        raise RpmError(f"a header announces {count} entries and {store} bytes, which is beyond the limits")
    return int(INTRO + _ENTRY.size * count + store)


def parse(raw: bytes, region: int) -> Header:
    """Take a whole header apart, whose region must be `region`.

    Raises:
        RpmError: it breaks a rule of this module.
    """
    if header_size(raw[:INTRO]) != len(raw):
        raise RpmError("a header is not as long as it announces")
    count = int.from_bytes(raw[8:12], "big")
    begin = INTRO + _ENTRY.size * count
    index = list(_ENTRY.iter_unpack(raw[INTRO:begin]))
    store = memoryview(raw)[begin:]
    end = len(store) - _TRAILER.size
    if index[0] != (region, BIN, end, _TRAILER.size):
        raise RpmError(f"the first entry is not region {region} over the whole header")
    if _TRAILER.unpack(store[end:]) != (region, BIN, -_ENTRY.size * count, _TRAILER.size):
        raise RpmError("the region's trailer does not span the whole index")
    entries = dict(_entries(index[1:], bytes(store[:end])))
    return Header(raw, entries)


def _entries(index: list[tuple[int, int, int, int]], store: bytes) -> Iterator[tuple[int, Value]]:
    last, position = _REGIONS, 0
    for tag, kind, offset, count in index:
        if tag <= last:
            raise RpmError(f"tag {tag} stands out of order, twice, or where only a region may")
        start = position + -position % _SIZES.get(kind, 1)
        if offset != start or any(store[position:start]):
            raise RpmError(f"the data of tag {tag} do not follow those before it")
        last, position = tag, _end(tag, kind, start, count, store)
        yield tag, Value(kind, count, store[start:position])
    if position != len(store):
        raise RpmError("the data of the entries do not end where the trailer begins")


def _end(tag: int, kind: int, start: int, count: int, store: bytes) -> int:
    """Where an entry's data end."""
    if count < 1:
        raise RpmError(f"tag {tag} has no value")
    if kind in _SIZES:
        end = start + _SIZES[kind] * count
    elif kind in (STRING, STRINGS, _I18N):
        if kind == STRING and count != 1:
            raise RpmError(f"tag {tag} is not one text")
        end = start
        for _ in range(count):
            end = store.find(b"\0", end) + 1
            if end == 0:
                raise RpmError(f"a text of tag {tag} has no end")
    else:
        raise RpmError(f"tag {tag} is of type {kind}, which is not known")
    return end
