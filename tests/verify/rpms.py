"""RPM packages for the tests: built and signed by Debian's rpm, taken apart, and put together in wrong ways."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sealwright_stages.ports import Trust
from sealwright_stages.verdict import Verdict
from sealwright_stages.verify.rpm import judge_rpm
from sealwright_stages.verify.rpm_header import (
    BIN,
    IMMUTABLE,
    INT32,
    SIGNATURES,
    STRING,
    Header,
    Value,
    header_size,
    parse,
)
from sealwright_stages.verify.rpm_keys import RpmKeys
from verify.workbench import Keys

NAME = "hi-1.0-1.noarch.rpm"
SPEC = """
Name: {name}
Version: 1.0
Release: {release}
Summary: says hi
License: MIT
BuildArch: noarch
{more}
%description
says hi
%install
mkdir -p %{{buildroot}}/usr/share/hi
echo hello > %{{buildroot}}/usr/share/hi/hi
%files
/usr/share/hi/hi
"""
DSA, RSA, SHA1, SHA256, SIZE, MD5, ARCHIVE, RESERVED = 267, 268, 269, 273, 1000, 1004, 1007, 1008
PAYLOAD_DIGEST, PAYLOAD_ALGORITHM = 5092, 5093
_ALIGNMENT: Mapping[int, int] = {3: 2, 4: 4, 5: 8}


def build(folder: Path, name: str = "hi", release: str = "1", *, source: bool = False, more: str = "") -> bytes:
    """An unsigned package as rpmbuild makes it."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = folder / f"{name}.spec"
    spec.write_text(SPEC.format(name=name, release=release, more=more))
    run(["rpmbuild", "--quiet", "--define", f"_topdir {folder}/top", "-bs" if source else "-bb", spec])
    (made,) = (folder / "top").rglob("*.rpm")
    data = made.read_bytes()
    made.unlink()
    return data


def sign(rpm: bytes, keys: Keys, fingerprint: str, folder: Path, *options: str) -> bytes:
    """The package as rpmsign signs it."""
    path = folder / "unsigned.rpm"
    path.write_bytes(rpm)
    run(["rpmsign", "--define", f"_gpg_name {fingerprint}", "--define", "__gpg /usr/bin/gpg", *options,
         "--addsign", path], {"GNUPGHOME": str(keys.home)})  # fmt: skip
    return path.read_bytes()


def run(argv: Sequence[str | Path], env: Mapping[str, str] | None = None) -> None:
    """Run a tool of rpm's."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C", **(env or {})}
    done = subprocess.run(argv, env=environment, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()


def key_of_kind(keys: Keys, name: str, kind: str) -> str:
    """The fingerprint of a key of another kind (rsa2048, nistp256), made once."""
    if name not in keys._known:
        keys.gpg("--quick-gen-key", f"{name} <{name}@example.org>", kind, "sign", "never")
        listing = keys.gpg("--with-colons", "--list-keys", f"<{name}@example.org>").decode()
        keys._known[name] = next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr"))
    return keys._known[name]


def write_header(region: int, entries: Mapping[int, Value]) -> bytes:
    """A header of these entries, in the one right way."""
    index, store = [], b""
    for tag in sorted(entries):
        value = entries[tag]
        store += bytes(-len(store) % _ALIGNMENT.get(value.kind, 1))
        index.append((tag, value.kind, len(store), value.count))
        store += value.data
    index.insert(0, (region, BIN, len(store), 16))
    store += entry(region, BIN, -16 * len(index), 16)
    intro = b"\x8e\xad\xe8\x01\0\0\0\0" + len(index).to_bytes(4, "big") + len(store).to_bytes(4, "big")
    return intro + b"".join(entry(*each) for each in index) + store


def entry(*numbers: int) -> bytes:
    """One entry of an index."""
    return b"".join((number & 0xFFFFFFFF).to_bytes(4, "big") for number in numbers)


def text(data: str) -> Value:
    return Value(STRING, 1, data.encode() + b"\0")


def blob(data: bytes) -> Value:
    return Value(BIN, len(data), data)


def number(value: int) -> Value:
    return Value(INT32, 1, value.to_bytes(4, "big"))


@dataclass(frozen=True)
class Parts:
    """A package taken apart; `joined` puts it together again, with the signature header's digests made right."""

    lead: bytes
    signatures: Mapping[int, Value]
    main: bytes
    payload: bytes

    @property
    def entries(self) -> Mapping[int, Value]:
        return parse(self.main, IMMUTABLE).entries

    def with_signatures(self, changes: Mapping[int, Value | None]) -> Parts:
        """With entries of the signature header put in or (None) left out."""
        merged = {**self.signatures, **changes}
        return replace(self, signatures={tag: value for tag, value in merged.items() if value is not None})

    def with_main(self, changes: Mapping[int, Value | None]) -> Parts:
        """With entries of the main header put in or (None) left out; no longer signed."""
        merged = {**self.entries, **changes}
        kept = {tag: value for tag, value in merged.items() if value is not None}
        return replace(self, main=write_header(IMMUTABLE, kept))

    def digested(self) -> Parts:
        """With digests and size that fit, as any attacker can make them."""
        right = {
            SHA1: text(hashlib.sha1(self.main, usedforsecurity=False).hexdigest()),
            SHA256: text(hashlib.sha256(self.main).hexdigest()),
            MD5: blob(hashlib.md5(self.main + self.payload, usedforsecurity=False).digest()),
            SIZE: number(len(self.main) + len(self.payload)),
        }
        return self.with_signatures({tag: value for tag, value in right.items() if tag in self.signatures})

    def signed(self, keys: Keys, name: str, *options: str) -> Parts:
        """With a signature over the header as it is, under the tag for keys that are not RSA."""
        words = ["--local-user", keys.fingerprint(name), *options, "--detach-sign"]
        return self.with_signatures({DSA: blob(keys.gpg(*words, stdin=self.main))})

    def joined(self) -> bytes:
        raw = write_header(SIGNATURES, self.signatures)
        return self.lead + raw + bytes(-len(raw) % 8) + self.main + self.payload


def apart(rpm: bytes) -> Parts:
    """Take a package apart."""
    stream = io.BytesIO(rpm)
    lead = stream.read(96)
    signatures = _header(stream, SIGNATURES)
    stream.read(-len(signatures.raw) % 8)
    main = _header(stream, IMMUTABLE)
    return Parts(lead, signatures.entries, main.raw, stream.read())


def _header(stream: io.BytesIO, region: int) -> Header:
    intro = stream.read(16)
    return parse(intro + stream.read(header_size(intro) - 16), region)


def fake_rpmkeys(folder: Path, script: str) -> str:
    """A program called rpmkeys that does as `script` (sh) says."""
    folder.mkdir()
    path = folder / "rpmkeys"
    path.write_text(f"#!/bin/sh\n{script}\n")
    os.chmod(path, 0o755)  # noqa: S103, PTH101 - a program of the test
    return str(path)


def judged(rpm: bytes, trust: Trust, folder: Path, rpmkeys: RpmKeys | None = None, name: str = NAME) -> Verdict:
    """What is said of a package under that name."""
    path = folder / name
    path.write_bytes(rpm)
    return judge_rpm(path, trust, rpmkeys)
