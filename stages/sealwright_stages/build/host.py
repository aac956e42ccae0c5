"""The host's own /usr as a build root: read-only, and as good as the machine is.

- What a build asks for must be installed; nothing is installed for it.
- Nothing vouches for the packages, so it has no item that could turn green: the evidence names it as `host`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sealwright_stages import process
from sealwright_stages.errors import BuildError
from sealwright_stages.ports import Prepared

_SECONDS = 60.0


def prepare_host(packages: Sequence[str], build_depends: Sequence[str]) -> Prepared:
    """Check that the host has what is asked for; its identity is the SHA-256 over the names of its packages.

    Raises:
        BuildError: something is not installed.
    """
    form = "${db:Status-Abbrev} ${binary:Package} ${Version}\\n"
    listed = process.run(["dpkg-query", "--show", f"--showformat={form}"], timeout=_SECONDS)
    lines = sorted(line for line in listed.stdout.decode("utf-8", "replace").splitlines() if line[:2] == "ii")
    present = {line.split()[1].partition(":")[0] for line in lines}
    if missing := sorted(set(packages) - present):
        raise _lacks(", ".join(missing))
    for field in build_depends:
        flat = " ".join(field.split()).strip(" ,")
        done = process.run(["dpkg-checkbuilddeps", "-d", flat, "/dev/null"], timeout=_SECONDS)
        if done.returncode != 0:
            raise _lacks(done.complaint())
    identity = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return Prepared("host", None, identity, ())


def _lacks(what: str) -> BuildError:
    return BuildError(
        "the host lacks what the build needs", what, "install it, or build in `debian:SUITE`", "packages-missing"
    )
