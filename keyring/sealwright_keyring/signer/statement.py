"""The provenance as a signer reads it: what it says of its release, and what a person must know before signing.

- An in-toto Statement v1 with a SLSA provenance v1 predicate, in canonical JSON, of at least one product.
- The external parameters name the release, the manifest and the policy; `internalParameters` hold counts, warnings,
  waivers and the sealed log, exactly those. So what a signer shows is part of what it signs.
- No table has a field besides those that Sealwright writes: a second digest of a product, which nobody looked at, would
  count with a verifier that prefers that kind (in-toto's DigestSet: one that matches is enough).
- An input is named once; its digests are kept as they stand.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sealwright_keyring.signer.refusals import DocumentError

_TYPE = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://slsa.dev/provenance/v1"
_OURS = "https://sealwright.invalid"
_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,200}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_INTERNAL = {"components", "items", "warned", "waivers", "log"}
_WAIVER = ("code", "item", "person", "reason")
_BYPRODUCT = "sbom.cdx.json"
_MOST = 1 << 53


@dataclass(frozen=True)
class Waiver:
    """A warning that a person accepted: its code, the item, who, and why."""

    code: str
    item: str
    person: str
    reason: str


@dataclass(frozen=True)
class Statement:
    """What a provenance says. `products` and `inputs` are digests by name; `root` is the log's, in hex.

    `builder` is the builder's id, `invocation` that of its run.
    """

    release: str
    products: Mapping[str, str]
    inputs: Mapping[str, str]
    manifest: str
    policy: str
    components: int
    items: int
    warned: tuple[str, ...]
    waivers: tuple[Waiver, ...]
    origin: str
    size: int
    root: str
    builder: str
    invocation: str

    def is_of(self, public: bytes) -> bool:
        """Whether it names the builder whose log has this public key (32 bytes), and the run that this log is of."""
        builder = f"{_OURS}/builder/{hashlib.sha256(public).hexdigest()}"
        return (self.builder, self.invocation) == (builder, f"{self.origin}#{self.root}")


def read_statement(name: str, data: bytes) -> Statement:
    """Read the provenance `name`, strictly.

    Raises:
        DocumentError: it is none, or says less or more than a signer shows.
    """
    try:
        whole = json.loads(data)
        if json.dumps(whole, sort_keys=True, separators=(",", ":")).encode() != data:
            raise DocumentError(f"{name} is not canonical JSON")
        _exact(name, whole, {"_type", "subject", "predicateType", "predicate"})
        if (whole["_type"], whole["predicateType"]) != (_TYPE, _PREDICATE):
            raise DocumentError(f"{name} is no SLSA provenance v1 in an in-toto Statement v1")
        _exact(name, whole["predicate"], {"buildDefinition", "runDetails"})
        definition, details = whole["predicate"]["buildDefinition"], whole["predicate"]["runDetails"]
        _exact(name, definition, {"buildType", "externalParameters", "internalParameters", "resolvedDependencies"})
        outer, inner = definition["externalParameters"], definition["internalParameters"]
        _exact(name, outer, {"release", "manifest", "policy"})
        _exact(name, inner, _INTERNAL)
        _exact(name, inner["log"], {"origin", "size", "root"})
        if definition["buildType"] != f"{_OURS}/release/v1":
            raise DocumentError(f"{name} is of a build of another type")
        builder, invocation = _details(name, details)
        return Statement(
            _matching(_RELEASE, outer["release"], f"{name} names no release, as name-version"),
            _products(name, whole["subject"]),
            _inputs(name, definition["resolvedDependencies"]),
            _digest(name, outer["manifest"], f"{name} names no manifest by its SHA-256"),
            _digest(name, outer["policy"], f"{name} names no policy by its SHA-256"),
            _count(name, inner["components"]),
            _count(name, inner["items"]),
            _warned(name, inner["warned"]),
            tuple(_waiver(name, each) for each in _list(name, inner["waivers"])),
            _text(name, inner["log"]["origin"]),
            _count(name, inner["log"]["size"]),
            _matching(_SHA256, inner["log"]["root"], f"{name} names no root of a log"),
            builder,
            invocation,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DocumentError(f"{name} is no in-toto statement as it is signed: {error}") from error


def _products(name: str, subjects: Any) -> dict[str, str]:
    files: dict[str, str] = {}
    for each in _list(name, subjects):
        _exact(name, each, {"name", "digest"})
        path = _text(name, each["name"])
        if path in files:
            raise DocumentError(f"{name} names the product {path} twice")
        files[path] = _digest(name, each["digest"], f"{name}: {path} has no SHA-256")
    if not files:
        raise DocumentError(f"{name} is a provenance of no product")
    return files


def _inputs(name: str, dependencies: Any) -> dict[str, str]:
    inputs: dict[str, str] = {}
    for each in _list(name, dependencies):
        _exact(name, each, {"name", "digest"}, {"uri", "annotations"})
        item, digests = _text(name, each["name"]), each["digest"]
        if item in inputs or not isinstance(digests, dict) or not digests:
            raise DocumentError(f"{name} names the input {item} twice, or without a digest")
        inputs[item] = ", ".join(f"{kind}:{_text(name, value)}" for kind, value in sorted(digests.items()))
    return inputs


def _details(name: str, details: Any) -> tuple[str, str]:
    """The builder's id and that of its run."""
    _exact(name, details, {"builder", "metadata", "byproducts"})
    builder, metadata, byproducts = (details[each] for each in ("builder", "metadata", "byproducts"))
    _exact(name, builder, {"id", "version"})
    _exact(name, builder["version"], {"sealwright"})
    _exact(name, metadata, {"invocationId", "startedOn", "finishedOn"})
    for value in (builder["version"]["sealwright"], metadata["startedOn"], metadata["finishedOn"]):
        _text(name, value)
    for each in _list(name, byproducts):
        _exact(name, each, {"name", "digest"})
        _digest(name, each["digest"], f"{name}: a byproduct has no SHA-256")
    if [each["name"] for each in byproducts] != [_BYPRODUCT]:
        raise DocumentError(f"{name} names another byproduct than {_BYPRODUCT}")
    return _text(name, builder["id"]), _text(name, metadata["invocationId"])


def _exact(name: str, value: Any, keys: Collection[str], optional: Collection[str] = ()) -> None:
    """Refuse what is no table of just these fields."""
    if not isinstance(value, dict) or not set(keys) <= set(value) <= {*keys, *optional}:
        raise DocumentError(f"{name}: a table has not exactly {', '.join(sorted(keys))}")


def _digest(name: str, value: Any, otherwise: str) -> str:
    """The SHA-256 of a set of digests that has no other one."""
    if isinstance(value, dict) and set(value) - {"sha256"}:
        raise DocumentError(f"{name}: a set of digests has another one beside the SHA-256")
    return _matching(_SHA256, value["sha256"], otherwise)


def _warned(name: str, value: Any) -> tuple[str, ...]:
    warned = tuple(_text(name, each) for each in _list(name, value))
    if list(warned) != sorted(set(warned)):
        raise DocumentError(f"{name}: the warned items are not sorted, or one stands twice")
    return warned


def _waiver(name: str, value: Any) -> Waiver:
    if not isinstance(value, dict) or set(value) != set(_WAIVER):
        raise DocumentError(f"{name}: a waiver has {', '.join(_WAIVER)}")
    return Waiver(*(_text(name, value[each]) for each in _WAIVER))


def _matching(pattern: re.Pattern[str], value: Any, otherwise: str) -> str:
    if not isinstance(value, str) or not pattern.match(value):
        raise DocumentError(otherwise)
    return value


def _count(name: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value < _MOST:
        raise DocumentError(f"{name}: a count is no plain number")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise DocumentError(f"{name}: a text is none")
    return value


def _list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise DocumentError(f"{name}: a list is none")
    return value
