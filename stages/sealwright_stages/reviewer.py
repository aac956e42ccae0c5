"""What somebody who looks at a sealed release brings; light, since a console asks for it before it opens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealwright_appendlog.cosignature import WitnessKey
    from sealwright_appendlog.saved import Saved


@dataclass(frozen=True)
class Reviewer:
    """What a reviewer brings: a keyring folder, who must have signed, and how many of them (all if None); the
    witnesses whose cosignatures of the log are checked; checkpoints that were saved of it. `without_products`: the
    products lie elsewhere, and that is known. `part`: it is one builder's word among several, so one person is enough
    where no `threshold` is given, and no other builder is asked for."""

    keyring: Path | None = None
    signers: tuple[str, ...] = ()
    threshold: int | None = None
    witnesses: tuple[WitnessKey, ...] = ()
    saved: tuple[Saved, ...] = ()
    without_products: bool = False
    part: bool = False
