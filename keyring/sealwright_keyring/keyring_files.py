"""What a key file holds, by full fingerprints."""

from __future__ import annotations

from sealwright_keyring.certificates import certificates


def fingerprints_in(data: bytes) -> tuple[str, ...]:
    """The primary fingerprints of a key file.

    Raises:
        MalformedError: it is no file of certificates.
    """
    return tuple(certificate.fingerprint for certificate in certificates(data))
