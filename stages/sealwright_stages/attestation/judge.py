"""Is this a TPM's quote over this sealed checkpoint: judged from the files in `evidence/attestation/`, with no TPM.

- The quote's data are the SHA-256 of `log/checkpoint.sealed`: a quote over another release is none over this one.
- It quotes just the PCRs that the manifest names, and its digest is that of the values in `pcrs`.
- Its signature is by the key in `ak.pub`. Nobody is believed to have that key because it lies there.
- Key, values and words have one form only: written back they must be the same bytes.
- A TPM is called emulated if manifest, the way to it, or its own words say so; that its words do not proves nothing.
- Nothing here is secret, and nothing raises but `StructureError`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from sealwright_stages.attestation.structures import (
    ECDSA,
    RSAPSS,
    AttestationKey,
    StructureError,
    TpmSignature,
    fit,
    parse_quote,
    parse_signature,
)
from sealwright_stages.attestation.words import WORDS
from sealwright_stages.manifest_attestation import AttestationSpec

MESSAGE, SIGNATURE, KEY, PCRS = "quote.msg", "quote.sig", "ak.pub", "pcrs"
NAMES = (MESSAGE, SIGNATURE, KEY, PCRS, WORDS)
CERTIFICATE = "ek-certificate.der"
LIMIT = 16 << 10  # bytes of each file
UNKNOWN = "signed by a key that nobody vouched for: assures nothing"

_SOFTWARE = (("IBM", "SW"), ("MSFT", "xCG"), ("VMW", ""))
"""Who makes TPMs of software, and how their vendor strings begin: swtpm, the reference simulator, VMware's."""
_PCR = re.compile(r"(0|[1-9][0-9]?) ([0-9a-f]{64})")
_WORD = re.compile(r"[ -~]{0,16}")


@dataclass(frozen=True)
class Attested:
    """A quote that is good, whoever has the key: the key's fingerprint, the PCRs and the digest over them, the TPM's words
    about itself (nobody's proof), and whether it is declared emulated."""

    fingerprint: str
    pcrs: tuple[int, ...]
    digest: str
    words: str
    emulated: bool


def judge(files: Mapping[str, bytes], spec: AttestationSpec, checkpoint: bytes) -> Attested:
    """Judge the files of `attestation/` by what the manifest asks for; `checkpoint` is the bytes of `checkpoint.sealed`.

    Raises:
        StructureError: it is no good quote over that.
    """
    if missing := [name for name in NAMES if name not in files]:
        raise StructureError(f"{missing[0]} is missing")
    quoted = parse_quote(files[MESSAGE])
    if quoted.extra != hashlib.sha256(checkpoint).digest():
        raise StructureError("the quote is over another checkpoint than this release's")
    if quoted.pcrs != spec.pcrs:
        raise StructureError(f"it quotes the PCRs {numbers(quoted.pcrs)}, not {numbers(spec.pcrs)}")
    values = parse_pcrs(files[PCRS])
    if tuple(values) != quoted.pcrs:
        raise StructureError(f"{PCRS} has the values of other PCRs")
    if hashlib.sha256(b"".join(values.values())).digest() != quoted.digest:
        raise StructureError(f"the values in {PCRS} are not those that were quoted")
    key = read_key(files[KEY])
    _verify(key, parse_signature(files[SIGNATURE]), files[MESSAGE])
    maker, vendor, emulated = parse_words(files[WORDS])
    if emulated != is_emulated(spec, maker, vendor):
        raise StructureError(f"{WORDS} says otherwise than manifest and words whether the TPM is emulated")
    words = " ".join((maker, vendor)).strip()
    return Attested(fingerprint(key), quoted.pcrs, quoted.digest.hex(), words, emulated)


def fingerprint(key: AttestationKey) -> str:
    """`sha256:` and 64 hex digits: over the key as DER (SubjectPublicKeyInfo, RFC 5280, 4.1)."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(der).hexdigest()}"


def read_key(pem: bytes) -> AttestationKey:
    """A public key as `write_key` writes it, and no byte else.

    Raises:
        StructureError: it is none that is accepted.
    """
    try:
        key = fit(load_pem_public_key(pem))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise StructureError(f"no key of a TPM: {error}") from error
    if write_key(key) != pem:
        raise StructureError("the key is not written as a public key in PEM and nothing else")
    return key


def write_key(key: AttestationKey) -> bytes:
    """The key in PEM (RFC 7468, 13)."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def write_pcrs(pcrs: Sequence[int], values: bytes) -> bytes:
    """The values of PCRs, 32 bytes each, as lines of number and hex digits."""
    parts = [values[at : at + 32] for at in range(0, len(values), 32)]
    return "".join(f"{number} {value.hex()}\n" for number, value in zip(pcrs, parts, strict=True)).encode()


def parse_pcrs(data: bytes) -> dict[int, bytes]:
    """The values by their numbers.

    Raises:
        StructureError: a line is no such line.
    """
    *lines, rest = data.decode("latin-1").split("\n")
    matches = [_PCR.fullmatch(line) for line in lines]
    if rest or not all(matches):
        raise StructureError(f"{PCRS} has a line that is no number and value")
    found = [(int(match[1]), bytes.fromhex(match[2])) for match in matches if match]
    if len(dict(found)) != len(found):
        raise StructureError(f"{PCRS} has one PCR twice")
    return dict(found)


def write_words(spec: AttestationSpec, maker: str, vendor: str) -> bytes:
    """What the TPM says of itself, and whether it is declared emulated: canonical JSON."""
    words = {"emulated": is_emulated(spec, maker, vendor), "manufacturer": maker, "vendor": vendor}
    return json.dumps(words, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def parse_words(data: bytes) -> tuple[str, str, bool]:
    """Manufacturer, vendor, and whether it is declared emulated.

    Raises:
        StructureError: it is not what `write_words` writes.
    """
    try:
        words = json.loads(data)
        again = json.dumps(words, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    except (ValueError, RecursionError) as error:
        raise StructureError(f"{WORDS} is no JSON") from error
    if again != data or not isinstance(words, dict) or set(words) != {"emulated", "manufacturer", "vendor"}:
        raise StructureError(f"{WORDS} is not as Sealwright writes it")
    maker, vendor, emulated = words["manufacturer"], words["vendor"], words["emulated"]
    texts = [each for each in (maker, vendor) if isinstance(each, str) and _WORD.fullmatch(each)]
    if len(texts) != 2 or not isinstance(emulated, bool):
        raise StructureError(f"{WORDS} has a value that is none of its own")
    return maker, vendor, emulated


def is_emulated(spec: AttestationSpec, maker: str, vendor: str) -> bool:
    """Whether manifest, the way to the TPM, or its words say that it is one of software."""
    return spec.emulated or any(maker == name and vendor.startswith(begin) for name, begin in _SOFTWARE)


def numbers(pcrs: Sequence[int]) -> str:
    """PCRs for people."""
    return ", ".join(map(str, pcrs)) or "of none"


def _verify(key: AttestationKey, signature: TpmSignature, message: bytes) -> None:
    try:
        if isinstance(key, RSAPublicKey):
            if signature.scheme == ECDSA:
                raise StructureError("it is signed by ECDSA, and the key is RSA")
            pss = signature.scheme == RSAPSS
            pad = padding.PSS(padding.MGF1(SHA256()), padding.PSS.AUTO) if pss else padding.PKCS1v15()
            key.verify(signature.numbers[0], message, pad, SHA256())
        else:
            if signature.scheme != ECDSA:
                raise StructureError("it is signed by RSA, and the key is on a curve")
            r, s = (int.from_bytes(number, "big") for number in signature.numbers)
            key.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise StructureError(f"the signature is not one by the key in {KEY}") from None
