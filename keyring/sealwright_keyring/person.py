"""A person who may vouch: keys of every kind, the components, and the time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sealwright_keyring.ed25519_keys import Ed25519Key
from sealwright_keyring.minisign_keys import MinisignKey
from sealwright_keyring.ssh_keys import SshKey


@dataclass(frozen=True)
class Person:
    """A person who may vouch: keys by kind, the components (empty: all), and from when to when (inclusive)."""

    name: str
    openpgp: tuple[str, ...]
    ssh: tuple[SshKey, ...] = ()
    minisign: tuple[MinisignKey, ...] = ()
    components: tuple[str, ...] = ()
    not_before: date | None = None
    not_after: date | None = None
    rotate_by: date | None = None
    ed25519: tuple[Ed25519Key, ...] = ()
    """With which the person signs provenance a second time; nothing counts by them."""

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The names of all the person's keys, as a verdict names them."""
        ssh, minisign, raw = (
            tuple(key.fingerprint for key in keys) for keys in (self.ssh, self.minisign, self.ed25519)
        )
        return (*self.openpgp, *ssh, *minisign, *raw)

    def covers(self, component: str | None) -> bool:
        """Whether the person's scope covers `component` (None: the release itself)."""
        return not self.components or component in self.components

    def may_vouch(self, component: str | None, today: date) -> bool:
        """Whether the person's scope and time cover `component` (None: the release itself) on `today`."""
        return self.covers(component) and self.in_time(today)

    def in_time(self, day: date) -> bool:
        """Whether `day` (UTC) lies within the person's time."""
        begun = self.not_before is None or self.not_before <= day
        return begun and (self.not_after is None or day <= self.not_after)
