"""What an accepted item says that a later release may be held against: facts, taken out of its evidence.

Pure: evidence in, facts out.

- A git item tells the tag or commit, the signed object, and its dates; an archive item the date of the signed index,
  the version of the package, and each of its files; a file's item the bytes that an address gave.
- A submodule is remembered as `<component>/<path>`: its tags and versions have nothing to do with its parent's.
- Evidence that tells nothing of the kind gives no fact; evidence that tells it crookedly is a `ValueError`.
- Each fact knows who accepted it: which release, sealed when, in which record of which log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class Kind(StrEnum):
    """What a fact is about."""

    TAG = "tag"
    COMMIT = "commit"
    ARCHIVE = "archive"
    PACKAGE = "package"
    PART = "part"  # a file of a package
    FILE = "file"


@dataclass(frozen=True, order=True)
class Origin:
    """Who accepted it: `name-version` (empty: the log that is being written), when that was sealed, the log's root.

    `n` is the record; 0 in a log that is being written: it is not accepted yet.
    """

    release: str = ""
    sealed: str = ""
    root: str = ""
    n: int = 0

    @property
    def told(self) -> str:
        """The origin as the beginning of a sentence."""
        if not self.release:
            return f"record {self.n} of this log" if self.n else "another component of this run"
        return f"release {self.release} (sealed {self.sealed[:10]})"


@dataclass(frozen=True)
class Fact:
    """Something that was accepted.

    `place` is the address of repository, archive or file; `name` the tag, commit, suite, package or file; `value` the
    SHA-256 of object, index or file, or the package's version. `date` and `committed` are seconds since 1970: the
    tag's own date, and its commit's; the commit's; the index's. `pinned`: the manifest named the value itself.
    """

    kind: Kind
    component: str
    place: str
    name: str
    value: str
    date: int | None = None
    committed: int | None = None
    pinned: bool = False
    origin: Origin = Origin()

    @property
    def key(self) -> tuple[object, ...]:
        """By which facts are put in order: older ones first."""
        return (self.kind, self.date or 0, self.name, self.value, self.place, self.component, self.origin)

    def told(self) -> dict[str, object]:
        """The fact as evidence."""
        origin = self.origin
        accepted_by = {"release": origin.release, "sealed": origin.sealed, "log_root": origin.root, "n": origin.n}
        fields = {"kind": self.kind, "component": self.component, "place": self.place, "name": self.name}
        dates = {"date": iso(self.date)} if self.date is not None else {}
        return {**fields, "value": self.value, **dates, "accepted_by": accepted_by}


def facts_of(component: str, evidence: Mapping[str, object], subject: str, origin: Origin) -> tuple[Fact, ...]:
    """The facts in an item's evidence; `subject` is the SHA-256 of the bytes that the item judged.

    Raises:
        ValueError: what is there has another form than this program gives it.
    """
    if "object_sha256" in evidence:
        return (_git(component, evidence, origin),)
    facts: list[Fact] = []
    if "archive" in evidence:
        facts += _archive(component, evidence, origin)
    elif "url" in evidence:
        pinned = evidence.get("pinned") is True
        facts.append(Fact(Kind.FILE, component, _text(evidence, "url"), "", subject, pinned=pinned, origin=origin))
    return tuple(facts)


def iso(seconds: int | None) -> str:
    """A date as it stands in sentences and declarations: RFC 3339, UTC."""
    return datetime.fromtimestamp(seconds or 0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _git(component: str, evidence: Mapping[str, object], origin: Origin) -> Fact:
    committed = _number(evidence, "committed")
    if "submodule" in evidence:
        component = f"{component}/{_text(evidence, 'submodule')}"
    place, value = _text(evidence, "url"), _text(evidence, "object_sha256")
    if "tag" in evidence:
        tagged = _number(evidence, "tagged")
        return Fact(Kind.TAG, component, place, _text(evidence, "tag"), value, tagged, committed, origin=origin)
    name = _text(evidence, "commit")
    return Fact(Kind.COMMIT, component, place, name, value, committed, committed, origin=origin)


def _archive(component: str, evidence: Mapping[str, object], origin: Origin) -> Iterator[Fact]:
    told = _table(evidence, "archive")
    date = datetime.fromisoformat(_text(told, "date"))
    if date.tzinfo is None:
        raise ValueError("the date of an archive's index has no time zone")
    mirror, suite, index = (_text(told, key) for key in ("mirror", "suite", "inrelease_sha256"))
    yield Fact(Kind.ARCHIVE, component, mirror, suite, index, int(date.timestamp()), origin=origin)
    if "version" in evidence:
        package = str(evidence.get("package") or component)
        yield Fact(Kind.PACKAGE, component, "", package, _text(evidence, "version"), origin=origin)
    if "files" in evidence:
        for name, value in _table(evidence, "files").items():
            yield Fact(Kind.PART, component, "", str(name), str(value), origin=origin)


def _text(table: Mapping[str, object], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"evidence has no text {key!r}")
    return value


def _number(table: Mapping[str, object], key: str) -> int:
    value = table.get(key)
    if type(value) is not int:
        raise ValueError(f"evidence has no number {key!r}")
    return value


def _table(table: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = table.get(key)
    if not isinstance(value, Mapping):
        raise ValueError(f"evidence has no table {key!r}")
    return value
