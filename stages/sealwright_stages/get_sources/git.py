"""Fetch one ref of a git repository into a bare repository in the quarantine.

- git runs in the fetch sandbox, with one explicit refspec, no tags besides, no submodules, no hooks.
- No config of the system, the user or the repository is read; only ours, and what is said on the command line.
- What arrives passes git's own fsck before it is stored. Four old and harmless defects of history, found in
  many honest projects, are let through; the tag, its commit and its tree are judged by rules of our own.
- An ssh server must have one of the keys that the manifest's known_hosts has for it; ssh reads no config, asks
  nobody, forwards nothing, and has no key of ours to log in with.
- A server that sends too little for a minute, too much, or nothing in time is given up.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.errors import FetchError
from sealwright_stages.files import write_whole
from sealwright_stages.get_sources.addresses import Address
from sealwright_stages.ports import FetchRun, Workshop
from sealwright_stages.verify.codes import not_fetched, shown

REPOSITORY = "repository.git"
_HARMLESS_IN_HISTORY = ("zeroPaddedFilemode", "missingSpaceBeforeDate", "badTimezone", "missingEmail")
_SETTINGS = (
    "transfer.fsckObjects=true",
    "fetch.fsckObjects=true",
    *(f"fetch.fsck.{defect}=warn" for defect in _HARMLESS_IN_HISTORY),
    "protocol.allow=never",
    *(f"protocol.{scheme}.allow=always" for scheme in ("https", "http", "ssh", "file")),
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=/bin/false",
    "credential.helper=",
    "fetch.unpackLimit=1",  # always one pack: fewer files, one fsync
    "gc.auto=0",
    "maintenance.auto=false",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
)
_KNOWN_HOSTS = "/etc/sealwright/known_hosts"
_SSH = " ".join(  # git cuts it at blanks again: nothing from outside is in it
    (
        *("ssh", "-F", "none", "-a", "-x", "-T", "-k"),
        f"-oUserKnownHostsFile={_KNOWN_HOSTS}",
        *("-oGlobalKnownHostsFile=/dev/null", "-oStrictHostKeyChecking=yes", "-oUpdateHostKeys=no"),
        *("-oBatchMode=yes", "-oIdentityAgent=none", "-oClearAllForwardings=yes", "-oControlMaster=no"),
        *("-oPermitLocalCommand=no", "-oProxyCommand=none", "-oKnownHostsCommand=none", "-oVerifyHostKeyDNS=no"),
        *("-oConnectTimeout=60", "-oServerAliveInterval=30", "-oServerAliveCountMax=2"),
    )
)
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/quarantine/gitconfig",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_ASKPASS": "/bin/false",
    "GIT_SSH_COMMAND": _SSH,
    "GIT_SSH_VARIANT": "ssh",
    "GIT_PROTOCOL_FROM_USER": "0",
    "HOME": "/nonexistent",
}
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~@-]*(/[A-Za-z0-9][A-Za-z0-9._+~@-]*)*\Z")
_PERCENT = re.compile(rb"([A-Z][a-z]+ing [a-z]+): +\d+% \((\d{1,12})/(\d{1,12})\)")
_PHASES = {
    b"Counting objects": "objects counted over there",
    b"Compressing objects": "objects packed over there",
    b"Receiving objects": "objects",
    b"Resolving deltas": "deltas resolved and objects checked",
}
_TELLING = ("fatal:", "error:", "remote: error", "ssh: ", "Host key verification failed")
_SECONDS = 4 * 3600
_MAX_FILE = 16 << 30


@dataclass(frozen=True)
class Wire:
    """Whence a ref is fetched, by which host keys, into which bare repository, and what begins a progress note."""

    source: Address
    known_hosts: bytes | None = None
    repository: str = REPOSITORY
    note: str = ""


def check_ref_name(name: str) -> str:
    """A tag or branch name that git accepts and that is a plain path below refs/.

    Raises:
        FetchError: it is not.
    """
    if not _REF.match(name) or ".." in name or "@{" in name or len(name) > 200:
        raise not_fetched("fetch-refused", f"{shown(name)} is not fetched", "it is no plain ref name", "mend it")
    if any(part.endswith((".lock", ".")) for part in name.split("/")):
        raise not_fetched("fetch-refused", f"{shown(name)} is not fetched", "git allows no such ref", "mend it")
    return name


def fetch_ref(workshop: Workshop, wire: Wire, remote: str, local: str) -> Path:
    """Fetch `remote` (a full ref or a commit's 40 hex digits) as `local`; returns the bare repository.

    Raises:
        FetchError: it did not arrive, with a code that says why.
    """
    if wire.source.scheme == "ssh" and wire.known_hosts is None:
        raise not_fetched(
            "fetch-refused",
            f"{shown(wire.source.url)} is not fetched",
            "nothing says which key its server must have",
            "add known_hosts to [egress]",
        )
    inside = f"/quarantine/{wire.repository}"
    write_whole(workshop.quarantine / "gitconfig", b"[safe]\n\tdirectory = *\n")
    _git(workshop, ["init", "--bare", "--quiet", "--template=", "--object-format=sha1", inside], wire)
    fetch = ["fetch", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance"]
    run = _git(
        workshop,
        [f"--git-dir={inside}", *fetch, "--progress", "--", wire.source.url, f"{remote}:{local}"],
        wire,
    )
    if run.returncode != 0:
        raise _why(run, wire.source, remote)
    return workshop.quarantine / wire.repository


def _git(workshop: Workshop, words: list[str], wire: Wire) -> FetchRun:
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    limits = ["timeout", "-k", "5", str(_SECONDS), "prlimit", f"--fsize={_MAX_FILE}"]
    run = workshop.sandbox.run(
        [*limits, "git", *settings, *words],
        writable=workshop.quarantine,
        readable=wire.source.readable,
        files={_KNOWN_HOSTS: wire.known_hosts} if wire.known_hosts is not None else {},
        timeout=_SECONDS + 60,
        env=_ENVIRONMENT,
        cancel=workshop.cancel,
        on_stderr=_progress(workshop, wire.note),
    )
    if run.returncode != 0 and words[0] == "init":
        raise not_fetched("fetch-failed", "git can't begin", shown(run.complaint()), "run `sealwright doctor`")
    return run


def _progress(workshop: Workshop, note: str) -> Callable[[bytes], None]:
    def look(data: bytes) -> None:
        found = [each for each in _PERCENT.findall(data) if each[0] in _PHASES]
        if found:
            phase, done, total = found[-1]
            workshop.progress(int(done), int(total), note + _PHASES[phase])

    return look


def _why(run: FetchRun, source: Address, remote: str) -> FetchError:
    """What git's complaint means; its words are evidence, the exit code decided."""
    said = run.stderr.decode("utf-8", "replace")
    what = f"{shown(remote)} of {shown(source.url)} did not arrive"
    complaint = shown(_last_words(said))
    if run.returncode in (124, 137):
        return not_fetched("fetch-too-slow", what, "the time limit passed", "look at the network, then retry")
    if "couldn't find remote ref" in said or "not our ref" in said:
        return not_fetched("ref-missing", what, complaint, "look at the ref's spelling, or ask upstream")
    if "Host key verification failed" in said:
        return not_fetched(
            "host-key-unknown",
            what,
            complaint,
            "ask its administrators for its key's fingerprint, compare, then mend known_hosts; don't just scan it",
        )
    if source.scheme == "ssh" and ": Permission denied (" in said:
        next_step = (
            "no key of anybody's is used here: fetch from a server that lets everybody read, or from a mirror"
        )
        return not_fetched("fetch-failed", what, complaint, next_step)
    if "fsck" in said or "index-pack failed" in said:
        return not_fetched(
            "object-malformed", what, complaint, "its history is malformed; ask upstream before you go on"
        )
    return not_fetched("fetch-failed", what, complaint, "look at the address and the network, then retry")


def _last_words(said: str) -> str:
    lines = [line.strip() for line in re.split(r"[\r\n]", said) if line.strip()]
    telling = [line for line in lines if line.startswith(_TELLING) or ": Permission denied (" in line]
    return " / ".join((telling or lines or ["it said nothing"])[-3:])[:400]
