"""Runs inside: BAIT NAME ..., where BAIT is JSON; prints a line for each."""

import json
import os
import sys
from types import ModuleType

from sealwright_stages.selftest.probes import common, host, kernel, limits, network, products


def main() -> None:
    """Try the named ones."""
    attempts = {}
    for module in (network, host, kernel, limits, products):
        attempts.update(_functions(module))
    common.try_each(attempts, sys.argv[2:], common.Bait(**json.loads(sys.argv[1])))
    sys.stdout.flush()
    os._exit(0)


def _functions(module: ModuleType) -> dict[str, common.Attempt]:
    found = {name: value for name, value in vars(module).items() if not name.startswith("_") and callable(value)}
    return {name: value for name, value in found.items() if value.__module__ == module.__name__}
