"""`sealwright explain CODE`: what a verdict's code means, whether it can be waived, and where it is described."""

from __future__ import annotations

from sealwright_console.sanitise import clean
from sealwright_stages.errors import Exit, ManifestError
from sealwright_stages.verify.codes import CODES, WAIVABLE

_WAIVED = (
    "warned: it blocks until a person accepts it by name, for these very bytes (docs/how-to/waive-a-warning.md)"
)
_RED = "failed: nobody can waive it; only other bytes or another policy change it. Its item names the next step"


def run_explain(code: str) -> int:
    """Print what each part of `code` (joined by `+`) means; without a code, list them all.

    Raises:
        ManifestError: there is no such code.
    """
    if not code:
        for name, meaning in sorted(CODES.items()):
            print(f"{name:26} {_sentence(meaning)}")
        return int(Exit.DONE)
    for part in code.split("+"):
        if part not in CODES:
            raise ManifestError(
                f"the code {clean(part, 80)}", "no verdict has it", "list them all: sealwright explain"
            )
        print(f"{part}: {_sentence(CODES[part])}")
        if part != "ok":
            print(f"  {_WAIVED if part in WAIVABLE else _RED}")
    return int(Exit.DONE)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
