"""Raw Ed25519 public keys, for programs that know no OpenPGP; read strictly.

- A key file is what `openssl pkey -pubout` writes, byte for byte: SubjectPublicKeyInfo in PEM.
- A key is named by the SHA-256 over its SubjectPublicKeyInfo in DER.

Sources: RFC 8410 (SubjectPublicKeyInfo), RFC 7468 (PEM), RFC 8032 (Ed25519).
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from sealwright_keyring.errors import MalformedError

PREFIX = "ed25519:"
_DER = bytes.fromhex("302a300506032b6570032100")
_BEGIN, _END = b"-----BEGIN PUBLIC KEY-----\n", b"\n-----END PUBLIC KEY-----\n"
_SIZE = 32


@dataclass(frozen=True)
class Ed25519Key:
    """A public key, 32 bytes."""

    public: bytes

    @property
    def keyid(self) -> str:
        """The SHA-256 over it as SubjectPublicKeyInfo (DER), in hex: what an envelope names it by."""
        return hashlib.sha256(_DER + self.public).hexdigest()

    @property
    def fingerprint(self) -> str:
        """`ed25519:` and its id."""
        return PREFIX + self.keyid

    @property
    def pem(self) -> bytes:
        """It as a key file."""
        return _BEGIN + base64.b64encode(_DER + self.public) + _END

    def made(self, signature: bytes, message: bytes) -> bool:
        """Whether this key made `signature` (64 bytes) over `message`."""
        return made_by(self.public, signature, message)


def made_by(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the key of these 32 bytes made `signature` over `message` (Ed25519, RFC 8032)."""
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def parse_key_file(data: bytes) -> Ed25519Key:
    """The key of a `.pem` file.

    Raises:
        MalformedError: it is not just that.
    """
    encoded = data.removeprefix(_BEGIN).removesuffix(_END)
    try:
        der = base64.b64decode(encoded, validate=True)
    except ValueError:
        der = b""
    key = Ed25519Key(der[len(_DER) :])
    if len(key.public) != _SIZE or key.pem != data:
        raise MalformedError("it is no Ed25519 public key as `openssl pkey -pubout` writes it", "a key file")
    return key
