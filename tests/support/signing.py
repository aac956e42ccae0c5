"""A signer to talk with, in this process: a throw-away key, a record of its own, a clock that can be set."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sealwright_keyring.signer.gpg_sign import SigningGpg, make_throwaway_key, own_agent
from sealwright_keyring.signer.keys import SigningKey
from sealwright_keyring.signer.policy import SigningPolicy
from sealwright_keyring.signer.record import Record
from sealwright_keyring.signer.server import Asker, Conversation, Signer
from support.rooms import short_folder

Answer = dict[str, Any]


@contextlib.contextmanager
def throwaway() -> Iterator[tuple[Path, SigningKey]]:
    """A home with one key, and that key."""
    folder = short_folder("sw-signer-")
    try:
        make_throwaway_key(folder / "h", "demo")
        with own_agent(folder / "h"), contextlib.closing(SigningKey(SigningGpg(folder / "h"))) as key:
            yield folder / "h", key
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Desk:
    """A key, and a record in `folder`; each `talk` is a signer started anew over that record, unless told otherwise."""

    key: SigningKey
    folder: Path
    policy: SigningPolicy | None = None
    asker: Asker | None = None
    time: datetime = field(default_factory=lambda: datetime(2030, 1, 1, 12, tzinfo=UTC))

    @property
    def record(self) -> Path:
        """The record's file."""
        return self.folder / "record.jsonl"

    def later(self, **more: float) -> None:
        """Set the clock on."""
        self.time += timedelta(**more)

    @contextlib.contextmanager
    def signer(self) -> Iterator[Signer]:
        """A signer over the record."""
        with contextlib.closing(Record(self.record, lambda: self.time, 0.1)) as record:
            yield Signer(self.key, record, self.policy, self.asker, lambda: self.time)

    def talk(self, *requests: Any, then: Callable[[Answer], Any] | None = None) -> list[Answer]:
        """Send requests (objects, or raw bytes), and what `then` makes of each proposal's answer; gives all answers."""
        answers: list[Answer] = []
        with self.signer() as signer:
            conversation = Conversation(signer)
            queue = list(requests)
            while queue:
                out = io.BytesIO()
                conversation.serve(io.BytesIO(line(queue.pop(0))), out)
                answers += [json.loads(each) for each in out.getvalue().splitlines()]
                if then and answers[-1].get("proposal"):
                    queue.insert(0, then(answers[-1]))
        return answers

    def entries(self) -> list[dict[str, Any]]:
        """What the record holds."""
        return [json.loads(each) for each in self.record.read_bytes().splitlines()]

    def signings(self) -> int:
        """How often the record says that something was signed."""
        return sum("signed" in entry for entry in self.entries()) if self.record.exists() else 0


def line(request: Any) -> bytes:
    """A request as a line; bytes stay as they are."""
    return request if isinstance(request, bytes) else json.dumps(request).encode() + b"\n"


def typed(answer: Answer, release: str = "example-1.0", **changes: Any) -> dict[str, Any]:
    """The right words for a proposal; `changes` make them wrong."""
    words = {"typed_digest": answer["digest"][:8], "typed_release": release}
    return {"op": "sign", "proposal": answer["proposal"], **words, **changes}


def by_policy(answer: Answer) -> dict[str, Any]:
    """No words: the signer's own policy is to speak."""
    return {"op": "sign", "proposal": answer["proposal"]}
