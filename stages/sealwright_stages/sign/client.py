"""Speak with the signer, wherever it runs: one JSON object a line, each way.

- The embedded signer is a process of its own, with a uid of its own when started as root; its key home is shown to
  it alone, also where our own folders are closed to other users.
- The key home and the record are lent to that uid, and go back when the signer is closed or does not start: nothing
  stays with a uid that another program may get, and no symbolic link in them is followed.
- An agent that the embedded signer started ends with it, even if the signer was killed.
- A signer elsewhere is reached by an argument list that carries the same lines.
- No answer in time, an end, an answer that is not understood: refused, and nothing is signed.
- While it waits, for its request to be read too, it can be interrupted; the signer is ended then.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sealwright_stages.errors import InterruptedRunError, SigningError
from sealwright_stages.manifest import Manifest
from sealwright_stages.ports import ED25519, Proposal
from sealwright_stages.process import BASE_ENVIRONMENT, last_words, run
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.sandbox.ownership import lent
from sealwright_stages.sandbox.reach import reach, staged
from sealwright_stages.sign.shown_log import origin_of, shown_log
from sealwright_stages.work import WorkFolder

_PATIENCE = 120.0
_A_PERSON = 1800.0  # at the signer's own terminal: pages to read, words to type, a passphrase
_MAX_LINE = 16 << 20
_MOST_LINES, _MOST_TEXT = 500, 2000  # of its summary: no more than a console takes, and a person reads
_PART = 1 << 16
_TOOLS = 20.0  # seconds that gpg's tools may take
_SLICE = 0.2  # seconds between two looks at the cancel flag


class SignerProcess:
    """A signer at the other end of two pipes; `ended` is called once it has ended."""

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        cancel: threading.Event | None = None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        try:
            self._child = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=None if env is None else dict(env),
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise SigningError("the signer can't be started", str(error), "mend [signer] transport") from error
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            assert pipe is not None  # noqa: S101 - all three are pipes
            os.set_blocking(pipe.fileno(), False)
        self._buffer = self._said = b""
        self._cancel = cancel or threading.Event()
        self._ended = ended

    def propose(self, release: str, documents: Mapping[str, tuple[str, bytes]], log: Path) -> Proposal:
        """Show it what is to be signed, and the sealed log at `log`. Raises SigningError."""
        hello = self._ask({"op": "hello"})
        seen = self._ask({"op": "seen", "origin": origin_of(log)}).get("size")
        if type(seen) is not int:
            raise SigningError("the signer's answer", "it is not understood", "look at its version")
        sums = next((data for kind, data in documents.values() if kind == "sha256sums"), b"")
        products = [line.partition("  ")[2] for line in sums.decode("utf-8", "replace").splitlines()]
        answer = self._ask(
            {
                "op": "propose",
                "release": release,
                "documents": [
                    {"name": name, "kind": kind, "base64": base64.b64encode(data).decode()}
                    for name, (kind, data) in documents.items()
                ],
                "log": shown_log(log, products, seen),
            }
        )
        try:
            keys = _readable([key["fingerprint"] for key in hello.get("keys", []) if isinstance(key, dict)])
            summary = _readable(answer["summary"])
            return Proposal(str(answer["proposal"]), str(answer["digest"]), summary, str(answer["needs"]), keys)
        except (KeyError, TypeError) as error:
            raise SigningError("the signer's answer", "it is not understood", "look at its version") from error

    def sign(self, proposal: Proposal, typed_digest: str, typed_release: str) -> Mapping[str, bytes]:
        """Signatures by document name, and maybe one more under `ED25519`. Raises SigningError."""
        request: dict[str, object] = {"op": "sign", "proposal": proposal.id}
        if typed_digest or typed_release:
            request |= {"typed_digest": typed_digest, "typed_release": typed_release}
        answer = self._ask(request, _A_PERSON)
        try:
            made = {str(each["name"]): _signature(each) for each in answer["signatures"]}
            for each in answer["signatures"]:
                if "ed25519" in each:
                    made[ED25519] = _decoded(each["ed25519"])
            return made
        except (KeyError, TypeError, AttributeError, binascii.Error) as error:
            raise SigningError("the signer's answer", "it is not understood", "look at its version") from error

    def close(self) -> None:
        """End it."""
        assert self._child.stdin and self._child.stdout and self._child.stderr  # noqa: S101 - pipes
        try:
            with contextlib.suppress(OSError):
                self._child.stdin.close()
            try:
                self._child.wait(5)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
            self._child.stdout.close()
            self._child.stderr.close()
        finally:
            self._ended()

    def _ask(self, request: Mapping[str, object], patience: float = _PATIENCE) -> dict[str, Any]:
        line = self._exchange(json.dumps(request).encode() + b"\n", patience)
        try:
            answer = json.loads(line)
        except ValueError:
            raise SigningError("the signer's answer", "it is not JSON", "look at its version") from None
        if not isinstance(answer, dict) or answer.get("ok") is not True:
            told = answer if isinstance(answer, dict) else {}
            because = str(told.get("because", "it gave no reason"))[:400]
            raise SigningError("the signer refused", because, str(told.get("next", "look at its record"))[:400])
        return answer

    def _exchange(self, request: bytes, patience: float) -> bytes:
        """Say a line and wait for one, however slowly the signer reads, and whatever it says on stderr meanwhile."""
        child = self._child
        assert child.stdin and child.stdout and child.stderr  # noqa: S101 - pipes
        deadline = time.monotonic() + patience
        rest = memoryview(request)
        with selectors.DefaultSelector() as watch:
            watch.register(child.stdin, selectors.EVENT_WRITE)
            for stream in (child.stdout, child.stderr):
                watch.register(stream, selectors.EVENT_READ)
            while rest or b"\n" not in self._buffer:
                self._check(deadline)
                for key, _ in watch.select(_SLICE):
                    if key.fileobj is child.stdin:
                        rest = rest[self._say(rest) :]
                    elif not self._take(key.fd, child.stderr.fileno()):
                        watch.unregister(key.fileobj)
                if not rest and child.stdin in watch.get_map():
                    watch.unregister(child.stdin)
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line

    def _say(self, rest: memoryview) -> int:
        """Write what the pipe takes; gives how many bytes that was."""
        assert self._child.stdin is not None  # noqa: S101 - a pipe
        try:
            return os.write(self._child.stdin.fileno(), rest[:_PART])
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._gone() from error

    def _take(self, fd: int, stderr: int) -> bool:
        """Read what has come; False at the end of stderr. The end of the answers is the end of the signer."""
        try:
            data = os.read(fd, _PART)
        except BlockingIOError:
            return True
        if fd == stderr:
            self._said = (self._said + data)[-_PART:]
            return bool(data)
        self._buffer += data
        if not data or len(self._buffer) > _MAX_LINE:
            raise self._gone()
        return True

    def _check(self, deadline: float) -> None:
        if self._cancel.is_set():
            self._child.kill()
            raise InterruptedRunError("nothing was signed", "the run was interrupted", "run again to sign")
        if time.monotonic() > deadline:
            raise SigningError("the signer", "it did not answer in time", "look at it, run again")

    def _gone(self) -> SigningError:
        assert self._child.stderr is not None  # noqa: S101 - a pipe
        self._child.kill()
        with contextlib.suppress(BlockingIOError):  # whoever it started may still hold the other end
            self._said += os.read(self._child.stderr.fileno(), _PART)
        return SigningError(
            "the signer is gone", last_words(self._said), "look at its key home and its record, then run again"
        )


def _readable(said: Sequence[object]) -> tuple[str, ...]:
    """What a signer says of itself or of what it was shown. Raises SigningError where a person can't read so much."""
    lines = tuple(str(line) for line in said)
    if len(lines) > _MOST_LINES or any(len(line) > _MOST_TEXT for line in lines):
        told = f"it says more than {_MOST_LINES} lines, or one of more than {_MOST_TEXT} characters"
        raise SigningError("the signer's answer", told, "look at its version")
    return lines


def _signature(each: Mapping[str, str]) -> bytes:
    if "armor" in each:
        return each["armor"].encode("ascii")
    return _decoded(each["base64"])


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def open_signer(
    manifest: Manifest, work: WorkFolder, identities: Identities, cancel: threading.Event | None = None
) -> SignerProcess:
    """Start the embedded signer, or reach the one that the manifest names.

    Raises:
        SigningError: there is none, or it can't be started.
        MachineError: its folders can't be lent to its uid.
    """
    if manifest.signer_transport:
        return SignerProcess(manifest.signer_transport, cancel=cancel)
    home = manifest.signer_home
    if home is None or not home.is_dir():
        raise SigningError(
            "there is no signer",
            "the manifest names neither [signer] transport nor an existing [signer] home",
            "see docs/how-to/use-your-own-release-key.md; the sealed log waits",
        )
    record = work.private / "signer"
    record.mkdir(mode=0o700, exist_ok=True)
    argv = [sys.executable, "-I", "-m", "sealwright_keyring.signer.cli", "serve"]
    policy = manifest.signer_policy
    uid = identities.signer
    if uid is None:
        argv += ["--home", str(home), "--record", str(record / "record.jsonl")]
        argv += ["--policy", str(policy)] if policy else []
        return SignerProcess(argv, BASE_ENVIRONMENT, cancel, _agents_end(home))
    loan = contextlib.ExitStack()
    try:
        for folder in (home, record):
            loan.enter_context(lent(folder, uid))
        return SignerProcess(_as_uid(argv, home, record, policy, uid), BASE_ENVIRONMENT, cancel, loan.close)
    except BaseException:
        loan.close()
        raise


def _agents_end(home: Path) -> Callable[[], None]:
    """What ends the agent of `home` after a signer that could not do so; one that runs already is left alone."""
    named = ["--homedir", str(home)]
    ask = ["gpg-connect-agent", *named, "--no-autostart", "GETINFO pid", "/bye"]
    if run(ask, timeout=_TOOLS).stdout.startswith(b"D "):  # its exit is 0 either way
        return lambda: None

    def end() -> None:
        run(["gpgconf", *named, "--kill", "gpg-agent"], timeout=_TOOLS)

    return end


def _as_uid(argv: Sequence[str], home: Path, record: Path, policy: Path | None, uid: int) -> tuple[str, ...]:
    """The words that start the embedded signer as `uid`, with what it needs staged where that uid can reach it."""
    binds = {"home": home, "record": record}
    words = [*argv, "--home", str(staged("home")), "--record", str(staged("record") / "record.jsonl")]
    if policy:
        binds["policy"] = policy.parent
        words += ["--policy", str(staged("policy") / policy.name)]
    return reach(binds, [*words, "--uid", str(uid), "--gid", str(uid)], own_processes=True)
