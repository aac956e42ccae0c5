"""The manifest's attestation: which TPM, which PCRs, which key; strictly, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.test_manifest import XEN, read, refused
from sealwright_stages.manifest_attestation import AttestationSpec
from support.release_folder import HEAD

ASKED = """
[attestation]
tpm = "device:/dev/tpmrm0"
pcrs = [0, 2, 7]
key = "0x81010002"
emulated = false
"""


def test_who_asks_for_no_attestation_gets_none(tmp_path: Path) -> None:
    assert read(tmp_path, HEAD + XEN).attestation is None


def test_an_attestation_is_read(tmp_path: Path) -> None:
    read_one = read(tmp_path, HEAD + ASKED + XEN).attestation
    assert read_one == AttestationSpec("device:/dev/tpmrm0", (0, 2, 7), "0x81010002", False)
    least = read(tmp_path, HEAD + '[attestation]\ntpm = "device"\n' + XEN).attestation
    assert least == AttestationSpec("device", (0, 1, 2, 3, 4, 5, 7), "", False)


@pytest.mark.parametrize("way", ["swtpm:host=127.0.0.1,port=2321", "mssim:host=tpm,port=2321", "swtpm"])
def test_a_simulator_is_emulated_whatever_is_said(tmp_path: Path, way: str) -> None:
    spec = read(tmp_path, HEAD + ASKED.replace("device:/dev/tpmrm0", way) + XEN).attestation
    assert spec is not None and spec.emulated


WRONG = [
    ('tpm = "device:/dev/tpmrm0"\n', "", "[attestation]", "no 'tpm'"),
    ("device:/dev/tpmrm0", "cmd:nc tpm 2321", "tpm =", "no way to a TPM"),
    ("device:/dev/tpmrm0", "libtss2-tcti-cmd.so.0:sh", "tpm =", "no way to a TPM"),
    ("device:/dev/tpmrm0", "/usr/lib/tcti.so", "tpm =", "no way to a TPM"),
    ("device:/dev/tpmrm0", "device:/dev/tpm;id", "tpm =", "no way to a TPM"),
    ("device:/dev/tpmrm0", "", "tpm =", "no way to a TPM"),
    ("[0, 2, 7]", "[]", "pcrs", "numbers of PCRs"),
    ("[0, 2, 7]", "[0, 24]", "pcrs", "numbers of PCRs"),
    ("[0, 2, 7]", "[-1]", "pcrs", "numbers of PCRs"),
    ("[0, 2, 7]", "[true]", "pcrs", "numbers of PCRs"),
    ("[0, 2, 7]", '["0"]', "pcrs", "numbers of PCRs"),
    ("[0, 2, 7]", "[2, 0]", "pcrs", "not in order"),
    ("[0, 2, 7]", "[0, 0]", "pcrs", "names one twice"),
    ("0x81010002", "0x01010002", 'key = "', "no handle"),
    ("0x81010002", "ak.ctx", 'key = "', "no handle"),
    ("emulated = false", 'emulated = "no"', "emulated", "true or false"),
    ("emulated = false", "bank = 1", "bank", "unknown key 'bank'"),
]


@pytest.mark.parametrize(("old", "new", "line", "because"), WRONG)
def test_what_is_wrong_is_refused_at_its_line(tmp_path: Path, old: str, new: str, line: str, because: str) -> None:
    assert old in ASKED
    refused(tmp_path, HEAD + ASKED.replace(old, new) + XEN, line, because)
