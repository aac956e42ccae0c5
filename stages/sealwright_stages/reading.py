"""Read what is to be walked: the manifest, the policy that it names, that one's chain and signature; nothing is touched.

- Who is to sign the release has an OpenPGP key: the signer signs with nothing else.
- It loads what reading needs and nothing else: a run begins other things meanwhile (see `ahead`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import Policy, load_policy
from sealwright_keyring.toml_lines import line_of
from sealwright_keyring.version import HISTORY
from sealwright_stages.errors import ManifestError
from sealwright_stages.files import read_small
from sealwright_stages.manifest import Manifest, load
from sealwright_stages.work import WorkFolder, work_folder

if TYPE_CHECKING:
    from sealwright_stages.policy_chain import PolicyChain
    from sealwright_stages.policy_signature import PolicySignature
    from sealwright_stages.wish import Wish

_MAX_HOSTS = 1 << 20


@dataclass(frozen=True)
class Subject:
    """What is walked, as it was read before anything was touched, and where.

    The work folder is known by `mark`; `cache` is the folder of verified files (None: the one for all releases). A walk
    that is not `official` says so in its log.
    """

    manifest: Manifest
    policy: Policy
    work: WorkFolder
    mark: str
    policy_signature: PolicySignature | None = None
    known_hosts: bytes | None = None
    cache: Path | None = None
    official: bool = True
    policy_chain: PolicyChain | None = None


def subject_of(wish: Wish) -> Subject:
    """Read what `wish` names.

    Raises:
        ManifestError: it is refused, with file and line.
    """
    manifest, policy, signature, chain = read_release(wish.manifest)
    work = work_folder(manifest.release, wish.work)
    hosts = read_known_hosts(manifest)
    return Subject(manifest, policy, work, manifest.release, signature, hosts, policy_chain=chain)


def read_release(manifest_path: Path) -> tuple[Manifest, Policy, PolicySignature | None, PolicyChain | None]:
    """Read the manifest, the policy that it names, its own signature if the manifest wants one, and the chain of
    versions that leads to it if it has one; touch nothing.

    Raises:
        ManifestError: one of them is refused, with file and line.
    """
    manifest = load(manifest_path)
    try:
        policy = load_policy(manifest.keyring)
    except KeyringError as error:
        raise ManifestError(error.what, error.because, error.next_step) from error
    manifest = load(manifest_path, frozenset(policy.persons))
    _can_sign(manifest, policy)
    chain = _chain(policy)
    return manifest, policy, _signature(manifest, policy, chain), chain


def _chain(policy: Policy) -> PolicyChain | None:
    if policy.version is None and not os.path.lexists(policy.folder / HISTORY):
        return None
    from sealwright_stages.policy_chain import chain_of_run  # noqa: PLC0415 - most policies have no version

    return chain_of_run(policy)


def _signature(manifest: Manifest, policy: Policy, chain: PolicyChain | None) -> PolicySignature | None:
    if not manifest.policy_signers:
        return None
    from sealwright_stages.policy_signature import signed_policy  # noqa: PLC0415 - most policies need no signature

    return signed_policy(manifest.policy_signers, manifest.policy_threshold, policy, chain)


def _can_sign(manifest: Manifest, policy: Policy) -> None:
    for name in manifest.signers:
        if not policy.persons[name].openpgp:
            line = line_of(manifest.data.decode(), ("release", "signers"))
            raise ManifestError(
                f"{manifest.path}:{line}",
                f"{name} has no OpenPGP key, and a release is signed with nothing else",
                f"give {name} one with `sealwright keyring add`, or name another",
            )


def read_known_hosts(manifest: Manifest) -> bytes | None:
    """The ssh host keys that the manifest names, as read once at the start of a run.

    Raises:
        ManifestError: it is no plain file, is larger than 1 MiB, or names no host.
    """
    path = manifest.known_hosts
    if path is None:
        return None
    try:
        data = read_small(path, _MAX_HOSTS)
    except OSError as error:
        raise ManifestError(
            f"known_hosts of {manifest.path}", f"{path}: {error.strerror}", "name a plain file of host keys"
        ) from error
    if not any(line.strip() and not line.lstrip().startswith(b"#") for line in data.splitlines()):
        raise ManifestError(
            f"known_hosts of {manifest.path}",
            f"{path} names no host",
            "put the servers' keys there; see `man sshd`",
        )
    return data
