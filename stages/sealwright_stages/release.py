"""Open a release: from `release.toml` and a work folder to an engine that can walk it.

- Everything that can be refused without touching anything is refused first: manifest, policy and its signature,
  sandbox, memory, and last, since it takes a few seconds where it was not yet tried, whether the sandbox holds.
- Who is to sign the release has an OpenPGP key: the signer signs with nothing else.
- The log is opened before anything else happens; the state is folded from it, never from elsewhere.
- What a run that was killed could not remove (private keyrings, half-made sandboxes) is removed then.
- Whatever was opened is closed again, in the opposite order, however the run ends.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sealwright_appendlog import layout
from sealwright_appendlog.audit import LogBroken
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.home import remove_abandoned
from sealwright_keyring.policy import Policy, load_policy
from sealwright_keyring.toml_lines import line_of
from sealwright_stages.errors import LogError, ManifestError
from sealwright_stages.events import BadEventError
from sealwright_stages.files import read_small
from sealwright_stages.fold import fold
from sealwright_stages.journal import Journal
from sealwright_stages.log import LogLost, LogSession, log_error, open_embedded, open_transport, read_entries
from sealwright_stages.manifest import Manifest, load
from sealwright_stages.memory.reading import recall
from sealwright_stages.memory.recall import Recall
from sealwright_stages.policy_signature import PolicySignature, signed_policy
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.sandbox.life import end_unborn
from sealwright_stages.sandbox.readiness import require_sandbox
from sealwright_stages.selftest.vouch import require_held
from sealwright_stages.state import Record, State
from sealwright_stages.verify.verifier import require_verifier, verifier
from sealwright_stages.wish import Wish
from sealwright_stages.work import WorkFolder, work_folder

if TYPE_CHECKING:
    from sealwright_stages.engine import Engine
    from sealwright_stages.outlook import Outlook
    from sealwright_stages.sign.signing import SigningRequest, Typed

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


@dataclass(frozen=True)
class Opened:
    """A release ready to be walked."""

    manifest: Manifest
    work: WorkFolder
    engine: Engine
    log: LogSession
    cancel: threading.Event
    outlook: Outlook


def read_release(manifest_path: Path) -> tuple[Manifest, Policy, PolicySignature | None]:
    """Read the manifest, the policy that it names, and the policy's own signature if it wants one; touch nothing.

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
    return manifest, policy, signed_policy(manifest.policy_signers, manifest.policy_threshold, policy)


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


@contextlib.contextmanager
def opened(
    wish: Wish,
    ask: Callable[[SigningRequest], Typed | None],
    listener: Callable[[Record], None] = lambda record: None,
    waiting: Callable[[str], None] = lambda what: None,
) -> Iterator[Opened]:
    """Open a release for a run. `waiting` is told of what takes seconds, before it is done.

    Raises:
        SealwrightError: what is refused, because of what, and what to do.
    """
    manifest, policy, signature = read_release(wish.manifest)
    work = work_folder(manifest.release, wish.work)
    subject = Subject(manifest, policy, work, manifest.release, signature, read_known_hosts(manifest))
    with walked(subject, wish, ask, listener, waiting) as release:
        yield release


@contextlib.contextmanager
def walked(
    subject: Subject,
    wish: Wish,
    ask: Callable[[SigningRequest], Typed | None],
    listener: Callable[[Record], None] = lambda record: None,
    waiting: Callable[[str], None] = lambda what: None,
) -> Iterator[Opened]:
    """Open what was read for a run; of `wish` only how it is to be run counts. `waiting` as for `opened`.

    Raises:
        SealwrightError: what is refused, because of what, and what to do.
    """
    manifest, policy, work = subject.manifest, subject.policy, subject.work
    _load_the_rest()
    require_sandbox()
    require_verifier()
    memory = held = None
    if not (work.log / layout.SEALED).exists():  # nothing more is fetched or built after the seal
        memory = recall(manifest)
        held = require_held(cache_folder(), waiting=waiting)
    identities = Identities.choose()
    cancel = threading.Event()
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(work.locked())
        work.prepare(subject.mark)
        end_unborn()
        remove_abandoned(verifier())
        log = open_log(manifest, work, identities)
        stack.callback(log.close)
        log.whenever_lost(cancel.set)
        journal = Journal(log, folded(work.log), manifest.waivers, listener)
        _same_release(journal.state, manifest, policy)
        if memory is None:  # a sealed log takes no verdict any more
            memory = Recall(manifest) if journal.state.sealed else recall(manifest)
        _same_memory(journal.state, memory)
        from sealwright_stages.assembly import assembled  # noqa: PLC0415 - see `_load_the_rest`

        engine, outlook = assembled(subject, wish, ask, journal, identities, cancel, memory, held)
        engine.context.stands = lock.stands
        yield Opened(manifest, work, engine, log, cancel, outlook)


def _load_the_rest() -> None:
    """Load what walks a release while the sandbox is tried and the log authority starts: a third of all code."""
    threading.Thread(target=importlib.import_module, args=("sealwright_stages.assembly",), daemon=True).start()


def open_log(manifest: Manifest, work: WorkFolder, identities: Identities) -> LogSession:
    """Reach the log authority, starting it if it is embedded.

    Raises:
        LogError: it can't be reached, or its log is not the one that was seen before.
    """
    saved = work.private / "checkpoint"
    try:
        if manifest.log_key is not None:
            return open_transport(manifest.log_transport, manifest.log_key, manifest.release, work.log, saved)
        key = work.private / "log.key"
        return open_embedded(work.log, key, manifest.release, identities.log, identities.log, saved)
    except LogLost as error:
        raise log_error(error) from error


def folded(log: Path) -> State:
    """The state that a log folder makes.

    Raises:
        LogError: a record is not one of ours.
    """
    try:
        return fold(read_entries(log))
    except (LogBroken, BadEventError) as error:
        raise LogError(f"the log {log}", str(error), "run `sealwright audit`; do not go on with it") from error


def cache_folder() -> Path:
    """Where verified files and build roots are kept by their SHA-256, for all releases."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base).absolute() / "sealwright"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # build roots have programs that run as root
    return folder


def _same_release(state: State, manifest: Manifest, policy: Policy) -> None:
    """A log goes on only under the manifest and the policy that it began with."""
    if not state.runs:
        return
    for what, known, now in (
        ("manifest", state.manifest_sha256, manifest.sha256),
        ("policy", state.policy_sha256, policy.sha256),
    ):
        if known != now:
            raise ManifestError(
                f"the {what} has changed since this work folder was begun",
                f"the log says {known[:16]}..., now it is {now[:16]}...",
                "put it back, or begin anew with another --work DIR (the old log stays as evidence)",
            )


def _same_memory(state: State, memory: Recall) -> None:
    """A log goes on only with the earlier releases that its first item was judged by."""
    known, now = state.memory, {told.root: told for told in memory.read}
    gone = [told for root, told in known.items() if root not in now]
    came = [told for root, told in now.items() if root not in known] if state.items else []
    for told, how in (*((each, "is gone") for each in gone), *((each, "came to it") for each in came)):
        if not state.sealed:
            raise ManifestError(
                "the earlier evidence is another than when this work folder was begun",
                f"{told.release} with the log root {told.root[:16]}... {how}",
                "put it back, or begin anew with another --work DIR (the old log stays as evidence)",
            )
