"""The provenance as a signer reads it: what it says of its release, and what a person must know before signing.

- An in-toto Statement v1 with a SLSA provenance v1 predicate, in canonical JSON, of at least one product.
- The external parameters name the release, the manifest and the policy; `internalParameters` hold counts, warnings,
  waivers and the sealed log, exactly those. So what a signer shows is part of what it signs.
- An input is named once; its digests are kept as they stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sealwright_keyring.signer.refusals import DocumentError

_TYPE = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://slsa.dev/provenance/v1"
_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,200}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_INTERNAL = {"components", "items", "warned", "waivers", "log"}
_WAIVER = ("code", "item", "person", "reason")
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
    """What a provenance says. `products` and `inputs` are digests by name; `root` is the log's, in hex."""

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


def read_statement(name: str, data: bytes) -> Statement:
    """Read the provenance `name`, strictly.

    Raises:
        DocumentError: it is none, or says less or more than a signer shows.
    """
    try:
        whole = json.loads(data)
        if json.dumps(whole, sort_keys=True, separators=(",", ":")).encode() != data:
            raise DocumentError(f"{name} is not canonical JSON")
        if (whole["_type"], whole["predicateType"]) != (_TYPE, _PREDICATE):
            raise DocumentError(f"{name} is no SLSA provenance v1 in an in-toto Statement v1")
        definition = whole["predicate"]["buildDefinition"]
        outer, inner = definition["externalParameters"], definition["internalParameters"]
        if set(inner) != _INTERNAL or set(inner["log"]) != {"origin", "size", "root"}:
            raise DocumentError(f"{name}: its internalParameters are not {', '.join(sorted(_INTERNAL))}")
        return Statement(
            _matching(_RELEASE, outer["release"], f"{name} names no release, as name-version"),
            _products(name, whole["subject"]),
            _inputs(name, definition["resolvedDependencies"]),
            _matching(_SHA256, outer["manifest"]["sha256"], f"{name} names no manifest by its SHA-256"),
            _matching(_SHA256, outer["policy"]["sha256"], f"{name} names no policy by its SHA-256"),
            _count(name, inner["components"]),
            _count(name, inner["items"]),
            _warned(name, inner["warned"]),
            tuple(_waiver(name, each) for each in _list(name, inner["waivers"])),
            _text(name, inner["log"]["origin"]),
            _count(name, inner["log"]["size"]),
            _matching(_SHA256, inner["log"]["root"], f"{name} names no root of a log"),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DocumentError(f"{name} is no in-toto statement as it is signed: {error}") from error


def _products(name: str, subjects: Any) -> dict[str, str]:
    files: dict[str, str] = {}
    for each in _list(name, subjects):
        path = _text(name, each["name"])
        if path in files:
            raise DocumentError(f"{name} names the product {path} twice")
        files[path] = _matching(_SHA256, each["digest"]["sha256"], f"{name}: {path} has no SHA-256")
    if not files:
        raise DocumentError(f"{name} is a provenance of no product")
    return files


def _inputs(name: str, dependencies: Any) -> dict[str, str]:
    inputs: dict[str, str] = {}
    for each in _list(name, dependencies):
        item, digests = _text(name, each["name"]), each["digest"]
        if item in inputs or not isinstance(digests, dict) or not digests:
            raise DocumentError(f"{name} names the input {item} twice, or without a digest")
        inputs[item] = ", ".join(f"{kind}:{_text(name, value)}" for kind, value in sorted(digests.items()))
    return inputs


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
