"""How a component is built: a constant script of ours, run by argument list inside the sandbox.

- Nothing of the manifest becomes part of a script's text: it arrives as positional parameters.
- A recipe that is not one of these is refused before anything starts.
- A package is dated by its own changelog, as in its archive: a Debian package gets no date from us, and an RPM only
  one to fall back on.
- What a second build finds otherwise comes to it by the same way: as variables and parameters, never as another script.
- The products of what a component needs are at one place, which nothing is told of that needs nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sealwright_stages.errors import BuildError
from sealwright_stages.ports import BuildJob
from sealwright_stages.process import BASE_ENVIRONMENT

_FOLDER = Path(__file__).parent
NEEDS = "/needs"
"""Where a build sees the products of what it needs, each component's in a folder of its name."""
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
    if job.recipe not in _RECIPES:
        raise _refused(job, f"there is no recipe {job.recipe!r}", "use `commands`, `deb` or `rpm`")
    how = _RECIPES[job.recipe](job)
    needs = {"NEEDS": NEEDS} if job.needs else {}
    found = {"LC_ALL": job.around.locale, "TZ": job.around.timezone}
    return replace(how, environment={**BASE_ENVIRONMENT, **found, **how.environment, **needs})


def _commands(job: BuildJob) -> Recipe:
    if not job.commands:
        raise _refused(job, "it has no commands", "give `commands` in [component.build]")
    variables = {
        "OUT": "/out",
        "FILES": "/sources/files",
        "UNPACKED": f"{job.around.place}/_unpacked",
        "SOURCE_DATE_EPOCH": str(job.epoch),
    }
    argv = (*_script("commands"), f"{job.around.place}/{job.component}", job.around.order, *job.commands)
    return Recipe(argv, variables, ("*",))


def _deb(job: BuildJob) -> Recipe:
    processors = job.around.processors or os.sched_getaffinity(0)
    argv = (*_script("deb"), f"{job.around.place}/reproducible-path", job.around.order)
    return Recipe(argv, {"DEB_BUILD_OPTIONS": f"parallel={len(processors)}"}, ("*.deb",))


def _rpm(job: BuildJob) -> Recipe:
    variables = {"SOURCE_DATE_EPOCH": str(job.epoch)}
    return Recipe((*_script("rpm"), f"{job.around.place}/rpmbuild", job.spec), variables, ("*.rpm",))


_RECIPES: Mapping[str, Callable[[BuildJob], Recipe]] = {"commands": _commands, "deb": _deb, "rpm": _rpm}


def _script(name: str) -> tuple[str, ...]:
    text = "".join((_FOLDER / f"{part}.sh").read_text(encoding="utf-8") for part in ("arrange", name))
    return ("sh", "-c", text, f"recipe-{name}")


def _refused(job: BuildJob, because: str, next_step: str) -> BuildError:
    return BuildError(f"{job.component} can't be built", because, next_step, "recipe-refused")
