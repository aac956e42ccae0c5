"""How a component is built: a constant script of ours, run by argument list inside the sandbox.

- Nothing of the manifest becomes part of a script's text: it arrives as positional parameters.
- A recipe that is not one of these is refused before anything starts.
- A Debian package gets no date from us: its own changelog dates it, as in the archive.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.errors import BuildError
from sealwright_stages.ports import BuildJob
from sealwright_stages.process import BASE_ENVIRONMENT

_FOLDER = Path(__file__).parent
_COMPONENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


@dataclass(frozen=True)
class Recipe:
    """What runs inside, with which variables, and what it makes unless the manifest says otherwise."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    products: tuple[str, ...]


def recipe(job: BuildJob) -> Recipe:
    """The recipe of `job`.

    Raises:
        BuildError: there is no such recipe, or the job lacks what it needs.
    """
    if not _COMPONENT.fullmatch(job.component):
        raise _refused(job, "the component's name can't name a folder", "choose a plain name")
    if job.recipe == "commands":
        return _commands(job)
    if job.recipe == "deb":
        return _deb(job)
    raise _refused(job, f"there is no recipe {job.recipe!r}", "use `commands` or `deb`")


def _commands(job: BuildJob) -> Recipe:
    if not job.commands:
        raise _refused(job, "it has no commands", "give `commands` in [component.build]")
    variables = {
        "OUT": "/out",
        "FILES": "/sources/files",
        "UNPACKED": "/build/_unpacked",
        "SOURCE_DATE_EPOCH": str(job.epoch),
    }
    argv = (*_script("commands"), job.component, *job.commands)
    return Recipe(argv, {**BASE_ENVIRONMENT, **variables}, ("*",))


def _deb(job: BuildJob) -> Recipe:
    variables = {"DEB_BUILD_OPTIONS": f"parallel={len(os.sched_getaffinity(0))}"}
    return Recipe(_script("deb"), {**BASE_ENVIRONMENT, **variables}, ("*.deb",))


def _script(name: str) -> tuple[str, ...]:
    text = (_FOLDER / f"{name}.sh").read_text(encoding="utf-8")
    return ("sh", "-c", text, f"recipe-{name}")


def _refused(job: BuildJob, because: str, next_step: str) -> BuildError:
    return BuildError(f"{job.component} can't be built", because, next_step, "recipe-refused")
