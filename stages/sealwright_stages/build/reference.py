"""The packages of a build beside those that the archive published: by its signed index, and byte for byte.

- A product is set beside the one package of the verified index whose file has its name, so its version and architecture.
- Where their SHA-256 is the same they are the same, and nothing is fetched. Where it isn't, the archive's is fetched
  into the quarantine, judged by size and SHA-256, put into the report, and removed; it never gets anywhere else.
- What can't be fetched or is another file than the index names is red: there is no reference then.
- What the archive doesn't have is named, with what it has instead, and needs a waiver like a difference.
- Debug symbols are in another archive. They are let pass unseen, and named, only where the package whose symbols they
  are is in this one: if it is the same they describe the same, and if it differs the warning stands.
- A product that is no .deb is named and not compared; where there is no package at all, nothing was compared: red.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.files import remove_tree, sha256_file
from sealwright_stages.get_sources import cache
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.get_sources.quarantine import discard
from sealwright_stages.ports import Outcome, Reference, Report, Side, Workshop
from sealwright_stages.verdict import Evidence, Verdict, Warned
from sealwright_stages.verify.archive import Binary, Release, published
from sealwright_stages.verify.codes import RefusedError, failed, passed, shown, warned

_NEXT = "try another mirror; if it is the same there, ask the archive"
_NAMED = 3  # products that a reason names
_DEBUG = "-dbgsym_"
Reporter = Callable[[tuple[Side, Side], Collection[str], Path], Report]
"""From two sides, the names that are looked at and a new folder to work in, to a report."""


@dataclass(frozen=True)
class Beside:
    """A product beside the archive's package: `identical`, `differs`, `absent`, or not looked at: `debug`, `no-package`.

    `why` says what the archive has instead.
    """

    name: str
    sha256: str
    result: str
    there: Binary | None = None
    why: str = ""

    def evidence(self) -> dict[str, object]:
        """The same as JSON."""
        told: dict[str, object] = {"result": self.result, "built": self.sha256, "published": "", "why": self.why}
        if self.there is None:
            return told
        return {
            **told,
            "published": self.there.known.sha256,
            "version": self.there.version,
            "path": self.there.path,
        }


def compare(
    asked: Reference, subject: str, archive: DebianArchive, workshop: Workshop, report: Reporter
) -> Outcome:
    """Judge products by what the archive published.

    Raises:
        FetchError: the index, or a package of it, did not arrive or is refused.
        MachineError: as of `report`.
    """
    release, index = archive.packages(workshop)
    evidence: dict[str, object] = {
        "archive": release.told(archive.archive.mirror, archive.suite),
        "index": dict(release.verdict.evidence),
    }
    try:
        rows = besides(index, asked.products)
    except RefusedError as error:
        return Outcome({asked.item: error.verdict(subject, evidence)})
    evidence["compared"] = {row.name: row.evidence() for row in rows}
    differing = {row.name: row.there for row in rows if row.result == "differs" and row.there is not None}
    told = None
    try:
        for name, there in differing.items():
            archive.file(workshop, there.path, there.known, name)
            if refused := _refused(workshop.quarantine / name, there):
                gone = discard(workshop.quarantine / name, asked.item, refused.reason)
                return Outcome({asked.item: refused.verdict(subject, evidence)}, tuple(gone))
            cache.keep(workshop.cache, workshop.quarantine / name, there.known.sha256)
        if differing:
            sides = Side("built", asked.folder), Side("archive", workshop.quarantine)
            told = report(sides, differing, workshop.quarantine / "diffoscope")
            evidence["report"] = told.evidence()
    finally:
        for name in differing:
            remove_tree(workshop.quarantine / name)
    return Outcome({asked.item: _verdict(rows, release, subject, evidence, told)})


def besides(index: bytes, products: Mapping[str, str]) -> list[Beside]:
    """Each product beside the package of the index that has its name; what are debug symbols is seen last.

    Raises:
        RefusedError: the index has two of them, or names one oddly.
    """
    found: dict[str, Beside] = {}
    for name in sorted(products):
        sha256 = products[name]
        if not name.endswith(".deb"):
            found[name] = Beside(
                name, sha256, "no-package", None, "it is no .deb, and the archive's index names no other"
            )
            continue
        there, why = published(index, name)
        same = there is not None and there.known.sha256 == sha256
        result = "absent" if there is None else "identical" if same else "differs"
        found[name] = Beside(name, sha256, result, there, shown(why))
    for name, row in found.items():
        stripped = found.get(name.replace(_DEBUG, "_", 1))
        if row.result == "absent" and _DEBUG in name and stripped is not None and stripped.there is not None:
            found[name] = Beside(name, row.sha256, "debug", None, "debug symbols are in an archive of their own")
    return list(found.values())


def _refused(path: Path, there: Binary) -> RefusedError | None:
    """Why a file is not the one that the signed index names, if it is not."""
    try:
        size, sha256 = path.lstat().st_size, sha256_file(path)
    except OSError as error:
        return RefusedError("not-fetched", f"the archive's {path.name} is not there: {error}", "run again")
    if size != there.known.size:
        reason = f"the archive's {path.name} is not as long as the signed index says"
        return RefusedError("size-mismatch", reason, _NEXT)
    if sha256 != there.known.sha256:
        reason = f"the archive's {path.name} is not the file that the signed index names"
        return RefusedError("digest-mismatch", reason, _NEXT)
    return None


def _verdict(
    rows: list[Beside], release: Release, subject: str, evidence: Evidence, told: Report | None
) -> Verdict:
    by = {result: [row for row in rows if row.result == result] for result in ("identical", "differs", "absent")}
    seen = sum(map(len, by.values()))
    if not seen:
        reason, next_step = "no product is a package", "let `products` have the packages, or remove `reference`"
        return failed("reference-missing", reason, next_step, subject, evidence)
    codes: list[str] = []
    reasons: list[str] = []
    steps: list[str] = []
    if by["differs"]:
        codes.append("differs-from-archive")
        reasons.append(
            f"{len(by['differs'])} of {seen} packages differ from the archive's: {_names(by['differs'])}"
        )
        if told is not None and told.why_none:
            reasons.append(f"there is no report of how: {told.why_none}")
            steps.append(f"{told.cure}, then retry; or find out why")
        else:
            steps.append("read the report in its evidence")
    if by["absent"]:
        codes.append("not-in-archive")
        which = "; ".join(f"{row.name}: {row.why}" for row in by["absent"][:_NAMED])
        reasons.append(f"{len(by['absent'])} of {seen} packages are not in the archive ({which})")
        steps.append("see whether the source is the one that the archive built")
    if isinstance(release.verdict, Warned):
        codes.append(release.verdict.code)
        reasons.append(release.verdict.reason)
        steps.append(release.verdict.next_step)
    if not codes:
        same = f"{seen} packages bit-identical to those in the {release.verdict.reason}"
        return passed(same, subject, evidence)
    next_step = f"{'; '.join(steps)}; then waive it by name, with the reason"
    return warned("+".join(codes), "; ".join(reasons), next_step, subject, evidence)


def _names(rows: list[Beside]) -> str:
    more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
    return ", ".join(row.name for row in rows[:_NAMED]) + more
