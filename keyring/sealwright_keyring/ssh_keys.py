"""SSH public keys, read strictly, and what a signature by one of them must be (RFC 4253, 5656, 8709, 8332; PROTOCOL.u2f).

- Kinds: Ed25519, ECDSA on NIST's three curves, RSA of 2048 to 16384 bits, and both kinds of security key (FIDO).
- No DSA, no SHA-1, no certificate: who a certificate stands for is its authority's word, which nobody here chose.
- A key file is one line: kind, key, comment. Options before the kind are refused, as they would widen the trust.
- A key is named by the SHA-256 over its bytes, as `ssh-keygen -l` prints it.
- A signature by a security key counts only if the person touched it for that signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from sealwright_keyring.errors import MalformedError, RefusedError

_LINE = re.compile(r"([a-z0-9@.-]{1,64}) ([A-Za-z0-9+/]{1,8192}={0,2})(?: ([^\x00-\x1f\x7f]{0,1024}))?\n?\Z")
_CURVES: Mapping[str, tuple[ec.EllipticCurve, int, Callable[[], hashes.HashAlgorithm]]] = {
    "nistp256": (ec.SECP256R1(), 32, hashes.SHA256),
    "nistp384": (ec.SECP384R1(), 48, hashes.SHA384),
    "nistp521": (ec.SECP521R1(), 66, hashes.SHA512),
}
_RSA: Mapping[str, Callable[[], hashes.HashAlgorithm]] = {
    "rsa-sha2-256": hashes.SHA256,
    "rsa-sha2-512": hashes.SHA512,
}
_SK_ED25519, _SK_ECDSA = "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"
_TOUCHED, _IDENTIFIED = 0x01, 0x04  # WebAuthn's flags "user present" and "user verified"
_BITS = range(2048, 16385)


class Wire:
    """Takes values of SSH's wire format (RFC 4251, section 5) from the front of some bytes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes; MalformedError beyond the end."""
        end = self.position + count
        if end > len(self.data):
            raise malformed("a field is cut short")
        part = self.data[self.position : end]
        self.position = end
        return part

    def uint32(self) -> int:
        """The next four bytes as a number."""
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        """The next string."""
        return self.take(self.uint32())

    def name(self) -> str:
        """The next string, which must be a name: printable ASCII without blanks."""
        text = self.string()
        if not text or len(text) > 128 or not all(0x21 <= byte <= 0x7E for byte in text):
            raise malformed("a name in it is no plain one")
        return text.decode("ascii")

    def number(self) -> int:
        """The next positive mpint, in its one shortest form."""
        data = self.string()
        if not data or data[0] & 0x80 or (data[0] == 0 and (len(data) == 1 or not data[1] & 0x80)):
            raise malformed("a number in it is not written in its shortest form")
        return int.from_bytes(data, "big")

    def done(self) -> None:
        """Nothing may be left."""
        if self.position != len(self.data):
            raise malformed("something follows its last field")


@dataclass(frozen=True)
class SshKey:
    """A public key: its kind, its bytes on the wire, and the comment of its file (a claim of whoever wrote it)."""

    kind: str
    blob: bytes
    comment: str = ""

    @property
    def fingerprint(self) -> str:
        """`SHA256:` and 43 characters of base64."""
        return fingerprint_of(self.blob)

    @property
    def line(self) -> str:
        """Kind and key as a key file holds them, without a comment."""
        return f"{self.kind} {base64.b64encode(self.blob).decode()}"

    @property
    def algorithm(self) -> str:
        """The kind in words, for RSA with its bits."""
        return f"RSA {_numbers(self.blob).n.bit_length()}" if self.kind == "ssh-rsa" else self.kind

    def check(self, signature: bytes, message: bytes) -> str:
        """Check that this key made `signature` (as on the wire) over `message`; gives the signature's algorithm.

        Raises:
            MalformedError: it is no signature as such a key makes it.
            RefusedError: it is one by an algorithm that is refused, or was made without a touch.
            InvalidSignature, ValueError: it is not this key's, or not over this message.
        """
        wire = Wire(signature)
        algorithm = wire.name()
        if algorithm == "ssh-rsa":
            raise RefusedError("digest-weak", "ssh-rsa signs with SHA-1")
        if algorithm not in (_RSA if self.kind == "ssh-rsa" else (self.kind,)):
            raise RefusedError("algorithm-refused", f"{algorithm} by a key of kind {self.kind}")
        value = wire.string()
        touched = (wire.take(1)[0], wire.uint32()) if self.kind in (_SK_ED25519, _SK_ECDSA) else None
        wire.done()
        if touched is not None and (not touched[0] & _TOUCHED or touched[0] & ~(_TOUCHED | _IDENTIFIED)):
            raise RefusedError("signature-untouched", f"flags {touched[0]:#04x}")
        try:
            self._verify(algorithm, value, message, touched)
        except UnsupportedAlgorithm as error:
            raise ValueError(str(error)) from error
        return algorithm

    def _verify(self, algorithm: str, value: bytes, message: bytes, touched: tuple[int, int] | None) -> None:
        wire = Wire(self.blob)
        wire.string()
        if self.kind == "ssh-rsa":
            public = _numbers(self.blob).public_key()
            public.verify(
                value.rjust(public.key_size + 7 >> 3, b"\0"), message, padding.PKCS1v15(), _RSA[algorithm]()
            )
            return
        curve = wire.string().decode("ascii") if "ecdsa" in self.kind else ""
        point = wire.string()
        if touched is not None:
            flags, counter = touched
            said = hashlib.sha256(wire.string()).digest() + bytes([flags]) + counter.to_bytes(4, "big")
            message = said + hashlib.sha256(message).digest()
        if not curve:
            ed25519.Ed25519PublicKey.from_public_bytes(point).verify(value, message)
            return
        numbers = Wire(value)
        encoded = utils.encode_dss_signature(numbers.number(), numbers.number())
        numbers.done()
        field, _, digest = _CURVES[curve]
        ec.EllipticCurvePublicKey.from_encoded_point(field, point).verify(encoded, message, ec.ECDSA(digest()))


def malformed(because: str) -> MalformedError:
    """The error of SSH data that breaks its rules."""
    return MalformedError(because, "SSH data")


def fingerprint_of(blob: bytes) -> str:
    """The name of the key with these bytes."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def parse_key(blob: bytes, comment: str = "") -> SshKey:
    """The key with these bytes on the wire.

    Raises:
        MalformedError: they are no key.
        RefusedError: a key of a kind or size that is refused.
    """
    wire = Wire(blob)
    kind = wire.name()
    if kind == "ssh-rsa":
        bits = _numbers(blob).n.bit_length()
        if bits not in _BITS:
            raise RefusedError("key-weak", f"RSA, {bits} bits")
        return SshKey(kind, blob, comment)
    if kind in ("ssh-ed25519", _SK_ED25519):
        if len(wire.string()) != 32:
            raise malformed("an Ed25519 key has 32 bytes")
    elif kind == _SK_ECDSA or kind.startswith("ecdsa-sha2-"):
        _check_point(kind, wire.name(), wire.string())
    elif "-cert-v" in kind:
        raise RefusedError("key-weak", "a certificate: choose the key itself")
    else:
        raise RefusedError("key-weak", f"kind {kind}")
    if kind in (_SK_ED25519, _SK_ECDSA):
        wire.string()  # the application, as a rule `ssh:`
    wire.done()
    return SshKey(kind, blob, comment)


def _check_point(kind: str, curve: str, point: bytes) -> None:
    if curve not in _CURVES:
        raise RefusedError("key-weak", f"curve {curve}")
    field, width, _ = _CURVES[curve]
    if kind not in (_SK_ECDSA, f"ecdsa-sha2-{curve}") or (kind == _SK_ECDSA and curve != "nistp256"):
        raise malformed("its kind and its curve contradict each other")
    if len(point) != 1 + 2 * width or point[0] != 4:
        raise malformed("its point is not written in full")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(field, point)
    except ValueError as error:
        raise malformed("its point does not lie on its curve") from error


def _numbers(blob: bytes) -> rsa.RSAPublicNumbers:
    wire = Wire(blob)
    wire.string()
    exponent, modulus = wire.number(), wire.number()
    wire.done()
    if not exponent & 1 or not 3 <= exponent < 1 << 32 or not modulus & 1:
        raise malformed("its RSA numbers can't be those of a key")
    return rsa.RSAPublicNumbers(exponent, modulus)


def parse_key_file(data: bytes) -> SshKey:
    """The one key of a `.pub` file.

    Raises:
        MalformedError: it is not one line of kind, key and comment.
        RefusedError: as `parse_key`.
    """
    try:
        found = _LINE.match(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise malformed("it is not UTF-8 text") from error
    if found is None:
        raise malformed("it is not one line of kind, key and comment, without options")
    kind, text, comment = found.groups()
    try:
        blob = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise malformed("its key is not base64") from error
    if base64.b64encode(blob) != text.encode():
        raise malformed("its key's base64 is not canonical")
    key = parse_key(blob, comment or "")
    if key.kind != kind:
        raise malformed(f"it says {kind} and holds a key of kind {key.kind}")
    return key
