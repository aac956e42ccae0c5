"""The manifest, `release.toml`: read strictly, or refused with file, line, what and what to do.

- An unknown key, a duplicate key, a wrong type or a missing key is an error; nothing is guessed.
- `needs` names components of this manifest and has no cycle; no two components share a name.
- Every signer is a person of signers.toml; a threshold is at least 1 and no larger than its signers. So is the number of
  builders that must agree, since each is another person.
- A source over ssh can't do without `known_hosts`. No other file than the manifest itself is read here.
- A waiver names a person, a reason, and the whole SHA-256 of what it covers and of the policy.
- A build root from a tar names one of the declared tars, each with address and SHA-256, and none is declared in vain.
- What concerns one component is said in `manifest_component` and `manifest_build`, memory in `manifest_memory`, and a
  TPM in `manifest_attestation`.
"""

from __future__ import annotations

import graphlib
import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sealwright_appendlog.note import NoteError, VerifierKey
from sealwright_keyring.toml_lines import line_of
from sealwright_stages.errors import ManifestError
from sealwright_stages.files import read_small
from sealwright_stages.manifest_attestation import AttestationSpec, read_attestation
from sealwright_stages.manifest_build import Build
from sealwright_stages.manifest_component import ComponentSpec, DscSource, FileSource, read_component
from sealwright_stages.manifest_git import GitSource
from sealwright_stages.manifest_memory import MemorySpec, read_memory
from sealwright_stages.manifest_table import HEX64, Reader, Table, address, threshold_of
from sealwright_stages.verdict import Waiver

__all__ = ["Build", "ComponentSpec", "DscSource", "FileSource", "GitSource", "Manifest", "load"]

_MAX_FILE = 4 << 20


@dataclass(frozen=True)
class Manifest:
    """A whole release as declared. Paths are absolute; `data` are the file's bytes as read, `sha256` is of them.

    `policy_signers` is empty where the policy itself need not be signed.
    """

    path: Path
    data: bytes = field(repr=False)
    sha256: str
    name: str
    version: str
    keyring: Path
    signers: tuple[str, ...]
    threshold: int
    policy_signers: tuple[str, ...]
    policy_threshold: int
    via: str
    known_hosts: Path | None
    log_transport: tuple[str, ...]
    log_key: VerifierKey | None
    signer_transport: tuple[str, ...]
    signer_home: Path | None
    signer_policy: Path | None
    mirror: str | None
    archive_keyring: Path
    tars: Mapping[str, str]
    components: tuple[ComponentSpec, ...]
    waivers: tuple[Waiver, ...]
    memory: MemorySpec = field(default_factory=MemorySpec)
    attestation: AttestationSpec | None = None
    builders: int = 1

    @property
    def release(self) -> str:
        """`name-version`, as typed before signing."""
        return f"{self.name}-{self.version}"

    def in_order(self) -> tuple[ComponentSpec, ...]:
        """The components so that each comes after what it needs."""
        by_name = {component.name: component for component in self.components}
        order = graphlib.TopologicalSorter({c.name: c.needs for c in self.components}).static_order()
        return tuple(by_name[name] for name in order)


def load(path: Path, persons: frozenset[str] | None = None, base: Path | None = None) -> Manifest:
    """Read and check a manifest; `persons` are the names of signers.toml, checked if given.

    Local paths in it are below `base` (None: the folder that it lies in).

    Raises:
        ManifestError: with file, line, what is wrong and what to do.
    """
    try:
        data = read_small(path, _MAX_FILE, follow=True)
        text = data.decode("utf-8")
        raw = tomllib.loads(text)
    except OSError as error:
        raise ManifestError(
            str(path), error.strerror or "can't be read", "name the release.toml; `sealwright new` makes one"
        ) from error
    except UnicodeDecodeError as error:
        raise ManifestError(str(path), "it is not UTF-8", "save it as UTF-8") from error
    except (ValueError, RecursionError) as error:  # tomllib lets both out for numbers and nests without end
        place = re.search(r"\(at line (\d+)", str(error))
        line = place.group(1) if place else str(max(1, len(text.splitlines())))
        raise ManifestError(f"{path}:{line}", f"not valid TOML: {error}", "mend that line") from error
    manifest = _read(Table(Reader(path.absolute(), text, base), raw, ()), data)
    if persons is not None:
        _check_persons(manifest, persons, text)
    return manifest


def _read(top: Table, data: bytes) -> Manifest:
    has_policy, has_attestation = "policy" in top.data, "attestation" in top.data
    release, egress, log, signer, builder, environment, policy_table = (
        top.table(key) for key in ("release", "egress", "log", "signer", "builder", "environment", "policy")
    )
    locate = top.reader.locate
    signers, policy_signers = release.texts("signers"), policy_table.texts("signers")
    threshold, builders = threshold_of(release, signers), threshold_of(release, signers, "builders")
    hosts = egress.take_optional("known_hosts", str)
    home, policy = signer.take_optional("home", str), signer.take_optional("policy", str)
    transport = log.command("transport")
    keyring = environment.take("archive_keyring", str, "/usr/share/keyrings/debian-archive-keyring.gpg")
    manifest = Manifest(
        path=top.reader.path,
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        name=release.plain("name"),
        version=release.plain("version"),
        keyring=locate(release.take("keyring", str)),
        signers=signers,
        threshold=threshold,
        policy_signers=policy_signers,
        policy_threshold=threshold_of(policy_table, policy_signers),
        via=egress.take("via", str, "direct"),
        known_hosts=locate(hosts) if hosts else None,
        log_transport=transport,
        log_key=_log_key(log, transport),
        signer_transport=signer.command("transport"),
        signer_home=locate(home) if home else None,
        signer_policy=locate(policy) if policy else None,
        mirror=_mirror(environment),
        archive_keyring=locate(keyring),
        tars=_tars(environment),
        components=tuple(read_component(table) for table in top.tables("component")),
        waivers=tuple(_waiver(table) for table in top.tables("waiver")),
        memory=read_memory(top.table("memory"), signers, threshold),
        attestation=read_attestation(top.table("attestation"), has_attestation),
        builders=builders,
    )
    _check_offered(manifest, egress, builder)
    if not signers:
        release.fail((), "[release] names no signers", "say who may sign: signers = [...]")
    if has_policy and not policy_signers:
        policy_table.fail((), "[policy] names no signers", "say who must have signed it, or leave [policy] out")
    for table in (release, egress, log, signer, builder, environment, policy_table, top):
        table.done()
    _check_components(manifest, top)
    _check_tars(manifest, top)
    return manifest


def _check_offered(manifest: Manifest, egress: Table, builder: Table) -> None:
    if manifest.via != "direct":
        egress.fail(
            ("via",),
            f"via = {manifest.via!r} is not offered by this version",
            'only "direct" is; do not build what must not be announced with this version',
        )
    if builder.command("transport"):
        builder.fail(("transport",), "builds elsewhere are not offered by this version", "leave it empty")


def _log_key(log: Table, transport: Sequence[str]) -> VerifierKey | None:
    """The verifier key of the log authority elsewhere; one that is embedded makes its own."""
    text = log.take_optional("key", str)
    if not transport:
        if text is not None:
            log.fail(("key",), "the embedded log authority makes its own key", "leave it out, or name a transport")
        return None
    if text is None:
        log.fail(("transport",), "[log] names no key", "add what `sealwright-appendlog host-key` prints there")
    try:
        return VerifierKey.parse(text)
    except NoteError as error:
        log.fail(("key",), f"that is no key: {error}", "copy what `sealwright-appendlog host-key` prints there")


def _mirror(environment: Table) -> str | None:
    mirror = environment.take_optional("mirror", str)
    if mirror is not None and not re.match(r"(https?|file)://[^\s\x00-\x1f-]", mirror):
        environment.fail(("mirror",), f"mirror = {mirror!r} is no archive's address", "use https, http or file")
    return mirror


def _tars(environment: Table) -> dict[str, str]:
    """Build roots that come from a tar: SHA-256 -> address."""
    tars: dict[str, str] = {}
    for table in environment.tables("tar"):
        sha256, url = table.take("sha256", str), table.take("url", str)
        if not HEX64.match(sha256):
            table.fail(("sha256",), "sha256 is not 64 lower-case hex digits", "copy the whole digest")
        if sha256 in tars:
            table.fail(("sha256",), "two tars have one digest", "name each once")
        tars[sha256] = address(table, "url", url)
        table.done()
    return tars


def _check_tars(manifest: Manifest, top: Table) -> None:
    """Each environment from a tar names one that is declared, and each of those is used."""
    used = {
        component.build.environment.removeprefix("tar:"): number
        for number, component in enumerate(manifest.components)
        if component.build and component.build.environment.startswith("tar:")
    }
    for sha256, number in used.items():
        if sha256 not in manifest.tars:
            where = ("component", number, "build", "environment")
            top.fail(
                where, f"no tar is declared with the SHA-256 {sha256[:16]}...", "add it as [[environment.tar]]"
            )
    for number, sha256 in enumerate(manifest.tars):
        if sha256 not in used:
            top.fail(
                ("environment", "tar", number, "sha256"), "nothing is built in this tar", "remove it, or use it"
            )


def _waiver(table: Table) -> Waiver:
    waiver = Waiver(
        item=table.take("item", str),
        code=table.take("code", str),
        person=table.take("person", str),
        reason=table.take("reason", str),
        item_sha256=table.take("sha256", str),
        policy_sha256=table.take("policy_sha256", str),
    )
    for key, value in (("sha256", waiver.item_sha256), ("policy_sha256", waiver.policy_sha256)):
        if not HEX64.match(value):
            table.fail((key,), f"{key} is not 64 lower-case hex digits", "copy it from the gate screen")
    if not waiver.reason.strip() or not waiver.person.strip():
        table.fail(("reason",), "a waiver wants a person and a reason", "write both")
    table.done()
    return waiver


def _check_components(manifest: Manifest, top: Table) -> None:
    names = [component.name for component in manifest.components]
    if not names:
        top.fail((), "the manifest has no [[component]]", "add one")
    for number, component in enumerate(manifest.components):
        if names.index(component.name) != number:
            top.fail(("component", number, "name"), f"two components are called {component.name}", "rename one")
        for need in component.needs:
            if need not in names:
                top.fail(
                    ("component", number, "needs"),
                    f"{component.name} needs {need!r}, which is no component",
                    "add it or remove it",
                )
        if manifest.known_hosts is None and any(git.url.startswith("ssh://") for git in component.repositories()):
            top.fail(
                ("component", number),
                f"{component.name} comes over ssh, and nothing says which key its server must have",
                'add known_hosts = "FILE" to [egress], with keys that you compared by a second channel',
            )
    known = {*names, *(f"{each.name}/{part.path}" for each in manifest.components for part in each.submodules)}
    for number, accepted in enumerate(manifest.memory.accepted):
        if accepted.component not in known and not accepted.component.startswith("environment "):
            because = f"{accepted.component!r} is no component"
            top.fail(("memory", "accept", number, "component"), because, "name one that is declared below")
    try:
        manifest.in_order()
    except graphlib.CycleError as error:
        cycle = " -> ".join(error.args[1])
        first = names.index(error.args[1][0])
        top.fail(("component", first, "needs"), f"needs has a cycle: {cycle}", "remove one of these arrows")


def _check_persons(manifest: Manifest, persons: frozenset[str], text: str) -> None:
    def check(names: Sequence[str], where: tuple[str | int, ...]) -> None:
        for name in names:
            if name not in persons:
                raise ManifestError(
                    f"{manifest.path}:{line_of(text, (*where, 'signers'))}",
                    f"signer {name!r} is no person of {manifest.keyring / 'signers.toml'}",
                    "add the person with `sealwright keyring add`, or mend the name",
                )

    check(manifest.signers, ("release",))
    check(manifest.policy_signers, ("policy",))
    check(manifest.memory.signers, ("memory",))
    for number, component in enumerate(manifest.components):
        check(component.signers, ("component", number))
        for index, file in enumerate(component.files):
            check(file.signers, ("component", number, "file", index))
        for index, submodule in enumerate(component.submodules):
            check(submodule.signers, ("component", number, "submodule", index))
        for index, rpm in enumerate(component.rpms):
            check(rpm.signers, ("component", number, "rpm", index))
