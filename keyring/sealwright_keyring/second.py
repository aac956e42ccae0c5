"""A second check of a signature's mathematics, without gpg: the pinned key and `cryptography` (RFC 9580, section 5.2.4).

- What is hashed is put together here: the data, the packet's own hashed part, the trailer.
- The key is the one that gpg named, and is looked for in the pinned certificates only.
- A subkey counts only if its primary key bound it and it signed back; revocation, expiry and policy are gpg's.
- It says yes or why not. A kind of key that it doesn't know is a no: two verifiers agree, or it is red.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from sealwright_keyring.certificates import Certificate, fingerprint_of
from sealwright_keyring.errors import MalformedError
from sealwright_keyring.packets import Packet, Reader, packets, subpackets

_PRIMARY, _SUBKEY, _SIGNATURE = 6, 14, 2
_BINDING, _BACK = 0x18, 0x19
_EMBEDDED = 32
_HASHES: Mapping[int, Callable[[], hashes.HashAlgorithm]] = {
    2: hashes.SHA1,  # in old bindings of subkeys; of documents gpg's verdict refuses it
    8: hashes.SHA256,
    9: hashes.SHA384,
    10: hashes.SHA512,
    11: hashes.SHA224,
    12: hashes.SHA3_256,
    14: hashes.SHA3_512,
}
_NAMES: Mapping[int, str] = {
    2: "sha1",
    8: "sha256",
    9: "sha384",
    10: "sha512",
    11: "sha224",
    12: "sha3_256",
    14: "sha3_512",
}
_CURVES: Mapping[str, ec.EllipticCurve] = {
    "2a8648ce3d030107": ec.SECP256R1(),
    "2b8104000a": ec.SECP256K1(),
    "2b81040022": ec.SECP384R1(),
    "2b81040023": ec.SECP521R1(),
    "2b2403030208010107": ec.BrainpoolP256R1(),
    "2b240303020801010b": ec.BrainpoolP384R1(),
    "2b240303020801010d": ec.BrainpoolP512R1(),
}
_CRS = 1 << 16
_ED25519 = "2b06010401da470f01"


class Document(Protocol):
    """The hash of a document: it takes parts, and a copy of it can go on to the trailer."""

    def update(self, part: bytes, /) -> None: ...
    def copy(self) -> hashlib._Hash: ...


class DisagreesError(Exception):
    """The second check does not come to a yes; the sentence says why."""


@dataclass(frozen=True)
class _Parts:
    """A signature packet's body, taken apart: what it covers of itself, and its numbers."""

    signature_class: int
    algorithm: int
    digest: int
    hashed: bytes
    embedded: tuple[bytes, ...]
    left: bytes
    numbers: tuple[bytes, ...]


class Pinned:
    """The public keys of chosen certificates, by fingerprint. Makes sense of a key when it is first asked for."""

    def __init__(self, chosen: Iterable[Certificate]) -> None:
        self._raw = {name: each.raw for each in chosen for name in (each.fingerprint, *each.subkeys)}
        self._bodies: dict[str, bytes] = {}

    def check(self, packet: bytes, key: str, document: Document) -> None:
        """Check that `key` made the signature `packet` over the document whose digest has got so far.

        Raises:
            DisagreesError: it did not, or that can't be told.
        """
        try:
            parts = _parts(next(packets(packet)).body)
            _verify(self._body(key), parts, document.copy())
        except (
            MalformedError,
            InvalidSignature,
            UnsupportedAlgorithm,
            ValueError,
            KeyError,
            StopIteration,
        ) as error:
            raise DisagreesError(str(error) or "the signature does not verify") from error

    def _body(self, key: str) -> bytes:
        """The key packet's body, once it is known to belong to its certificate."""
        if key not in self._bodies:
            self._bodies[key] = _bound(list(packets(self._raw[key])), key)
        return self._bodies[key]


class Canonical:
    """Hashes a text as a signature of class 0x01 covers it: each line ends with CR LF, however it came.

    It keeps nothing of the text but how many CR stand before what comes next, in time linear in the text.
    """

    def __init__(self, state: hashlib._Hash) -> None:
        self.state, self._held = state, 0

    def update(self, part: bytes) -> None:
        """Take the next part of the text."""
        first, *others = part.split(b"\n")
        self._take(first)
        for piece in others:
            self.state.update(b"\r\n")
            self._held = 0
            self._take(piece)

    def _take(self, piece: bytes) -> None:
        body = piece.rstrip(b"\r")
        if body:
            for _ in range(self._held // _CRS):
                self.state.update(b"\r" * _CRS)
            self.state.update(b"\r" * (self._held % _CRS) + body)
            self._held = 0
        self._held += len(piece) - len(body)

    def copy(self) -> hashlib._Hash:
        """The hash over all that was taken; CR at the very end are none of the text."""
        return self.state.copy()


def new_hash(digest: int) -> hashlib._Hash | None:
    """A fresh hash for OpenPGP's digest number; None for one that is not known."""
    name = _NAMES.get(digest)
    return hashlib.new(name, usedforsecurity=digest != 2) if name else None


def _bound(found: list[Packet], key: str) -> bytes:
    """The body of the primary key, or of a subkey with a binding that verifies both ways."""
    primary = found[0].body
    if fingerprint_of(primary) == key:
        return primary
    for number, packet in enumerate(found):
        if packet.tag == _SUBKEY and fingerprint_of(packet.body) == key:
            for binding in _signatures_after(found, number):
                if _binds(binding, primary, packet.body):
                    return packet.body
    raise ValueError("its subkey is not bound to the pinned key")


def _signatures_after(found: list[Packet], number: int) -> Iterator[_Parts]:
    for packet in found[number + 1 :]:
        if packet.tag != _SIGNATURE:
            return
        parts = _parts(packet.body)
        if parts.signature_class == _BINDING:
            yield parts


def _binds(binding: _Parts, primary: bytes, subkey: bytes) -> bool:
    """Whether the primary key signed this binding, and the subkey the signature embedded in it."""
    try:
        _verify(primary, binding, _over_keys(binding.digest, primary, subkey))
        for body in binding.embedded:
            back = _parts(body)
            if back.signature_class == _BACK:
                _verify(subkey, back, _over_keys(back.digest, primary, subkey))
                return True
    except (MalformedError, InvalidSignature, ValueError, KeyError):
        return False
    return False


def _over_keys(digest: int, *bodies: bytes) -> hashlib._Hash:
    state = new_hash(digest)
    if state is None:
        raise ValueError(f"digest {digest} is not known")
    for body in bodies:
        state.update(b"\x99" + len(body).to_bytes(2, "big") + body)
    return state


def _parts(body: bytes) -> _Parts:
    reader = Reader(body)
    if reader.number(1) != 4:
        raise MalformedError("the signature is not of version 4")
    signature_class, algorithm, digest = reader.number(1), reader.number(1), reader.number(1)
    area = reader.take(reader.number(2))
    unhashed = reader.take(reader.number(2))
    covered = body[: 6 + len(area)]
    inside = [value for kind, value in (*subpackets(area), *subpackets(unhashed)) if kind == _EMBEDDED]
    left = reader.take(2)
    numbers = []
    while reader.more():
        numbers.append(reader.take((reader.number(2) + 7) // 8))
    return _Parts(signature_class, algorithm, digest, covered, tuple(inside), left, tuple(numbers))


def _verify(key: bytes, parts: _Parts, state: hashlib._Hash) -> None:
    """Verify the mathematics; raises InvalidSignature or ValueError."""
    state.update(parts.hashed + b"\x04\xff" + len(parts.hashed).to_bytes(4, "big"))
    digest = state.digest()
    if digest[:2] != parts.left:
        raise InvalidSignature("the digest is another one")
    reader = Reader(key)
    reader.take(5)  # version and creation time
    algorithm = reader.number(1)
    if algorithm != parts.algorithm:
        raise ValueError("the signature is of another algorithm than its key")
    prehashed = utils.Prehashed(_HASHES[parts.digest]())
    if algorithm in (1, 3):
        modulus, exponent = (reader.number((reader.number(2) + 7) // 8) for _ in range(2))
        (value,) = parts.numbers
        public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        public.verify(value.rjust(public.key_size + 7 >> 3, b"\0"), digest, padding.PKCS1v15(), prehashed)
        return
    curve = reader.take(reader.number(1)).hex()
    point = reader.take((reader.number(2) + 7) // 8)
    first, second = parts.numbers
    if algorithm == 22 and curve == _ED25519 and len(point) == 33 and point[0] == 0x40:
        ed25519.Ed25519PublicKey.from_public_bytes(point[1:]).verify(
            first.rjust(32, b"\0") + second.rjust(32, b"\0"), digest
        )
    elif algorithm == 19 and curve in _CURVES:
        signature = utils.encode_dss_signature(int.from_bytes(first, "big"), int.from_bytes(second, "big"))
        known = ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[curve], point)
        known.verify(signature, digest, ec.ECDSA(prehashed))
    else:
        raise ValueError(f"keys of algorithm {algorithm} on curve {curve} are not checked here")
