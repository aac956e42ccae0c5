"""What is compared of a release, out of its evidence folder and what an audit made of that.

- Everything comes from the audited state; evidence on streams counts only if it hashes as its verdict says.
- Manifest and keyring count only if they are those of the log.
- Nothing here raises over what the evidence says: what can't be used is left out and named, and the audit says no.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sealwright_appendlog.record import stream_name
from sealwright_keyring.certificates import certificates
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import Policy, load_policy
from sealwright_stages.audit import Reviewer
from sealwright_stages.audit_signatures import required
from sealwright_stages.compare.declarations import component_parts, persons, release_parts
from sealwright_stages.compare.facts import Check, Component, Parts, Product, Release, Signature
from sealwright_stages.compare.told import listed_of, signatures_of, told_of
from sealwright_stages.errors import SealwrightError
from sealwright_stages.events import Stage
from sealwright_stages.manifest import Manifest, load
from sealwright_stages.memory.facts import Fact, Origin, facts_of
from sealwright_stages.memory.recall import evidence_of
from sealwright_stages.sign.release_signatures import signed_pairs, signers_of
from sealwright_stages.state import Item, State

_MOST = 20  # problems that are named


@dataclass
class Gathering:
    """Gathers one release; `problems` says what could not be used."""

    evidence: Path
    state: State
    reviewer: Reviewer
    problems: list[str] = field(default_factory=list)
    _owners: Mapping[str, Signature] = field(default_factory=dict)

    def release(self) -> Release:
        """The release as its evidence tells it."""
        state, manifest, policy = self.state, self._manifest(), self._policy()
        raw: Mapping[str, Any] = tomllib.loads(manifest.data.decode()) if manifest else {}
        self._owners = _owners(policy) if policy else {}
        signed = frozenset(state.policy_signed.persons.split()) if state.policy_signed else frozenset()
        return Release(
            name=state.release,
            version=state.version,
            tool=state.tool,
            manifest_sha256=state.manifest_sha256,
            policy_sha256=state.policy_sha256,
            policy_version=str(policy.version.number) if policy and policy.version else "",
            policy_signed=signed,
            remembers=frozenset(f"{each.release} {each.root}" for each in state.memory.values()),
            declared=release_parts(raw) if manifest else None,
            persons=persons(policy) if policy else None,
            signatures=self._signatures(manifest, policy),
            components=self._components(component_parts(raw)),
            took=dict(_stages(state)),
        )

    def _say(self, problem: str) -> None:
        if len(self.problems) < _MOST:
            self.problems.append(problem)

    def _manifest(self) -> Manifest | None:
        try:
            manifest = load(self.evidence / "policy" / "release.toml")
        except SealwrightError as error:
            self._say(f"its manifest is not compared: {error.because}")
            return None
        if manifest.sha256 != self.state.manifest_sha256:
            self._say("its manifest is not compared: it is not the one in the log")
            return None
        return manifest

    def _policy(self) -> Policy | None:
        try:
            policy = load_policy(self.evidence / "policy")
        except KeyringError as error:
            self._say(f"its signers.toml is not compared: {error.because}")
            return None
        if policy.sha256 != self.state.policy_sha256:
            self._say("its signers.toml is not compared: it is not the one in the log")
            return None
        return policy

    def _signatures(self, manifest: Manifest | None, policy: Policy | None) -> frozenset[Signature]:
        """Who signed both sums of the release, of those who count."""
        wants = required(self.reviewer, manifest, policy)[0] if manifest and policy else None
        if wants is None:
            return frozenset()
        try:
            found = [signers_of(signature, data, wants.policy, wants.names) for signature, data in self._pairs()]
        except SealwrightError as error:
            self._say(f"who signed it is not compared: {error.because}")
            return frozenset()
        return frozenset(Signature(*each) for each in frozenset.intersection(*found))

    def _pairs(self) -> Iterator[tuple[bytes, bytes]]:
        return signed_pairs(self.evidence)

    def _components(self, declared: Mapping[str, Parts]) -> dict[str, Component]:
        products: dict[str, dict[str, Product]] = {}
        for each in self.state.products.values():
            products.setdefault(each.component, {})[each.name] = Product(each.sha256, each.size, each.beside)
        return {name: self._component(name, declared, products) for name in self.state.components}

    def _component(
        self, name: str, declared: Mapping[str, Parts], products: Mapping[str, Mapping[str, Product]]
    ) -> Component:
        known = self.state.components[name]
        items = [self.state.items[item] for item in known.items]
        return Component(
            declared=declared.get(name, {}),
            checks={item.id: self._check(item) for item in items},
            sources_sha256=known.manifest_sha256,
            files=known.files,
            bytes=known.bytes,
            recipe=known.recipe,
            environment=known.environment,
            environment_sha256=known.environment_sha256,
            epoch=known.epoch,
            needs_sha256=known.built_with,
            products=products.get(name, {}),
            took=dict(_took(items, known.wall_ms)),
            output=self._output(known.build_stream),
        )

    def _check(self, item: Item) -> Check:
        evidence: Mapping[str, object] = {}
        facts: tuple[Fact, ...] = ()
        if item.stage is not Stage.BUILD:
            try:
                evidence = evidence_of(item, self.evidence / "log")
                facts = facts_of(item.component, evidence, item.subject_sha256, Origin(n=item.n))
            except (SealwrightError, OSError, ValueError) as error:
                self._say(f"the evidence of {item.id} is not compared: {error}")
        judges = item.stage is Stage.VERIFY
        waiver = item.waiver
        return Check(
            stage=item.stage,
            kind=item.kind,
            status=item.status,
            code=item.code,
            subject_sha256=item.subject_sha256 if judges else "",
            waived=f"{waiver.person}: {waiver.reason}" if waiver else "",
            signatures=signatures_of(evidence, self._owners) if judges else frozenset(),
            told=told_of(evidence),
            listed=listed_of(evidence) if judges else {},
            facts=facts if judges else (),
        )

    def _output(self, stream: str) -> int:
        """How many bytes a build said."""
        try:
            folder = self.evidence / "log" / "data" / stream_name(stream)
            return sum(path.lstat().st_size for path in folder.glob("*.log"))
        except (OSError, ValueError):
            return 0  # it was not built, or the audit says what is wrong


def _owners(policy: Policy) -> dict[str, Signature]:
    """Whose each key of a keyring is, by its fingerprint or that of a subkey."""
    owners = {key: Signature(name, key) for name, person in policy.persons.items() for key in person.fingerprints}
    for file in policy.certificates:
        try:
            found = certificates(file)
        except KeyringError:
            continue  # the audit says so, if a signature hangs on it
        for each in found:
            primary = owners.get(each.fingerprint, Signature("", each.fingerprint))
            owners |= {subkey: primary for subkey in each.subkeys if subkey not in owners}
    return owners


def _took(items: list[Item], wall_ms: int) -> Iterator[tuple[str, int]]:
    """Milliseconds that the last try of each item took, by stage; a build's are its own."""
    for stage in (Stage.GET_SOURCES, Stage.VERIFY):
        took = [milliseconds(item.began, item.judged) for item in items if item.stage is stage]
        if took:
            yield stage, sum(took)
    if wall_ms:
        yield Stage.BUILD, wall_ms


def _stages(state: State) -> Iterator[tuple[str, int]]:
    """Milliseconds of each stage of the last run that walked it."""
    for stage, began in state.stages_started.items():
        if stage in state.stages_ended_at:
            yield stage, milliseconds(began, state.stages_ended_at[stage])


def milliseconds(began: str, ended: str) -> int:
    """Milliseconds between two times of the log; 0 if one is none, or the clock went back."""
    try:
        took = datetime.fromisoformat(ended) - datetime.fromisoformat(began)
    except (ValueError, TypeError):
        return 0
    return max(0, round(took.total_seconds() * 1000))
