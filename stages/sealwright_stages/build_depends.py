"""What a Debian package needs to be built: from its verified .dsc, or from debian/control of its verified git tree.

- The .dsc has the word where there is one; what a tree says counts only for the recipe that builds from it.
- Comments of a control file are no fields, and its first paragraph alone speaks of the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sealwright_stages.errors import BuildError
from sealwright_stages.files import read_small
from sealwright_stages.manifest import ComponentSpec
from sealwright_stages.verify.codes import shown
from sealwright_stages.verify.deb822 import Deb822Error, build_depends, paragraphs

_MAX_CONTROL = 1 << 20


def depends_of(component: ComponentSpec, facts: Mapping[str, object], sources: Path) -> str:
    """A relation field, or nothing; `sources` is the component's folder.

    Raises:
        BuildError: its debian/control can't be read.
    """
    if told := facts.get("build_depends"):
        return str(told)
    if not read_from_tree(component):
        return ""
    try:
        text = read_small(sources / "source" / "debian" / "control", _MAX_CONTROL).decode("utf-8")
        lines = [line for line in text.split("\n") if not line.startswith("#")]
        return build_depends(next(iter(paragraphs("\n".join(lines))), {}))
    except (OSError, ValueError) as error:
        because = error.strerror if isinstance(error, OSError) else str(error)
        what = "no control file" if isinstance(error, Deb822Error) else "not readable"
        raise BuildError(
            f"{component.name}: its debian/control is {what}",
            shown(because or "it is odd"),
            "mend the source, or build it by another recipe",
            "environment-refused",
        ) from error


def read_from_tree(component: ComponentSpec) -> bool:
    """Whether what a component needs stands in its git tree, and in nothing that verify tells."""
    build = component.build
    return build is not None and build.recipe == "deb" and component.dsc is None and component.git is not None
