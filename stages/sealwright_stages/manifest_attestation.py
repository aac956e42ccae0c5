"""What the manifest says of attestation: which TPM is asked for a quote over the sealed checkpoint, and of which PCRs.

- Left out, no TPM is asked for anything, and nothing of tpm2-tools is needed.
- The TPM is named as tpm2-tools name it, by one of four ways that start no program.
- A way to a simulator is emulated, whatever else is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sealwright_stages.manifest_table import Table

_WAY = re.compile(r"(device|tabrmd|swtpm|mssim)(:[A-Za-z0-9_./=,:\[\]-]{1,200})?")
_HANDLE = re.compile(r"0x81[0-9a-f]{6}")
_SIMULATORS = frozenset({"swtpm", "mssim"})
_PCRS = [0, 1, 2, 3, 4, 5, 7]
_MOST = 23


@dataclass(frozen=True)
class AttestationSpec:
    """`[attestation]`: the TPM as tpm2-tools name it (TCTI), the PCRs in their order, the persistent handle of the
    attestation key (empty: one is made for each quote), and whether the TPM is declared emulated."""

    tpm: str
    pcrs: tuple[int, ...]
    key: str = ""
    emulated: bool = False


def read_attestation(table: Table, asked: bool) -> AttestationSpec | None:
    """Read `[attestation]`; None if it is not there."""
    if not asked:
        return None
    tpm, key = table.take("tpm", str), table.take("key", str, "")
    way = _WAY.fullmatch(tpm)
    if way is None:
        table.fail(
            ("tpm",),
            f"tpm = {tpm!r} is no way to a TPM that is taken",
            'use "device:/dev/tpmrm0", or tabrmd, swtpm or mssim with what tpm2-tools want after the colon',
        )
    if key and not _HANDLE.fullmatch(key):
        told = "name a persistent one, 0x81 and six lower-case hex digits; `tpm2_getcap handles-persistent` lists them"
        table.fail(("key",), f"key = {key!r} is no handle of a key that stays", told)
    pcrs = table.take("pcrs", list, _PCRS)
    if not pcrs or any(type(each) is not int or not 0 <= each <= _MOST for each in pcrs):
        table.fail(("pcrs",), "pcrs must hold numbers of PCRs", f"name some of 0 to {_MOST}")
    if pcrs != sorted(set(pcrs)):
        table.fail(("pcrs",), "pcrs names one twice, or not in order", "name each once, the lowest first")
    emulated = table.take("emulated", bool, False) or way[1] in _SIMULATORS
    table.done()
    return AttestationSpec(tpm, tuple(pcrs), key, emulated)
