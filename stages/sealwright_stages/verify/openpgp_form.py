"""Whether an OpenPGP signature packet is written in the one right way (RFC 9580, sections 3.2, 4.2 and 5.2.3.7).

- Numbers bear the length of their highest bit; the unhashed area holds no subpacket marked as critical.
- Such a packet could be written otherwise by anybody without a verifier's noticing. Where a signature travels inside
  of what is checked byte by byte, that is refused.
"""

from __future__ import annotations

from sealwright_keyring.errors import MalformedError
from sealwright_keyring.packets import SIGNATURE, Reader, packets

_CRITICAL = 0x80


def check_canonical(signature: bytes) -> None:
    """Check signature packets, which must be binary, beside the parser's own rules.

    Raises:
        MalformedError: one could be written otherwise.
    """
    for packet in packets(signature):
        if packet.tag != SIGNATURE:
            raise MalformedError(f"a packet of type {packet.tag} stands where only signatures may")
        reader = Reader(packet.body)
        reader.take(4)
        reader.take(reader.number(2))
        unhashed = Reader(reader.take(reader.number(2)))
        while unhashed.more():
            length = unhashed.number(1)
            if length >= 192 or length == 0:
                raise MalformedError("the unhashed area holds an odd subpacket")
            if unhashed.take(length)[0] & _CRITICAL:
                raise MalformedError("the unhashed area holds a critical subpacket")
        reader.take(2)
        while reader.more():
            bits = reader.number(2)
            number = int.from_bytes(reader.take((bits + 7) // 8), "big")
            if number.bit_length() != bits:
                raise MalformedError("a number of the signature is not written in its shortest form")
