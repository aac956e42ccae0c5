"""Throw-away SSH and minisign keys, made and used by the real tools, and security keys made of software."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sealwright_keyring.minisign_keys import MinisignKey
from sealwright_keyring.minisign_keys import parse_key_file as parse_minisign
from sealwright_keyring.person import Person
from sealwright_keyring.ssh_keys import SshKey
from sealwright_keyring.ssh_keys import parse_key_file as parse_ssh

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/nonexistent"}


def _run(argv: Sequence[str | Path], stdin: bytes = b"") -> bytes:
    words = [str(word) for word in argv]
    done = subprocess.run(words, input=stdin, capture_output=True, env=_ENVIRONMENT, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    return done.stdout


class OtherKeys:
    """Makes keys by name as they are asked for, in one folder; signs with them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def ssh_file(self, name: str, kind: str = "ed25519", bits: str = "") -> Path:
        """The private key's file; beside it lies the public key."""
        path = self.folder / f"{name}.ssh"
        if not path.exists():
            size = ["-b", bits] if bits else []
            _run(["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", f"{name}@example.org", "-f", path])
        return path

    def ssh(self, name: str, kind: str = "ed25519", bits: str = "") -> SshKey:
        """The public key called `name`."""
        return parse_ssh(self.ssh_file(name, kind, bits).with_suffix(".ssh.pub").read_bytes())

    def ssh_sign(self, name: str, data: bytes, namespace: str = "file", *options: str) -> bytes:
        """A signature by the key called `name`."""
        return _run(
            ["ssh-keygen", "-q", "-Y", "sign", "-f", self.ssh_file(name), "-n", namespace, *options], stdin=data
        )

    def minisign_file(self, name: str) -> Path:
        """The secret key's file; beside it lies the public key."""
        path = self.folder / f"{name}.minisign"
        if not path.exists():
            _run(["minisign", "-G", "-W", "-p", path.with_suffix(".minisign.pub"), "-s", path])
        return path

    def minisign(self, name: str) -> MinisignKey:
        """The public key called `name`."""
        return parse_minisign(self.minisign_file(name).with_suffix(".minisign.pub").read_bytes())

    def minisign_sign(self, name: str, data: bytes, *options: str) -> bytes:
        """A signature file by the key called `name`."""
        document, signature = self.folder / "document", self.folder / "document.minisig"
        document.write_bytes(data)
        _run(["minisign", "-S", "-s", self.minisign_file(name), "-m", document, "-x", signature, *options])
        return signature.read_bytes()

    def person(self, name: str, *kinds: str) -> Person:
        """A person with a key of each kind that is named."""
        ssh = (self.ssh(name),) if "ssh" in kinds else ()
        return Person(name, (), ssh, (self.minisign(name),) if "minisign" in kinds else ())


def string(data: bytes) -> bytes:
    """A string on SSH's wire."""
    return len(data).to_bytes(4, "big") + data


def number(value: int) -> bytes:
    """An mpint on SSH's wire."""
    return string(value.to_bytes(value.bit_length() // 8 + 1, "big"))


def armored(blob: bytes) -> bytes:
    """An SSH signature's armor around a blob."""
    text = base64.b64encode(blob)
    lines = [text[start : start + 70] for start in range(0, len(text), 70)]
    return b"\n".join([b"-----BEGIN SSH SIGNATURE-----", *lines, b"-----END SSH SIGNATURE-----", b""])


def sshsig(key: bytes, namespace: bytes, value: bytes, digest: bytes = b"sha512", reserved: bytes = b"") -> bytes:
    """An armored signature of these fields."""
    fields = b"".join(string(field) for field in (key, namespace, reserved, digest, value))
    return armored(b"SSHSIG" + (1).to_bytes(4, "big") + fields)


class SoftSecurityKey:
    """A security key without a chip: it signs as one does, with whatever flags it is told."""

    def __init__(self, curve: str = "ed25519") -> None:
        self._ed25519 = ed25519.Ed25519PrivateKey.generate() if curve == "ed25519" else None
        self._ecdsa = ec.generate_private_key(ec.SECP256R1())
        if self._ed25519:
            point = self._ed25519.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            self.kind, middle = b"sk-ssh-ed25519@openssh.com", string(point)
        else:
            whole = self._ecdsa.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            self.kind, middle = b"sk-ecdsa-sha2-nistp256@openssh.com", string(b"nistp256") + string(whole)
        self.blob = string(self.kind) + middle + string(b"ssh:")

    def line(self) -> bytes:
        """Its public key file."""
        return self.kind + b" " + base64.b64encode(self.blob) + b" a token\n"

    def sign(self, data: bytes, namespace: bytes = b"file", flags: int = 1, counter: int = 7) -> bytes:
        """An armored signature over `data`."""
        fields = (namespace, b"", b"sha512", hashlib.sha512(data).digest())
        message = hashlib.sha256(b"SSHSIG" + b"".join(string(field) for field in fields)).digest()
        tail = bytes([flags]) + counter.to_bytes(4, "big")
        said = hashlib.sha256(b"ssh:").digest() + tail + message
        if self._ed25519:
            value = self._ed25519.sign(said)
        else:
            r, s = utils.decode_dss_signature(self._ecdsa.sign(said, ec.ECDSA(SHA256())))
            value = number(r) + number(s)
        return sshsig(self.blob, namespace, string(self.kind) + string(value) + tail)
