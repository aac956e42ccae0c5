"""Puts the engine of an opened release together, with everything that fetches, verifies, builds and signs.

It is a module of its own because loading all that takes longer than trying the sandbox and starting the log authority:
`release` loads it once it is on record that the run began. What a run that was killed left behind goes first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from sealwright_keyring.home import remove_abandoned
from sealwright_stages.build.builder import SandboxBuilder
from sealwright_stages.build.environments import Environments
from sealwright_stages.context import Context
from sealwright_stages.engine import Engine
from sealwright_stages.events import SandboxHeld
from sealwright_stages.journal import Journal
from sealwright_stages.make_sources import Archives, make_sources
from sealwright_stages.memory.recall import Recall
from sealwright_stages.outlook import Outlook
from sealwright_stages.plan import Plan
from sealwright_stages.release import cache_folder
from sealwright_stages.sandbox.fetch import BwrapFetchSandbox
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.sandbox.life import end_unborn
from sealwright_stages.sign.client import open_signer
from sealwright_stages.sign.signing import Confirm, SigningRequest, Typed
from sealwright_stages.verify.verifier import verifier

if TYPE_CHECKING:
    from sealwright_stages.reading import Subject
    from sealwright_stages.wish import Wish


def assembled(
    subject: Subject,
    wish: Wish,
    ask: Callable[[SigningRequest], Typed | None],
    journal: Journal,
    identities: Identities,
    cancel: threading.Event,
    memory: Recall | None,
    held: SandboxHeld | None,
) -> tuple[Engine, Outlook]:
    """The engine that walks `subject` as `wish` says, and what looks ahead over its builds.

    Raises:
        SealwrightError: what was left behind can't be removed, or a component's sources can't be had as wanted.
    """
    end_unborn()
    remove_abandoned(verifier())
    memory = memory or Recall(subject.manifest)
    manifest, policy, work = subject.manifest, subject.policy, subject.work
    archives = Archives(manifest)
    builder = SandboxBuilder(identities, Environments(archives.of, manifest.tars))
    sources = {c.name: make_sources(c, policy, archives, subject.known_hosts) for c in manifest.components}
    plan = Plan(manifest, policy, sources, builder, subject.policy_signature, subject.policy_chain)
    sandbox = BwrapFetchSandbox(identities.fetcher)
    cache = subject.cache or cache_folder()
    context = Context(plan, journal, work, cache, sandbox, wish.jobs, cancel, memory, held)
    outlook = Outlook(plan.components(), wish.jobs, context.live, context.durations, memory.took)
    confirm = Confirm(lambda: open_signer(manifest, work, identities, cancel), ask)
    engine = Engine(context, confirm, attended=wish.attended, tool=wish.tool, official=subject.official)
    return engine, outlook
