"""Where a release lies below the site: `<name>/<version>/<signer>/`, one folder for each signer.

- Every part is a plain name. `index.html` is none here, since pages of the site have it.
- The evidence and the site never lie in one another.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.errors import ManifestError, PublishError
from sealwright_stages.manifest_table import PLAIN
from sealwright_stages.publish.facts import Facts

INDEX = "index.html"
EVIDENCE = "evidence"
FILES = "FILES"


@dataclass(frozen=True)
class Place:
    """A publication's folder below the site."""

    name: str
    version: str
    signer: str

    @property
    def parts(self) -> tuple[str, str, str]:
        """From the outside in."""
        return self.name, self.version, self.signer

    def __str__(self) -> str:
        return "/".join(self.parts)


def plain(name: str) -> bool:
    """Whether it may be a part of a place."""
    return PLAIN.match(name) is not None and name.lower() != INDEX


def place_of(facts: Facts, signer: str) -> Place:
    """Where the release goes; `signer` is whom the person named, if anybody.

    Raises:
        PublishError: no signer's provenance is there, or several and nobody was named.
    """
    if signer and signer not in facts.signers:
        because = f"the evidence has no provenance by {signer}; it has {', '.join(facts.signers) or 'none'}"
        raise PublishError("--as", because, "name one who signed it")
    if not facts.signers:
        because = "no signer's own provenance is in it"
        raise PublishError("the release", because, "sign it with `sealwright run`")
    if not signer and len(facts.signers) > 1:
        because = f"its provenance is by {', '.join(facts.signers)}"
        raise PublishError("whose publication this is", because, "name one: --as NAME")
    place = Place(facts.manifest.name, facts.manifest.version, signer or facts.signers[0])
    for part in place.parts:
        if not plain(part):
            raise PublishError(str(place), f"{part!r} can't be a folder of a site", "call it something else")
    return place


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # Python says of links that go round that they are a RuntimeError
        raise ManifestError(str(path), "no folder can be reached by that name", "name one that can be") from error


def refuse_nested(evidence: Path, site: Path) -> None:
    """Refuse evidence and site that lie in one another, by whatever name they are reached.

    Raises:
        ManifestError: they do, or one can't be reached.
    """
    one, other = _resolved(evidence), _resolved(site)
    for inner, outer in ((one, other), (other, one)):
        if inner.is_relative_to(outer):
            raise ManifestError(
                f"--to {site}", f"{inner} lies in {outer}", "name a folder outside of the evidence"
            )
