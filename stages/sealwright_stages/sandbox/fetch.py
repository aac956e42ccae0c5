"""The fetch sandbox: git and curl with a network, one writable folder, and nothing else.

- It sees a read-only /usr, the few files of /etc that names and certificates need, and what the caller names.
- It runs as a uid of its own when we are root, and owns the writable folder only while it runs.
- No variable of ours reaches it but those the caller gives and the addresses of certificates and proxies.
- What only reads what has arrived gets the same sandbox without a network, certificates and proxies.
- A fetch that failed on a full disk is the machine's fault, not the source's: it raises. A reader of what has arrived
  is not believed that a disk is full: its words are made of a stranger's bytes.
- A fetcher whose words have no end repeats what a server sends: that is a fetch that failed.
- After `run` returns or raises, no process of it lives.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sealwright_stages import process
from sealwright_stages.errors import FetchError, FloodError, MachineError
from sealwright_stages.files import is_full
from sealwright_stages.process import BASE_ENVIRONMENT, Completed
from sealwright_stages.sandbox.bwrap import Bind, Sandbox, prepared
from sealwright_stages.sandbox.life import first_process, wait_dead
from sealwright_stages.sandbox.ownership import hand_over, take_back

INSIDE = "/quarantine"
_INSIDE_UID = 1000
_ETC = (
    "resolv.conf",
    "nsswitch.conf",
    "hosts",
    "host.conf",
    "gai.conf",
    "services",
    "protocols",
    "ssl/certs",
)
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_PASSWD = (
    "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n"
    f"fetch:x:{_INSIDE_UID}:{_INSIDE_UID}:fetch:/nonexistent:/usr/sbin/nologin\n"
).encode()
_GROUP = f"root:x:0:\nfetch:x:{_INSIDE_UID}:\n".encode()
_SETUP_FAILED = (b"bwrap: ", b"setpriv: ", b"prlimit: ", b"mount: ", b"unshare: ")
_DEATH = 20.0  # seconds until a killed sandbox must be gone


@dataclass(frozen=True)
class BwrapFetchSandbox:
    """Runs fetchers as `uid` (None: as ourselves), each in a sandbox of its own; `max_file` is in bytes."""

    uid: int | None
    machine: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    max_file: int = 64 << 30
    memory: int = 4 << 30
    processes: int = 256

    def run(
        self,
        argv: Sequence[str],
        *,
        writable: Path,
        readable: Sequence[Path] = (),
        files: Mapping[str, bytes] | None = None,
        timeout: float,
        env: Mapping[str, str] | None = None,
        cancel: threading.Event | None = None,
        on_stderr: Callable[[bytes], None] | None = None,
        network: bool = True,
    ) -> Completed:
        """Run `argv`; `writable` appears inside as /quarantine, each of `readable` under its own path.

        `files` are paths inside with their content, read-only.

        Raises:
            MachineError: the sandbox can't be made, or the program is too slow.
            FetchError: it floods its output.
            InterruptedRunError: `cancel` was set.
        """
        box = self.box(writable, readable, files or {}, env or {}, network=network)
        hand_over(writable, self.uid)
        try:
            with prepared(box, argv) as start:
                try:
                    done = process.run(
                        start.argv,
                        timeout=timeout,
                        cwd=Path("/"),
                        cancel=cancel,
                        pass_fds=start.descriptors,
                        on_stderr=on_stderr,
                        spawn=start.spawn,
                    )
                except FloodError as error:
                    raise FetchError(
                        "the fetch was stopped",
                        "what the server had to say has no end",
                        "don't retry from this server",
                        "fetch-too-large",
                    ) from error
                finally:
                    start.release()
                    first = first_process(start.info, 0)
                    wait_dead(first, _DEATH, "the fetch sandbox")
            if done.returncode != 0 and (is_full(writable) or (network and _no_room(done.stderr))):
                raise MachineError(f"{writable} can't be written", "its disk is full", "make room, then run again")
        finally:
            take_back(writable, self.uid)
        if done.returncode != 0 and done.stderr.startswith(_SETUP_FAILED):
            raise MachineError("the fetch sandbox can't be made", done.complaint(), "run `sealwright doctor`")
        return done

    def box(
        self,
        writable: Path,
        readable: Sequence[Path],
        files: Mapping[str, bytes],
        env: Mapping[str, str],
        *,
        network: bool,
    ) -> Sandbox:
        """What a fetcher runs in."""
        given = self._addresses() if network else {}
        needed = [*_system_files(), *(Path(given[name]) for name in _CERTIFICATES if name in given)]
        seen = _outermost([*(needed if network else ()), *readable])
        binds = [Bind(path, str(path)) for path in seen]
        return Sandbox(
            uid=self.uid,
            binds=(*binds, Bind(writable, INSIDE, writable=True)),
            files={"/etc/passwd": _PASSWD, "/etc/group": _GROUP, **files},
            network=network,
            inside_uid=_INSIDE_UID,
            environment={**BASE_ENVIRONMENT, **given, **env},
            folder=INSIDE,
            hostname="fetch",
            processes=self.processes,
            memory=self.memory,
            file_size=self.max_file,
            scratch=256 << 20,
        )

    def _addresses(self) -> dict[str, str]:
        """The machine's variables that say where certificates and proxies are."""
        return {name: self.machine[name] for name in (*_CERTIFICATES, *_PROXIES) if self.machine.get(name)}


def _no_room(said: bytes) -> bool:
    """Whether the fetcher itself, not the server through it, says that there was no room: git cleans up after it."""
    lines = re.split(rb"[\r\n]", said)
    return any(b"No space left on device" in line for line in lines if not line.startswith(b"remote:"))


def _system_files() -> Iterator[Path]:
    for name in _ETC:
        path = Path("/etc", name)
        if path.exists():
            yield path


def _outermost(paths: Sequence[Path]) -> list[Path]:
    """The existing paths that are not already seen: below /usr, or below another of them."""
    kept: list[Path] = []
    for path in sorted(set(paths), key=lambda p: (len(p.parts), str(p))):
        seen = any(path.is_relative_to(other) for other in (Path("/usr"), *kept))
        if path.is_absolute() and path.exists() and not seen:
            kept.append(path)
    return kept
