"""The manifest, `release.toml`: read strictly, or refused with file, line, what and what to do.

- An unknown key, a duplicate key, a wrong type or a missing key is an error; nothing is guessed.
- Names of releases, versions and components are plain: they become names of folders and streams.
- Each component has exactly one main source (`git` or `dsc`) or at least one file.
- A git source names exactly one of `tag`, `commit`, `branch`; a branch says `signed = "commit"`.
- A file has a digest, a signature, or both; a signature names its signers.
- `needs` names components of this manifest and has no cycle.
- Every signer is a person of signers.toml; a threshold is at least 1 and no larger than its signers.
- Numbers of `limits` are positive; durations end in s, m or h, sizes in K, M, G or T.
"""

from __future__ import annotations

import graphlib
import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sealwright_keyring.toml_lines import line_of

from sealwright_stages.errors import ManifestError
from sealwright_stages.ports import Limits
from sealwright_stages.verdict import Waiver

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,99}\Z")
_HEX64 = re.compile(r"[0-9a-f]{64}\Z")
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_DSC = re.compile(r"debian:([a-z][a-z0-9-]*)/([a-z0-9][a-z0-9+.-]+)\Z")
_ENVIRONMENT = re.compile(r"host\Z|debian:[a-z][a-z0-9-]*\Z|tar:[0-9a-f]{64}\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_BYTES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
T = TypeVar("T")


@dataclass(frozen=True)
class GitSource:
    """A git repository and the one signed ref that is wanted."""

    url: str
    tag: str | None
    commit: str | None
    branch: str | None


@dataclass(frozen=True)
class DscSource:
    """A Debian source package and the keyring that its uploader must be in."""

    suite: str
    package: str
    uploaders: Path


@dataclass(frozen=True)
class FileSource:
    """A third-party file: address, digest and/or signature."""

    url: str
    name: str
    sha256: str | None
    signature: str | None
    signers: tuple[str, ...]
    threshold: int


@dataclass(frozen=True)
class Build:
    """How a component is built."""

    environment: str
    packages: tuple[str, ...]
    recipe: str
    commands: tuple[str, ...]
    products: tuple[str, ...]
    limits: Limits


@dataclass(frozen=True)
class ComponentSpec:
    """One component as the manifest declares it."""

    name: str
    git: GitSource | None
    dsc: DscSource | None
    files: tuple[FileSource, ...]
    signers: tuple[str, ...]
    threshold: int
    needs: tuple[str, ...]
    build: Build | None


@dataclass(frozen=True)
class Manifest:
    """A whole release as declared. Paths are absolute; `sha256` is of the file's bytes."""

    path: Path
    sha256: str
    name: str
    version: str
    keyring: Path
    signers: tuple[str, ...]
    threshold: int
    via: str
    log_transport: tuple[str, ...]
    signer_transport: tuple[str, ...]
    signer_home: Path | None
    signer_policy: Path | None
    mirror: str | None
    archive_keyring: Path
    components: tuple[ComponentSpec, ...]
    waivers: tuple[Waiver, ...]

    @property
    def release(self) -> str:
        """`name-version`, as typed before signing."""
        return f"{self.name}-{self.version}"

    def in_order(self) -> tuple[ComponentSpec, ...]:
        """The components so that each comes after what it needs."""
        by_name = {component.name: component for component in self.components}
        order = graphlib.TopologicalSorter({c.name: c.needs for c in self.components}).static_order()
        return tuple(by_name[name] for name in order)


class _Table:
    """One table being read: every key must be taken, each with its type."""

    def __init__(self, reader: _Reader, data: Mapping[str, Any], where: tuple[str | int, ...]) -> None:
        self.reader, self.data, self.where = reader, dict(data), where

    def take(self, key: str, kind: type[T], default: T | None = None) -> T:
        """Take a value that must be there, unless `default` is given."""
        value = self.take_optional(key, kind)
        if value is None and default is None:
            self.fail((), f"{self.title()} has no {key!r}", f"add {key!r}; see docs/reference/manifest.md")
        return value if value is not None else default  # type: ignore[return-value]

    def take_optional(self, key: str, kind: type[T]) -> T | None:
        """Take a value that may be left out."""
        if key not in self.data:
            return None
        value = self.data.pop(key)
        if type(value) is not kind:
            self.fail((key,), f"{key!r} must be {_KIND[kind]}, not {_kind_of(value)}", "correct it")
        return value  # type: ignore[no-any-return]

    def texts(self, key: str) -> tuple[str, ...]:
        """Take a list of texts (empty if left out)."""
        values = self.take(key, list, [])
        for value in values:
            if not isinstance(value, str):
                self.fail((key,), f"{key!r} must hold texts only", "put each of its values in quotes")
        if len(set(values)) != len(values):
            self.fail((key,), f"{key!r} names one thing twice", "name each once")
        return tuple(values)

    def table(self, key: str) -> _Table:
        """Take a sub-table (an empty one if left out)."""
        return _Table(self.reader, self.take(key, dict, {}), (*self.where, key))

    def tables(self, key: str) -> Iterator[_Table]:
        """Take an array of tables."""
        for number, value in enumerate(self.take(key, list, [])):
            if not isinstance(value, dict):
                self.fail((key,), f"{key!r} must be [[{key}]] tables", "write each under its own [[...]]")
            yield _Table(self.reader, value, (*self.where, key, number))

    def plain(self, key: str) -> str:
        """Take a plain name: letters, digits and . _ + ~ -."""
        value = self.take(key, str)
        if not _PLAIN.match(value):
            self.fail((key,), f"{key} = {value!r} is no plain name", "use letters, digits and . _ + ~ - only")
        return value

    def done(self) -> None:
        """Nothing may be left."""
        for key in self.data:
            self.fail((key,), f"{self.title()} has an unknown key {key!r}", "remove it, or mend its spelling")

    def title(self) -> str:
        """How the table is called in a message."""
        names = [str(part) for part in self.where if isinstance(part, str)]
        return f"[{'.'.join(names)}]" if names else "the manifest"

    def fail(self, key: Sequence[str | int], because: str, next_step: str) -> None:
        """Refuse the manifest at this table or key."""
        self.reader.fail((*self.where, *key), because, next_step)


_KIND: Mapping[type, str] = {
    str: "a text",
    int: "a number",
    list: "a list",
    dict: "a table",
    bool: "true or false",
}


def _kind_of(value: object) -> str:
    return _KIND.get(type(value), type(value).__name__)


class _Reader:
    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text, self.base = path, text, path.parent

    def fail(self, where: Sequence[str | int], because: str, next_step: str) -> None:
        raise ManifestError(f"{self.path}:{line_of(self.text, where)}", because, next_step)

    def locate(self, value: str) -> Path:
        return (self.base / value).absolute()


def load(path: Path, persons: frozenset[str] | None = None) -> Manifest:
    """Read and check a manifest; `persons` are the names of signers.toml, checked if given.

    Raises:
        ManifestError: with file, line, what is wrong and what to do.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
        raw = tomllib.loads(text)
    except OSError as error:
        raise ManifestError(
            str(path), error.strerror or "can't be read", "name the release.toml; `sealwright new` makes one"
        ) from error
    except UnicodeDecodeError as error:
        raise ManifestError(str(path), "it is not UTF-8", "save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+)", str(error))
        raise ManifestError(
            f"{path}:{place.group(1) if place else '1'}", f"not valid TOML: {error}", "mend that line"
        ) from error
    manifest = _read(_Table(_Reader(path.absolute(), text), raw, ()), hashlib.sha256(data).hexdigest())
    if persons is not None:
        _check_persons(manifest, persons, text)
    return manifest


def _read(top: _Table, sha256: str) -> Manifest:
    release, egress, log, signer, environment = (
        top.table(key) for key in ("release", "egress", "log", "signer", "environment")
    )
    top.table("builder").texts("transport")
    locate = top.reader.locate
    signers = release.texts("signers")
    home, policy = signer.take_optional("home", str), signer.take_optional("policy", str)
    keyring = environment.take("archive_keyring", str, "/usr/share/keyrings/debian-archive-keyring.gpg")
    manifest = Manifest(
        path=top.reader.path,
        sha256=sha256,
        name=release.plain("name"),
        version=release.plain("version"),
        keyring=locate(release.take("keyring", str)),
        signers=signers,
        threshold=_threshold(release, signers),
        via=egress.take("via", str, "direct"),
        log_transport=log.texts("transport"),
        signer_transport=signer.texts("transport"),
        signer_home=locate(home) if home else None,
        signer_policy=locate(policy) if policy else None,
        mirror=environment.take_optional("mirror", str),
        archive_keyring=locate(keyring),
        components=tuple(_component(table) for table in top.tables("component")),
        waivers=tuple(_waiver(table) for table in top.tables("waiver")),
    )
    if manifest.via != "direct":
        egress.fail(
            ("via",),
            f"via = {manifest.via!r} is not offered by this version",
            'only "direct" is; do not build what must not be announced with this version',
        )
    if not signers:
        release.fail((), "[release] names no signers", "say who may sign: signers = [...]")
    for table in (release, egress, log, signer, environment, top):
        table.done()
    _check_components(manifest, top)
    return manifest


def _threshold(table: _Table, signers: Sequence[str]) -> int:
    threshold = table.take("threshold", int, 1)
    if not 1 <= threshold <= max(1, len(signers)):
        table.fail(("threshold",), f"threshold = {threshold} of {len(signers)} signers", "1 to that many")
    return threshold


def _component(table: _Table) -> ComponentSpec:
    name = table.plain("name")
    signers = table.texts("signers")
    component = ComponentSpec(
        name=name,
        git=_git(table, signers),
        dsc=_dsc(table),
        files=tuple(_file(file) for file in table.tables("file")),
        signers=signers,
        threshold=_threshold(table, signers),
        needs=table.texts("needs"),
        build=_build(table.table("build")) if "build" in table.data else None,
    )
    if component.git and component.dsc:
        table.fail(("dsc",), f"{name} has both git and dsc", "keep one")
    if not (component.git or component.dsc or component.files):
        table.fail((), f"{name} has no source", "give it git, dsc or [[component.file]]")
    names = [file.name for file in component.files]
    if len(set(names)) != len(names):
        table.fail(("file",), f"{name} has two files of one name", "rename one at its address")
    table.done()
    return component


def _git(table: _Table, signers: Sequence[str]) -> GitSource | None:
    url = table.take_optional("git", str)
    refs = {key: table.take_optional(key, str) for key in ("tag", "commit", "branch")}
    signed = table.take_optional("signed", str)
    if url is None:
        for key in (key for key, value in {**refs, "signed": signed}.items() if value is not None):
            table.fail((), f"{key!r} without git", "name the repository: git = ...")
        return None
    if sum(value is not None for value in refs.values()) != 1:
        table.fail(("git",), "git wants exactly one of tag, commit, branch", "name one")
    if refs["commit"] is not None and not _COMMIT.match(refs["commit"]):
        table.fail(("commit",), "commit is not 40 lower-case hex digits", "give the full commit")
    if refs["branch"] is not None and signed != "commit":
        table.fail(("branch",), 'a branch wants signed = "commit"', "add it, or name a tag")
    for key in ("tag", "branch"):
        if refs[key] is not None and not re.match(r"[A-Za-z0-9][A-Za-z0-9._+/~-]*\Z", refs[key] or ""):
            table.fail((key,), f"{key} = {refs[key]!r} is no plain ref", "name the ref without refs/ or wildcards")
    if not signers:
        table.fail(("git",), "git without signers", "say whose signature counts: signers = [...]")
    return GitSource(_address(table, "git", url), refs["tag"], refs["commit"], refs["branch"])


def _address(table: _Table, key: str, url: str) -> str:
    if re.match(r"(https?|ssh|file)://[^\s\x00-\x1f-]", url):
        return url
    if "://" in url or url.startswith("-") or not url or re.search(r"[\x00-\x1f]", url):
        table.fail((key,), f"{url!r} is no address that we fetch from", "use https, ssh, file or a local path")
    return str(table.reader.locate(url))


def _dsc(table: _Table) -> DscSource | None:
    value, uploaders = table.take_optional("dsc", str), table.take_optional("uploaders", str)
    if value is None:
        if uploaders is not None:
            table.fail(("uploaders",), "uploaders without dsc", "remove it")
        return None
    match = _DSC.match(value)
    if match is None:
        table.fail(("dsc",), f"dsc = {value!r} is not debian:SUITE/PACKAGE", "write it so")
        raise AssertionError  # fail always raises
    if uploaders is None:
        table.fail(("dsc",), "dsc without uploaders", 'say which keyring: uploaders = "debian-keyring"')
    packaged = Path("/usr/share/keyrings") / f"{uploaders}.gpg"
    keyring = packaged if uploaders and "/" not in uploaders else table.reader.locate(str(uploaders))
    return DscSource(match.group(1), match.group(2), keyring)


def _file(table: _Table) -> FileSource:
    url = table.take("url", str)
    sha256, signature = table.take_optional("sha256", str), table.take_optional("signature", str)
    signers = table.texts("signers")
    if sha256 is not None and not _HEX64.match(sha256):
        table.fail(("sha256",), "sha256 is not 64 lower-case hex digits", "copy the whole digest")
    if sha256 is None and signature is None:
        table.fail(("url",), "a file wants sha256, signature, or both", "add one")
    if signature is not None and not signers:
        table.fail(("signature",), "signature without signers", "say whose signature counts")
    name = url.rsplit("/", 1)[-1]
    if not _PLAIN.match(name):
        table.fail(("url",), f"its last part {name!r} is no plain file name", "use an address that ends in one")
    threshold = _threshold(table, signers)
    table.done()
    return FileSource(
        _address(table, "url", url),
        name,
        sha256,
        _address(table, "signature", signature) if signature else None,
        signers,
        threshold,
    )


def _build(table: _Table) -> Build:
    recipe, environment = table.take("recipe", str), table.take("environment", str, "host")
    commands, products = table.texts("commands"), table.texts("products")
    packages = table.texts("packages")
    if recipe not in ("commands", "deb"):
        table.fail(("recipe",), f"recipe {recipe!r} is not offered", 'use "commands" or "deb"')
    if recipe == "commands" and not (commands and products):
        table.fail(("recipe",), 'recipe "commands" wants commands and products', "add them")
    if recipe == "deb" and commands:
        table.fail(("commands",), 'recipe "deb" takes no commands', "remove them")
    if not _ENVIRONMENT.match(environment):
        table.fail(("environment",), f"environment {environment!r} is unknown", 'use "host" or "debian:SUITE"')
    if environment.startswith("tar:"):
        table.fail(("environment",), "environments from a tar are not offered by this version", "use debian:SUITE")
    for package in packages:
        if not re.match(r"[a-z0-9][a-z0-9+.-]+\Z", package):
            table.fail(("packages",), f"{package!r} is no package name", "name Debian packages")
    limits = _limits(table.table("limits"))
    table.done()
    return Build(environment, packages, recipe, commands, products or ("*.deb",), limits)


def _limits(table: _Table) -> Limits:
    usual = Limits()
    limits = Limits(
        wall=_measured(table, "wall", _SECONDS, usual.wall),
        memory=_measured(table, "memory", _BYTES, usual.memory),
        disk=_measured(table, "disk", _BYTES, usual.disk),
        processes=table.take("processes", int, usual.processes),
    )
    if limits.processes < 1:
        table.fail(("processes",), "processes must be at least 1", "raise it")
    table.done()
    return limits


def _measured(table: _Table, key: str, units: Mapping[str, int], usual: int) -> int:
    value = table.take_optional(key, str)
    if value is None:
        return usual
    match = re.fullmatch(rf"([1-9][0-9]{{0,8}})([{''.join(units)}])", value)
    if match is None:
        table.fail(
            (key,),
            f"{key} = {value!r} is no number with one of {', '.join(units)}",
            f'e.g. {key} = "2{next(iter(units))}"',
        )
        raise AssertionError  # fail always raises
    return int(match.group(1)) * units[match.group(2)]


def _waiver(table: _Table) -> Waiver:
    waiver = Waiver(
        item=table.take("item", str),
        code=table.take("code", str),
        person=table.take("person", str),
        reason=table.take("reason", str),
        item_sha256=table.take("sha256", str),
        policy_sha256=table.take("policy_sha256", str),
    )
    for key, value in (("sha256", waiver.item_sha256), ("policy_sha256", waiver.policy_sha256)):
        if not _HEX64.match(value):
            table.fail((key,), f"{key} is not 64 lower-case hex digits", "copy it from the gate screen")
    if not waiver.reason.strip() or not waiver.person.strip():
        table.fail(("reason",), "a waiver wants a person and a reason", "write both")
    table.done()
    return waiver


def _check_components(manifest: Manifest, top: _Table) -> None:
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
    for number, component in enumerate(manifest.components):
        check(component.signers, ("component", number))
        for index, file in enumerate(component.files):
            check(file.signers, ("component", number, "file", index))
