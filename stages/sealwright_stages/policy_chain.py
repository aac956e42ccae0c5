"""The chain of a keyring's versions, as a release goes by it: each signed by the one before it and by itself.

- A keyring of version 2 or later has all before it in its history; each is checked, from the first, or nothing begins.
- A keyring that says no version, or is the first, has no chain, and nothing is demanded of it here.
- In a run the newest version's own signers must be good now; when it is checked again, as of when the run began.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import Policy
from sealwright_keyring.rotation import Clock, Step, judge, require, way_from
from sealwright_keyring.versions import Held, files_of, read_versions
from sealwright_stages.errors import ManifestError
from sealwright_stages.verify.verifier import tools


@dataclass(frozen=True)
class PolicyChain:
    """All versions of a keyring, the oldest first, and how each came to count."""

    versions: tuple[Held, ...]
    steps: tuple[Step, ...]

    @property
    def number(self) -> int:
        """The newest version."""
        return self.versions[-1].version.number

    @property
    def files(self) -> Mapping[str, bytes]:
        """What it consists of besides the newest policy itself, by path below the keyring's folder."""
        return files_of(self.versions)

    @property
    def accepted(self) -> frozenset[str]:
        """The good signatures over the newest version's list, by the SHA-256 of their packets and files."""
        return self.steps[-1].accepted

    def told(self) -> Mapping[str, object]:
        """The chain as evidence in the log."""
        return {"versions": [step.told() for step in self.steps]}

    def way_from(self, trusted: Policy) -> tuple[Step, ...]:
        """The steps by which `trusted` leads to the newest version.

        Raises:
            KeyringError: it goes back, it forks, or a step does not count.
        """
        return way_from(trusted, self.versions, self.steps)


def read_chain(policy: Policy, clock: Clock) -> PolicyChain | None:
    """The chain that leads to `policy`, each step of which counts; None if it has none.

    Raises:
        KeyringError: it is not exactly as it must be, or a step does not count.
    """
    versions = read_versions(policy.folder, policy)
    if len(versions) < 2:
        return None
    steps = judge(versions, tools(), clock)
    require(steps)
    return PolicyChain(versions, steps)


def chain_of_run(policy: Policy) -> PolicyChain | None:
    """The same for a run that begins now.

    Raises:
        ManifestError: as `read_chain`.
    """
    try:
        return read_chain(policy, Clock(datetime.now(UTC), fresh=True))
    except KeyringError as error:
        raise ManifestError(error.what, error.because, error.next_step) from error
