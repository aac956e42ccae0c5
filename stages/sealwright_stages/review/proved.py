"""Whether a record that is shown is in the sealed log: its inclusion proof, made and checked now.

- What is proved is the line that was shown, and not what the index has by now.
- The checkpoint's signature is checked with the log's own key, as it lies in the folder; whose log that is, an audit says.
- What can't be made out has a reason, and is no proof.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sealwright_appendlog import layout
from sealwright_appendlog.note import Checkpoint, NoteError, VerifierKey
from sealwright_appendlog.proof import check_proof, make_proof, parse_proof
from sealwright_appendlog.tiles import TileMissingError
from sealwright_appendlog.tree import ProofError, leaf_hash
from sealwright_stages.review.past import Past


@dataclass(frozen=True)
class Proved:
    """A record's line and hashes (hex), and the checkpoint that it is proved to be in; None, and why it is not.

    `leaf` is the hash of the record's leaf, `previous` that of the one before, empty for the first; `steps` is how many
    hashes lead to the root. `wrong`: the proof contradicts the record, rather than being missing.
    """

    line: bytes
    sha256: str
    leaf: str
    previous: str
    checkpoint: Checkpoint | None = None
    key: str = ""
    steps: int = 0
    why_not: str = ""
    wrong: bool = False


def prove(past: Past, n: int) -> Proved:
    """Make and check the proof of record `n`.

    Raises:
        LogError: the record is another one than was audited.
    """
    line = past.entry(n).line
    previous = leaf_hash(past.entry(n - 1).line).hex() if n else ""
    told = Proved(line, hashlib.sha256(line).hexdigest(), leaf_hash(line).hex(), previous)
    try:
        key = VerifierKey.parse(layout.whole(past.log / layout.VKEY).decode("ascii").removesuffix("\n"))
        proof = make_proof(past.log, n)
        checkpoint = check_proof(proof, line, key)
        steps = len(parse_proof(proof).path)
    except OSError as error:
        return _without(told, f"{error.filename}: {error.strerror or error}", wrong=False)
    except TileMissingError as error:
        return _without(told, str(error), wrong=False)
    except (ProofError, NoteError, ValueError) as error:
        return _without(told, str(error), wrong=True)
    return Proved(told.line, told.sha256, told.leaf, told.previous, checkpoint, str(key), steps)


def _without(told: Proved, why: str, *, wrong: bool) -> Proved:
    return Proved(told.line, told.sha256, told.leaf, told.previous, why_not=why, wrong=wrong)
