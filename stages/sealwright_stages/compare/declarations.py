"""What a manifest and a signers.toml declare, as they are written: fields by part. Pure.

- Paths stay as they stand: resolved, they would name the folder in which the evidence happens to lie.
- What is left out is absent, and so differs from a default that is written down.
- A file, package or submodule of a component is a part, named by what the manifest calls it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sealwright_keyring.policy import Policy
from sealwright_stages.compare.facts import Parts, Texts
from sealwright_stages.compare.told import text_of

_NAMED_BY = {"file": "url", "rpm": "url", "deb": "package", "submodule": "path"}
_SAID_ELSEWHERE = (("release", "name"), ("release", "version"))


def release_parts(raw: Mapping[str, Any]) -> Parts:
    """The tables of a manifest but for its components, and its waivers, which count only where they were used."""
    tables = {name: value for name, value in raw.items() if name not in ("component", "waiver")}
    return {
        name: {key: text for key, text in _flat(value) if (name, key) not in _SAID_ELSEWHERE}
        for name, value in tables.items()
    }


def component_parts(raw: Mapping[str, Any]) -> dict[str, Parts]:
    """The parts of each component of a manifest, by the component's name."""
    return {str(each.get("name")): _parts(each) for each in raw.get("component", ()) if isinstance(each, Mapping)}


def _parts(component: Mapping[str, Any]) -> Parts:
    parts: dict[str, Texts] = {}
    own: dict[str, str] = {}
    for name, value in component.items():
        if name == "build":
            parts[name] = dict(_flat(value))
        elif name in _NAMED_BY and isinstance(value, list):
            for each in value:
                parts[f"{name} {_name(each, _NAMED_BY[name])}"] = dict(_flat(each))
        elif name != "name":
            own[name] = text_of(value)
    return {"": own, **parts}


def _name(part: Any, key: str) -> str:
    """The last part of an address, or the whole name."""
    return str(part.get(key)).rsplit("/", 1)[-1] if isinstance(part, Mapping) else ""


def _flat(value: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """The fields of a table, those of tables in it by a dotted name."""
    if not isinstance(value, Mapping):
        yield before, text_of(value)
        return
    for key, inner in value.items():
        name = f"{before}.{key}" if before else str(key)
        if isinstance(inner, Mapping):
            yield from _flat(inner, name)
        else:
            yield name, text_of(inner)


def persons(policy: Policy) -> Parts:
    """The persons of a keyring: their keys by kind, what they may vouch for, and when."""
    return {
        person.name: {
            "openpgp": text_of(sorted(person.openpgp)),
            "ssh": text_of(sorted(key.fingerprint for key in person.ssh)),
            "minisign": text_of(sorted(key.fingerprint for key in person.minisign)),
            "ed25519": text_of(sorted(key.fingerprint for key in person.ed25519)),
            "components": text_of(sorted(person.components)),
            **{name: str(getattr(person, name) or "") for name in ("not_before", "not_after", "rotate_by")},
        }
        for person in policy.persons.values()
    }
