"""What to say of a machine's attestation where it is not judged: at the end of a run, on a page; light to load.

- A TPM that the evidence calls emulated is called so everywhere, in the same words.
- Whatever can't be read is no better than that.
"""

from __future__ import annotations

import json
from pathlib import Path

from sealwright_stages.files import read_small

FOLDER, WORDS = "attestation", "tpm.json"
EMULATED = "emulated: assures nothing"
_LIMIT = 16 << 10


def attestation_words(evidence: Path) -> str:
    """What the evidence's attestation is worth to somebody who judged nothing; empty if there is none."""
    path = evidence / FOLDER / WORDS
    if not path.parent.exists():
        return ""
    try:
        emulated = json.loads(read_small(path, _LIMIT))["emulated"] is not False
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "not readable: assures nothing"
    return EMULATED if emulated else "assures nothing until the machine's key is named to `sealwright audit`"


def attested(evidence: Path) -> str:
    """The same as the end of a sentence."""
    words = attestation_words(evidence)
    return f"; attestation by a TPM: {words}" if words else ""
