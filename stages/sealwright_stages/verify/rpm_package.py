"""An RPM package of format 4, read strictly and in one pass: lead, signature header, main header, payload.

- The lead says what the signed header says: format 3.0, binary or source, the package's name; its rest is zero.
- The signature header holds known entries only, and exactly one OpenPGP signature over the main header. One of
  the old kind, over header and payload at once, is refused, also beside a good one; digests alone are none.
- The signature's packet is written in the one right way, is of binary mode, and stands under the tag of its kind.
- SHA-256 of the header and of the payload (or SHA-384, SHA-512) must be there, the latter in the signed header;
  each digest and length that is given must be right, and the payload's must be met by all bytes to the end.
- What nobody vouches for, file signatures in the signature header, is named.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

from sealwright_keyring.errors import MalformedError
from sealwright_keyring.packets import SignaturePacket, detached_signatures
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.openpgp_form import check_canonical
from sealwright_stages.verify.rpm_header import (
    IMMUTABLE,
    INT32,
    INTRO,
    SIGNATURES,
    Header,
    RpmError,
    header_size,
    parse,
)

_LEAD = 96
_DSA, _RSA, _SHA1, _SHA256 = 267, 268, 269, 273
_LONGSIZE, _LONGARCHIVE, _FILE_SIGNATURES = 270, 271, (274, 275, 276, 277)
_SIZE, _PGP, _MD5, _GPG, _ARCHIVE, _RESERVED = 1000, 1002, 1004, 1005, 1007, 1008
_KNOWN = frozenset(
    {_DSA, _RSA, _SHA1, _SHA256, _LONGSIZE, _LONGARCHIVE, *_FILE_SIGNATURES, _SIZE, _MD5, _ARCHIVE, _RESERVED}
)
_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH, _SOURCE_RPM = 1000, 1001, 1002, 1003, 1022, 1044
_NO_SOURCE, _NO_PATCH = 1051, 1052
_PAYLOAD_DIGEST, _PAYLOAD_ALGORITHM = 5092, 5093
_DIGESTS: Mapping[int, str] = {8: "sha256", 9: "sha384", 10: "sha512"}
_RSA_KINDS = (1, 3)
_WORD = re.compile(r"[A-Za-z0-9._+~^-]{1,200}\Z")
_CHUNK = 1 << 20
_MAX_SIGNATURES = 64 << 20
_NEXT = "do not use it; fetch it again from elsewhere, and ask whoever publishes it"
_ASK = "ask its publisher for a package that rpm 4.14 or later has built and signed; or pin its SHA-256 as a file"


@dataclass(frozen=True)
class RpmPackage:
    """A package whose own digests hold. Nothing of it is true before `signature` over `header` is.

    `sha256` and `size` are those of the whole file, `signature` is the OpenPGP packet, `payload` the digest's name
    and hex, `unsigned` are tags in the signature header that nobody vouches for.
    """

    sha256: str
    size: int
    header: bytes
    header_sha256: str
    signature: SignaturePacket
    name: str
    epoch: int | None
    version: str
    release: str
    architecture: str
    payload: tuple[str, str]
    legacy: tuple[str, ...]
    unsigned: tuple[int, ...]

    @property
    def nevra(self) -> str:
        """name-epoch:version-release.architecture, without an epoch that is not there."""
        epoch = "" if self.epoch is None else f"{self.epoch}:"
        return f"{self.name}-{epoch}{self.version}-{self.release}.{self.architecture}"

    @property
    def file_name(self) -> str:
        """What rpm calls its file."""
        return f"{self.name}-{self.version}-{self.release}.{self.architecture}.rpm"


def read_package(stream: IO[bytes]) -> RpmPackage:
    """Read a package to its end.

    Raises:
        RefusedError: it breaks a rule of this module.
        OSError: it can't be read.
    """
    try:
        return _read(stream)
    except RpmError as error:
        raise RefusedError("rpm-malformed", str(error), _NEXT) from error


def _read(stream: IO[bytes]) -> RpmPackage:
    lead = _take(stream, _LEAD)
    signatures = _header(stream, SIGNATURES)
    padding = _take(stream, -len(signatures.raw) % 8)
    if any(padding):
        raise RpmError("the padding after the signature header is not zero")
    packet = _signature(signatures)
    main = _header(stream, IMMUTABLE)
    header_sha256 = _check_header_digests(signatures, main.raw)
    kind, wanted = _payload_digest(main)
    rest = _Rest(lead + signatures.raw + padding, main.raw, kind)
    while part := stream.read(_CHUNK):
        rest.update(part)
    _check_sizes(signatures, len(main.raw) + rest.size)
    if rest.payload.hexdigest() != wanted:
        raise RefusedError("digest-mismatch", "the payload is not the one that the header names", _NEXT)
    if signatures.blob(_MD5) not in (None, rest.old.digest()):
        raise RefusedError("digest-mismatch", "header and payload have another MD5 than is given", _NEXT)
    package = RpmPackage(
        rest.whole.hexdigest(),
        _LEAD + len(signatures.raw) + len(padding) + len(main.raw) + rest.size,
        main.raw,
        header_sha256,
        packet,
        _word(main, _NAME),
        main.number(_EPOCH),
        _word(main, _VERSION),
        _word(main, _RELEASE),
        _architecture(main),
        (kind, wanted),
        tuple(name for tag, name in ((_SHA1, "SHA1"), (_MD5, "MD5")) if tag in signatures.entries),
        tuple(tag for tag in _FILE_SIGNATURES if tag in signatures.entries),
    )
    _check_lead(lead, package)
    return package


class _Rest:
    """Hashes what follows the headers: the whole file, the payload, and header with payload in the old way."""

    def __init__(self, before: bytes, main: bytes, kind: str) -> None:
        self.whole, self.payload = hashlib.sha256(before + main), hashlib.new(kind)
        self.old = hashlib.md5(main, usedforsecurity=False)
        self.size = 0

    def update(self, part: bytes) -> None:
        """Take the next part of the payload."""
        for each in (self.whole, self.payload, self.old):
            each.update(part)
        self.size += len(part)


def _take(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise RpmError("it is cut short")
    return data


def _header(stream: IO[bytes], region: int) -> Header:
    intro = _take(stream, INTRO)
    return parse(intro + _take(stream, header_size(intro) - INTRO), region)


def _check_lead(lead: bytes, package: RpmPackage) -> None:
    """The lead is of no use any more, so that it must not say anything else than the signed header.

    Its architecture is the one number that is not held against anything: rpm up to 4.19 wrote there what the package
    was built on, and nothing reads it. Later ones leave it and the system zero.
    """
    source = package.architecture in ("src", "nosrc")
    epochs = {"", "" if package.epoch is None else f"{package.epoch}:"}
    names = [f"{package.name}-{epoch}{package.version}-{package.release}".encode()[:65] for epoch in epochs]
    expected = (b"\xed\xab\xee\xdb\x03\x00", b"\x00\x01" if source else b"\x00\x00", b"\x00\x05" + bytes(16))
    if (lead[:6], lead[6:8], lead[78:]) != expected or lead[10:76] not in [n.ljust(66, b"\0") for n in names]:
        raise RpmError("the lead is not the one of this package")
    if lead[8] or (lead[76:78] not in (b"\0\1", b"\0\xff") and (lead[8:10], lead[76:78]) != (b"\0\0", b"\0\0")):
        raise RpmError("the lead names an unknown system")


def _signature(signatures: Header) -> SignaturePacket:
    odd = set(signatures.entries) - _KNOWN
    if odd & {_PGP, _GPG}:
        raise RefusedError(
            "rpm-signature-legacy", "it carries a signature of the old kind, over header and payload at once", _ASK
        )
    if odd:
        raise RpmError(f"the signature header holds tag {min(odd)}, which is not known")
    if any(signatures.blob(_RESERVED) or b""):
        raise RpmError("the reserved space is not zero")
    found = [(tag, data) for tag in (_RSA, _DSA) if (data := signatures.blob(tag)) is not None]
    if not found:
        raise RefusedError("signature-missing", "it is not signed; digests alone say nothing", _ASK)
    if len(found) > 1:
        raise RefusedError("signature-ambiguous", "it carries two signatures of its header", _ASK)
    tag, data = found[0]
    try:
        check_canonical(data)
        packets = detached_signatures(data)
    except MalformedError as error:
        raise RefusedError("signature-malformed", error.because, _NEXT) from error
    if len(packets) > 1:
        raise RefusedError("signature-ambiguous", "its signature holds more than one packet", _ASK)
    if packets[0].signature_class != 0:
        raise RefusedError("signature-class", "its signature is not of binary mode", _ASK)
    if (tag == _RSA) != (packets[0].algorithm in _RSA_KINDS):
        raise RpmError("the signature does not stand under the tag of its kind")
    return packets[0]


def _check_header_digests(signatures: Header, raw: bytes) -> str:
    wanted = signatures.text(_SHA256)
    if wanted is None:
        raise RefusedError("rpm-digest-weak", "it has no SHA-256 of its header", _ASK)
    old = signatures.text(_SHA1)
    right = hashlib.sha256(raw).hexdigest(), hashlib.sha1(raw, usedforsecurity=False).hexdigest()
    if wanted != right[0] or old not in (None, right[1]):
        raise RefusedError("digest-mismatch", "the header is not the one that its digests name", _NEXT)
    return wanted


def _payload_digest(main: Header) -> tuple[str, str]:
    wanted, algorithm = main.text(_PAYLOAD_DIGEST, listed=True), main.number(_PAYLOAD_ALGORITHM)
    if wanted is None or algorithm is None or algorithm not in _DIGESTS:
        raise RefusedError("rpm-digest-weak", "its header has no SHA-256 of the payload", _ASK)
    return _DIGESTS[algorithm], wanted


def _check_sizes(signatures: Header, size: int) -> None:
    """One length of header and payload, which must be right; at most one of the unpacked payload."""
    told = [signatures.number(tag) for tag in (_SIZE, _LONGSIZE) if tag in signatures.entries]
    unpacked = [signatures.number(tag) for tag in (_ARCHIVE, _LONGARCHIVE) if tag in signatures.entries]
    if len(told) != 1 or len(unpacked) > 1:
        raise RpmError("it does not give its length once")
    if told != [size]:
        raise RpmError(f"{told[0]} bytes of header and payload are announced, and {size} are there")
    for tag, kind in ((_SIZE, INT32), (_ARCHIVE, INT32), (_LONGSIZE, 5), (_LONGARCHIVE, 5)):
        if tag in signatures.entries and signatures.entries[tag].kind != kind:
            raise RpmError(f"tag {tag} is of another type")


def _word(main: Header, tag: int) -> str:
    text = main.text(tag)
    if text is None or not _WORD.match(text):
        raise RpmError(f"the header does not say plainly what stands under tag {tag}")
    return text


def _architecture(main: Header) -> str:
    """The architecture; of a source package `src`, or `nosrc` where a source is left out of it."""
    if _SOURCE_RPM in main.entries:
        return _word(main, _ARCH)
    return "nosrc" if {_NO_SOURCE, _NO_PATCH} & set(main.entries) else "src"
