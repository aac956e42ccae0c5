"""A closed gate in plain lines: each thing that closes it, what to do about it, and how its warnings could be waived.

- What failed or warns stands first, each with its code and a next step of its own; what merely waits is counted.
- A warning's waiver is shown whole but for who accepts it and why: nothing is filled in for a person.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from sealwright_stages.gate import Blocker, Decision
from sealwright_stages.state import Item, State
from sealwright_stages.verdict import Status

_WAITING = (Status.PENDING, Status.RUNNING)
_NAMED = 3


def reasons(decision: Decision, state: State) -> Iterator[tuple[str, str]]:
    """Pairs of why the gate is closed, and what to do."""
    waiting = [each for each in decision.blockers if _status(each, state) in _WAITING]
    for blocker in decision.blockers:
        if blocker not in waiting:
            item = state.items.get(blocker.item)
            code = f" [{item.code}]" if item else ""
            yield f"{blocker.what}{code}: {blocker.why}", blocker.next_step
    if waiting:
        names = ", ".join(_waiting(each, state) for each in waiting[:_NAMED])
        more = f" and {len(waiting) - _NAMED} more" if len(waiting) > _NAMED else ""
        yield f"not checked yet: {names}{more}", "mend what is above, then run again"


def _waiting(blocker: Blocker, state: State) -> str:
    """What waits, and why if that is known."""
    item = state.items.get(blocker.item)
    note = item.note if item is not None and item.status is Status.PENDING else ""
    return f"{blocker.what} ({note})" if note else blocker.what


def waivers(decision: Decision, state: State) -> Iterator[str]:
    """For each warning that closes the gate, the table for the manifest that would accept it."""
    for blocker in decision.blockers:
        if _status(blocker, state) is Status.WARNED:
            yield from ("", f"to accept {blocker.item}, for these bytes only, add to the manifest:", "")
            yield from _table(state.items[blocker.item], state.policy_sha256)


def _table(item: Item, policy: str) -> Iterator[str]:
    yield "[[waiver]]"
    values = {"item": item.id, "code": item.code, "person": "", "reason": "", "sha256": item.subject_sha256}
    for key, value in {**values, "policy_sha256": policy}.items():
        yield f"{key} = {json.dumps(value)}"


def _status(blocker: Blocker, state: State) -> Status | None:
    item = state.items.get(blocker.item)
    return item.status if item else None
