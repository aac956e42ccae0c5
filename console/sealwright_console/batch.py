"""`--batch`: the same engine without a screen, progress on stderr, events as JSON on stdout if asked.

- It never imports textual.
- Each line is cleaned whole where it leaves, so that no field of it can be forgotten.
- It ends with a summary: what blocks the gate, why, what to do, and how its warnings could be waived.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from sealwright_console.batch_ahead import said_often
from sealwright_console.closed_gate import reasons, waivers
from sealwright_console.complaints import print_json, print_result, say
from sealwright_console.sanitise import clean
from sealwright_console.signals import stopped_by_signals
from sealwright_console.words import event_line, policy_signers
from sealwright_stages import events as ev
from sealwright_stages.engine import Ended
from sealwright_stages.errors import Exit
from sealwright_stages.events import BadEventError, Stage
from sealwright_stages.release import Opened, opened
from sealwright_stages.sign.signing import SigningRequest, Typed
from sealwright_stages.state import Record, State, remembered_release
from sealwright_stages.wish import Wish

_QUIET = (ev.ItemDeclared, ev.ItemStarted, ev.ItemProgress, ev.BuildSample, ev.RunEnded)


def run_batch(wish: Wish, until: Stage, *, as_json: bool) -> int:
    """Run a release to its end or a closed gate; gives the exit code. Raises SealwrightError before it begins."""
    face = Face(as_json)
    with opened(wish, _policy_decides, face.take, face.say) as release, stopped_by_signals(release.cancel.set):
        with said_often(face.say, lambda: release.engine.journal.state, release.outlook):
            ended = release.engine.run(until)
        face.end(ended, release)
        return int(ended.exit)


def _policy_decides(request: SigningRequest) -> Typed:
    """Nobody is here to type: the signer's own policy says yes or no."""
    return Typed("", "")


class Face:
    """Progress on stderr, and each record as JSON on stdout if asked."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json

    def take(self, record: Record) -> None:
        """Tell of one record of the log."""
        if record.kind != "ev":
            self._print_json({"event": record.kind, "n": record.n, "t": record.t})
            self.say(f"log: {record.kind}, record {record.n}")
            return
        self._print_json({"event": record.body.get("e"), "n": record.n, "t": record.t, **record.body})
        try:
            event = ev.from_body(record.body)
        except BadEventError:
            return
        if not isinstance(event, _QUIET):
            self.say(event_line(event))

    def end(self, ended: Ended, release: Opened) -> None:
        """Tell how the run ended."""
        state = release.engine.journal.state
        for line in summary(state):
            self.say(line)
        if ended.exit == Exit.DONE:
            self.say(f"done: {ended.what}")
            self.say(f"next: {ended.next_step}")
        elif ended.decision:
            for line in waivers(ended.decision, state):
                self.say(line or " ")
            say(ended.what, reasons(ended.decision, state))
        else:
            say(ended.what, [(ended.because, ended.next_step)], ended.exhibits)
        if self._json:
            print_result(int(ended.exit), ended.what, ended.because, ended.next_step, ended.exhibits)

    def _print_json(self, value: dict[str, object]) -> None:
        if self._json:
            print_json(value)

    def say(self, line: str) -> None:
        if line:
            sys.stderr.write(clean(line) + "\n")
            sys.stderr.flush()


def summary(state: State) -> Iterator[str]:
    """The release in plain lines, each safe to show, for pipes and screen readers."""
    return map(clean, _summary(state))


def _summary(state: State) -> Iterator[str]:
    yield f"release {state.release}-{state.version}: {len(state.items)} items"
    if state.policy_sha256:
        signed = f", {policy_signers(state.policy_signed)}" if state.policy_signed else ""
        yield f"  policy   {state.policy_sha256}{signed}"
    for told in state.memory.values():
        yield f"  remembers {remembered_release(told)}"
    for name, component in state.components.items():
        items = [state.items[item] for item in component.items]
        worst = next(
            (s for s in ("failed", "warned", "running", "pending") if any(i.status == s for i in items)), "passed"
        )
        yield f"  {worst:8} {name}"
        for item in items:
            if item.status != "passed":
                waived = f" [waived by {item.waiver.person}]" if item.waiver else ""
                code = f" [{item.code}]" if item.code else ""
                yield f"             {item.status}: {item.title}{code}: {item.reason}{waived}".removesuffix(": ")
    for product in state.products.values():
        beside = f"  ({product.beside})" if product.beside else ""
        yield f"  product  {product.component}/{product.name}{beside}"
