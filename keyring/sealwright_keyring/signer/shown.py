"""What a person is shown of a proposal: all that decides, in lines of plain ASCII, and nothing that is not signed."""

from __future__ import annotations

from collections.abc import Sequence

from sealwright_keyring.signer.documents import Release
from sealwright_keyring.text import printable

_SUMMARY = 300


def grouped(digest: str) -> str:
    """The digest in groups of four."""
    return " ".join(digest[start : start + 4] for start in range(0, len(digest), 4))


def head(release: Release) -> list[str]:
    """Release, digest and counts: what must be in sight where the question is asked."""
    said = release.statement
    counts = f"{len(release.products.files)} products of {said.components} components, {said.items} items checked"
    return [
        f"release: {release.name}",
        f"digest:  {grouped(release.digest)}",
        counts,
        f"{len(said.warned)} warnings, {len(said.waivers)} waivers",
    ]


def lines(release: Release, differs: tuple[Sequence[str], Sequence[str]]) -> list[str]:
    """Everything: the head, the documents, the log, each waiver and each warning, and what `differs`, few and many.

    The long lists of what differs come last: what an answer leaves out is that, and no word of a waiver.
    """
    said, (few, many) = release.statement, differs
    told = [
        *head(release),
        f"{release.products.name}: {len(release.products.files)} products",
        f"{release.log.name}: the sealed log, {len(release.log.files)} files",
        f"{release.provenance.name}: {len(said.products)} products of {release.name}",
        f"log:  {said.origin}, sealed with {said.size} records",
        f"root: {said.root}",
        *few,
        *(f"waived: {w.item}, {w.code}, by {w.person}: {w.reason}" for w in said.waivers),
        *(f"warning: {item}" for item in said.warned),
        *many,
    ]
    return [printable(line, 2000) for line in told]


def summary(shown: Sequence[str]) -> list[str]:
    """As much of `shown` as an answer holds; what is left out is said."""
    if len(shown) <= _SUMMARY:
        return list(shown)
    left = len(shown) - _SUMMARY
    return [*shown[:_SUMMARY], f"{left} lines more: on the signer's own terminal, and in its record"]
