"""Why a request is refused, and what to do next: a refusal is an answer, and always has both."""

from __future__ import annotations

_AS_MADE = (
    "propose what `sealwright` made, unchanged; `sealwright audit` says what is wrong with an evidence folder"
)
_ANOTHER = (
    "sign nothing of this log: keep both notes, which are in the signer's record, and find out who keeps two "
    "stories: docs/how-to/when-a-log-contradicts-itself.md"
)


class DocumentError(ValueError):
    """A request, or one of its documents, that is refused: why in a sentence, and the next step."""

    def __init__(self, because: str, next_step: str = _AS_MADE) -> None:
        super().__init__(because)
        self.next_step = next_step


class ForkError(DocumentError):
    """A checkpoint that does not continue the one that was seen; both notes go into the record."""

    def __init__(self, because: str, seen: str, shown: str) -> None:
        super().__init__(because, _ANOTHER)
        self.seen, self.shown = seen, shown
