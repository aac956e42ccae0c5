"""The few documents that may be signed, parsed strictly before anything else happens.

- `sha256sums`: lines `<64 hex>  <path>`, sorted by path, each once, of plain names below `products/`; at least one.
- `log-sha256sums`: the same form, relative paths; it names index.jsonl, checkpoint.sealed and log.vkey.
- `dsse-payload`: an in-toto Statement v1 with a SLSA provenance v1 predicate and at least one subject; it names its
  release, as name-version, among the external parameters.
- The provenance's subjects are exactly the products that SHA256SUMS names, with the same digests.
- A release's name is the one that its provenance names: nothing else of what is signed bears one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PAYLOAD_TYPE = "application/vnd.in-toto+json"
_LINE = re.compile(r"([0-9a-f]{64})  ((?:[A-Za-z0-9][A-Za-z0-9._+~@:-]*/)*[A-Za-z0-9][A-Za-z0-9._+~@:-]*)\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*\Z")
_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,200}\Z")
_PRODUCTS = "products/"
_LOG_FILES = frozenset({"index.jsonl", "checkpoint.sealed", "log.vkey"})
_MAX = 64 << 20


class DocumentError(ValueError):
    """Not one of the documents that are signed; the sentence says why."""


@dataclass(frozen=True)
class Document:
    """A parsed document: its name, kind, bytes, what a person should know of it in a line; a provenance's release."""

    name: str
    kind: str
    data: bytes
    summary: str
    files: Mapping[str, str]
    release: str = ""

    @property
    def sha256(self) -> str:
        """SHA-256 of its bytes in hex."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def to_sign(self) -> bytes:
        """The bytes that the signature is over (for DSSE, its pre-authentication encoding)."""
        if self.kind != "dsse-payload":
            return self.data
        return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(self.data), self.data)


def parse(name: str, kind: str, data: bytes) -> Document:
    """Read one document.

    Raises:
        DocumentError: unknown kind, or not of that kind's form.
    """
    if not _NAME.match(name) or len(name) > 200:
        raise DocumentError("a document has no plain name")
    if len(data) > _MAX:
        raise DocumentError(f"{name} is too large")
    if kind == "sha256sums":
        files = _sums(name, data)
        if odd := next((path for path in files if not path.startswith(_PRODUCTS)), ""):
            raise DocumentError(f"{name} names {odd}, which is no product below {_PRODUCTS}")
        return Document(name, kind, data, f"{name}: {len(files)} products", files)
    if kind == "log-sha256sums":
        files = _sums(name, data)
        if missing := sorted(_LOG_FILES - set(files)):
            raise DocumentError(f"{name} does not name {missing[0]}: not a sealed log")
        return Document(name, kind, data, f"{name}: the sealed log, {len(files)} files", files)
    if kind == "dsse-payload":
        files, release = _statement(name, data)
        return Document(name, kind, data, f"{name}: {len(files)} products of {release}", files, release)
    raise DocumentError(f"{kind!r} is no kind of document that is signed")


def check_set(documents: Sequence[Document]) -> str:
    """Check that the documents are one release's: one of each kind, and that they agree. Gives its name.

    Raises:
        DocumentError: they are not.
    """
    kinds = {document.kind: document for document in documents}
    if len({document.name for document in documents}) != 3:
        raise DocumentError("two documents bear the same name, or some are missing")
    if len(documents) != 3 or set(kinds) != {"sha256sums", "log-sha256sums", "dsse-payload"}:
        raise DocumentError("a release is signed whole: products, log and provenance, one of each")
    if kinds["sha256sums"].files != kinds["dsse-payload"].files:
        raise DocumentError("the provenance speaks of other products than SHA256SUMS")
    return kinds["dsse-payload"].release


def digest(documents: Sequence[Document]) -> str:
    """One SHA-256 over all: of the lines `<sha256>  <name>`, sorted by name."""
    lines = "".join(
        f"{document.sha256}  {document.name}\n" for document in sorted(documents, key=lambda d: d.name)
    )
    return hashlib.sha256(lines.encode()).hexdigest()


def _sums(name: str, data: bytes) -> dict[str, str]:
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise DocumentError(f"{name} is not ASCII") from None
    if not text.endswith("\n"):
        raise DocumentError(f"{name} is empty, or cut off")
    files: dict[str, str] = {}
    for number, line in enumerate(text[:-1].split("\n"), 1):
        match = _LINE.match(line)
        if match is None or ".." in match.group(2).split("/"):
            raise DocumentError(f"{name}, line {number}, is not of the form of sha256sum with a plain path")
        if files and match.group(2) <= next(reversed(files)):
            raise DocumentError(f"{name}, line {number}, is not sorted, or stands twice")
        files[match.group(2)] = match.group(1)
    return files


def _statement(name: str, data: bytes) -> tuple[dict[str, str], str]:
    """The subjects of a provenance, and the release that it is of."""
    try:
        statement = json.loads(data)
        if json.dumps(statement, sort_keys=True, separators=(",", ":")).encode() != data:
            raise DocumentError(f"{name} is not canonical JSON")
        right = statement["_type"] == "https://in-toto.io/Statement/v1"
        right = right and statement["predicateType"] == "https://slsa.dev/provenance/v1"
        files = {str(each["name"]): str(each["digest"]["sha256"]) for each in statement["subject"]}
        release = statement["predicate"]["buildDefinition"]["externalParameters"]["release"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DocumentError(f"{name} is no in-toto statement: {error}") from error
    if not right or not files or len(files) != len(statement["subject"]):
        raise DocumentError(f"{name} is no SLSA provenance of products that are each named once")
    if not isinstance(release, str) or not _RELEASE.match(release):
        raise DocumentError(f"{name} names no release, as name-version")
    return files, release
