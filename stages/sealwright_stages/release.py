"""Open a release: from `release.toml` and a work folder to an engine that can walk it.

- Everything that can be refused without touching anything is refused first: manifest, policy and its signature,
  sandbox, memory, and last, since it takes a few seconds where it was not yet tried, whether the sandbox holds.
- The log is opened before anything else happens; the state is folded from it, never from elsewhere.
- That the run began is said next. What a run that was killed could not remove (private keyrings, half-made sandboxes)
  is removed then, and what fetches, verifies, builds and signs is put together; a refusal there ends the run on the record.
- Whatever was opened is closed again, in the opposite order, however the run ends.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sealwright_appendlog import layout
from sealwright_appendlog.audit import LogBroken
from sealwright_keyring.policy import Policy
from sealwright_stages.ahead import Ahead, ahead_of
from sealwright_stages.errors import Exit, LogError, ManifestError, SealwrightError
from sealwright_stages.events import BadEventError, MemoryRead
from sealwright_stages.fold import fold
from sealwright_stages.journal import Journal
from sealwright_stages.log import LogLost, LogSession, log_error, open_embedded, open_transport, read_entries
from sealwright_stages.manifest import Manifest
from sealwright_stages.reading import Subject, subject_of
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.selftest.vouch import require_held
from sealwright_stages.state import Record, State
from sealwright_stages.verify.trusted_gpg import require_gpg
from sealwright_stages.wish import Wish
from sealwright_stages.work import WorkFolder

if TYPE_CHECKING:
    from sealwright_stages.engine import Engine
    from sealwright_stages.memory.recall import Recall
    from sealwright_stages.outlook import Outlook
    from sealwright_stages.sign.signing import SigningRequest, Typed

_MEND = "mend that, then run again"


@dataclass(frozen=True)
class Opened:
    """A release ready to be walked."""

    manifest: Manifest
    work: WorkFolder
    engine: Engine
    log: LogSession
    cancel: threading.Event
    outlook: Outlook


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
    with walked(subject_of(wish), wish, ask, listener, waiting) as release:
        yield release


@contextlib.contextmanager
def walked(
    subject: Subject,
    wish: Wish,
    ask: Callable[[SigningRequest], Typed | None],
    listener: Callable[[Record], None] = lambda record: None,
    waiting: Callable[[str], None] = lambda what: None,
    begun: Ahead | None = None,
) -> Iterator[Opened]:
    """Open what was read for a run; of `wish` only how it is to be run counts. `waiting` as for `opened`.

    `begun` is what was begun ahead; whoever began it closes it.

    Raises:
        SealwrightError: what is refused, because of what, and what to do.
    """
    manifest, work = subject.manifest, subject.work
    with contextlib.ExitStack() as stack:
        ahead = stack.enter_context(ahead_of(begun))
        ahead.try_sandbox()
        if manifest.log_key is None:
            ahead.start_authority()
        ahead.require_sandbox()
        require_gpg()
        memory = held = None
        if not (work.log / layout.SEALED).exists():  # nothing more is fetched or built after the seal
            memory = _recalled(manifest)
            held = require_held(cache_folder(), waiting=waiting)
        identities = Identities.choose()
        cancel = threading.Event()
        lock = stack.enter_context(work.locked())
        work.prepare(subject.mark)
        log = open_log(manifest, work, identities, ahead)
        stack.callback(log.close)
        log.whenever_lost(cancel.set)
        journal = Journal(log, folded(work.log), manifest.waivers, listener)
        _same_release(journal.state, manifest, subject.policy)
        if memory is None and not journal.state.sealed:  # a sealed log takes no verdict any more
            memory = _recalled(manifest)
        _same_memory(journal.state, memory.read if memory is not None else ())
        stack.push(partial(_let_go, journal))
        if not journal.state.sealed:
            _begin(journal, subject, wish)
        from sealwright_stages.assembly import assembled  # noqa: PLC0415 - the first event need not wait for it

        engine, outlook = assembled(subject, wish, ask, journal, identities, cancel, memory, held)
        engine.context.stands = lock.stands
        yield Opened(manifest, work, engine, log, cancel, outlook)


def _begin(journal: Journal, subject: Subject, wish: Wish) -> None:
    """Say that the run began.

    Raises:
        LogError: the log does not take it.
    """
    try:
        journal.begin(subject.manifest, subject.policy.sha256, wish.tool, official=subject.official)
    except LogLost as error:
        raise log_error(error) from error


def _let_go(journal: Journal, kind: object, error: BaseException | None, trace: object) -> None:
    """Say how a run ended that was refused or stopped outside of the engine, which says it of all others."""
    if journal.log.all_said:
        return
    if isinstance(error, SealwrightError):
        journal.end(error.exit_code, f"{error.what}: {error.because}", error.next_step)
    elif isinstance(error, OSError):
        what = f"{error.filename or 'a file'} can't be used: {error.strerror or error}"
        journal.end(Exit.ENVIRONMENT, what, _MEND)


def open_log(manifest: Manifest, work: WorkFolder, identities: Identities, ahead: Ahead) -> LogSession:
    """Reach the log authority; an embedded one is told of the log that is its own.

    Raises:
        LogError: it can't be reached, or its log is not the one that was seen before.
    """
    saved = work.private / "checkpoint"
    try:
        if manifest.log_key is not None:
            return open_transport(manifest.log_transport, manifest.log_key, manifest.release, work.log, saved)
        key = work.private / "log.key"
        uid = identities.log
        return open_embedded(work.log, key, manifest.release, uid, uid, saved, ahead.authority())
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
    """Where verified files and build roots are kept by their SHA-256, for all releases.

    Raises:
        ManifestError: the user has no home.
    """
    try:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    except RuntimeError:
        raise ManifestError(
            "no folder for the cache", "this user has no home", "set XDG_CACHE_HOME, or HOME"
        ) from None
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


def _recalled(manifest: Manifest) -> Recall | None:
    """Everything that the manifest tells us to remember; None if that is nothing."""
    if not manifest.memory.evidence:
        return None
    from sealwright_stages.memory.reading import recall  # noqa: PLC0415 - most releases remember none

    return recall(manifest)


def _same_memory(state: State, read: Sequence[MemoryRead]) -> None:
    """A log goes on only with the earlier releases that its first item was judged by."""
    known, now = state.memory, {told.root: told for told in read}
    gone = [told for root, told in known.items() if root not in now]
    came = [told for root, told in now.items() if root not in known] if state.items else []
    for told, how in (*((each, "is gone") for each in gone), *((each, "came to it") for each in came)):
        if not state.sealed:
            raise ManifestError(
                "the earlier evidence is another than when this work folder was begun",
                f"{told.release} with the log root {told.root[:16]}... {how}",
                "put it back, or begin anew with another --work DIR (the old log stays as evidence)",
            )
