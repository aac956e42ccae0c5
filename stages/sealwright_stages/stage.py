"""The five stages, in their order; a module of its own, since the command line needs no more than their names."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """The five stages, in their order."""

    GET_SOURCES = "get-sources"
    VERIFY = "verify"
    BUILD = "build"
    SEAL = "seal"
    SIGN = "sign"


STAGES = tuple(Stage)
